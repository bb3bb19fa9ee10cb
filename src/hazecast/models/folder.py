"""A forecaster on disk: LightGBM text, NumPy arrays and JSON."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import numpy.typing as npt

from hazecast.air.tables import LEAD_BLOCKS
from hazecast.errors import ModelOutdated
from hazecast.features import FutureWeather
from hazecast.features.signature import input_signature
from hazecast.models.block import FOLDS, BlockModel, ByLevel
from hazecast.models.path_net import PathNet, Scaling

if TYPE_CHECKING:
    from hazecast.models.forecaster import Forecaster

Arrays = dict[str, npt.NDArray[np.float32]]

_FACTS = "forecaster.json"


def write(forecaster: "Forecaster", folder: Path) -> None:
    """Lay a forecaster down in `folder`, which is made if it is not there."""
    folder.mkdir(parents=True, exist_ok=True)
    facts = {
        "inputs": input_signature(tuple(forecaster.offsets), only=forecaster.pollutants, future=forecaster.weather),
        "pollutants": forecaster.pollutants,
        "trained_until": forecaster.trained_until.isoformat(),
        "weather": forecaster.weather.value,
        "metadata": forecaster.metadata,
        "feature_names": forecaster.feature_names,
        "offsets": forecaster.offsets,
        "steps": forecaster.steps,
        "records": forecaster.records,
    }
    (folder / _FACTS).write_text(json.dumps(facts, indent=1))
    for number, net in enumerate(forecaster.nets):
        _write_net(net, folder / f"path_{number}.npz")
    for pollutant, blocks in forecaster.blocks.items():
        for number, block in enumerate(blocks):
            _write_block(block, folder / f"{pollutant}_{number}")


def read(kind: "type[Forecaster]", folder: Path) -> "Forecaster":
    """Read back what `write` laid down.

    Raises:
        ModelOutdated: the release that wrote it built other inputs.
    """
    facts = json.loads((folder / _FACTS).read_text())
    built = input_signature(tuple(facts["offsets"]), only=facts["pollutants"], future=FutureWeather(facts["weather"]))
    if facts.get("inputs") != built:
        raise ModelOutdated("it was trained by another release, on other inputs; run `hazecast run training`")
    numbers = range(len(LEAD_BLOCKS))
    return kind(
        pollutants=tuple(facts["pollutants"]),
        trained_until=datetime.fromisoformat(facts["trained_until"]),
        weather=FutureWeather(facts["weather"]),
        metadata=facts["metadata"],
        feature_names={p: tuple(names) for p, names in facts["feature_names"].items()},
        offsets=facts["offsets"],
        steps=facts["steps"],
        records=facts["records"],
        nets=tuple(_read_net(part) for part in sorted(folder.glob("path_*.npz"))),
        blocks={p: tuple(_read_block(folder / f"{p}_{k}") for k in numbers) for p in facts["pollutants"]},
    )


def _write_net(net: PathNet, file: Path) -> None:
    scalings = {"past": net.past, "ahead": net.ahead}
    arrays: Arrays = {f"weights.{name}": part for name, part in net.weights.items()} | {"unit": net.unit}
    for name, scaling in scalings.items():
        arrays |= {f"{name}.centre": scaling.centre, f"{name}.width": scaling.width}
    np.savez(file, allow_pickle=False, **arrays)


def _read_net(file: Path) -> PathNet:
    with np.load(file, allow_pickle=False) as stored:
        arrays: Arrays = dict(stored)
    weights = {name.removeprefix("weights."): part for name, part in arrays.items() if name.startswith("weights.")}
    past, ahead = (Scaling(arrays[f"{part}.centre"], arrays[f"{part}.width"]) for part in ("past", "ahead"))
    return PathNet(weights, past, ahead, arrays["unit"])


def _write_block(block: BlockModel, stem: Path) -> None:
    arrays: Arrays = {}
    for name, by_level in {"bias": block.bias, "shape": block.shape}.items():
        arrays |= {f"{name}.levels": by_level.levels, f"{name}.values": by_level.values}
    np.savez(stem.with_suffix(".npz"), allow_pickle=False, trust=block.trust, widest=block.widest, **arrays)
    for part, booster in zip(_boosters(stem), (*block.trees, *block.spreads), strict=True):
        booster.save_model(str(part))


def _read_block(stem: Path) -> BlockModel:
    with np.load(stem.with_suffix(".npz"), allow_pickle=False) as stored:
        arrays: Arrays = dict(stored)
    boosters = tuple(lgb.Booster(model_file=str(part)) for part in _boosters(stem))
    trees, spreads = boosters[:FOLDS], boosters[FOLDS:]
    bias, shape = (ByLevel(arrays[f"{name}.levels"], arrays[f"{name}.values"]) for name in ("bias", "shape"))
    return BlockModel(trees, float(arrays["trust"]), spreads, float(arrays["widest"]), bias, shape)


def _boosters(stem: Path) -> list[Path]:
    return [stem.with_name(f"{stem.name}_{part}{k}.txt") for part in ("tree", "spread") for k in range(FOLDS)]
