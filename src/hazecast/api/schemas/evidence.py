"""Verification, data quality, monitoring results, incidents and pipeline runs."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.api.schemas.base import ApiModel, NextCursor, is_absent, with_fields

Share = Annotated[float | None, Field(description="Share 0…1; null where nothing was scored")]
Error = Annotated[float | None, Field(description="[µg/m³]; null where nothing was scored")]
Ratio = Annotated[
    float | None, Field(description="MAE over that of the reference forecast on the same hours; below 1 is better")
]
Count = Annotated[int | None, Field(description="Hours; null where the pollutant has no such limit")]


class _Scores(ApiModel):
    issued_on: Annotated[datetime | None, Field(exclude_if=is_absent)] = None
    station_id: Annotated[str | None, Field(exclude_if=is_absent)] = None
    pollutant: Annotated[Pollutant | None, Field(exclude_if=is_absent)] = None
    lead_block: Annotated[str | None, Field(exclude_if=is_absent, examples=["1-6"])] = None
    model_version: Annotated[str | None, Field(exclude_if=is_absent)] = None
    n_forecast: int = Field(description="Hours forecast")
    n: int = Field(description="Of these, hours with an observation flagged ok and both naive forecasts")
    mae: Error
    rmse: Error
    bias: Error
    crps: Error
    rmae: Ratio
    rmae_persistence: Ratio
    rmae_background: Ratio
    coverage_50: Share
    coverage_80: Share
    coverage_90: Share


def _with_limit_scores(base: type[_Scores]) -> type[_Scores]:
    """Counts and scores of the exceedance forecast of every limit: hits (POD), false alarms (FAR), CSI, Brier score."""
    for key in LIMIT_KEYS:
        base = with_fields(base, [f"n_above_{key}"], Count)
        base = with_fields(base, [f"{score}_{key}" for score in ("pod", "far", "csi", "brier")], Share)
    return base


if TYPE_CHECKING:

    class _AllScores(_Scores):
        def __getattr__(self, score: str) -> Any: ...
else:
    _AllScores = _with_limit_scores(with_fields(_Scores, [f"share_below_{name}" for name in QUANTILES], Share))


class VerificationGroup(_AllScores):
    """Scores of one group; the columns that are not grouped by are absent."""


class Verification(ApiModel):
    """Scores of the forecasts issued on days in [since, until)."""

    since: datetime
    until: datetime
    by: list[str] = Field(description="Columns grouped by", examples=[["pollutant", "lead_block"]])
    groups: list[VerificationGroup] = Field(description="Empty: nothing was verified in this span")


class SeriesQuality(ApiModel):
    """The latest check of one series."""

    station_id: str
    pollutant: Pollutant
    window_start: datetime
    window_end: datetime
    n_expected: int
    n_observed: int
    completeness: float = Field(description="Share of hours present, 0…1")
    n_suspicious: int
    n_invalid: int
    n_duplicate: int
    reasons: str = Field(description="Names of the rules that flagged something, comma-separated")


class QualityReport(ApiModel):
    """The latest check of observations, by series."""

    checked_at: datetime | None = Field(description="null: not checked yet")
    series: list[SeriesQuality]


class Verdict(ApiModel):
    """The verdict of one monitoring check on one subject."""

    check: str = Field(examples=["coverage"])
    subject: str = Field(examples=["pm25 25-48"])
    station_id: str | None = Field(description="null: the check is not about one station")
    pollutant: str | None = Field(description="null: the check is not about one pollutant")
    lead_block: str | None = Field(description="Hours ahead; null: the check is not about lead times")
    verdict: str = Field(description="ok, unknown, warning or critical")
    value: float | None
    expected: float | None
    reason: str


class SeriesDrift(ApiModel):
    """Drift of one series from the same season of earlier years."""

    station_id: str
    variable: str
    n: int
    n_reference: int
    psi: float | None = Field(description="Population stability index")
    usual_psi: float | None
    ks: float | None
    wasserstein: float | None
    verdict: str
    reason: str


class RetrainDecision(ApiModel):
    """Whether to retrain, and why."""

    checked_at: datetime
    justified: bool
    reasons: list[str]


class HealthVerdicts(ApiModel):
    """The newest monitoring: verdicts, drift and the latest retraining decisions."""

    checked_at: datetime | None = Field(description="null: never monitored")
    verdicts: list[Verdict]
    drift: list[SeriesDrift]
    retrains: list[RetrainDecision] = Field(description="Newest first, at most 20")


class Incident(ApiModel):
    """An alert and its state."""

    incident_id: str
    rule: str
    subject: str
    audience: str = Field(description="operators or public")
    state: str = Field(description="pending, open or resolved")
    severity: str
    summary: str
    reason: str
    bad_since: datetime
    opened_at: datetime | None
    resolved_at: datetime | None
    seen_at: datetime


class Incidents(ApiModel):
    """Incidents, newest first."""

    alerts: list[Incident]
    next_cursor: NextCursor = None


class Run(ApiModel):
    """One run of a pipeline step."""

    run_id: str
    step: str
    started_at: datetime
    finished_at: datetime
    as_of: datetime
    outcome: str
    summary: str


class RunList(ApiModel):
    """Runs of the pipeline, newest first."""

    runs: list[Run]
    next_cursor: NextCursor = None
