"""From stored rows to answers: ages, status in words and provenance."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl

from hazecast.air.clock import HOUR, hours_between
from hazecast.air.indices import Answer as IndexAnswer
from hazecast.air.indices import Index
from hazecast.air.limits import LIMIT_KEYS, limits_of
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import STATUSES
from hazecast.api.indexing import hour_index, index_name
from hazecast.api.schemas import (
    Exceedance,
    Forecast,
    ForecastHour,
    Limit,
    ObservationHour,
    Observations,
    QualitySummary,
    Score,
    Station,
    Status,
)

SIMULATED = "simulated"


def station_answer(row: dict[str, Any], pollutants: Iterable[str]) -> Station:
    """A station from its stored row, its pollutants in the field's order."""
    ordered = [pollutant for pollutant in POLLUTANTS if pollutant in set(pollutants)]
    return Station.model_validate({**row, "simulated": row["source"] == SIMULATED, "pollutants": ordered})


@dataclass(frozen=True, kw_only=True)
class Shown:
    """How a forecast is to be shown.

    Attributes:
        now: ages are counted to here.
        stale_after_hours: an older issue is stale whatever its rows say [h].
        next_issue_at: when the next one is scheduled.
        quantiles: those asked for.
        index: of the hours; None: none was asked for.
        indexed: its answers by hour.
    """

    now: datetime
    stale_after_hours: float
    next_issue_at: datetime | None
    quantiles: tuple[str, ...] = QUANTILES
    index: Index | None = None
    indexed: Mapping[datetime, IndexAnswer] = field(default_factory=dict)


def forecast_answer(rows: pl.DataFrame, station: Station, shown: Shown) -> Forecast:
    """One issue of one series.

    Args:
        rows: the hours of the issue by valid_at (`air.tables.Forecasts`), at least one.
        station: where.
        shown: how.
    """
    first = rows.row(0, named=True)
    pollutant = Pollutant(first["pollutant"])
    age_hours = hours_between(first["issued_at"], shown.now)
    status = served_status(rows["status"], age_hours=age_hours, stale_after_hours=shown.stale_after_hours)
    return Forecast(
        station_id=station.station_id,
        pollutant=pollutant,
        distance_km=station.distance_km,
        issued_at=first["issued_at"],
        next_issue_at=shown.next_issue_at,
        now=shown.now,
        status=status,
        status_reason=_reason(status, rows, age_hours=age_hours, stale_after_hours=shown.stale_after_hours),
        data_age_hours=first["data_age_hours"] + age_hours,
        forecast_age_hours=age_hours,
        model_version=first["model_version"],
        observations_version=first["observations_version"],
        source=first["source"],
        simulated=first["source"] == SIMULATED,
        attribution=station.attribution,
        limits=[Limit.model_validate(limit, from_attributes=True) for limit in limits_of(pollutant)],
        index=None if shown.index is None else index_name(shown.index),
        hours=[forecast_hour(row, shown) for row in rows.iter_rows(named=True)],
    )


def forecast_hour(row: dict[str, Any], shown: Shown) -> ForecastHour:
    """One hour from its stored row."""
    numbers = {name: row[name] for name in ("valid_at", "lead_hours", "mean", *shown.quantiles)}
    index = None if shown.index is None else hour_index(shown.index, shown.indexed[row["valid_at"]])
    exceedance = Exceedance(**{key: row[f"p_exceed_{key}"] for key in LIMIT_KEYS})
    return ForecastHour(**numbers, p_exceed=exceedance, index=index)


def forecast_table(rows: pl.DataFrame, station: Station, shown: Shown) -> pl.DataFrame:
    """One issue of one series as rows: the stored columns, the place, and the index if asked for."""
    dropped = [name for name in QUANTILES if name not in shown.quantiles]
    place = {"latitude": station.latitude, "longitude": station.longitude, "distance_km": station.distance_km}
    table = rows.drop(dropped).with_columns(pl.lit(value, pl.Float64).alias(name) for name, value in place.items())
    if shown.index is None:
        return table
    answers = [shown.indexed[hour] for hour in rows["valid_at"]]
    return table.with_columns(
        pl.lit(shown.index.name).alias("index"),
        pl.Series("index_value", [answer.value for answer in answers], pl.Int64),
        pl.Series("index_band", [answer.band for answer in answers], pl.String),
    )


def served_status(statuses: pl.Series, *, age_hours: float, stale_after_hours: float) -> Status:
    """Stale when issued too long ago, else the worst status of the issue's hours (`STATUSES` runs from good to bad)."""
    if age_hours > stale_after_hours:
        return "stale"
    worst: Status = max(statuses.unique().to_list(), key=STATUSES.index)
    return worst


def observations_answer(
    rows: pl.DataFrame, station: Station, *, span: dict[str, Any], newest_observed_at: datetime | None, now: datetime
) -> Observations:
    """Observations of one series.

    Args:
        rows: by observed_at (`air.tables.Observations`), maybe none.
        station: where.
        span: pollutant, since and until as asked.
        newest_observed_at: of the series at all.
        now: the age is counted to here.
    """
    return Observations(
        **span,
        station_id=station.station_id,
        source=station.source,
        simulated=station.simulated,
        attribution=station.attribution,
        newest_observed_at=newest_observed_at,
        data_age_hours=None if newest_observed_at is None else hours_between(newest_observed_at + HOUR, now),
        hours=[_observation_hour(row) for row in rows.iter_rows(named=True)],
    )


def quality_summary(check: pl.DataFrame) -> QualitySummary | None:
    """One check of all series (`air.tables.Quality`) in six numbers; None when nothing was checked."""
    if check.is_empty():
        return None
    worst = check.sort("completeness", "station_id", "pollutant").row(0, named=True)
    n_observed, n_suspicious, n_invalid = check.select(pl.sum("n_observed", "n_suspicious", "n_invalid")).row(0)
    return QualitySummary(
        checked_at=worst["checked_at"],
        share_suspicious=n_suspicious / max(n_observed, 1),
        share_invalid=n_invalid / max(n_observed, 1),
        worst_completeness=worst["completeness"],
        worst_station_id=worst["station_id"],
        worst_pollutant=worst["pollutant"],
    )


def score_answers(scores: pl.DataFrame) -> list[Score]:
    """One answer per row of `air.tables.Scores`."""
    return [Score.model_validate(row) for row in scores.iter_rows(named=True)]


def _observation_hour(row: dict[str, Any]) -> ObservationHour:
    reasons = [reason for reason in row["flag_reasons"].split(",") if reason]
    return ObservationHour.model_validate({**row, "flag_reasons": reasons})


def _reason(status: Status, rows: pl.DataFrame, *, age_hours: float, stale_after_hours: float) -> str:
    if status == "stale":
        return (
            f"Issued {age_hours:.0f} h ago, more than the {stale_after_hours:g} h allowed: no newer forecast was made. "
            "See whether the worker runs; `hazecast forecast` makes one now."
        )
    for_hours = f"for {rows.filter(pl.col('status') == status).height} of {rows.height} hours"
    if status == "baseline":
        return f"No trained model could answer {for_hours}; what is usual at these hours stands in for it."
    if status == "degraded":
        newest = f"the newest observation was {rows['data_age_hours'][0]:.0f} h old"
        return f"Something the model needs was missing {for_hours} ({newest} at issue); expect larger errors."
    return f"Issued {age_hours:.0f} h ago with everything the model needs."
