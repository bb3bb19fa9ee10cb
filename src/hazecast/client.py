"""A typed client of the API.

from hazecast import Client

with Client("http://127.0.0.1:8000") as api:
    for hour in api.forecast("sim/harbour", "pm25").hours:
        print(hour.valid_at, hour.q10, hour.q50, hour.q90)
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
from pydantic import ValidationError

from hazecast.api import schemas
from hazecast.errors import HazecastError

DEFAULT_URL, SECONDS_TO_WAIT = "http://127.0.0.1:8000", 30.0

Found = TypeVar("Found", bound=schemas.Answer)


class ApiUnreachable(HazecastError):
    """The API cannot be reached, or what answers is not Hazecast; the message is the reason."""


class ApiRefused(HazecastError):
    """The API answered with a problem.

    Attributes:
        problem: what it said: type, title, status, detail and what may be asked for instead.
        retry_after_seconds: when to come again [s]; None: it does not say.
    """

    def __init__(self, problem: schemas.Problem, retry_after_seconds: int | None) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem, self.retry_after_seconds = problem, retry_after_seconds


class Client:
    """The API at `url`.

    Answers are the classes of `hazecast.api.schemas`: times are UTC, concentrations µg/m³.

    Args:
        url: where the API is.
        key: for an installation that asks for one.
        transport: of httpx, for tests.

    Raises (all methods):
        ApiUnreachable: no answer.
        ApiRefused: the answer is a problem.
    """

    def __init__(
        self, url: str = DEFAULT_URL, *, key: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        headers = {"X-API-Key": key} if key else {}
        base_url = f"{url.rstrip('/')}/api/v1/"
        self._http = httpx.Client(base_url=base_url, headers=headers, timeout=SECONDS_TO_WAIT, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def status(self) -> schemas.State:
        """How fresh and how good everything is."""
        return self._get(schemas.State, "status")

    def stations(self, **where: Any) -> Iterator[schemas.Station]:
        """Every station; or `bbox="west,south,east,north"`, or `latitude=, longitude=, nearest=`."""
        for page in self._pages(schemas.Stations, "stations", where):
            yield from page.stations

    def forecast(
        self,
        station_id: str,
        pollutant: str | None = None,
        *,
        issued_at: datetime | None = None,
        index: str | None = None,
    ) -> schemas.Forecast:
        """72 hours of one pollutant, the newest or from the archive.

        Args:
            station_id: where.
            pollutant: None: the first that is forecast there.
            issued_at: None: the newest.
            index: with an air-quality index at every hour, such as "us-epa".
        """
        asked = {"pollutant": pollutant, "issued_at": issued_at, "index": index}
        return self._get(schemas.Forecast, f"stations/{quote(station_id, safe='')}/forecast", asked)

    def forecasts(self, **asked: Any) -> Iterator[schemas.Forecast]:
        """Forecasts of many stations: the parameters of /api/v1/forecasts."""
        for page in self._pages(schemas.Forecasts, "forecasts", asked):
            yield from page.forecasts

    def drivers(
        self, station_id: str, pollutant: str | None = None, *, issued_at: datetime | None = None
    ) -> schemas.Drivers:
        """What moved a forecast, the newest or from the archive."""
        asked = {"pollutant": pollutant, "issued_at": issued_at}
        return self._get(schemas.Drivers, f"stations/{quote(station_id, safe='')}/drivers", asked)

    def summary(self, station_id: str, *, index: str | None = None) -> schemas.Summary:
        """The days ahead at a station."""
        return self._get(schemas.Summary, f"stations/{quote(station_id, safe='')}/summary", {"index": index})

    def observations(
        self,
        station_id: str,
        pollutant: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
    ) -> schemas.Observations:
        """Hourly means that start in [since, until), with their flags; without both the last 7 days."""
        asked = {"pollutant": pollutant, "since": since, "until": until}
        return self._get(schemas.Observations, f"stations/{quote(station_id, safe='')}/observations", asked)

    def verification(self, **asked: Any) -> schemas.Verification:
        """How good issued forecasts were: the parameters of /api/v1/verification."""
        return self._get(schemas.Verification, "verification", asked)

    def models(self) -> schemas.Models:
        """Registered versions, the champion and how it came to be."""
        return self._get(schemas.Models, "models")

    def aqi(self, index: str, readings: Sequence[schemas.ReadingAsked], *, version: str | None = None) -> schemas.Aqi:
        """The index of concentrations."""
        question = schemas.AqiQuestion(index=index, version=version, readings=list(readings))
        return self._post(schemas.Aqi, "aqi", question)

    def predict(self, question: schemas.PredictQuestion) -> schemas.Prediction:
        """72 hours for a site of one's own, by the champion."""
        return self._post(schemas.Prediction, "predict", question)

    def _pages(self, kind: type[Found], path: str, asked: dict[str, Any]) -> Iterator[Any]:
        while True:
            page: Any = self._get(kind, path, asked)
            yield page
            if page.next_cursor is None:
                return
            asked = {**asked, "cursor": page.next_cursor}

    def _get(self, kind: type[Found], path: str, asked: dict[str, Any] | None = None) -> Found:
        given = {name: value for name, value in (asked or {}).items() if value is not None}
        plain = {name: value.isoformat() if isinstance(value, datetime) else value for name, value in given.items()}
        return self._read(kind, self._http.build_request("GET", path, params=plain))

    def _post(self, kind: type[Found], path: str, question: schemas.Question) -> Found:
        headers = {"Content-Type": "application/json"}
        return self._read(
            kind, self._http.build_request("POST", path, content=question.model_dump_json(), headers=headers)
        )

    def _read(self, kind: type[Found], request: httpx.Request) -> Found:
        try:
            response = self._http.send(request)
            if response.is_error:
                wait = response.headers.get("Retry-After")
                problem = schemas.Problem.model_validate_json(response.content)
                raise ApiRefused(problem, int(wait) if wait else None)
            return kind.model_validate_json(response.content)
        except httpx.HTTPError as err:
            raise ApiUnreachable(str(err) or type(err).__name__) from err
        except ValidationError as err:
            raise ApiUnreachable(f"status {response.status_code}, but not an answer of Hazecast") from err
