"""Every setting: an environment variable (or a line of `.env`), typed, described, with a working default."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from dotenv import dotenv_values
from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic.config import JsonDict
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from hazecast.air.clock import parse_utc
from hazecast.air.spec import STALE_AFTER_HOURS, ForecastSpec
from hazecast.datasets import dataset_place
from hazecast.errors import SettingsError, UsageError
from hazecast.paths import SHIPPED

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Addresses that mean "all of this machine's", and where this machine reaches them.
_ANY = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}

SourceName = Literal["auto", "simulated", "files"]


# The services that need a setting, by its `json_schema_extra`; `make settings` writes it to compose and Terraform.
# LOCAL settings are options of `hazecast up`; images and compose fix them.
Service = Literal["worker", "api", "dashboard", "mlflow", "prefect", "metrics"]
LOCAL: JsonDict = {"services": []}
WORKER: JsonDict = {"services": ["worker"]}
API: JsonDict = {"services": ["api"]}
DASHBOARD: JsonDict = {"services": ["dashboard"]}
METRICS: JsonDict = {"services": ["metrics"]}
SERVERS: JsonDict = {"services": ["mlflow", "prefect"]}
ORCHESTRATED: JsonDict = {"services": ["worker", "metrics"]}
TABLES: JsonDict = {"services": ["worker", "api", "metrics"]}
S3: JsonDict = {"services": ["worker", "api", "metrics", "mlflow"]}
TRACKED: JsonDict = {"services": ["worker", "api"]}
MLFLOW_LOGIN: JsonDict = {"services": ["worker", "api", "mlflow"]}


class Settings(BaseSettings):
    """The settings. Names of Hazecast start with HAZECAST_; names shared with other tools keep theirs."""

    model_config = SettingsConfigDict(
        env_prefix="HAZECAST_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Field(
        Path(".hazecast"), description="Folder of all local state: tables, models, databases.", json_schema_extra=LOCAL
    )
    source: SourceName = Field(
        "auto",
        description="Source of the data: simulated, files, or auto (the sources of the place, else simulated).",
        json_schema_extra=LOCAL,
    )
    data: Path | None = Field(None, description="Dataset folder for the source `files`.", json_schema_extra=LOCAL)
    ignore_columns: bool = Field(
        False,
        description="Leave out columns of a dataset folder that are not understood, instead of refusing them.",
        json_schema_extra=LOCAL,
    )
    aggregate: bool = Field(
        False,
        description="Average values within an hour of a dataset folder (15 min and the like) to the hour.",
        json_schema_extra=LOCAL,
    )
    place: str = Field(
        "",
        description="Name of the place. It selects the place file in the config folder, and the tables and models. "
        "Empty: the name of the dataset folder, or simulated.",
        json_schema_extra=TABLES,
    )
    config: Path = Field(
        Path("config"),
        description="Folder of your own place files. The shipped ones are always found.",
        json_schema_extra=LOCAL,
    )
    now: datetime | None = Field(
        None,
        description="Replayed clock: act as if it were this UTC time (2016-06-01T00:00Z). Empty: the real clock.",
        json_schema_extra=TABLES,
    )
    host: str = Field("127.0.0.1", description="Address that API and dashboard listen on.", json_schema_extra=LOCAL)
    api_port: int = Field(8000, ge=1, le=65535, description="Port of the API.", json_schema_extra=LOCAL)
    api_url: str = Field(
        "",
        description="Address of the API for the dashboard's server. Empty: HAZECAST_HOST and HAZECAST_API_PORT.",
        json_schema_extra=DASHBOARD,
    )
    api_keys: Path | None = Field(
        None,
        description="File of API keys (`hazecast api-key`). If set, the API requires a key. Empty: open to all.",
        json_schema_extra=API,
    )
    api_key: SecretStr = Field(
        SecretStr(""),
        description="Key with which the dashboard requests the API, where HAZECAST_API_KEYS requires one.",
        json_schema_extra=DASHBOARD,
    )
    cors_origins: str = Field(
        "*",
        description="Origins of web pages that may call the API, comma-separated; * allows all.",
        json_schema_extra=API,
    )
    predict_per_minute: int = Field(
        30,
        ge=0,
        description="Predictions (`POST /api/v1/predict`) of one client without a key in a minute; 0: no limit.",
        json_schema_extra=API,
    )
    trusted_proxies: str = Field(
        "127.0.0.1,::1",
        description="Addresses or networks of reverse proxies whose X-Forwarded-For names the client, comma-separated.",
        json_schema_extra=API,
    )
    dashboard_port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard.", json_schema_extra=LOCAL)
    mlflow_host: str = Field(
        "127.0.0.1", description="Address that the MLflow server listens on.", json_schema_extra=LOCAL
    )
    dashboard_path: str = Field(
        "",
        validation_alias=AliasChoices("HAZECAST_DASHBOARD_PATH", "STREAMLIT_SERVER_BASE_URL_PATH"),
        description="Path below which the dashboard is served behind a reverse proxy, such as air. Empty: the root.",
        json_schema_extra=DASHBOARD,
    )
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow server.", json_schema_extra=LOCAL)
    prefect_host: str = Field(
        "127.0.0.1", description="Address that the Prefect server listens on.", json_schema_extra=LOCAL
    )
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server.", json_schema_extra=LOCAL)
    allowed_hosts: str = Field(
        "",
        validation_alias=AliasChoices("HAZECAST_ALLOWED_HOSTS", "MLFLOW_SERVER_ALLOWED_HOSTS"),
        description="Host names under which MLflow and Prefect may be opened, besides localhost and IP addresses, "
        "comma-separated: server.lan, mlflow.example.org. Behind a proxy: the names in the browser's address bar.",
        json_schema_extra=SERVERS,
    )
    mlflow_page: str = Field(
        "",
        description="Address of MLflow for browsers; the dashboard links to it. Empty: no link.",
        json_schema_extra=DASHBOARD,
    )
    prefect_page: str = Field(
        "",
        description="Address of Prefect for browsers; the dashboard links to it. Empty: no link.",
        json_schema_extra=DASHBOARD,
    )
    worker_host: str = Field(
        "127.0.0.1", description="Address of the health check of the Prefect worker.", json_schema_extra=LOCAL
    )
    worker_port: int = Field(
        8080, ge=1, le=65535, description="Port of the health check of the Prefect worker.", json_schema_extra=LOCAL
    )
    prefect_pool: str = Field(
        "hazecast", min_length=1, description="Prefect work pool of the pipelines.", json_schema_extra=ORCHESTRATED
    )
    schedule_timezone: str = Field(
        "UTC", description="IANA time zone of the schedules (training Sunday 02:00 …).", json_schema_extra=TABLES
    )
    keep_runs_days: int = Field(
        90,
        ge=1,
        description="Runs older than this are deleted from the Prefect server and from the table `runs` [d].",
        json_schema_extra=WORKER,
    )
    keep_models: int = Field(
        5,
        ge=1,
        description="The newest model versions that stay registered, besides the champion, the one before it and the "
        "challenger.",
        json_schema_extra=WORKER,
    )
    table_retention_days: float = Field(
        7.0,
        ge=0,
        description="Replaced versions of the tables are kept this long, then their files are deleted [d].",
        json_schema_extra=WORKER,
    )
    stale_after_hours: float = Field(
        STALE_AFTER_HOURS,
        gt=0,
        description="Age at which a forecast is stale, and the API's readiness check fails [h].",
        json_schema_extra=TABLES,
    )
    horizon_hours: int | None = Field(
        None,
        description="Longest lead of the forecasts [h]: 48, 72, 96 or 120. Empty: the place's own, else 72.",
        json_schema_extra=TABLES,
    )
    retrain_cooldown_hours: float = Field(
        48.0,
        ge=0,
        description="Shortest time between two retrainings that monitoring starts [h].",
        json_schema_extra=WORKER,
    )
    history_days: int = Field(
        400,
        ge=40,
        description="History collected by the first run from a source without a beginning [d].",
        json_schema_extra=WORKER,
    )
    openaq_api_key: SecretStr = Field(
        SecretStr(""), description="OpenAQ API key, free at explore.openaq.org.", json_schema_extra=WORKER
    )
    open_meteo_api_key: SecretStr = Field(
        SecretStr(""),
        description="API key of an Open-Meteo customer. Empty: the free service, for non-commercial use.",
        json_schema_extra=WORKER,
    )
    open_meteo_url: str = Field(
        "https://{api}.open-meteo.com",
        description="Address of Open-Meteo, or of your own server (without {api}).",
        json_schema_extra=WORKER,
    )
    fmi_url: str = Field(
        "https://opendata.fmi.fi/wfs", description="Address of the FMI download service.", json_schema_extra=WORKER
    )
    openaq_url: str = Field(
        "https://api.openaq.org/v3", description="Address of the OpenAQ API.", json_schema_extra=WORKER
    )
    openaq_archive_url: str = Field(
        "https://openaq-data-archive.s3.amazonaws.com",
        description="Address of the public OpenAQ archive.",
        json_schema_extra=WORKER,
    )
    validation_days: int = Field(
        28,
        ge=5,
        description="Days at the end of the history on which a new model is validated [d].",
        json_schema_extra=WORKER,
    )
    model: str = Field(
        "stack",
        description="Kind of model to train: stack, trees, gru, climatology or mlforecast.",
        json_schema_extra=WORKER,
    )
    model_parameters: str = Field(
        "",
        description="Model parameters that differ from config/model.yaml, comma-separated: trees.rounds=80.",
        json_schema_extra=WORKER,
    )
    light_training: bool = Field(
        False,
        description="Train smaller models in a fraction of the time, for tests. Their forecasts are worse.",
        json_schema_extra=WORKER,
    )
    alert_urls: SecretStr = Field(
        SecretStr(""),
        description="Apprise URLs that notify operators, comma-separated: mailto://…, slack://…",
        json_schema_extra=WORKER,
    )
    public_alert_urls: SecretStr = Field(
        SecretStr(""),
        description="Apprise URLs that notify the public of predicted exceedances, comma-separated.",
        json_schema_extra=WORKER,
    )
    alert_webhooks: SecretStr = Field(
        SecretStr(""),
        description="URLs that receive every incident as a webhook, comma-separated.",
        json_schema_extra=WORKER,
    )
    alert_webhook_secret: SecretStr = Field(
        SecretStr(""), description="HMAC secret that signs webhooks. Empty: unsigned.", json_schema_extra=WORKER
    )
    metrics_namespace: str = Field(
        "Hazecast",
        min_length=1,
        description="CloudWatch namespace of the metrics of `hazecast publish`.",
        json_schema_extra=METRICS,
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines: text for a terminal, json for machines.", json_schema_extra=LOCAL
    )
    revision: str = Field(
        "",
        description="Git revision of the code, recorded with each training. Set in images. Empty: read from git.",
        json_schema_extra=LOCAL,
    )

    use_s3: bool = Field(
        False,
        validation_alias="USE_S3",
        description="Store tables in S3 instead of under home.",
        json_schema_extra=TABLES,
    )
    s3_uri: str = Field(
        "",
        description="Location of the tables in S3: s3://bucket/prefix. Required if USE_S3 is true.",
        json_schema_extra=TABLES,
    )
    aws_region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region of the bucket.",
        json_schema_extra=S3,
    )
    aws_endpoint_url: str = Field(
        "",
        validation_alias="AWS_ENDPOINT_URL",
        description="Address of an S3-compatible server. Empty: AWS.",
        json_schema_extra=S3,
    )
    aws_access_key_id: str = Field(
        "",
        validation_alias="AWS_ACCESS_KEY_ID",
        description="Access key. Empty: the role of the task.",
        json_schema_extra=S3,
    )
    aws_secret_access_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="AWS_SECRET_ACCESS_KEY",
        description="Secret of the access key.",
        json_schema_extra=S3,
    )
    mlflow_tracking_uri: str = Field(
        "",
        validation_alias="MLFLOW_TRACKING_URI",
        description="MLflow server or database. Empty: SQLite under home.",
        json_schema_extra=TRACKED,
    )
    mlflow_tracking_username: str = Field(
        "hazecast",
        validation_alias="MLFLOW_TRACKING_USERNAME",
        description="User of the MLflow server.",
        json_schema_extra=MLFLOW_LOGIN,
    )
    mlflow_tracking_password: SecretStr = Field(
        SecretStr(""),
        validation_alias="MLFLOW_TRACKING_PASSWORD",
        description="Password of the MLflow server. Empty: `hazecast up` creates one in HAZECAST_HOME/secrets/mlflow.",
        json_schema_extra=MLFLOW_LOGIN,
    )

    prefect_api_url: str = Field(
        "",
        validation_alias="PREFECT_API_URL",
        description="Prefect server or Prefect Cloud. Empty: `hazecast up` starts one.",
        json_schema_extra=ORCHESTRATED,
    )
    prefect_api_key: SecretStr = Field(
        SecretStr(""),
        validation_alias="PREFECT_API_KEY",
        description="API key of Prefect Cloud.",
        json_schema_extra=ORCHESTRATED,
    )
    prefect_api_auth_string: SecretStr = Field(
        SecretStr(""),
        validation_alias="PREFECT_API_AUTH_STRING",
        description="user:password of a Prefect server. Empty: `hazecast up` creates one in "
        "HAZECAST_HOME/secrets/prefect.",
        json_schema_extra=ORCHESTRATED,
    )

    @field_validator("schedule_timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Helsinki or UTC")
        return value

    @field_validator("now", mode="before")
    @classmethod
    def _now_has_a_zone(cls, value: object) -> object:
        return parse_utc(value) if isinstance(value, str) and value else value or None

    @field_validator("horizon_hours", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if value == "" else value

    @field_validator("horizon_hours")
    @classmethod
    def _horizon_is_supported(cls, value: int | None) -> int | None:
        return None if value is None else ForecastSpec(value).horizon_hours

    @model_validator(mode="after")
    def _parts_fit_together(self) -> "Settings":
        if self.use_s3 and not self.s3_uri.startswith("s3://"):
            raise ValueError("USE_S3 is true but HAZECAST_S3_URI is not of the form s3://bucket/prefix")
        if self.source == "files" and self.data is None:
            raise ValueError("the source `files` needs a dataset folder: set HAZECAST_DATA or pass --data DIR")
        return self

    @property
    def place_name(self) -> str:
        """The place whose tables and models are used."""
        if self.place:
            return self.place
        if self.source == "files" and self.data:
            return dataset_place(self.data, self.home, reserved=self.reserved_places, shared=self.use_s3)
        return "simulated"

    @property
    def reserved_places(self) -> set[str]:
        """Names that no dataset folder may have: those of place files, and the simulated place."""
        files = [path for folder in (self.config, SHIPPED) for path in folder.glob("*.yaml")]
        return {"simulated", *(path.stem for path in files)}

    @property
    def api_address(self) -> str:
        """Address of the API as other processes reach it."""
        return self.api_url or f"http://{reachable(self.host)}:{self.api_port}"

    @property
    def prefect_address(self) -> str:
        """Address of the Prefect API: the configured server, or that of `hazecast up`."""
        return self.prefect_api_url or f"http://{reachable(self.prefect_host)}:{self.prefect_port}/api"

    @property
    def is_open_to_all(self) -> bool:
        """Whether the API listens on other addresses than loopback and requires no key."""
        return self.api_keys is None and self.host not in _LOOPBACK

    @property
    def dashboard_health_path(self) -> str:
        """Path of the dashboard's health check."""
        path = self.dashboard_path.strip("/")
        return f"/{path}/_stcore/health" if path else "/_stcore/health"

    @property
    def tables_root(self) -> str:
        """Location of the place's tables: a folder or an s3:// address."""
        base = self.s3_uri.rstrip("/") if self.use_s3 else str(self.home.resolve() / "tables")
        return f"{base}/{self.place_name}"

    @property
    def tracking_uri(self) -> str:
        """The MLflow tracking URI: the configured server, or SQLite under home."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def has_mlflow_server(self) -> bool:
        """Whether an MLflow server is configured, not only a database."""
        return self.mlflow_tracking_uri.startswith("http")

    @property
    def storage_options(self) -> dict[str, str]:
        """Options with which the store reaches S3; empty for a local folder."""
        if not self.use_s3:
            return {}
        options = {"AWS_REGION": self.aws_region, "aws_conditional_put": "etag"}
        if self.aws_endpoint_url:
            insecure = str(self.aws_endpoint_url.startswith("http://")).lower()
            options |= {"AWS_ENDPOINT_URL": self.aws_endpoint_url, "AWS_ALLOW_HTTP": insecure}
        if self.aws_access_key_id:
            secret = self.aws_secret_access_key.get_secret_value()
            options |= {"AWS_ACCESS_KEY_ID": self.aws_access_key_id, "AWS_SECRET_ACCESS_KEY": secret}
        return options

    def clock(self) -> datetime:
        """The replayed clock if one is set, else the real one, UTC."""
        return self.now or datetime.now(UTC)


def reachable(host: str) -> str:
    """The host of a URL for a service that listens on this address."""
    if host in _ANY:
        return _ANY[host]
    return f"[{host}]" if ":" in host else host


def variable_of(name: str) -> str:
    """The environment variable of setting `name` (the first of its aliases)."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias) if alias else f"HAZECAST_{name.upper()}"


def services_of(name: str) -> list[Service]:
    """The services that need setting `name`; none: it is of `hazecast up` only."""
    extra = Settings.model_fields[name].json_schema_extra
    assert isinstance(extra, dict)
    return extra["services"]  # type: ignore[return-value]  # one of the lists above


def is_secret(name: str) -> bool:
    """Whether setting `name` is a secret: never shown, and read from a file if VARIABLE_FILE names one."""
    return Settings.model_fields[name].annotation is SecretStr


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`; `overrides` that are not None win (by field name).

    Raises:
        SettingsError: a value is wrong; the message names the variable and the remedy. UsageError where it is one of
            `overrides`.
    """
    given = _secrets_in_files() | {name: value for name, value in overrides.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # validated
    except ValidationError as err:
        wrong = {str(problem["loc"][0]) if problem["loc"] else "" for problem in err.errors()}
        is_argument = any(
            overrides.get(name) is not None for name in wrong | ({"source", "data"} if "" in wrong else set())
        )
        kind = UsageError if is_argument else SettingsError
        raise kind("; ".join(_explain(problem) for problem in err.errors())) from err


def _secrets_in_files() -> dict[str, object]:
    """Secrets given as files: VARIABLE_FILE=/run/secrets/x instead of VARIABLE.

    Raises:
        SettingsError: a file cannot be read, or both variables are set.
    """
    environment = {**dotenv_values(".env"), **os.environ}
    found: dict[str, object] = {}
    for name in filter(is_secret, Settings.model_fields):
        variable = variable_of(name)
        path = environment.get(f"{variable}_FILE")
        if not path:
            continue
        if environment.get(variable):
            raise SettingsError(f"both {variable} and {variable}_FILE are set; remove one of them")
        try:
            found[name] = Path(path).read_text().strip()
        except OSError as err:
            raise SettingsError(f"{variable}_FILE: {path} cannot be read ({err.strerror})") from err
    return found


def _explain(problem: ErrorDetails) -> str:
    reason = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    name = str(problem["loc"][0])
    variable = variable_of(name) if name in Settings.model_fields else name
    return f"{variable}: {reason}"
