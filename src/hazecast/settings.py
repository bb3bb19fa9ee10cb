"""Every setting in one place: environment variables (or a `.env` file), typed, described, with working defaults."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from zoneinfo import available_timezones

from pydantic import AliasChoices, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from hazecast.air.clock import parse_utc
from hazecast.air.spec import ForecastSpec
from hazecast.errors import SettingsError

SourceName = Literal["auto", "simulated", "files"]


class Settings(BaseSettings):
    """Hazecast's settings. Our own carry the prefix HAZECAST_; names shared with other tools keep theirs."""

    model_config = SettingsConfigDict(
        env_prefix="HAZECAST_", env_file=".env", extra="ignore", frozen=True, populate_by_name=True
    )

    home: Path = Field(Path(".hazecast"), description="Folder that holds all local state: tables, models, databases.")
    source: SourceName = Field(
        "auto", description="Where data come from: simulated, files, or auto: the chosen place's own, else simulated."
    )
    data: Path | None = Field(None, description="Dataset folder for the source `files`.")
    place: str = Field(
        "",
        description="The place: a file of the config folder by that name says where its data come from; tables and "
        "models are kept under it. Empty: the dataset folder's name, or simulated.",
    )
    config: Path = Field(Path("config"), description="Folder of your own place files; those shipped are found anyway.")
    now: datetime | None = Field(
        None, description="Replayed clock: act as if it were this UTC time (2016-06-01T00:00Z). Empty: the real clock."
    )
    host: str = Field("127.0.0.1", description="Address the services listen on.")
    api_port: int = Field(8000, ge=1, le=65535, description="Port of the API.")
    api_keys: Path | None = Field(
        None, description="File of API keys (`hazecast api-key`); the API then asks for one. Empty: it is open."
    )
    cors_origins: str = Field("*", description="Web pages that may read the API, comma-separated; * is all of them.")
    dashboard_port: int = Field(8501, ge=1, le=65535, description="Port of the dashboard.")
    mlflow_port: int = Field(5000, ge=1, le=65535, description="Port of the MLflow server.")
    prefect_port: int = Field(4200, ge=1, le=65535, description="Port of the Prefect server.")
    worker_port: int = Field(8080, ge=1, le=65535, description="Port at which the Prefect worker says that it lives.")
    prefect_pool: str = Field("hazecast", min_length=1, description="Prefect work pool that the pipelines run in.")
    schedule_timezone: str = Field("UTC", description="IANA time zone of the schedules (training Sunday 02:00 …).")
    keep_runs_days: int = Field(90, ge=1, description="Runs older than this are deleted from the Prefect server [d].")
    stale_after_hours: float = Field(26.0, gt=0, description="Forecasts older than this are stale and not ready [h].")
    horizon_hours: int | None = Field(
        None, description="Longest lead of the forecasts [h]: 48, 72, 96 or 120. Empty: the place's own, else 72."
    )
    retrain_cooldown_hours: float = Field(
        48.0, ge=0, description="Shortest time between two retrainings that monitoring starts [h]."
    )
    history_days: int = Field(
        400, ge=40, description="Days of history collected by a first run on endless sources [d]."
    )
    openaq_api_key: SecretStr = Field(SecretStr(""), description="Key for OpenAQ, free at explore.openaq.org.")
    open_meteo_api_key: SecretStr = Field(
        SecretStr(""), description="Key of an Open-Meteo customer. Empty: the free service, for non-commercial use."
    )
    open_meteo_url: str = Field(
        "https://{api}.open-meteo.com", description="Address of Open-Meteo, or of a server of your own without {api}."
    )
    fmi_url: str = Field("https://opendata.fmi.fi/wfs", description="Address of FMI's download service.")
    openaq_url: str = Field("https://api.openaq.org/v3", description="Address of the OpenAQ API.")
    openaq_archive_url: str = Field(
        "https://openaq-data-archive.s3.amazonaws.com", description="Address of OpenAQ's public archive."
    )
    validation_days: int = Field(28, ge=5, description="Days at the end of the history a new model is judged on [d].")
    light_training: bool = Field(
        False, description="Train models in a fraction of the time, for rehearsals; they forecast worse."
    )
    alert_urls: SecretStr = Field(
        SecretStr(""), description="Apprise addresses that tell operators, comma-separated: mailto://…, slack://…"
    )
    public_alert_urls: SecretStr = Field(
        SecretStr(""), description="Apprise addresses that tell the public of predicted exceedances, comma-separated."
    )
    alert_webhooks: SecretStr = Field(
        SecretStr(""), description="Addresses of programs that are told of every incident, comma-separated."
    )
    alert_webhook_secret: SecretStr = Field(
        SecretStr(""), description="What webhooks are signed with. Empty: they are not."
    )
    metrics_namespace: str = Field(
        "Hazecast", min_length=1, description="CloudWatch namespace of the metrics that `hazecast publish` says."
    )
    log_format: Literal["text", "json"] = Field("text", description="Logs for people or for machines.")

    use_s3: bool = Field(False, validation_alias="USE_S3", description="Keep tables in S3 instead of under home.")
    s3_uri: str = Field("", description="Where tables live in S3: s3://bucket/prefix. Needed when USE_S3 is true.")
    aws_region: str = Field(
        "us-east-1",
        validation_alias=AliasChoices("AWS_REGION", "AWS_DEFAULT_REGION"),
        description="AWS region of the bucket.",
    )
    aws_endpoint_url: str = Field(
        "", validation_alias="AWS_ENDPOINT_URL", description="S3-compatible server to use instead of AWS."
    )
    aws_access_key_id: str = Field("", validation_alias="AWS_ACCESS_KEY_ID", description="Empty: the task's own role.")
    aws_secret_access_key: SecretStr = Field(
        SecretStr(""), validation_alias="AWS_SECRET_ACCESS_KEY", description="Secret of the access key."
    )
    mlflow_tracking_uri: str = Field(
        "", validation_alias="MLFLOW_TRACKING_URI", description="MLflow server or database. Empty: SQLite under home."
    )

    prefect_api_url: str = Field(
        "", validation_alias="PREFECT_API_URL", description="Prefect server or Cloud. Empty: `hazecast up` starts one."
    )
    prefect_api_key: SecretStr = Field(
        SecretStr(""), validation_alias="PREFECT_API_KEY", description="Key to Prefect Cloud."
    )

    @field_validator("schedule_timezone")
    @classmethod
    def _timezone_exists(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone; write it like Europe/Helsinki or UTC")
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
        """The place whose tables and models are meant; each has its own."""
        if self.place:
            return self.place
        return self.data.resolve().name if self.source == "files" and self.data else "simulated"

    @property
    def tables_root(self) -> str:
        """Where the place's tables live: a folder or an s3:// address."""
        base = self.s3_uri.rstrip("/") if self.use_s3 else str(self.home.resolve() / "tables")
        return f"{base}/{self.place_name}"

    @property
    def tracking_uri(self) -> str:
        """Where MLflow records: the configured server or SQLite under home."""
        return self.mlflow_tracking_uri or f"sqlite:///{self.home.resolve() / 'mlflow.db'}"

    @property
    def has_mlflow_server(self) -> bool:
        """Whether an MLflow server is configured, not just a database to record in."""
        return self.mlflow_tracking_uri.startswith("http")

    @property
    def storage_options(self) -> dict[str, str]:
        """What the store needs to reach S3; empty for a local folder."""
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
        """The time Hazecast acts at: the replayed clock if one is set, else now, UTC."""
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
