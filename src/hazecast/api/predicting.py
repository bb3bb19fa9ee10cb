"""A forecast for a site that is not among the stations."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import available_timezones

import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.limits import limits_of
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.api import schemas
from hazecast.api.models import Models
from hazecast.api.problems import Busy, NotAnswerable
from hazecast.features import build_panel
from hazecast.scoring import p_exceed

AT_ONCE, PATIENCE_SECONDS = 2, 10.0
_room = threading.BoundedSemaphore(AT_ONCE)


def predict_own(models: Models, question: schemas.PredictRequest) -> schemas.Prediction:
    """The champion's forecast from the observations in `question`.

    Raises:
        NoModel: there is no champion to ask.
        NotAnswerable: an hour repeats, is not whole, or none was observed before the issue; or no such time zone.
        Busy: two forecasts are being made already.
    """
    issued_at = _issue_time(question)
    observed = _observations(question, issued_at)
    station = _station(question)
    forecaster, version = models.champion()
    with _a_place():
        panel = build_panel(observed, Weather.create_empty(), station)
        rows = forecaster.predict(panel, issued_at)
    forecasts = [_predicted(pollutant, rows) for pollutant in POLLUTANTS if pollutant in rows["pollutant"]]
    return schemas.Prediction(
        station_id=question.station_id, issued_at=issued_at, model_version=version, forecasts=forecasts
    )


def _issue_time(question: schemas.PredictRequest) -> datetime:
    issued_at = question.issued_at or max(one.observed_at for one in question.observations) + HOUR
    if floor_hour(issued_at) != issued_at:
        raise NotAnswerable(f"issued_at and observed_at must be whole hours; {issued_at.isoformat()} is not")
    return issued_at


def _observations(question: schemas.PredictRequest, issued_at: datetime) -> pl.DataFrame:
    rows = [(one.pollutant.value, one.observed_at, one.concentration_ugm3) for one in question.observations]
    kinds = Observations.create_empty().schema
    columns = ("pollutant", "observed_at", "concentration_ugm3")
    given = pl.DataFrame(rows, schema={name: kinds[name] for name in columns}, orient="row")
    known = given.filter(pl.col("observed_at") < issued_at)
    if known.is_empty():
        raise NotAnswerable("no observation before the issue; send hours that ended by then")
    if (known["observed_at"].dt.truncate("1h") != known["observed_at"]).any():
        raise NotAnswerable("observed_at must be the start of an hour")
    if known.select("pollutant", "observed_at").is_duplicated().any():
        raise NotAnswerable("an hour of a pollutant repeats")
    said = {"station_id": question.station_id, "flag": "ok", "flag_reasons": "", "source": "request"}
    end = pl.col("observed_at") + HOUR
    stamped = known.with_columns(
        available_at=end, ingested_at=end, **{name: pl.lit(word) for name, word in said.items()}
    )
    return stamped.select(kinds.names())


def _station(question: schemas.PredictRequest) -> pl.DataFrame:
    if question.timezone not in available_timezones():
        raise NotAnswerable(f"{question.timezone!r} is no IANA time zone; write it like Europe/Helsinki")
    row = {
        "station_id": question.station_id,
        "name": question.station_id,
        "latitude": question.latitude,
        "longitude": question.longitude,
        "timezone": question.timezone,
        "source": "request",
        "attribution": "",
        "licence": "",
    }
    return pl.DataFrame([row], schema=Stations.create_empty().schema)


def _predicted(pollutant: str, rows: pl.DataFrame) -> schemas.PredictedSeries:
    mine = rows.filter(pl.col("pollutant") == pollutant).sort("valid_at")
    chances = {
        limit.key: p_exceed(mine.select(QUANTILES).to_numpy(), limit.concentration_ugm3)
        for limit in limits_of(pollutant)
    }
    hours = [
        schemas.ForecastHour(
            **{name: row[name] for name in ("valid_at", "lead_hours", "mean", *QUANTILES)},
            p_exceed=schemas.Exceedance(**{key: float(chance[k]) for key, chance in chances.items()}),
        )
        for k, row in enumerate(mine.iter_rows(named=True))
    ]
    worst = "baseline" if "baseline" in mine["status"] else str(mine["status"][0])
    return schemas.PredictedSeries(pollutant=Pollutant(pollutant), status=worst, hours=hours)


@contextmanager
def _a_place() -> Iterator[None]:
    if not _room.acquire(timeout=PATIENCE_SECONDS):
        raise Busy("other forecasts are being made; ask again in a few seconds")
    try:
        yield
    finally:
        _room.release()
