"""Trainings as MLflow runs, models as registered versions, the model in production as the alias `champion`."""

import logging
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

# Set before MLflow is imported: it would otherwise report usage to a host outside.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

import mlflow
import polars as pl
from matplotlib.figure import Figure
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.tracking import MlflowClient
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema

from hazecast.air.tables import QUANTILES
from hazecast.errors import NoChampion, RegistryError
from hazecast.models.forecaster import Forecaster

CHAMPION = "champion"
_FORECASTER = "forecaster"
_MODEL_CODE = Path(__file__).parent / "served_model.py"

# MLflow asks for type hints and an example although it is given a signature.
warnings.filterwarnings("ignore", category=UserWarning, module=r"mlflow\.")
for _chatty in ("mlflow", "alembic"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)


@dataclass(frozen=True)
class Training:
    """What is worth knowing of one training.

    Args:
        forecaster: the fitted model.
        parameters: settings and versions, as plain values.
        metrics: numbers by name (`mae.pm25.1-6`).
        figures: plots by file name.
        tables: frames by file name, kept as CSV.
    """

    forecaster: Forecaster
    parameters: Mapping[str, str | int | float]
    metrics: Mapping[str, float]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)


class Registry:
    """Records trainings and answers who is champion.

    Args:
        tracking_uri: MLflow server or database.
        place: what the models are for; one experiment and one registered model each.
        artifacts_root: where a new experiment keeps its artifacts; None: where the MLflow server puts them.
    """

    def __init__(self, tracking_uri: str, *, place: str, artifacts_root: str | None = None) -> None:
        self.model_name = f"hazecast-{place}"
        self.tracking_uri = tracking_uri
        self._artifacts_root = artifacts_root
        mlflow.set_tracking_uri(tracking_uri)
        self._client = MlflowClient(tracking_uri)

    def record(self, training: Training) -> str:
        """Log one training as a run and register its model.

        Returns:
            The new version of the registered model; it is nobody's champion yet.

        Raises:
            RegistryError: MLflow cannot be reached or refuses.
        """
        try:
            with mlflow.start_run(experiment_id=self._experiment_id()), TemporaryDirectory() as scratch:
                mlflow.log_params(dict(training.parameters))
                mlflow.log_metrics(dict(training.metrics))
                for name, figure in training.figures.items():
                    mlflow.log_figure(figure, f"plots/{name}.png")
                for name, table in training.tables.items():
                    mlflow.log_text(table.write_csv(), f"tables/{name}.csv")
                return self._register(training.forecaster, Path(scratch) / _FORECASTER)
        except MlflowException as err:
            raise self._refused(err) from err

    def promote(self, version: str, *, reason: str) -> None:
        """Make `version` the champion and note why on it."""
        try:
            self._client.set_model_version_tag(self.model_name, version, "promoted_because", reason)
            self._client.set_registered_model_alias(self.model_name, CHAMPION, version)
        except MlflowException as err:
            raise self._refused(err) from err

    def champion_version(self) -> str | None:
        """Version of the champion; None while no model has earned it."""
        try:
            return str(self._client.get_model_version_by_alias(self.model_name, CHAMPION).version)
        except MlflowException as err:
            if err.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise self._refused(err) from err

    def champion(self) -> tuple[Forecaster, str]:
        """The champion and its version.

        Raises:
            NoChampion: no model has earned the alias yet.
            RegistryError: MLflow or the artifacts cannot be reached.
        """
        version = self.champion_version()
        if version is None:
            raise NoChampion(f"{self.model_name} has no champion yet; run `hazecast run training`")
        try:
            folder = mlflow.artifacts.download_artifacts(f"models:/{self.model_name}/{version}")
        except (MlflowException, OSError) as err:
            raise self._refused(err) from err
        return Forecaster.load(Path(folder) / "artifacts" / _FORECASTER), version

    def _register(self, forecaster: Forecaster, folder: Path) -> str:
        forecaster.save(folder)
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(_MODEL_CODE),
            artifacts={_FORECASTER: str(folder)},
            signature=_signature(),
            pip_requirements=["hazecast"],
        )
        self._ensure_registered_model()
        created = self._client.create_model_version(
            self.model_name, info.model_uri, run_id=info.run_id, model_id=info.model_id
        )
        return str(created.version)

    def _ensure_registered_model(self) -> None:
        try:
            self._client.create_registered_model(self.model_name)
        except MlflowException as err:
            if err.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _experiment_id(self) -> str:
        experiment = self._client.get_experiment_by_name(self.model_name)
        if experiment is not None:
            return str(experiment.experiment_id)
        return str(self._client.create_experiment(self.model_name, artifact_location=self._artifacts_root))

    def _refused(self, err: Exception) -> RegistryError:
        reason = str(err).splitlines()[0]
        return RegistryError(f"the model registry at {_without_secret(self.tracking_uri)} refused: {reason}")


def _without_secret(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def _signature() -> ModelSignature:
    """Recent observations of any station in, its forecast out."""
    key = [ColSpec(DataType.string, "station_id"), ColSpec(DataType.string, "pollutant")]
    observed = [ColSpec(DataType.datetime, "observed_at"), ColSpec(DataType.double, "concentration_ugm3")]
    times = [ColSpec(DataType.datetime, "issued_at"), ColSpec(DataType.datetime, "valid_at")]
    values = [ColSpec(DataType.double, name) for name in ("mean", *QUANTILES)]
    issue = ParamSchema([ParamSpec("issued_at", DataType.string, "")])
    return ModelSignature(inputs=Schema(key + observed), outputs=Schema(key + times + values), params=issue)
