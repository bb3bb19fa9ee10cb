"""A forecaster on disk: LightGBM text, NumPy arrays and JSON."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.tables import LEAD_BLOCKS
from hazecast.features import FutureWeather
from hazecast.models.booster import FOLDS, BlockBooster

if TYPE_CHECKING:
    from hazecast.models.forecaster import Forecaster

_FACTS, _SHAPES = "forecaster.json", "shapes.npz"


def write(forecaster: "Forecaster", folder: Path) -> None:
    """Lay a forecaster down in `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "pollutants": forecaster.pollutants,
        "trained_until": forecaster.trained_until.isoformat(),
        "weather": forecaster.weather.value,
        "metadata": forecaster.metadata,
        "feature_names": forecaster.feature_names,
        "offsets": forecaster.offsets,
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=1))
    shapes = {}
    for pollutant, blocks in forecaster.boosters.items():
        for number, block in enumerate(blocks):
            shapes[f"{pollutant}_{number}"] = block.shape
            for part, booster in zip(_parts(), (*block.points, block.spread), strict=True):
                booster.save_model(str(folder / f"{pollutant}_{number}_{part}.txt"))
    np.savez(folder / _SHAPES, allow_pickle=False, **shapes)


def read(kind: "type[Forecaster]", folder: Path) -> "Forecaster":
    """Read back what `write` laid down."""
    facts = json.loads((folder / _FACTS).read_text())
    boosters = {}
    with np.load(folder / _SHAPES, allow_pickle=False) as shapes:
        for pollutant in facts["pollutants"]:
            boosters[pollutant] = tuple(
                _read_block(folder, f"{pollutant}_{number}", shapes[f"{pollutant}_{number}"])
                for number in range(len(LEAD_BLOCKS))
            )
    return kind(
        pollutants=tuple(facts["pollutants"]),
        trained_until=datetime.fromisoformat(facts["trained_until"]),
        weather=FutureWeather(facts["weather"]),
        metadata=facts["metadata"],
        feature_names={p: tuple(names) for p, names in facts["feature_names"].items()},
        offsets=facts["offsets"],
        boosters=boosters,
    )


def _parts() -> tuple[str, ...]:
    return (*(f"point{k}" for k in range(FOLDS)), "spread")


def _read_block(folder: Path, stem: str, shape: npt.NDArray[np.float32]) -> BlockBooster:
    *points, spread = (lgb.Booster(model_file=str(folder / f"{stem}_{part}.txt")) for part in _parts())
    return BlockBooster(tuple(points), spread, shape)
