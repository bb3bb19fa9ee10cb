"""Registered models, and forecasts on request for a site outside the network."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from zoneinfo import available_timezones

import polars as pl
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.limits import LIMIT_KEYS, limits_of
from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.spec import QUANTILES
from hazecast.air.tables import Observations, Stations, Weather
from hazecast.api import schemas
from hazecast.api.dependencies import PREFIX, ApiContext, Context
from hazecast.api.errors import Busy, InvalidRequest, problem_responses
from hazecast.api.openapi import json_body
from hazecast.api.render import MEDIA_TYPES, Format
from hazecast.features import build_panel
from hazecast.scoring import p_exceed

# One prediction keeps a core busy; more at once only make each slower.
MAX_CONCURRENT = 2
SOURCE = "request"


class Slots:
    """Places for work that keeps a core busy; more work is refused at once. For one event loop.

    Args:
        n: number of places.

    Raises (all methods):
        Busy: all places are taken.
    """

    def __init__(self, n: int) -> None:
        self._n_free = n

    def require_free(self) -> None:
        """Refuse if there is no free place."""
        if not self._n_free:
            raise Busy("other predictions are in progress; retry in a few seconds")

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take a place for the body."""
        self.require_free()
        self._n_free -= 1
        try:
            yield
        finally:
            self._n_free += 1


router = APIRouter(prefix=PREFIX, tags=["models"])
slots = Slots(MAX_CONCURRENT)


@router.get("/models", responses=problem_responses(503))
def models(context: Context) -> schemas.Models:
    """Registered versions, champion, challenger and audit trail; cached while the registry is unreachable."""
    registry, snapshot = context.registry.snapshot()
    serving = context.repository.newest_forecasts().model_version
    if snapshot is None:
        return schemas.Models(
            registry=registry,
            asked_at=None,
            champion=None,
            challenger=None,
            serving=serving,
            versions=[],
            changes=[],
        )
    return schemas.Models(
        registry=registry,
        asked_at=snapshot.read_at,
        champion=snapshot.champion,
        challenger=snapshot.challenger,
        serving=serving,
        versions=[schemas.ModelVersion.model_validate(asdict(version)) for version in snapshot.versions],
        changes=[schemas.ModelChange.model_validate(asdict(change)) for change in snapshot.changes],
    )


@router.post(
    "/predict",
    response_model=schemas.Prediction,
    responses=problem_responses(422, 503),
    openapi_extra={"requestBody": json_body(schemas.PredictRequest)},
)
async def predict(context: Context, request: Request) -> Response:
    """A forecast by the champion for a site outside the network, from its recent observations; it is not stored.

    The model was trained on other stations: the more the site differs from them, the larger the errors.
    """
    # Refused before the body is read, and again after it: a client may send it slowly.
    slots.require_free()
    body = await request.body()
    with slots.taken():
        return await asyncio.to_thread(_predict, context, body)


def _predict(context: ApiContext, body: bytes) -> Response:
    """Validation, forecast and serialisation; takes a core for some hundred milliseconds."""
    try:
        request = schemas.PredictRequest.model_validate_json(body)
    except ValidationError as err:
        raise RequestValidationError([{**fault, "loc": ("body", *fault["loc"])} for fault in err.errors()]) from err
    issued_at = issue_time(request)
    observed, station = observation_rows(request, issued_at), station_row(request)
    forecaster, version = context.registry.champion()
    panel = build_panel(observed, Weather.create_empty(), station)
    rows = forecaster.predict(panel, issued_at)
    forecasts = [_render_series(one, rows) for one in POLLUTANTS if one in rows["pollutant"]]
    prediction = schemas.Prediction(
        station_id=request.station_id, issued_at=issued_at, model_version=version, forecasts=forecasts
    )
    return Response(prediction.model_dump_json(), media_type=MEDIA_TYPES[Format.JSON])


def issue_time(request: schemas.PredictRequest) -> datetime:
    """The requested issue time, or the end of the newest observed hour.

    Raises:
        InvalidRequest: it is not a whole hour.
    """
    issued_at = request.issued_at or max(one.observed_at for one in request.observations) + HOUR
    if floor_hour(issued_at) != issued_at:
        raise InvalidRequest(f"issued_at and observed_at must be whole hours; {issued_at.isoformat()} is not")
    return issued_at


def observation_rows(request: schemas.PredictRequest, issued_at: datetime) -> pl.DataFrame:
    """The observations before the issue as rows of `air.tables.Observations`.

    Raises:
        InvalidRequest: there is none, an hour repeats, or a time is not a whole hour.
    """
    rows = [(one.pollutant.value, one.observed_at, one.concentration_ugm3) for one in request.observations]
    kinds = Observations.create_empty().schema
    columns = ("pollutant", "observed_at", "concentration_ugm3")
    given = pl.DataFrame(rows, schema={name: kinds[name] for name in columns}, orient="row")
    before = given.filter(pl.col("observed_at") < issued_at)
    if before.is_empty():
        raise InvalidRequest("no observation before the issue; send hours that ended by then")
    if (before["observed_at"].dt.truncate("1h") != before["observed_at"]).any():
        raise InvalidRequest("observed_at must be the start of an hour")
    if before.select("pollutant", "observed_at").is_duplicated().any():
        raise InvalidRequest("an hour of a pollutant repeats")
    constants = {"station_id": request.station_id, "flag": "ok", "flag_reasons": "", "source": SOURCE}
    end = pl.col("observed_at") + HOUR
    complete = before.with_columns(
        available_at=end, ingested_at=end, **{name: pl.lit(value) for name, value in constants.items()}
    )
    return complete.select(kinds.names())


def station_row(request: schemas.PredictRequest) -> pl.DataFrame:
    """The site as a row of `air.tables.Stations`.

    Raises:
        InvalidRequest: there is no such time zone.
    """
    if request.timezone not in available_timezones():
        raise InvalidRequest(f"{request.timezone!r} is no IANA time zone; write it like Europe/Helsinki")
    row = {
        "station_id": request.station_id,
        "name": request.station_id,
        "latitude": request.latitude,
        "longitude": request.longitude,
        "timezone": request.timezone,
        "source": SOURCE,
        "attribution": "",
        "licence": "",
    }
    return pl.DataFrame([row], schema=Stations.create_empty().schema)


def _render_series(pollutant: str, rows: pl.DataFrame) -> schemas.PredictedSeries:
    series = rows.filter(pl.col("pollutant") == pollutant).sort("valid_at")
    quantiles = series.select(QUANTILES).to_numpy()
    probabilities = {limit.key: p_exceed(quantiles, limit.concentration_ugm3) for limit in limits_of(pollutant)}
    hours = [
        schemas.ForecastHour(
            **{name: row[name] for name in ("valid_at", "lead_hours", "mean", *QUANTILES)},
            p_exceed=schemas.Exceedance(
                **{key: float(probabilities[key][k]) if key in probabilities else None for key in LIMIT_KEYS}
            ),
        )
        for k, row in enumerate(series.iter_rows(named=True))
    ]
    worst = "baseline" if "baseline" in series["status"] else str(series["status"][0])
    return schemas.PredictedSeries(pollutant=Pollutant(pollutant), status=worst, hours=hours)
