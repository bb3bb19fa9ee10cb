"""The contents of an MLflow run: parameters, metrics, plots, tables, documents, and the model without any pickle."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import polars as pl
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from hazecast.air.spec import QUANTILES
from hazecast.models import Model, save_model

FORECASTER = "forecaster"
_MODEL_CODE = Path(__file__).parent / "served_model.py"
_PACKAGE = Path(__file__).parents[1]
# The part of our package that a served model imports is logged with it: pip cannot install what is not published.
_SERVED_MODULES = ("__init__.py", "errors.py", "air", "features", "models", "scoring")
# The public packages that this part imports, and those that MLflow needs to serve it.
SERVED_WITH = (
    "dataframely",
    "lightgbm",
    "mlflow",
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "pydantic",
    "scipy",
    "threadpoolctl",
    "tzdata",
)


@dataclass(frozen=True, kw_only=True)
class Record:
    """The facts of one run.

    Args:
        parameters: settings and versions, as plain values.
        metrics: numbers by name (`mae.pm25.1-6`).
        figures: plots by file name.
        tables: frames by file name, logged as CSV.
        documents: Markdown by file name.
    """

    parameters: Mapping[str, str | int | float]
    metrics: Mapping[str, float]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Training(Record):
    """A run that fitted a model.

    Args:
        forecaster: the fitted model.
        notes: short facts for tags of the registered version.
    """

    forecaster: Model
    notes: Mapping[str, str] = field(default_factory=dict)


def log_record(record: Record, *, model_id: str | None = None) -> None:
    """Log `record` to the active run, and its metrics to the logged model too, if there is one."""
    mlflow.log_params(dict(record.parameters))
    mlflow.log_metrics(dict(record.metrics), model_id=model_id)
    for name, figure in record.figures.items():
        mlflow.log_figure(figure, f"plots/{name}.png")
    for name, table in record.tables.items():
        mlflow.log_text(table.write_csv(), f"tables/{name}.csv")
    for name, text in record.documents.items():
        mlflow.log_text(text, f"{name}.md")


def log_model(forecaster: Model) -> ModelInfo:
    """Log the model to the active run, with the code that serves it and its pinned requirements."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / FORECASTER
        save_model(forecaster, folder)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_MODEL_CODE),
            artifacts={FORECASTER: str(folder)},
            signature=_signature(),
            pip_requirements=requirements(),
            code_paths=[str(_copy_code(Path(scratch)))],
        )


def requirements() -> list[str]:
    """The public packages of a served model, pinned to the versions installed here."""
    # Containers have mlflow-skinny, which is MLflow of the same version.
    installed = {name: mlflow.__version__ if name == "mlflow" else version(name) for name in SERVED_WITH}
    return [f"{name}=={installed[name]}" for name in SERVED_WITH]


def _copy_code(scratch: Path) -> Path:
    package = scratch / "code" / "hazecast"
    package.mkdir(parents=True)
    for name in _SERVED_MODULES:
        source = _PACKAGE / name
        if source.is_dir():
            shutil.copytree(source, package / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, package / name)
    return package


def _signature() -> ModelSignature:
    """Input: recent observations of any station; output: its forecast."""
    key = [ColSpec(DataType.string, "station_id"), ColSpec(DataType.string, "pollutant")]
    observed = [ColSpec(DataType.datetime, "observed_at"), ColSpec(DataType.double, "concentration_ugm3")]
    times = [ColSpec(DataType.datetime, "issued_at"), ColSpec(DataType.datetime, "valid_at")]
    values = [ColSpec(DataType.double, name) for name in ("mean", *QUANTILES)]
    issue = ParamSchema([ParamSpec("issued_at", DataType.string, "")])
    return ModelSignature(inputs=Schema(key + observed), outputs=Schema(key + times + values), params=issue)
