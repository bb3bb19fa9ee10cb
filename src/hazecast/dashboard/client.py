"""Questions to the API, and the two ways it can fail to answer."""

from typing import Any
from urllib.parse import quote

import httpx

from hazecast.errors import HazecastError

SECONDS_TO_WAIT = 15.0
NOT_FOUND = 404
BEFORE_ALL = "1900-01-01T00:00:00Z"


class ApiDown(HazecastError):
    """The API cannot be reached or does not answer sensibly; the message is the reason."""


class ApiProblem(HazecastError):
    """The API answered with a problem.

    Args:
        title: its kind.
        detail: what is wrong and what to do.
        status: HTTP status.
        known: what may be asked for instead.
    """

    def __init__(self, title: str, detail: str, *, status: int, known: list[str]) -> None:
        super().__init__(f"{title}: {detail}")
        self.title, self.detail, self.status, self.known = title, detail, status, known


class Api:
    """The API at `url`.

    Raises (all methods):
        ApiDown: no answer.
        ApiProblem: the answer is a problem.
    """

    def __init__(self, url: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        # No proxies: the API belongs to the same installation.
        self._http = httpx.Client(timeout=SECONDS_TO_WAIT, transport=transport, trust_env=False)

    def status(self) -> dict[str, Any]:
        """How fresh and how good everything is."""
        return self._get("status")

    def stations(self) -> list[dict[str, Any]]:
        """Every station."""
        listed: list[dict[str, Any]] = self._get("stations")["stations"]
        return listed

    def forecast(self, station_id: str, pollutant: str, **query: str) -> dict[str, Any]:
        """The newest forecast of a pollutant at a station, or the one of `issued_at`."""
        return self._get(f"{_at(station_id)}/forecast", pollutant=pollutant, **query)

    def forecast_if_any(self, station_id: str, pollutant: str, **query: str) -> tuple[dict[str, Any] | None, str]:
        """The newest forecast, or None and why there is none."""
        try:
            return self.forecast(station_id, pollutant, **query), ""
        except ApiProblem as problem:
            if problem.status != NOT_FOUND:
                raise
            return None, problem.detail

    def issue_times(self, station_id: str, pollutant: str) -> list[str]:
        """When forecasts were issued, newest first: the API lists them when asked for one that cannot be."""
        try:
            self.forecast(station_id, pollutant, issued_at=BEFORE_ALL)
        except ApiProblem as problem:
            if problem.status == NOT_FOUND:
                return problem.known
            raise
        return []

    def observations(self, station_id: str, pollutant: str, **span: str) -> dict[str, Any]:
        """Its observations of the last 7 days, or of `since` to `until`."""
        return self._get(f"{_at(station_id)}/observations", pollutant=pollutant, **span)

    def ask(self, path: str, **query: str) -> dict[str, Any] | None:
        """Any other answer under /api/v1; None where this API has none."""
        try:
            return self._get(path, **query)
        except ApiProblem as problem:
            if problem.status != NOT_FOUND:
                raise
            return None

    def ask_station(self, station_id: str, path: str, **query: str) -> dict[str, Any] | None:
        """Any other answer about a station; None where this API has none."""
        return self.ask(f"{_at(station_id)}/{path}", **query)

    def ask_all(self, path: str, name: str, **query: str) -> list[dict[str, Any]]:
        """The list `name` of all pages of an answer; empty where this API has none."""
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while (answer := self.ask(path, **query, **cursor)) is not None:
            found += answer[name]
            if not answer.get("next_cursor"):
                break
            cursor = {"cursor": answer["next_cursor"]}
        return found

    def _get(self, path: str, **query: str) -> dict[str, Any]:
        try:
            response = self._http.get(f"{self.url}/api/v1/{path}", params=query)
            answer: dict[str, Any] = response.json()
        except (httpx.HTTPError, httpx.InvalidURL) as err:
            raise ApiDown(str(err) or type(err).__name__) from err
        except ValueError as err:
            raise ApiDown(f"status {response.status_code}, but not an answer of Hazecast") from err
        if response.is_error:
            detail = str(answer.get("detail", "no reason given"))
            title, known = str(answer.get("title", "Problem")), answer.get("known") or []
            raise ApiProblem(title, detail, status=response.status_code, known=known)
        return answer


def _at(station_id: str) -> str:
    return f"stations/{quote(station_id, safe='')}"
