"""Sensors: late, silent, incomplete or stuck."""

from datetime import datetime, timedelta

import polars as pl

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.tables import newest
from hazecast.monitoring.findings import Finding, Subject

SOURCE_SILENT_AFTER_HOURS = 30.0
_SILENT_AFTER_HOURS, _GONE_AFTER_HOURS = 12.0, 72.0
# A station without reports for longer counts as closed, not as broken.
CLOSED_AFTER = timedelta(days=30)
_COMPLETE_DAYS = 7
_COMPLETE, _HALF = 0.75, 0.5
_STUCK_HOURS, _STUCK_SHARE = 12, 0.5
_SOURCE = Subject(name="source")
_SERIES = ["station_id", "pollutant"]


def sensor_findings(
    observations: pl.DataFrame, *, now: datetime, source_silent_after_hours: float = SOURCE_SILENT_AFTER_HOURS
) -> list[Finding]:
    """Freshness and completeness of stations, silent and stuck sensors; the source itself first.

    Stations are compared with the newest hour of the whole source, so that the interval of collection does not matter.

    Args:
        observations: `air.tables.Observations` of the last 30 days or more.
        now: UTC.
        source_silent_after_hours: the source as a whole is called silent after this [h].
    """
    recent = observations.filter(pl.col("observed_at") >= now - CLOSED_AFTER)
    last_hour = newest(recent["observed_at"])
    if last_hour is None:
        return [Finding("source", _SOURCE, "critical", "nothing was observed in the last 30 days")]
    source = _source(last_hour, now, silent_after_hours=source_silent_after_hours)
    lags = _lags(recent, last_hour)
    return [
        source,
        *_freshness(lags, now, last_hour),
        *_silent(lags),
        *_completeness(recent, last_hour),
        *_stuck(recent),
    ]


def _source(last_hour: datetime, now: datetime, *, silent_after_hours: float) -> Finding:
    age_hours = hours_between(last_hour + HOUR, now)
    verdict = "critical" if age_hours > silent_after_hours else "ok"
    reason = f"the newest observation of all is {age_hours:.0f} h old ({last_hour:%Y-%m-%d %H:%M} UTC)"
    return Finding("source", _SOURCE, verdict, reason, value=age_hours, expected=silent_after_hours)


def _lags(recent: pl.DataFrame, last_hour: datetime) -> pl.DataFrame:
    """Per series: hours behind its station, and its station's hours behind the source."""
    ends = recent.group_by(_SERIES).agg(last=pl.col("observed_at").max())
    ends = ends.with_columns(station_last=pl.col("last").max().over("station_id")).sort(_SERIES)
    behind_source = (pl.lit(last_hour) - pl.col("station_last")).dt.total_minutes() / 60
    behind_station = (pl.col("station_last") - pl.col("last")).dt.total_minutes() / 60
    return ends.with_columns(station_lag_hours=behind_source, lag_hours=behind_station)


def _freshness(lags: pl.DataFrame, now: datetime, last_hour: datetime) -> list[Finding]:
    findings = []
    for row in lags.unique("station_id", maintain_order=True).iter_rows(named=True):
        age_hours = hours_between(row["station_last"] + HOUR, now)
        verdict = _by_lag(row["station_lag_hours"])
        reason = f"newest observation {age_hours:.0f} h old"
        if verdict != "ok":
            reason += f"; the station is silent, {row['station_lag_hours']:.0f} h behind the others"
        allowed = hours_between(last_hour + HOUR, now) + _SILENT_AFTER_HOURS
        subject = Subject(row["station_id"])
        findings.append(Finding("freshness", subject, verdict, reason, value=age_hours, expected=allowed))
    return findings


def _silent(lags: pl.DataFrame) -> list[Finding]:
    """One sensor of a station that otherwise reports."""
    return [
        Finding(
            "silent",
            Subject(row["station_id"], row["pollutant"]),
            _by_lag(row["lag_hours"]),
            f"newest hour {row['last']:%Y-%m-%d %H:%M} UTC, {row['lag_hours']:.0f} h behind its station",
            value=row["lag_hours"],
            expected=_SILENT_AFTER_HOURS,
        )
        for row in lags.iter_rows(named=True)
    ]


def _by_lag(lag_hours: float) -> str:
    if lag_hours <= _SILENT_AFTER_HOURS:
        return "ok"
    return "critical" if lag_hours > _GONE_AFTER_HOURS else "warning"


def _completeness(recent: pl.DataFrame, last_hour: datetime) -> list[Finding]:
    since = last_hour - timedelta(days=_COMPLETE_DAYS)
    n_series = recent.group_by("station_id").agg(n_series=pl.col("pollutant").n_unique())
    present = recent.filter(pl.col("observed_at") > since).group_by("station_id").len()
    rows = n_series.join(present, on="station_id", how="left").sort("station_id")
    findings = []
    for station, n_pollutants, n_hours in rows.iter_rows():
        share = min((n_hours or 0) / (n_pollutants * 24 * _COMPLETE_DAYS), 1.0)
        verdict = "ok" if share >= _COMPLETE else "warning" if share >= _HALF else "critical"
        reason = f"{share:.0%} of the hours of the last {_COMPLETE_DAYS} days are there"
        findings.append(Finding("completeness", Subject(station), verdict, reason, value=share, expected=_COMPLETE))
    return findings


def _stuck(recent: pl.DataFrame) -> list[Finding]:
    """Half of the last day is flagged as a flatline by the quality rules."""
    day = pl.col("observed_at") > pl.col("observed_at").max().over(_SERIES) - timedelta(days=1)
    flat = pl.col("flag_reasons").str.contains("flatline", literal=True)
    rows = (
        recent.filter(day).group_by(_SERIES).agg(pl.len(), share=flat.mean(), value=pl.col("concentration_ugm3").last())
    )
    findings = []
    for row in rows.sort(_SERIES).iter_rows(named=True):
        is_stuck = row["len"] >= _STUCK_HOURS and row["share"] >= _STUCK_SHARE
        reason = f"{row['share']:.0%} of the last day repeats one number"
        if is_stuck:
            reason += f" (near {row['value']:.4g} µg/m³)"
        subject, verdict = Subject(row["station_id"], row["pollutant"]), "warning" if is_stuck else "ok"
        findings.append(Finding("stuck", subject, verdict, reason, value=row["share"], expected=_STUCK_SHARE))
    return findings
