"""Builds the parts of one set of settings: store, source, registry, alert channels, clock."""

import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from hazecast import __version__
from hazecast.air.spec import ForecastSpec
from hazecast.datasets import claim
from hazecast.models import ModelConfig
from hazecast.monitoring import Rules
from hazecast.places import Place
from hazecast.providers import Providers, chosen_place, place_folders
from hazecast.settings import Settings
from hazecast.sources import BackgroundModel, Source
from hazecast.sources.files import FilesSource
from hazecast.sources.http import HttpClient
from hazecast.sources.simulated import SimulatedSource
from hazecast.steps.model_config import read_model_config
from hazecast.steps.rules import read_rules
from hazecast.store import Store

# MLflow and Apprise take seconds to import; most commands and the API need neither at once.
if TYPE_CHECKING:
    from hazecast.alerts import Channel
    from hazecast.registry import Registry

# A dataset whose newest hour is older than this is history: its end becomes the clock.
REPLAYED_AFTER = timedelta(hours=72)


@dataclass(frozen=True)
class Wiring:
    """The parts of one set of settings, each built at its first use."""

    settings: Settings

    @cached_property
    def source(self) -> Source:
        """The configured source; `auto` is the source of the chosen place, or simulated if none is chosen."""
        if self.settings.source == "files":
            assert self.settings.data is not None
            settings, data = self.settings, self.settings.data
            claim(settings.place_name, data, settings.home, reserved=settings.reserved_places)
            return FilesSource(data, ignore_columns=settings.ignore_columns, aggregate=settings.aggregate)
        return (
            self.providers.source(self.place, self.spec)
            if self.place
            else SimulatedSource(horizon_hours=self.spec.horizon_hours)
        )

    @cached_property
    def place(self) -> Place | None:
        """The chosen live place; None: simulated data or a dataset folder."""
        return chosen_place(self.settings)

    @cached_property
    def spec(self) -> ForecastSpec:
        """The place's forecasts; the setting takes precedence over the place file."""
        if self.settings.horizon_hours is not None:
            return ForecastSpec(self.settings.horizon_hours)
        return ForecastSpec(self.place.horizon_hours) if self.place else ForecastSpec()

    @cached_property
    def model_config(self) -> ModelConfig:
        """Hyper-parameters: `config/model.yaml`, HAZECAST_MODEL_PARAMETERS and `--set` over the defaults."""
        given = [text for text in self.settings.model_parameters.split(",") if text.strip()]
        return read_model_config(place_folders(self.settings), light=self.settings.light_training, assignments=given)

    @cached_property
    def backgrounds(self) -> tuple[BackgroundModel, ...]:
        """The physics models archived for the chosen place."""
        return self.providers.backgrounds(self.place) if self.place else ()

    @cached_property
    def providers(self) -> Providers:
        """The services of the network."""
        return Providers(self.settings, HttpClient(cache_folder=self.settings.home.resolve() / "http"))

    @cached_property
    def store(self) -> Store:
        """The tables of the configured place."""
        retention = timedelta(days=self.settings.table_retention_days)
        return Store(self.settings.tables_root, self.settings.storage_options, retention=retention)

    @cached_property
    def registry(self) -> "Registry":
        """The model registry of the configured place."""
        from hazecast.registry import Registry

        settings, home = self.settings, self.settings.home.resolve()
        password = settings.mlflow_tracking_password.get_secret_value()
        return Registry(
            settings.tracking_uri,
            place=settings.place_name,
            artifacts_root=None if settings.has_mlflow_server else (home / "models").as_uri(),
            keep_in=home / "champions",
            login=(settings.mlflow_tracking_username, password) if password else None,
        )

    @property
    def title(self) -> str:
        """Name of the place for people."""
        return self.place.title if self.place else self.settings.place_name

    @cached_property
    def alert_rules(self) -> Rules:
        """The alert rules: the user's `alerts.yaml`, else the shipped one."""
        return read_rules(place_folders(self.settings))

    @cached_property
    def alert_channels(self) -> "list[Channel]":
        """The configured channels for operators, the public and webhooks."""
        from hazecast.alerts import addresses_in, channels

        settings = self.settings
        addresses = (settings.alert_urls, settings.public_alert_urls, settings.alert_webhooks)
        operators, public, webhooks = (addresses_in(secret.get_secret_value()) for secret in addresses)
        secret = settings.alert_webhook_secret.get_secret_value()
        return channels(operator_urls=operators, public_urls=public, webhooks=webhooks, secret=secret)

    @cached_property
    def replayed_now(self) -> datetime | None:
        """The replayed clock: the setting, or the end of a historical dataset; None: the real clock."""
        if self.settings.now is not None or self.place is not None:
            return self.settings.now
        span = self.source.fetch_span()
        if span is not None and span[1] < self.settings.clock() - REPLAYED_AFTER:
            return span[1]
        return None

    def now(self) -> datetime:
        """The time to act at, UTC."""
        return self.replayed_now or self.settings.clock()


def training_parameters(wiring: Wiring) -> dict[str, str | int | float]:
    """Parameters of a training that come from the settings, as MLflow records them."""
    settings = wiring.settings
    return {
        "hazecast_version": __version__,
        "git_revision": git_revision(settings),
        "source": wiring.place.observations.source if wiring.place else wiring.source.name,
        "validation_days": settings.validation_days,
        "light_training": str(settings.light_training).lower(),
    }


def git_revision(settings: Settings) -> str:
    """Git revision of the code: the setting (set in images), else from git, else "unknown"."""
    if settings.revision:
        return settings.revision
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty"],
            cwd=Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return described.stdout.strip()


def environment_of(parts: Wiring) -> dict[str, str]:
    """Environment in which a child process has the same settings, including those given as options."""
    settings = parts.settings
    environment = {
        "HAZECAST_HOME": str(settings.home.resolve()),
        "HAZECAST_SOURCE": settings.source,
        "HAZECAST_PLACE": settings.place_name,
        "HAZECAST_API_URL": settings.api_address,
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "PREFECT_API_URL": settings.prefect_address,
        "PREFECT_HOME": str(settings.home.resolve() / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }
    if settings.horizon_hours is not None:
        environment["HAZECAST_HORIZON_HOURS"] = str(settings.horizon_hours)
    if settings.data is not None:
        environment["HAZECAST_DATA"] = str(settings.data.resolve())
        environment["HAZECAST_IGNORE_COLUMNS"] = str(settings.ignore_columns).lower()
        environment["HAZECAST_AGGREGATE"] = str(settings.aggregate).lower()
    if parts.replayed_now is not None:
        environment["HAZECAST_NOW"] = parts.replayed_now.isoformat()
    return environment
