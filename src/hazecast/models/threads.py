"""Parallel and sequential maps with one thread per task.

Small trees and small matrices lose more time to thread synchronisation than they gain, most of all on a busy machine,
where training took ten times as long.
"""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import cpu_count
from typing import TypeVar

from threadpoolctl import threadpool_limits

Task = TypeVar("Task")
Result = TypeVar("Result")

# LightGBM takes its threads from its own parameter.
SINGLE_THREAD = {"num_threads": 1}


def sequential_map(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Apply `work` to one task after the other: many small array operations only contend for Python's lock."""
    with threadpool_limits(1):
        return [work(task) for task in tasks]


def parallel_map(work: Callable[[Task], Result], tasks: Iterable[Task]) -> list[Result]:
    """Apply `work` to every task in parallel; results in the order of the tasks; an error of any task is raised."""
    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as pool:
        return list(pool.map(work, tasks))
