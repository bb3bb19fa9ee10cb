"""Work side by side or in turn: at most one thread per task, none inside it.

Small trees and small matrices lose more to threads that wait for each other than they gain, most of all on a busy
machine: there a training took ten times as long.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import cpu_count
from typing import TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")

# For LightGBM, which takes its threads from its own parameter.
ALONE = {"num_threads": 1}


def in_turn(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """`work` done on one task after the other: many small array operations only contend for Python's lock."""
    with threadpool_limits(1):
        return [work(task) for task in tasks]


def side_by_side(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """`work` done on every task, results in the order of the tasks; an error of any of them is raised."""
    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(work, tasks))
