"""The Open-Meteo APIs: queries, rate limits and the checks of a response.

Source: open-meteo.com/en/docs, /en/pricing and the server's published code (limits, weights, error texts).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.sources.http import (
    Budget,
    HttpClient,
    MalformedResponse,
    Request,
    Response,
    Service,
    read_json,
    retry_after,
)

PUBLIC_URL = "https://{api}.open-meteo.com"
TIME = pl.Datetime("us", "UTC")
Schema = dict[str, pl.DataType | type[pl.DataType]]
_FREE_BUDGETS = (Budget(600, 60), Budget(5_000, 3_600), Budget(10_000, 86_400))
_POINTS_AT_ONCE = 25
_WEIGHT_AT_ONCE = 300
_TOO_MANY = 429
_GREEK_MU, _MICRO = "\u03bc", "\u00b5"
_PAUSES = {"Minutely": timedelta(minutes=1), "Hourly": timedelta(hours=1), "Daily": timedelta(days=1)}
_CROWDED = timedelta(seconds=5)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Query:
    """Hourly values wanted of one API.

    Args:
        api: host part of the public service, such as "previous-runs-api".
        path: such as "/v1/forecast".
        variables: names of hourly variables, each with the unit it must come in.
        first: first UTC day.
        last: last UTC day, included.
        options: further parameters, such as models or domains.
    """

    api: str
    path: str
    variables: Mapping[str, str]
    first: date
    last: date
    options: Mapping[str, str]

    @property
    def weight_per_point(self) -> float:
        """What a point costs of the budgets: ten variables for two weeks are one."""
        days = (self.last - self.first).days + 1
        return max(1.0, len(self.variables) / 10 * max(1.0, days / 14))


@dataclass(frozen=True)
class Run:
    """One run of a model: the time it starts from, and when it could first be had."""

    issued_at: datetime
    available_at: datetime


@dataclass(frozen=True)
class OpenMeteo:
    """Client of the public APIs, of those for paying customers, or of a self-hosted server.

    Args:
        client: the HTTP client.
        url: with `{api}` where the public hosts differ; a server of one's own answers everything at one address.
        api_key: of a paying customer; empty: the free service, for non-commercial use.
    """

    client: HttpClient
    url: str = PUBLIC_URL
    api_key: str = ""

    def query(self, query: Query, points: pl.DataFrame) -> pl.DataFrame:
        """The response at every point: station_id, `at` (UTC label) and one column per variable, null where missing.

        Args:
            query: what is wanted.
            points: station_id, latitude, longitude.

        Raises:
            SourceUnavailable: no usable response now.
            SourceRefused: the query is wrong, or units are not those expected.
        """
        stations = points.select("station_id", "latitude", "longitude").rows(named=True)
        some = max(1, min(_POINTS_AT_ONCE, int(_WEIGHT_AT_ONCE / query.weight_per_point)))
        frames = [self._query_batch(query, stations[start : start + some]) for start in range(0, len(stations), some)]
        schema: Schema = {"station_id": pl.String, "at": TIME, **dict.fromkeys(query.variables, pl.Float64)}
        return pl.concat([pl.DataFrame(schema=schema), *frames])

    def newest_run(self, api: str, model: str) -> Run:
        """The newest run of `model` that can be had.

        Raises:
            SourceUnavailable: the service does not answer now.
        """
        request = Request(self._address(api, f"/data/{model}/static/meta.json"), self._key())
        return self.client.get(self._service(), request, _read_run)

    def timezone_at(self, latitude: float, longitude: float) -> str:
        """IANA name of the zone at a point.

        Raises:
            SourceUnavailable: the service does not answer now.
        """
        params = {"latitude": f"{latitude}", "longitude": f"{longitude}", "timezone": "auto"}
        query = {**params, "hourly": "temperature_2m", "forecast_days": "1"}
        request = Request(self._address("api", "/v1/forecast"), query | self._key())
        return self.client.get(self._service(), request, _read_timezone)

    def _query_batch(self, query: Query, points: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
        params = {
            "latitude": ",".join(str(point["latitude"]) for point in points),
            "longitude": ",".join(str(point["longitude"]) for point in points),
            "hourly": ",".join(query.variables),
            "start_date": query.first.isoformat(),
            "end_date": query.last.isoformat(),
            "timeformat": "unixtime",
            "timezone": "GMT",
            "cell_selection": "nearest",
        }
        request = Request(
            self._address(query.api, query.path),
            params | dict(query.options) | self._key(),
            weight=query.weight_per_point * len(points),
        )
        ids = [str(point["station_id"]) for point in points]
        return self.client.get(self._service(), request, lambda response: _read_hourly(response, ids, query.variables))

    def _address(self, api: str, path: str) -> str:
        return self.url.rstrip("/").format(api=f"customer-{api}" if self.api_key else api) + path

    def _key(self) -> dict[str, str]:
        return {"apikey": self.api_key} if self.api_key else {}

    def _service(self) -> Service:
        is_free = "{api}" in self.url and not self.api_key
        return Service(
            name="Open-Meteo",
            budgets=_FREE_BUDGETS if is_free else (),
            retry_at=_retry_at,
            reason=_reason,
            remedy="check the place file and the address HAZECAST_OPEN_METEO_URL",
            key_remedy="check HAZECAST_OPEN_METEO_API_KEY",
        )


def _read_hourly(response: Response, ids: Sequence[str], variables: Mapping[str, str]) -> pl.DataFrame:
    content = read_json(response)
    if isinstance(content, dict) and content.get("error"):
        raise MalformedResponse(str(content.get("reason")))
    places = content if isinstance(content, list) else [content]
    if len(places) != len(ids):
        raise MalformedResponse(f"{len(places)} places where {len(ids)} were requested")
    return pl.concat(_read_place(place, name, variables) for place, name in zip(places, ids, strict=True))


def _read_place(place: Any, station_id: str, variables: Mapping[str, str]) -> pl.DataFrame:
    try:
        hourly, units = place["hourly"], place["hourly_units"]
        columns = {name: hourly[name] for name in ("time", *variables)}
        lengths = {name: len(values) for name, values in columns.items()}
    except (KeyError, TypeError) as err:
        raise MalformedResponse(f"has no {err}: {str(place)[:100]}") from err
    if not lengths["time"]:
        raise MalformedResponse("has no hours at all")
    odd = [f"{name} has {length}" for name, length in lengths.items() if length != lengths["time"]]
    if odd:
        raise MalformedResponse(f"arrays of unequal length: {odd[0]} values for {lengths['time']} times")
    _refuse_other_units(units, variables)
    try:
        frame = pl.DataFrame(columns, schema={"time": pl.Int64} | dict.fromkeys(variables, pl.Float64))
    except (TypeError, pl.exceptions.PolarsError) as err:
        raise MalformedResponse(f"values are not numbers: {err}") from err
    at = (pl.col("time") * 1_000_000).cast(TIME)
    return frame.select(pl.lit(station_id).alias("station_id"), at.alias("at"), pl.col(list(variables)).fill_nan(None))


def _refuse_other_units(units: Mapping[str, str], variables: Mapping[str, str]) -> None:
    for name, expected in variables.items():
        found = str(units.get(name)).replace(_GREEK_MU, _MICRO)
        if found != expected and found != "undefined":
            raise SourceRefused(f"Open-Meteo: {name} comes in {found!r}, expected {expected!r}; not taken in")


def _read_run(response: Response) -> Run:
    content = read_json(response)
    try:
        issued, available = content["last_run_initialisation_time"], content["last_run_availability_time"]
        return Run(_EPOCH + timedelta(seconds=issued), _EPOCH + timedelta(seconds=available))
    except (KeyError, TypeError) as err:
        raise MalformedResponse(f"has no run: {err}") from err


def _read_timezone(response: Response) -> str:
    try:
        return str(read_json(response)["timezone"])
    except (KeyError, TypeError) as err:
        raise MalformedResponse(f"has no timezone: {err}") from err


def _reason(response: Response) -> str:
    try:
        return str(read_json(response)["reason"])
    except (MalformedResponse, KeyError, TypeError):
        return response.beginning


def _retry_at(response: Response, now: datetime) -> datetime | None:
    """Limits are counted by the clock's minute, hour and UTC day; the reason names the exhausted one."""
    requested = retry_after(response, now)
    if requested or response.status != _TOO_MANY:
        return requested
    reason = _reason(response)
    for word, window in _PAUSES.items():
        if reason.startswith(word):
            return _EPOCH + ((now - _EPOCH) // window + 1) * window
    return now + _CROWDED
