"""What an MLflow run of ours holds: parameters, metrics, plots, tables, documents, and the model without any pickle."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import mlflow
import polars as pl
from matplotlib.figure import Figure
from mlflow.models import ModelSignature
from mlflow.models.model import ModelInfo
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from hazecast.air.spec import QUANTILES
from hazecast.models import Model

FORECASTER = "forecaster"
_MODEL_CODE = Path(__file__).parent / "served_model.py"


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is worth knowing of one run.

    Args:
        parameters: settings and versions, as plain values.
        metrics: numbers by name (`mae.pm25.1-6`).
        figures: plots by file name.
        tables: frames by file name, kept as CSV.
        documents: Markdown by file name.
    """

    parameters: Mapping[str, str | int | float]
    metrics: Mapping[str, float]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    documents: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Training(Record):
    """A run that made a model.

    Args:
        forecaster: the fitted model.
        notes: short facts to keep on the registered version itself.
    """

    forecaster: Model
    notes: Mapping[str, str] = field(default_factory=dict)


def log_record(record: Record, *, model_id: str | None = None) -> None:
    """Put `record` into the active run; its metrics are those of the logged model too, where there is one."""
    mlflow.log_params(dict(record.parameters))
    mlflow.log_metrics(dict(record.metrics), model_id=model_id)
    for name, figure in record.figures.items():
        mlflow.log_figure(figure, f"plots/{name}.png")
    for name, table in record.tables.items():
        mlflow.log_text(table.write_csv(), f"tables/{name}.csv")
    for name, text in record.documents.items():
        mlflow.log_text(text, f"{name}.md")


def log_model(forecaster: Model) -> ModelInfo:
    """Put the model into the active run: LightGBM text, NumPy arrays and JSON beside the code that serves them."""
    with TemporaryDirectory() as scratch:
        folder = Path(scratch) / FORECASTER
        forecaster.save(folder)
        return mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_MODEL_CODE),
            artifacts={FORECASTER: str(folder)},
            signature=_signature(),
            pip_requirements=["hazecast"],
        )


def _signature() -> ModelSignature:
    """Recent observations of any station in, its forecast out."""
    key = [ColSpec(DataType.string, "station_id"), ColSpec(DataType.string, "pollutant")]
    observed = [ColSpec(DataType.datetime, "observed_at"), ColSpec(DataType.double, "concentration_ugm3")]
    times = [ColSpec(DataType.datetime, "issued_at"), ColSpec(DataType.datetime, "valid_at")]
    values = [ColSpec(DataType.double, name) for name in ("mean", *QUANTILES)]
    issue = ParamSchema([ParamSpec("issued_at", DataType.string, "")])
    return ModelSignature(inputs=Schema(key + observed), outputs=Schema(key + times + values), params=issue)
