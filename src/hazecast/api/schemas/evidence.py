"""The evidence: verification, quality of observations, verdicts of monitoring, incidents, runs."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.api.schemas.base import Answer, Cursor, is_absent

Share = Annotated[float | None, Field(description="Share 0…1; null where nothing was scored")]
Error = Annotated[float | None, Field(description="[µg/m³]; null where nothing was scored")]
Ratio = Annotated[float | None, Field(description="MAE over that of the rival on the same hours; below 1 is better")]
Count = Annotated[int | None, Field(description="Hours; null where the pollutant has no such limit")]


class Verified(Answer):
    """Measures of one group; the columns not grouped by are absent."""

    issued_on: Annotated[datetime | None, Field(exclude_if=is_absent)] = None
    station_id: Annotated[str | None, Field(exclude_if=is_absent)] = None
    pollutant: Annotated[Pollutant | None, Field(exclude_if=is_absent)] = None
    lead_block: Annotated[str | None, Field(exclude_if=is_absent, examples=["1-6"])] = None
    model_version: Annotated[str | None, Field(exclude_if=is_absent)] = None
    n_forecast: int = Field(description="Hours forecast")
    n: int = Field(description="Of these, hours with a trusted observation and both naive forecasts")
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
    share_below_q05: Share
    share_below_q10: Share
    share_below_q25: Share
    share_below_q50: Share
    share_below_q75: Share
    share_below_q90: Share
    share_below_q95: Share
    n_above_who: Count
    pod_who: Share
    far_who: Share
    csi_who: Share
    brier_who: Share
    n_above_eu: Count
    pod_eu: Share
    far_eu: Share
    csi_eu: Share
    brier_eu: Share


class Verification(Answer):
    """How good issued forecasts were, of issue days in [since, until)."""

    since: datetime
    until: datetime
    by: list[str] = Field(description="What is grouped by", examples=[["pollutant", "lead_block"]])
    groups: list[Verified] = Field(description="Empty: nothing was verified in this span")


class SeriesQuality(Answer):
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
    reasons: str = Field(description="Names of the rules that doubted something, comma-separated")


class QualityReport(Answer):
    """The latest check of observations, by series."""

    checked_at: datetime | None = Field(description="null: not checked yet")
    series: list[SeriesQuality]


class Verdict(Answer):
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


class DriftOf(Answer):
    """How far one series is from the same season before."""

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


class RetrainDecision(Answer):
    """Whether to retrain, and why."""

    checked_at: datetime
    justified: bool
    reasons: list[str]


class HealthVerdicts(Answer):
    """The newest monitoring: verdicts, drift and the latest decisions about retraining."""

    checked_at: datetime | None = Field(description="null: never monitored")
    verdicts: list[Verdict]
    drift: list[DriftOf]
    retrains: list[RetrainDecision] = Field(description="Newest first, at most 20")


class Incident(Answer):
    """Something that was worth telling people."""

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


class Incidents(Answer):
    """Incidents, newest first."""

    alerts: list[Incident]
    next_cursor: Cursor = None


class Run(Answer):
    """One run of a step."""

    run_id: str
    step: str
    started_at: datetime
    finished_at: datetime
    as_of: datetime
    outcome: str
    summary: str


class RunList(Answer):
    """Runs of the pipeline, newest first."""

    runs: list[Run]
    next_cursor: Cursor = None
