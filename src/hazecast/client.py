"""A typed client of the API.

from hazecast import Client

with Client("http://127.0.0.1:8000") as api:
    for hour in api.forecast("simulated-harbour", "pm25").hours:
        print(hour.valid_at, hour.q10, hour.q50, hour.q90)
"""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from datetime import date, datetime
from http import HTTPStatus
from types import TracebackType
from typing import Any, NamedTuple, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from hazecast.api import schemas
from hazecast.errors import HazecastError

DEFAULT_URL, DEFAULT_TIMEOUT_SECONDS = "http://127.0.0.1:8000", 30.0

Response = TypeVar("Response", bound=schemas.ApiModel)


class CachedResponse(NamedTuple):
    """A response body and the ETag that revalidates it."""

    etag: str
    body: bytes


class ApiUnreachable(HazecastError):
    """The API cannot be reached, or the response is not one of Hazecast's; the message is the reason."""


class ApiProblem(HazecastError):
    """The API returned an error.

    Attributes:
        problem: RFC 9457 details: type, title, status, detail and `known`, the valid values.
        retry_after_seconds: when to retry [s]; None: the API does not say.
    """

    def __init__(self, problem: schemas.Problem, retry_after_seconds: int | None = None) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem, self.retry_after_seconds = problem, retry_after_seconds

    @property
    def is_not_found(self) -> bool:
        """Whether there is no such thing, or no data for it yet (404)."""
        return self.problem.status == HTTPStatus.NOT_FOUND


# Name of `ApiProblem` before 30 November 2026.
ApiRefused = ApiProblem


class Client:
    """The API at `url`.

    Methods return the models of `hazecast.api.schemas`: times are UTC, concentrations µg/m³. Methods that return an
    iterator request the next page when needed. Keyword arguments named `query` are the parameters of that endpoint
    (see /api/v1/openapi.json).

    Args:
        url: address of the API.
        key: API key, where the installation requires one.
        timeout_seconds: longest wait for a connection and for each part of a response [s].
        trust_env: whether to use the proxies of the environment.
        cache: responses by URL for conditional requests (`If-None-Match`): a dict, or a bounded mapping such as
            `cachetools.LRUCache`. After a 304 the cached response is returned; its ages refer to its own `now`.
        transport: of httpx, for tests.

    Raises (all methods):
        ApiUnreachable: no response, or not one of Hazecast's.
        ApiProblem: the response is an error.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        key: str | None = None,
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        trust_env: bool = True,
        cache: MutableMapping[str, CachedResponse] | None = None,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._cache = cache
        self._http = httpx.Client(
            headers={"X-API-Key": key} if key else {},
            timeout=timeout_seconds,
            trust_env=trust_env,
            transport=transport,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # State of the installation

    def health(self) -> schemas.Health:
        """Liveness, version and clock."""
        return self._get(schemas.Health, "health")

    def ready(self) -> schemas.Readiness:
        """Readiness; ApiProblem with status 503 while there is no recent forecast."""
        return self._get(schemas.Readiness, "ready")

    def status(self) -> schemas.State:
        """Freshness and skill."""
        return self._get(schemas.State, "status")

    # Stations

    def stations(self, **query: Any) -> Iterator[schemas.Station]:
        """Every station; or `bbox="west,south,east,north"`, or `latitude=, longitude=, nearest=`."""
        for page in self._pages(schemas.Stations, "stations", query):
            yield from page.stations

    def station(self, station_id: str) -> schemas.Station:
        """One station."""
        return self._get(schemas.Station, _station(station_id))

    def observations(
        self,
        station_id: str,
        pollutant: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> schemas.Observations:
        """Hourly means that start in [since, until), with their flags; by default the last 7 days."""
        query = {"pollutant": pollutant, "since": since, "until": until}
        return self._get(schemas.Observations, _station(station_id, "observations"), query)

    # Forecasts

    def forecast(
        self,
        station_id: str,
        pollutant: str | None = None,
        *,
        issued_at: datetime | None = None,
        index: str | None = None,
        quantiles: Sequence[str] | None = None,
    ) -> schemas.Forecast:
        """The forecast of one pollutant, the newest or from the archive.

        Args:
            station_id: station.
            pollutant: None: the first one with a forecast there.
            issued_at: one of `issues`; None: the newest.
            index: adds this air-quality index to every hour, such as "us-epa".
            quantiles: such as ["q10", "q50", "q90"]; None: all.
        """
        query = {
            "pollutant": pollutant,
            "issued_at": issued_at,
            "index": index,
            "quantiles": None if quantiles is None else ",".join(quantiles),
        }
        return self._get(schemas.Forecast, _station(station_id, "forecast"), query)

    def forecasts(self, **query: Any) -> Iterator[schemas.Forecast]:
        """Forecasts of many stations."""
        for page in self._pages(schemas.Forecasts, "forecasts", query):
            yield from page.forecasts

    def issues(
        self, station_id: str, pollutant: str | None = None, *, before: datetime | None = None, limit: int | None = None
    ) -> Iterator[schemas.Issue]:
        """Archived forecasts of a series, newest first, page by page.

        Args:
            station_id: station.
            pollutant: None: the first one with a forecast there.
            before: only issues before this time.
            limit: size of a page; it does not limit the iterator.
        """
        while True:
            query = {"pollutant": pollutant, "before": before, "limit": limit}
            page = self._get(schemas.Issues, _station(station_id, "issues"), query)
            yield from page.issues
            if page.next_before is None:
                return
            before = page.next_before

    def summary(self, station_id: str, *, index: str | None = None) -> schemas.Summary:
        """The days ahead at a station."""
        return self._get(schemas.Summary, _station(station_id, "summary"), {"index": index})

    def bulletin(self, **query: Any) -> str:
        """The bulletin of the place: `format="html"`, "text" or "cap", `lang="en"`, "fi" or "sv", `day=`."""
        try:
            response = self._http.get(f"{self.url}/api/v1/bulletin", params=_plain(query))
            _raise_for_problem(response)
        except (httpx.HTTPError, httpx.InvalidURL) as err:
            raise ApiUnreachable(str(err) or type(err).__name__) from err
        except ValidationError as err:
            raise ApiUnreachable(f"status {response.status_code}, but not a response of Hazecast") from err
        return response.text

    def summaries(self, **query: Any) -> Iterator[schemas.Summary]:
        """The days ahead at many stations."""
        for page in self._pages(schemas.Summaries, "summaries", query):
            yield from page.summaries

    def background(self, station_id: str, pollutant: str | None = None) -> schemas.Background:
        """Forecasts of physics models for the hours of the newest forecast."""
        return self._get(schemas.Background, _station(station_id, "background"), {"pollutant": pollutant})

    def drivers(
        self, station_id: str, pollutant: str | None = None, *, issued_at: datetime | None = None
    ) -> schemas.Drivers:
        """Drivers of a forecast, the newest or from the archive."""
        query = {"pollutant": pollutant, "issued_at": issued_at}
        return self._get(schemas.Drivers, _station(station_id, "drivers"), query)

    def days(
        self, station_id: str | None = None, pollutant: str | None = None, *, issued_at: datetime | None = None
    ) -> schemas.DayForecasts:
        """Forecasts of local days at a station, or of the whole place without one."""
        query = {"pollutant": pollutant, "issued_at": issued_at}
        path = "days" if station_id is None else _station(station_id, "days")
        return self._get(schemas.DayForecasts, path, query)

    def ensemble(
        self, station_id: str, pollutant: str | None = None, *, issued_at: datetime | None = None
    ) -> schemas.Ensemble:
        """Members of a forecast, the newest or from the archive."""
        query = {"pollutant": pollutant, "issued_at": issued_at}
        return self._get(schemas.Ensemble, _station(station_id, "ensemble"), query)

    def predict(self, request: schemas.PredictRequest) -> schemas.Prediction:
        """A forecast by the champion for a site outside the network."""
        return self._post(schemas.Prediction, "predict", request)

    # Evidence

    def verification(self, **query: Any) -> schemas.Verification:
        """Scores of issued forecasts, grouped `by`."""
        return self._get(schemas.Verification, "verification", query)

    def quality(self) -> schemas.QualityReport:
        """The latest check of observations, by series."""
        return self._get(schemas.QualityReport, "quality")

    def health_verdicts(self) -> schemas.HealthVerdicts:
        """The newest monitoring: verdicts, drift, retraining decisions."""
        return self._get(schemas.HealthVerdicts, "health-verdicts")

    def alerts(self, **query: Any) -> Iterator[schemas.Incident]:
        """Incidents, newest first; `state` selects pending, open or resolved ones."""
        for page in self._pages(schemas.Incidents, "alerts", query):
            yield from page.alerts

    def runs(self, **query: Any) -> Iterator[schemas.Run]:
        """Pipeline runs, newest first; `step` selects those of one step."""
        for page in self._pages(schemas.RunList, "runs", query):
            yield from page.runs

    def models(self) -> schemas.Models:
        """Registered versions, the champion and its audit trail."""
        return self._get(schemas.Models, "models")

    # Indices and limits

    def indices(self) -> list[schemas.IndexDescription]:
        """Every air-quality index in force."""
        return self._get(schemas.Indices, "indices").indices

    def limits(self) -> list[schemas.Rule]:
        """Legal values and guidelines."""
        return self._get(schemas.Rules, "limits").rules

    def aqi(self, index: str, readings: Sequence[schemas.ReadingIn], *, version: str | None = None) -> schemas.Aqi:
        """The index of concentrations."""
        request = schemas.AqiRequest(index=index, version=version, readings=list(readings))
        return self._post(schemas.Aqi, "aqi", request)

    def _pages(self, model: type[Response], path: str, query: dict[str, Any]) -> Iterator[Any]:
        while True:
            page: Any = self._get(model, path, query)
            yield page
            if page.next_cursor is None:
                return
            query = {**query, "cursor": page.next_cursor}

    def _get(self, model: type[Response], path: str, query: dict[str, Any] | None = None) -> Response:
        return self._send(model, "GET", path, params=_plain(query or {}))

    def _post(self, model: type[Response], path: str, body: schemas.RequestModel) -> Response:
        headers = {"Content-Type": "application/json"}
        return self._send(model, "POST", path, content=body.model_dump_json(), headers=headers)

    def _send(self, model: type[Response], method: str, path: str, **options: Any) -> Response:
        try:
            request = self._http.build_request(method, f"{self.url}/api/v1/{path}", **options)
            cached = self._cache.get(str(request.url)) if self._cache is not None and method == "GET" else None
            if cached is not None:
                request.headers["If-None-Match"] = cached.etag
            response = self._http.send(request)
            if cached is not None and response.status_code == HTTPStatus.NOT_MODIFIED:
                return model.model_validate_json(cached.body)
            _raise_for_problem(response)
            found = model.model_validate_json(response.content)
        except (httpx.HTTPError, httpx.InvalidURL) as err:
            raise ApiUnreachable(str(err) or type(err).__name__) from err
        except ValidationError as err:
            raise ApiUnreachable(f"status {response.status_code}, but not a response of Hazecast") from err
        if self._cache is not None and "ETag" in response.headers:
            self._cache[str(request.url)] = CachedResponse(response.headers["ETag"], response.content)
        return found


def _station(station_id: str, part: str | None = None) -> str:
    path = f"stations/{quote(station_id, safe='')}"
    return path if part is None else f"{path}/{part}"


def _plain(query: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are set, with times and days as text."""
    given = {name: value for name, value in query.items() if value is not None}
    return {name: value.isoformat() if isinstance(value, date) else value for name, value in given.items()}


def _raise_for_problem(response: httpx.Response) -> None:
    if response.is_error:
        retry_after = response.headers.get("Retry-After")
        problem = schemas.Problem.model_validate_json(response.content)
        raise ApiProblem(problem, int(retry_after) if retry_after else None)
