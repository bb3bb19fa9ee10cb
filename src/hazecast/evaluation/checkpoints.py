"""Unfinished work of a backtest: parts and models laid beside the file they will become."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hazecast.models import Forecaster

_METADATA = "hazecast.backtest"


class Workbench:
    """A folder beside `out`, named after the run it belongs to; what lies in it under its own name is whole.

    Args:
        out: the file to make.
        fingerprint: of the run; another run has another folder.
    """

    def __init__(self, out: Path, fingerprint: str) -> None:
        self._out, self._folder = out, out.with_name(f"{out.name}.parts-{fingerprint}")
        self._folder.mkdir(exist_ok=True)

    def has(self, part: str) -> bool:
        """Whether the part was finished."""
        return self._part(part).is_file()

    def put(self, part: str, rows: pl.DataFrame) -> None:
        """Lay down a part, whole or not at all."""
        half = self._folder / f"{part}.half"
        rows.write_parquet(half)
        half.replace(self._part(part))

    def model(self, name: str, fit: Callable[[], Forecaster]) -> Forecaster:
        """The forecaster kept under this name, fitted and kept when there is none yet."""
        folder, half = self._folder / name, self._folder / f"{name}.half"
        if not folder.is_dir():
            shutil.rmtree(half, ignore_errors=True)
            fit().save(half)
            half.replace(folder)
        return Forecaster.load(folder)

    def finish(self, parts: list[str], facts: Mapping[str, Any]) -> None:
        """Join the parts in this order into `out`, with the facts in its metadata, and clear up."""
        half = self._folder / "whole.half"
        rows = pl.scan_parquet([self._part(part) for part in parts])
        rows.sink_parquet(half, metadata={_METADATA: json.dumps(facts)}, maintain_order=True)
        half.replace(self._out)
        shutil.rmtree(self._folder)

    def _part(self, part: str) -> Path:
        return self._folder / f"{part}.parquet"


def read_facts(out: Path) -> dict[str, Any]:
    """The facts of a finished backtest's file; empty when the file holds none."""
    try:
        return dict(json.loads(pl.read_parquet_metadata(out).get(_METADATA, "{}")))
    except (pl.exceptions.PolarsError, OSError):
        return {}


def relative(target: Path, *, to: Path) -> str:
    """`target` as seen from the folder `to`."""
    return Path(os.path.relpath(target.resolve(), to.resolve())).as_posix()
