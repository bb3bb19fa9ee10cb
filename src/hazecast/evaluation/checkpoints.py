"""Checkpoints of a backtest: parts and models stored next to the file they are joined into."""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from hazecast.models import Model, load_model

_METADATA = "hazecast.backtest"


class Checkpoints:
    """A folder next to `out` for one run; every file in it is complete, unless its name ends in `.half`.

    Args:
        out: the file to write.
        fingerprint: of the run; another run has another folder.
    """

    def __init__(self, out: Path, fingerprint: str) -> None:
        self.out, self._folder = out, out.with_name(f"{out.name}.parts-{fingerprint}")
        self._folder.mkdir(exist_ok=True)

    def has(self, part: str) -> bool:
        """Whether the part is stored."""
        return self._part(part).is_file()

    def put(self, part: str, rows: pl.DataFrame) -> None:
        """Store a part atomically."""
        half = self._folder / f"{part}.half"
        rows.write_parquet(half)
        half.replace(self._part(part))

    def model(self, name: str, fit: Callable[[], Model]) -> Model:
        """The forecaster stored under this name; fitted and stored if there is none yet."""
        folder, half = self._folder / name, self._folder / f"{name}.half"
        if not folder.is_dir():
            shutil.rmtree(half, ignore_errors=True)
            fit().save(half)
            half.replace(folder)
        return load_model(folder)

    def finish(self, outs: Mapping[Path, list[str]], metadata: Mapping[str, Any]) -> None:
        """Join the parts of each file in this order into it with the metadata, and remove the folder."""
        for out, parts in outs.items():
            half = out.with_name(f"{out.name}.half")
            rows = pl.scan_parquet([self._part(part) for part in parts])
            rows.sink_parquet(half, metadata={_METADATA: json.dumps(metadata)}, maintain_order=True)
            half.replace(out)
        shutil.rmtree(self._folder)

    def _part(self, part: str) -> Path:
        return self._folder / f"{part}.parquet"


def read_metadata(out: Path) -> dict[str, Any]:
    """The metadata of a finished backtest's file; empty if it has none."""
    try:
        return dict(json.loads(pl.read_parquet_metadata(out).get(_METADATA, "{}")))
    except (pl.exceptions.PolarsError, OSError):
        return {}


def relative(target: Path, *, to: Path) -> str:
    """Path of `target` relative to the folder `to`."""
    return Path(os.path.relpath(target.resolve(), to.resolve())).as_posix()
