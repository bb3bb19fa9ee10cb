"""Signals: the newest verdicts and forecasts evaluated against each rule, one signal per subject."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

import numpy as np
import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.monitoring.rules import ExceedanceRule, HealthRule, Rule
from hazecast.scoring import p_exceed

Level = Literal["bad", "between", "clear"]

_DAY_MEAN_HOURS = 18
_SERIES = ("station_id", "pollutant")


@dataclass(frozen=True)
class Signal:
    """The state of one subject under one rule.

    Attributes:
        rule: the rule.
        subject: key of the incident: a check and its subject, or a station and pollutant; never taken apart.
        level: bad, clear, or between: nothing changes.
        severity: warning or critical.
        summary: for people; a change of it is a reason for an update.
        reason: the current values.
    """

    rule: Rule
    subject: str
    level: Level
    severity: str
    summary: str
    reason: str


@dataclass(frozen=True)
class DayExceedance:
    """What a notification about a day statistic states: the likeliest day of one station and pollutant.

    Attributes:
        rule: the rule.
        station_id, station: the station and its name.
        pollutant: its pollutant.
        statistic: of `air.averages.DAY_STATISTICS`.
        day: local date.
        above_ugm3: the value of the rule [µg/m³].
        probability: of the statistic being above it, 0…1.
        q10_ugm3, q50_ugm3, q90_ugm3: quantiles of the statistic [µg/m³].
        n_stations_above: stations whose probability reaches the rule's threshold on that day.
        n_stations: stations with a forecast of that pollutant and day.
        until: last day on which the threshold is reached; None: on no day.
        issued_at: of the forecast.
    """

    rule: ExceedanceRule
    station_id: str
    station: str
    pollutant: Pollutant
    statistic: str
    day: date
    above_ugm3: float
    probability: float
    q10_ugm3: float
    q50_ugm3: float
    q90_ugm3: float
    n_stations_above: int
    n_stations: int
    until: date | None
    issued_at: datetime


Wording = Callable[[DayExceedance], tuple[str, str]]


def health_signals(rule: HealthRule, health: pl.DataFrame) -> list[Signal]:
    """The verdicts of one monitoring run under a rule; an unknown verdict is neither bad nor clear.

    Args:
        rule: with the checks to use.
        health: `air.verdicts.Health` of one run.
    """
    return [
        Signal(
            rule=rule,
            subject=incident_subject(row["check"], row["subject"]),
            level=_level(row["verdict"], rule),
            severity="critical" if row["verdict"] == "critical" else "warning",
            summary=f"{rule.label}: {row['check'].replace('_', ' ')}, {row['subject']}",
            reason=row["reason"],
        )
        for row in health.filter(pl.col("check").is_in(rule.checks)).iter_rows(named=True)
    ]


def incident_subject(check: str, subject: str) -> str:
    """The key of the incidents about one verdict: its check and subject."""
    return f"{check}: {subject}"


def _level(verdict: str, rule: HealthRule) -> Level:
    if verdict in rule.severities:
        return "bad"
    return "between" if verdict == "unknown" else "clear"


def exceedance_signals(rule: ExceedanceRule, forecasts: pl.DataFrame, stations: pl.DataFrame) -> list[Signal]:
    """The newest forecast under a rule, per station and pollutant.

    Args:
        rule: value, measure and thresholds.
        forecasts: `air.tables.Forecasts` of one issue.
        stations: `air.tables.Stations`; their time zones define the days.
    """
    values = {pollutant.value: value for pollutant, value in rule.above_ugm3.items()}
    mine = forecasts.filter(pl.col("pollutant").is_in(values.keys())).join(
        stations.select("station_id", "name", "timezone"), on="station_id"
    )
    if mine.is_empty():
        return []
    days = _days(rule, _with_local_day(mine, values))
    signals = []
    for _, rows in days.group_by(_SERIES, maintain_order=True):
        signals.append(_exceedance(rule, rows.sort("day").head(rule.days_ahead)))
    return signals


def day_exceedances(rule: ExceedanceRule, days: pl.DataFrame, stations: pl.DataFrame) -> list[DayExceedance]:
    """The likeliest day of each station and pollutant under a rule.

    Args:
        rule: by one of `air.averages.DAY_STATISTICS`.
        days: `air.tables.DayForecasts` of single stations and one issue, without past days.
        stations: `air.tables.Stations`, for their names.
    """
    values = {pollutant.value: value for pollutant, value in rule.above_ugm3.items()}
    mine = days.filter(pl.col("statistic") == rule.by, pl.col("pollutant").is_in(values.keys())).join(
        stations.select("station_id", "name"), on="station_id"
    )
    if mine.is_empty():
        return []
    above = mine["pollutant"].replace_strict(values, return_dtype=pl.Float64)
    chance = pl.Series("value", p_exceed(mine.select(QUANTILES).to_numpy(), above.to_numpy()), dtype=pl.Float64)
    rated = mine.with_columns(chance, above.alias("above"), is_bad=chance >= rule.open_at).with_columns(
        n_above=pl.col("is_bad").sum().over("pollutant", "day"), n_stations=pl.len().over("pollutant", "day")
    )
    series = rated.sort(*_SERIES, "day").group_by(_SERIES, maintain_order=True)
    return [_day_exceedance(rule, rows.head(rule.days_ahead)) for _, rows in series]


def day_exceedance_signals(
    rule: ExceedanceRule, days: pl.DataFrame, stations: pl.DataFrame, *, wording: Wording
) -> list[Signal]:
    """The probabilities of day statistics under a rule, per station and pollutant; see `day_exceedances`.

    `wording` returns summary and reason of a notification.
    """
    signals = []
    for found in day_exceedances(rule, days, stations):
        summary, reason = wording(found)
        signals.append(
            Signal(
                rule=rule,
                subject=f"{found.station_id} {found.pollutant}",
                level="bad" if found.until else "clear" if found.probability < rule.close_at else "between",
                severity=rule.severity,
                summary=summary,
                reason=reason,
            )
        )
    return signals


def _day_exceedance(rule: ExceedanceRule, days: pl.DataFrame) -> DayExceedance:
    likeliest = days.row(int(np.argmax(days["value"].to_numpy())), named=True)
    bad = days.filter("is_bad")
    return DayExceedance(
        rule=rule,
        station_id=likeliest["station_id"],
        station=likeliest["name"],
        pollutant=Pollutant(likeliest["pollutant"]),
        statistic=likeliest["statistic"],
        day=likeliest["day"],
        above_ugm3=likeliest["above"],
        probability=likeliest["value"],
        q10_ugm3=likeliest["q10"],
        q50_ugm3=likeliest["q50"],
        q90_ugm3=likeliest["q90"],
        n_stations_above=likeliest["n_above"],
        n_stations=likeliest["n_stations"],
        until=bad["day"][-1] if bad.height else None,
        issued_at=likeliest["issued_at"],
    )


def _with_local_day(rows: pl.DataFrame, values: dict[str, float]) -> pl.DataFrame:
    above = rows["pollutant"].replace_strict(values, return_dtype=pl.Float64)
    chance = pl.Series("chance", p_exceed(rows.select(QUANTILES).to_numpy(), above.to_numpy()), dtype=pl.Float64)
    dated = [
        part.with_columns(day=pl.col("valid_at").dt.convert_time_zone(str(zone)).dt.date())
        for (zone,), part in rows.with_columns(chance, above.alias("above")).group_by("timezone", maintain_order=True)
    ]
    return pl.concat(dated)


def _days(rule: ExceedanceRule, rows: pl.DataFrame) -> pl.DataFrame:
    measured = {
        "probability": pl.col("chance").max(),
        "day_maximum": pl.col("q50").max() / pl.col("above").first(),
        "day_mean": pl.when(pl.len() >= _DAY_MEAN_HOURS).then(pl.col("q50").mean() / pl.col("above").first()),
    }
    days = rows.group_by(*_SERIES, "day", maintain_order=True).agg(
        pl.col("name", "above", "issued_at").first(), value=measured[rule.by], chance=pl.col("chance").max()
    )
    return days.drop_nulls("value").sort(*_SERIES, "day")


def _exceedance(rule: ExceedanceRule, days: pl.DataFrame) -> Signal:
    worst = days.row(int(np.argmax(days["value"].to_numpy())), named=True)
    bad = days.filter(pl.col("value") >= rule.open_at)
    level: Level = "bad" if bad.height else "clear" if worst["value"] < rule.close_at else "between"
    label = Pollutant(worst["pollutant"]).label
    summary = f"{rule.label}: {label} at {worst['name']}"
    if bad.height:
        summary += f", expected until {bad['day'][-1]:%Y-%m-%d}"
    return Signal(
        rule=rule,
        subject=f"{worst['station_id']} {worst['pollutant']}",
        level=level,
        severity=rule.severity,
        summary=summary,
        reason=_in_words(rule, worst),
    )


def _in_words(rule: ExceedanceRule, day: dict[str, object]) -> str:
    value, above = float(str(day["value"])), float(str(day["above"]))
    reason = {
        "probability": f"an hour above {above:g} µg/m³ has a chance of up to {value:.0%}",
        "day_maximum": f"highest hour {value * above:.0f} µg/m³, above {above:g} with a chance of {day['chance']:.0%}",
        "day_mean": f"day mean {value * above:.0f} µg/m³, the value is {above:g}",
    }[rule.by]
    return f"{day['day']}: {reason} (forecast of {day['issued_at']:%Y-%m-%d %H:%M} UTC)"
