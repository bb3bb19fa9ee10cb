"""Every setting: an environment variable (or a line of `.env`), typed, described, with a working default."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from hazecast.air.clock import parse_utc
from hazecast.air.spec import STALE_AFTER_HOURS, ForecastSpec
from hazecast.datasets import dataset_place
from hazecast.errors import SettingsError
from hazecast.paths import SHIPPED

SourceName = Literal["auto", "simulated", "files"]


class Settings(BaseSettings):
    """The settings. Names of Hazecast start with HAZECAST_; names shared with other tools keep theirs."""

    model_config = SettingsConfigDict(
        env_prefix="HAZECAST_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Field(Path(".hazecast"), description="Folder of all local state: tables, models, databases.")
    source: SourceName = Field(
        "auto", description="Source of the data: simulated, files, or auto (the sources of the place, else simulated)."
    )
    data: Path | None = Field(None, description="Dataset folder for the source `files`.")
    ignore_columns: bool = Field(
        False, description="Leave out columns of a dataset folder that are not understood, instead of refusing them."
    )
    aggregate: bool = Field(
        False, description="Average values within an hour of a dataset folder (15 min and the like) to the hour."
    )
    place: str = Field(
        "",
        description="Name of the place. It selects the place file in the config folder, and the tables and models. "
        "Empty: the name of the dataset folder, or simulated.",
    )
    config: Path = Field(
        Path("config"), description="Folder of your own place files. The shipped ones are always found."
    )
    now: datetime | None = Field(
        None, description="Replayed clock: act as if it were this UTC time (2016-06-01T00:00Z). Empty: the real clock."
    )
    host: str = Field("127.0.0.1", description="Address the services listen on.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port of the API.")
    api_url: str = Field(
        "", description="Address of the API for the dashboard's server. Empty: HAZECAST_HOST and HAZECAST_API_PORT."
    )
    api_keys: Path | None = Field(
        None, description="File of API keys (`hazecast api-key`). If set, the API requires a key. Empty: open to all."
    )
    cors_origins: str = Field(
        "*", description="Origins of web pages that may call the API, comma-separated; * allows all."
    )
    dashboard_port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow server.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server.")
    mlflow_page: str = Field(
        "", description="Address of MLflow for browsers; the dashboard links to it. Empty: no link."
    )
    prefect_page: str = Field(
        "", description="Address of Prefect for browsers; the dashboard links to it. Empty: no link."
    )
    worker_port: int = Field(8080, ge=1, le=65535, description="Port of the health check of the Prefect worker.")
    prefect_pool: str = Field("hazecast", min_length=1, description="Prefect work pool of the pipelines.")
    schedule_timezone: str = Field("UTC", description="IANA time zone of the schedules (training Sunday 02:00 …).")
    keep_runs_days: int = Field(90, ge=1, description="Runs older than this are deleted from the Prefect server [d].")
    stale_after_hours: float = Field(
        STALE_AFTER_HOURS,
        gt=0,
        description="Age at which a forecast is stale, and the API's readiness check fails [h].",
    )
    horizon_hours: int | None = Field(
        None, description="Longest lead of the forecasts [h]: 48, 72, 96 or 120. Empty: the place's own, else 72."
    )
    retrain_cooldown_hours: float = Field(
        48.0, ge=0, description="Shortest time between two retrainings that monitoring starts [h]."
    )
    history_days: int = Field(
        400, ge=40, description="History collected by the first run from a source without a beginning [d]."
    )
    openaq_api_key: SecretStr = Field(SecretStr(""), description="OpenAQ API key, free at explore.openaq.org.")
    open_meteo_api_key: SecretStr = Field(
        SecretStr(""), description="API key of an Open-Meteo customer. Empty: the free service, for non-commercial use."
    )
    open_meteo_url: str = Field(
        "https://{api}.open-meteo.com", description="Address of Open-Meteo, or of your own server (without {api})."
    )
    fmi_url: str = Field("https://opendata.fmi.fi/wfs", description="Address of the FMI download service.")
    openaq_url: str = Field("https://api.openaq.org/v3", description="Address of the OpenAQ API.")
    openaq_archive_url: str = Field(
        "https://openaq-data-archive.s3.amazonaws.com", description="Address of the public OpenAQ archive."
    )
    validation_days: int = Field(
        28, ge=5, description="Days at the end of the history on which a new model is validated [d]."
    )
    model: str = Field("stack", description="Kind of model to train: stack, trees, gru, climatology or mlforecast.")
    model_parameters: str = Field(
        "", description="Model parameters that differ from config/model.yaml, comma-separated: trees.rounds=80."
    )
    light_training: bool = Field(
        False, description="Train smaller models in a fraction of the time, for tests. Their forecasts are worse."
    )
    alert_urls: SecretStr = Field(
        SecretStr(""), description="Apprise URLs that notify operators, comma-separated: mailto://…, slack://…"
    )
    public_alert_urls: SecretStr = Field(
        SecretStr(""), description="Apprise URLs that notify the public of predicted exceedances, comma-separated."
    )
    alert_webhooks: SecretStr = Field(
        SecretStr(""), description="URLs that receive every incident as a webhook, comma-separated."
    )
    alert_webhook_secret: SecretStr = Field(
        SecretStr(""), description="HMAC secret that signs webhooks. Empty: unsigned."
    )
    metrics_namespace: str = Field(
        "Hazecast", min_length=1, description="CloudWatch namespace of the metrics of `hazecast publish`."
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="Log lines: text for a terminal, json for machines."
    )
    revision: str = Field(
        "", description="Git revision of the code, recorded with each training. Set in images. Empty: read from git."
    )

    use_s3: bool = Field(False, validation_alias="USE_S3", description="Store tables in S3 instead of under home.")
    s3_uri: str = Field("", description="Location of the tables in S3: s3://bucket/prefix. Required if USE_S3 is true.")
    aws_region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region of the bucket.",
    )
    aws_endpoint_url: str = Field(
        "", validation_alias="AWS_ENDPOINT_URL", description="Address of an S3-compatible server. Empty: AWS."
    )
    aws_access_key_id: str = Field(
        "", validation_alias="AWS_ACCESS_KEY_ID", description="Access key. Empty: the role of the task."
    )
    aws_secret_access_key: SecretStr = Field(
        SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY", description="Secret of the access key."
    )
    mlflow_tracking_uri: str = Field(
        "", validation_alias="MLFLOW_TRACKING_URI", description="MLflow server or database. Empty: SQLite under home."
    )

    prefect_api_url: str = Field(
        "",
        validation_alias="PREFECT_API_URL",
        description="Prefect server or Prefect Cloud. Empty: `hazecast up` starts one.",
    )
    prefect_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="PREFECT_API_KEY", description="API key of Prefect Cloud."
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
        host = "127.0.0.1" if self.host == "0.0.0.0" else self.host
        return self.api_url or f"http://{host}:{self.api_port}"

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


def variable_of(name: str) -> str:
    """The environment variable of setting `name` (the first of its aliases)."""
    alias = Settings.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return str(alias.choices[0])
    return str(alias) if alias else f"HAZECAST_{name.upper()}"


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment and `.env`; `overrides` that are not None win (by field name).

    Raises:
        SettingsError: a value is wrong; the message names the variable and the remedy.
    """
    try:
        return Settings(**{name: value for name, value in overrides.items() if value is not None})  # type: ignore[arg-type]  # validated
    except ValidationError as err:
        raise SettingsError("; ".join(_explain(problem) for problem in err.errors())) from err


def _explain(problem: ErrorDetails) -> str:
    reason = problem["msg"].removeprefix("Value error, ")
    if not problem["loc"]:
        return reason
    name = str(problem["loc"][0])
    variable = variable_of(name) if name in Settings.model_fields else name
    return f"{variable}: {reason}"
