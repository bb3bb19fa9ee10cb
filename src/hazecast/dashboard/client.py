"""Questions to the API, and the two ways it can fail to answer."""

from typing import Any
from urllib.parse import quote

import httpx

from hazecast.errors import HazecastError

SECONDS_TO_WAIT = 15.0


class ApiDown(HazecastError):
    """The API cannot be reached or does not answer sensibly; the message is the reason."""


class ApiProblem(HazecastError):
    """The API answered with a problem.

    Args:
        title: its kind.
        detail: what is wrong and what to do.
        status: HTTP status.
    """

    def __init__(self, title: str, detail: str, *, status: int) -> None:
        super().__init__(f"{title}: {detail}")
        self.title, self.detail, self.status = title, detail, status


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

    def forecast(self, station_id: str, pollutant: str) -> dict[str, Any]:
        """The newest forecast of a pollutant at a station."""
        return self._get(f"stations/{quote(station_id, safe='')}/forecast", pollutant=pollutant)

    def observations(self, station_id: str, pollutant: str) -> dict[str, Any]:
        """Its observations of the last 7 days."""
        return self._get(f"stations/{quote(station_id, safe='')}/observations", pollutant=pollutant)

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
            raise ApiProblem(str(answer.get("title", "Problem")), detail, status=response.status_code)
        return answer
