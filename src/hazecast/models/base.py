"""What a model is to the rest of Hazecast, and the registry of model kinds."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from hashlib import sha256
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import polars as pl

from hazecast.air.spec import ForecastSpec
from hazecast.errors import ModelDamaged, ModelOutdated, ModelUnusable, SettingsError
from hazecast.features import FutureWeather, Panel
from hazecast.features.signature import input_signature
from hazecast.models.config import ModelConfig, TrajectoriesConfig, Value
from hazecast.models.days import DayModel

Progress = Callable[[str, float], None]

# One line per kind; imported when first used.
KINDS = {
    "stack": "hazecast.models.stack:Stack",
    "trees": "hazecast.models.trees:Trees",
    "gru": "hazecast.models.gru:Gru",
    "climatology": "hazecast.models.climatology:Climatology",
    "mlforecast": "hazecast.models.mlforecast:Mlforecast",
}
DEFAULT_KIND = "stack"
# Entry points of installed packages that add kinds: name = "module:Class".
ENTRY_POINTS = "hazecast.models"
_REGISTERED: "dict[str, type[Model]]" = {}
# Increased when the files of a model folder change.
FORMAT = 8
_FACTS, _DIGESTS = "model.json", "sha256.json"
_REMEDY = "run `hazecast run training`"


class Model(Protocol):
    """A fitted model; nothing about it changes after `fit`.

    Attributes:
        kind: its key in KINDS.
        summary: one sentence for the model card.
    """

    kind: ClassVar[str]
    summary: ClassVar[str]

    @property
    def pollutants(self) -> tuple[str, ...]:
        """Those it was trained for."""
        ...

    @property
    def trained_until(self) -> datetime:
        """No truth of a later hour was used."""
        ...

    @property
    def weather(self) -> FutureWeather:
        """The weather ahead that it uses."""
        ...

    @property
    def spec(self) -> ForecastSpec:
        """Horizon and lead blocks."""
        ...

    @property
    def parameters(self) -> dict[str, Value]:
        """What MLflow logs: every hyper-parameter by its dotted name, the seed, the numbers of rows."""
        ...

    @classmethod
    def fit(
        cls,
        panel: Panel,
        *,
        pollutants: Sequence[str],
        until: datetime,
        weather: FutureWeather,
        spec: ForecastSpec = ...,
        config: ModelConfig = ...,
        seed: int = 0,
        progress: Progress | None = None,
    ) -> Self:
        """Train on everything that had happened and was available by `until`.

        Args:
            panel: observations and weather.
            pollutants: targets; those never observed by then are left out.
            until: whole hour, UTC; truth of hours that end later is not used.
            weather: the weather ahead that live forecasts will have.
            spec: horizon and lead blocks.
            config: hyper-parameters.
            seed: of every random draw.
            progress: called with a line for people and the share done, 0…1.

        Raises:
            ValueError: nothing was observed by then, or `until` is not the start of an hour.
        """
        ...

    def predict(self, panel: Panel, issued_at: datetime | Sequence[datetime]) -> pl.DataFrame:
        """Forecast every station and pollutant that had been observed by then, lead 1 to the horizon, without gaps.

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h]; mean and q05 … q95 [µg/m³],
            ordered and not negative; status: "ok", "degraded" (the expected weather ahead is missing for that hour),
            "baseline" (the station's climatology: no recent observation, or a pollutant not trained for).

        Raises:
            ValueError: an issue time is not the start of an hour, or has no time zone.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write the model without any pickle."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a saved model.

        Raises:
            ModelOutdated: it was saved by a release with other inputs or files.
        """
        ...


@runtime_checkable
class Explainable(Protocol):
    """A model that can also explain itself; `isinstance(model, Explainable)` tests for it."""

    def drivers(self, panel: Panel, issued_at: datetime) -> pl.DataFrame:
        """How far each group of inputs moved the forecast (`hazecast.models.drivers`)."""
        ...

    def feature_importance(self) -> pl.DataFrame:
        """One row per (pollutant, lead_block, feature): share of the total gain, 0…1."""
        ...


def days_of(model: Model) -> DayModel:
    """What turns the hours of a model into day statistics; the assumed one for kinds without their own."""
    own = getattr(model, "days", None)
    return own if isinstance(own, DayModel) else DayModel.assumed(model.pollutants, model.spec, TrajectoriesConfig())


@runtime_checkable
class Shardable(Protocol):
    """A model that needs recent days only, and that forecasts groups of stations as it forecasts all of them at once.

    Attributes:
        history_days: days of observations before the issue that it reads; without any of them a series is climatology.
        weather_days: days of weather before the issue that it reads.
        config: hyper-parameters.
    """

    config: ModelConfig

    @property
    def history_days(self) -> int: ...  # noqa: D102
    @property
    def weather_days(self) -> int: ...  # noqa: D102

    def corrected_by(self, stations: Sequence[str]) -> tuple[str, ...]:
        """Those of all stations whose past errors correct the forecast of every station."""
        ...

    def corrections(self, panel: Panel, issued_at: datetime) -> Any:
        """The corrections of one issue; the stations to forecast of the panel are those of `corrected_by`."""
        ...

    def predict(self, panel: Panel, issued_at: datetime, *, corrections: Any = None) -> pl.DataFrame:
        """`Model.predict` with corrections computed before; None: from the stations of the panel."""
        ...


def model_class(kind: str) -> type[Model]:
    """The class of one kind: shipped, registered in this process, or added by an installed package.

    Raises:
        SettingsError: no such kind, or its optional extra is not installed.
    """
    if kind in _REGISTERED:
        return _REGISTERED[kind]
    added = {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    known = {**added, **KINDS}
    if kind not in known:
        raise SettingsError(f"no model kind {kind!r}; choose one of {', '.join(known)}")
    module, _, name = known[kind].partition(":")
    try:
        found: type[Model] = getattr(import_module(module), name)
    except ModuleNotFoundError as err:
        remedy = f"pip install 'hazecast[{kind}]'" if kind in KINDS else f"install it, or correct {known[kind]}"
        raise SettingsError(f"the model kind {kind} needs {err.name}; {remedy}") from err
    return found


def register_model(cls: type[Model]) -> str:
    """Make a class a kind of model in this process; returns its kind.

    Raises:
        SettingsError: the class lacks a part of `Model`, or its kind is that of a shipped model.
    """
    parts = ("kind", "summary", "fit", "predict", "save", "load", "parameters")
    missing = [part for part in parts if not hasattr(cls, part)]
    if missing:
        raise SettingsError(f"{cls.__name__} is not a model: it has no {', '.join(missing)} (hazecast.models.Model)")
    if cls.kind in KINDS and model_class(cls.kind) is not cls:
        raise SettingsError(f"{cls.__name__}: the kind {cls.kind!r} is that of a shipped model; choose another")
    _REGISTERED[cls.kind] = cls
    return cls.kind


def save_model(model: Model, folder: Path) -> None:
    """Write a model with the SHA-256 digests of its files, by which `load_model` recognises damage."""
    model.save(folder)
    (folder / _DIGESTS).write_text(json.dumps(_digests(folder), indent=1))


def load_model(folder: Path) -> Model:
    """Read a saved model of any kind.

    Raises:
        ModelOutdated: it was saved by a release with other inputs or files, or its kind is not installed.
        ModelDamaged: its files are missing, or are not as they were saved.
    """
    if not (folder / _FACTS).is_file():
        raise ModelDamaged(f"its files are missing; {_REMEDY}")
    try:
        cls = _class_of(read_facts(folder)["kind"])
        _require_intact(folder)
        return cls.load(folder)
    except ModelUnusable:
        raise
    except Exception as err:  # JSON, NumPy and LightGBM each have errors of their own for files that are not theirs
        raise ModelDamaged(f"its files are damaged ({type(err).__name__}: {err}); {_REMEDY}") from err


def _class_of(kind: str) -> type[Model]:
    try:
        return model_class(kind)
    except SettingsError as err:
        raise ModelOutdated(f"it is of a kind that is not installed: {err}") from err


def _require_intact(folder: Path) -> None:
    """Compare the files with their digests; a model of a release before them has none.

    Raises:
        ModelDamaged: names the first file that differs.
    """
    try:
        stored = json.loads((folder / _DIGESTS).read_text())
    except FileNotFoundError:
        return
    except (OSError, ValueError) as err:
        raise ModelDamaged(f"its file {_DIGESTS} is damaged; {_REMEDY}") from err
    found = _digests(folder)
    damaged = sorted(name for name in stored if found.get(name) != stored[name])
    if damaged:
        raise ModelDamaged(f"its file {damaged[0]} is damaged or missing; {_REMEDY}")


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _DIGESTS)
    return {path.relative_to(folder).as_posix(): sha256(path.read_bytes()).hexdigest() for path in files}


def write_facts(model: Model, folder: Path, **facts: Any) -> None:
    """Write `model.json`: what every model has, and the facts of its kind; the folder is created if missing."""
    folder.mkdir(parents=True, exist_ok=True)
    common = {
        "kind": model.kind,
        "pollutants": model.pollutants,
        "trained_until": model.trained_until.isoformat(),
        "weather": model.weather.value,
        "horizon_hours": model.spec.horizon_hours,
        **facts,
    }
    (folder / _FACTS).write_text(json.dumps({"compatibility": compatibility(common), **common}, indent=1))


def read_facts(folder: Path) -> dict[str, Any]:
    """Read `model.json`.

    Raises:
        ModelOutdated: see `Model.load`.
    """
    file = folder / _FACTS
    facts: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {}
    is_complete = {"kind", "compatibility"} <= set(facts)
    if not is_complete or facts["compatibility"] != compatibility(facts):
        raise ModelOutdated("it was trained by a release with other features; run `hazecast run training`")
    return facts


def compatibility(facts: dict[str, Any]) -> str:
    """Hash of what must agree between the release that saves a model and the one that loads it.

    These are the names of the features, the names of the hyper-parameters and the format of the files.
    """
    inputs = tuple(facts.get("offsets", ()))
    features = input_signature(inputs, only=facts["pollutants"], future=FutureWeather(facts["weather"]))
    return sha256(f"{FORMAT} {features} {sorted(ModelConfig().parameters)}".encode()).hexdigest()[:12]
