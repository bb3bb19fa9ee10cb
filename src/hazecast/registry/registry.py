"""Trainings as MLflow runs, models as registered versions, the model in service as the alias `champion`."""

import fcntl
import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from pathlib import Path

# Set before MLflow is imported: it would otherwise report usage to a host outside.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # noqa: TID251 - set before MLflow is imported
# Waits 2, 4, 8 … 32 s for a server that restarts; after that the flows retry.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "5")  # noqa: TID251 - set before MLflow is imported

import mlflow
import structlog
from boto3.exceptions import Boto3Error  # type: ignore[import-untyped]
from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
from mlflow.entities.model_registry import ModelVersion
from mlflow.environment_variables import MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_USERNAME
from mlflow.exceptions import MlflowException
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient
from sqlalchemy.exc import SQLAlchemyError

from hazecast.errors import ModelDamaged, ModelUnusable, NoChampion, NotKnown, RegistryError
from hazecast.models import Model, load_model
from hazecast.registry.audit import Change, carried_out, champions_in_turn, read_changes
from hazecast.registry.champion_cache import ChampionCache
from hazecast.registry.database import require_intact
from hazecast.registry.runs import FORECASTER, Record, Training, log_model, log_record

CHAMPION, CHALLENGER = "champion", "challenger"
_SQLITE = "sqlite:///"
_LOGGED = "models:/"
# Artifacts travel by other ways than the rest: by plain HTTP (an OSError), to a folder, or to S3.
_UNREACHABLE = (MlflowException, OSError, BotoCoreError, Boto3Error, SQLAlchemyError)
_ABSENT = ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE")

# MLflow warns about missing type hints and input examples although the model has a signature.
warnings.filterwarnings("ignore", category=UserWarning, module=r"mlflow\.")
for _chatty in ("mlflow", "alembic"):
    logging.getLogger(_chatty).setLevel(logging.WARNING)
# It logs a traceback of every database error, besides raising it.
logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)

log = structlog.get_logger()


@dataclass(frozen=True)
class Version:
    """One registered model: its aliases, when it was registered, and its tags."""

    version: str
    aliases: tuple[str, ...]
    registered_at: datetime
    run_id: str
    notes: dict[str, str]


class Registry:
    """Records trainings and resolves the champion.

    Args:
        tracking_uri: MLflow server or database.
        place: what the models are for; one experiment and one registered model each.
        artifacts_root: where a new experiment keeps its artifacts; None: where the MLflow server puts them.
        keep_in: folder for a copy of the champion, for when MLflow is out of reach; None: none is kept.
        login: user and password of the MLflow server; None: it requires none.

    Raises (all methods):
        RegistryError: MLflow or the artifacts cannot be reached, or refuse.
    """

    def __init__(
        self,
        tracking_uri: str,
        *,
        place: str,
        artifacts_root: str | None = None,
        keep_in: Path | None = None,
        login: tuple[str, str] | None = None,
    ) -> None:
        self.model_name = f"hazecast-{place}"
        self.tracking_uri = tracking_uri
        self._artifacts_root = artifacts_root
        self._cached_champion = ChampionCache(keep_in / self.model_name) if keep_in else None
        if login is not None:
            MLFLOW_TRACKING_USERNAME.set(login[0])
            MLFLOW_TRACKING_PASSWORD.set(login[1])
        mlflow.set_tracking_uri(tracking_uri)
        self._loaded = lru_cache(maxsize=2)(self._read)

    @cached_property
    def _client(self) -> MlflowClient:
        return _open(self.tracking_uri)

    def record(self, training: Training) -> str:
        """Log one training as a run and register its model.

        Returns:
            The new version of the registered model, without an alias.
        """
        with self._registry_errors(), mlflow.start_run(experiment_id=self._experiment_id(self.model_name)):
            # The model first: MLflow would query every metric logged before it, one by one.
            info = log_model(training.forecaster)
            log_record(training, model_id=info.model_id)
            self._ensure_registered_model()
            created = self._client.create_model_version(
                self.model_name, info.model_uri, run_id=info.run_id, model_id=info.model_id, tags=dict(training.notes)
            )
        return str(created.version)

    def adopt(self, forecaster: Model, version: str, *, reason: str, at: datetime) -> None:
        """Register a model that an earlier registry knew as `version` under the same number, and make it champion."""
        notes = {"judged": reason, "trained_until": forecaster.trained_until.isoformat()}
        first = self._client_version(
            self.record(Training(parameters={}, metrics={}, forecaster=forecaster, notes=notes))
        )
        with self._registry_errors():
            # MLflow counts; the numbers before were those of models that are lost.
            created = first
            while int(created.version) < int(version):
                created = self._client.create_model_version(
                    self.model_name, first.source, run_id=first.run_id, model_id=first.model_id, tags=notes
                )
            for number in range(int(first.version), int(created.version)):
                self._client.delete_model_version(self.model_name, str(number))
        self.promote(str(created.version), reason=reason, by="repair", at=at)

    def prune(self, *, keep: int) -> list[str]:
        """Delete the artifacts and the entries of all versions but the newest `keep`, champions and challenger.

        The champion before the present one stays too, for a rollback. The runs stay, with parameters and metrics.

        Returns:
            The versions deleted.
        """
        turn = champions_in_turn(self.history())
        needed = {*turn[-2:], self.champion_version(), self.challenger_version()}
        found = self.versions()
        old = [version.version for version in found[keep:] if version.version not in needed]
        kept = {self._client_version(version.version).source for version in found if version.version not in old}
        for version in old:
            with self._registry_errors():
                source = str(self._client_version(version).source)
                self._client.delete_model_version(self.model_name, version)
                if source.startswith(_LOGGED) and source not in kept:
                    model_id = source.removeprefix(_LOGGED)
                    location = self._client.get_logged_model(model_id).artifact_location
                    get_artifact_repository(location).delete_artifacts()
                    self._client.delete_logged_model(model_id)
        return old

    def _client_version(self, version: str) -> ModelVersion:
        with self._registry_errors():
            return self._client.get_model_version(self.model_name, version)

    def record_trial(self, name: str, record: Record) -> str:
        """Log something tried (a backtest, a tuning) as a run of the place's trials; no model is registered.

        Returns:
            The id of the MLflow run.
        """
        with self._registry_errors():
            experiment_id = self._experiment_id(f"{self.model_name}-trials")
            with mlflow.start_run(experiment_id=experiment_id, run_name=name) as run:
                log_record(record)
        return str(run.info.run_id)

    def promote(self, version: str, *, reason: str, by: str = "validation", at: datetime | None = None) -> None:
        """Make `version` the champion and note who did it and why.

        Raises:
            NotKnown: there is no such version.
        """
        known = [found.version for found in self.versions()]
        if version not in known:
            raise NotKnown("model version", version, known)
        self._set_champion(Change(at or datetime.now(UTC), "promote", version, self.champion_version(), by, reason))  # noqa: TID251 - the default; a replay passes its own time

    def rollback(self, *, reason: str, by: str, at: datetime | None = None) -> str:
        """Make the champion before this one champion again.

        Returns:
            The version that is champion now.

        Raises:
            NoChampion: there was none before.
        """
        known = {found.version for found in self.versions()}
        turn = [version for version in champions_in_turn(self.history()) if version in known]
        if len(turn) < 2:  # noqa: PLR2004 - this one and the one before
            raise NoChampion(f"{self.model_name} has had no champion before the present one; nothing to roll back to")
        self._set_champion(Change(at or datetime.now(UTC), "rollback", turn[-2], turn[-1], by, reason))  # noqa: TID251 - the default; a replay passes its own time
        return turn[-2]

    def challenge(self, version: str | None) -> None:
        """Make `version` the challenger, which makes shadow forecasts; None: no challenger."""
        with self._registry_errors():
            if version is None:
                self._client.delete_registered_model_alias(self.model_name, CHALLENGER)
            else:
                self._client.set_registered_model_alias(self.model_name, CHALLENGER, version)

    def history(self) -> list[Change]:
        """Every change of the champion, oldest first."""
        champion = self.champion_version()
        try:
            with self._registry_errors():
                noted = read_changes(self._client.get_registered_model(self.model_name).tags)
        except RegistryError as err:
            if _is_absent(err.__cause__):
                return []
            raise
        return carried_out(noted, champion)

    def versions(self) -> list[Version]:
        """Every registered version, newest first."""
        with self._registry_errors():
            found = list(self._client.search_model_versions(f"name = '{self.model_name}'"))
        described = [self._describe(str(version.version)) for version in found]
        return sorted(described, key=lambda version: int(version.version), reverse=True)

    def champion_version(self) -> str | None:
        """Version of the champion; None while no model has earned it."""
        return self._version_with_alias(CHAMPION)

    def challenger_version(self) -> str | None:
        """Version of the challenger; None if there is none."""
        return self._version_with_alias(CHALLENGER)

    def champion(self) -> tuple[Model, str]:
        """The champion and its version; its copy on this machine if the registry lost the champion's files or itself.

        Raises:
            NoChampion: no model has earned the alias yet, or the one that did cannot forecast here.
        """
        version = self.champion_version()
        if version is None:
            if not self._is_registered() and (kept := self.champion_read_last()) is not None:
                log.warning("the registry is empty; forecasting with the champion kept here", version=kept[1])
                return kept
            raise NoChampion(f"{self.model_name} has no champion yet; run `hazecast run training`")
        try:
            forecaster = self.load(version)
        except ModelUnusable as err:
            reason = f"version {version} of {self.model_name} cannot forecast here: {err}"
            if (kept := self.champion_read_last()) is not None:
                log.warning("forecasting with the champion kept here", version=kept[1], reason=reason)
                return kept
            raise NoChampion(reason) from err
        if self._cached_champion is not None:
            self._cached_champion.store(forecaster, version)
        return forecaster, version

    def champion_problem(self) -> str | None:
        """Why the champion cannot forecast here (another release, damaged files); None if it can, or there is none."""
        version = self.champion_version()
        if version is None:
            return None
        try:
            self.load(version)
        except ModelUnusable as err:
            return str(err)
        return None

    def champion_read_last(self) -> tuple[Model, str] | None:
        """The champion as this machine last read it, and its version, without any request; None if it never did."""
        return None if self._cached_champion is None else self._cached_champion.read()

    def load(self, version: str) -> Model:
        """The model of one version; a version never changes, so the last two are kept: champion and challenger."""
        return self._loaded(version)

    def _read(self, version: str) -> Model:
        try:
            folder = mlflow.artifacts.download_artifacts(f"models:/{self.model_name}/{version}")
        except _UNREACHABLE as err:
            # Of a folder; a server may have lost the files, or only its connection to them.
            if "No such artifact" in str(err) or isinstance(err, FileNotFoundError):
                raise ModelDamaged("its files are missing in the registry; run `hazecast run training`") from err
            raise self._as_registry_error(err) from err
        return load_model(Path(folder) / "artifacts" / FORECASTER)

    def _set_champion(self, change: Change) -> None:
        with self._registry_errors():
            self._client.set_registered_model_tag(self.model_name, *change.as_tag())
            self._client.set_registered_model_alias(self.model_name, CHAMPION, change.version)
            self._client.set_model_version_tag(self.model_name, change.version, "promoted_because", change.reason)

    def _describe(self, version: str) -> Version:
        with self._registry_errors():
            found = self._client.get_model_version(self.model_name, version)
        registered_at = datetime.fromtimestamp(found.creation_timestamp / 1000, UTC)
        return Version(version, tuple(found.aliases), registered_at, str(found.run_id), dict(found.tags))

    def _is_registered(self) -> bool:
        with self._registry_errors():
            return bool(self._client.search_registered_models(f"name = '{self.model_name}'"))

    def _version_with_alias(self, alias: str) -> str | None:
        try:
            with self._registry_errors():
                return str(self._client.get_model_version_by_alias(self.model_name, alias).version)
        except RegistryError as err:
            if _is_absent(err.__cause__):
                return None
            raise

    def _ensure_registered_model(self) -> None:
        try:
            self._client.create_registered_model(self.model_name)
        except MlflowException as err:
            if err.error_code != "RESOURCE_ALREADY_EXISTS":
                raise

    def _experiment_id(self, name: str) -> str:
        experiment = self._client.get_experiment_by_name(name)
        if experiment is not None:
            return str(experiment.experiment_id)
        return str(self._client.create_experiment(name, artifact_location=self._artifacts_root))

    @contextmanager
    def _registry_errors(self) -> Iterator[None]:
        try:
            yield
        except _UNREACHABLE as err:
            raise self._as_registry_error(err) from err

    def _as_registry_error(self, err: Exception) -> RegistryError:
        return RegistryError(f"the model registry at {_without_secret(self.tracking_uri)} refused: {_first_line(err)}")


def _open(tracking_uri: str) -> MlflowClient:
    """A client; MLflow lays the tables of a SQLite file, one process at a time: two fail each other's migration."""
    if not tracking_uri.startswith(_SQLITE):
        return MlflowClient(tracking_uri)
    database = Path(tracking_uri.removeprefix(_SQLITE))
    try:
        with _locked(database):
            require_intact(database)
            client = MlflowClient(tracking_uri)
            client.search_experiments(max_results=1)
    except (MlflowException, SQLAlchemyError, OSError) as err:
        raise RegistryError(
            f"the model registry {database} cannot be opened: {_first_line(err)}; check that its folder is readable, "
            "writable and has free space"
        ) from err
    return client


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """One process at a time; a folder that cannot be written to needs no lock, as nothing is laid there."""
    if database.exists() and not os.access(database.parent, os.W_OK):
        yield
        return
    lock = database.with_suffix(".lock")
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _is_absent(err: BaseException | None) -> bool:
    return isinstance(err, MlflowException) and err.error_code in _ABSENT


def _first_line(err: Exception) -> str:
    return (str(err).splitlines() or [type(err).__name__])[0]


def _without_secret(uri: str) -> str:
    scheme, _, rest = uri.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"
