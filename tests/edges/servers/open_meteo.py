"""Open-Meteo as documented: forecast, previous runs, CAMS air quality, model metadata; all at one address.

Temperatures are the hours since the run they come from began, so a test can see which run was served.
"""

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

from servers.base import Altered, ContractServer, ReceivedRequest, Reply

RUN_OUT_AFTER = timedelta(hours=8)
CAMS_OUT_AFTER = timedelta(hours=9)
WEATHER_UNITS = {
    "temperature_2m": "°C",
    "pressure_msl": "hPa",
    "dew_point_2m": "°C",
    "precipitation": "mm",
    "wind_direction_10m": "°",
    "wind_speed_10m": "m/s",
    "relative_humidity_2m": "%",
}
AIR_VARIABLES = ("pm2_5", "pm10", "nitrogen_dioxide", "ozone", "sulphur_dioxide", "carbon_monoxide")
GREEK_UNIT = "\u03bcg/m³"
CAMS_RUNS = {"cams_europe": (24, 96), "cams_global": (12, 120)}
LIMITS = {
    "minute": "Minutely API request limit exceeded. Please try again in one minute.",
    "hour": "Hourly API request limit exceeded. Please try again in the next hour.",
    "day": "Daily API request limit exceeded. Please try again tomorrow.",
    "crowd": "Too many concurrent requests",
}


def refused(reason: str, *, status: int = 400) -> Reply:
    return Reply.of_json({"error": True, "reason": reason}, status=status)


def limited(window: str) -> Reply:
    return refused(LIMITS[window], status=429)


def unequal() -> Altered:
    """The last array loses its last value."""

    def shorten(body: bytes) -> bytes:
        head, _, tail = body.rpartition(b"]}")
        return head.rpartition(b",")[0] + b"]}" + tail

    return Altered(shorten)


def broken_in_midstream() -> Altered:
    return Altered(lambda body: body[: len(body) // 2] + b"Unexpected error while streaming data: timeoutReached")


class OpenMeteoServer(ContractServer):
    """At `now`, a moment that tests may move."""

    def __init__(self, now: datetime) -> None:
        super().__init__()
        self.now = now
        self.route("/v1/forecast", self._weather)
        self.route("/v1/air-quality", self._air)
        self.route(r"/data/\w+/static/meta\.json", self._meta)

    def run(self, *, every_hours: int = 6, out_after: timedelta = RUN_OUT_AFTER) -> datetime:
        """Start of the newest run that is out."""
        return floor(self.now - out_after, every_hours)

    def _meta(self, request: ReceivedRequest) -> Reply:
        model = request.path.split("/")[2]
        every, out_after = (CAMS_RUNS[model][0], CAMS_OUT_AFTER) if model in CAMS_RUNS else (6, RUN_OUT_AFTER)
        init = self.run(every_hours=every, out_after=out_after)
        return Reply.of_json(
            {
                "last_run_initialisation_time": int(init.timestamp()),
                "last_run_availability_time": int((init + out_after).timestamp()),
                "last_run_modification_time": int((init + out_after).timestamp()) - 60,
                "temporal_resolution_seconds": 3600,
                "update_interval_seconds": every * 3600,
            }
        )

    def _weather(self, request: ReceivedRequest) -> Reply:
        if request.params.get("models") == "seamless_nonsense":
            return refused("Cannot initialize MultiDomains from invalid String value seamless_nonsense for key models")

        newest = self.run()

        def series(name: str, hours: list[datetime], latitude: float) -> list[float | None]:
            base, _, days = name.partition("_previous_day")
            earlier, value = timedelta(days=int(days or 0)), WEATHER[base]
            inits = (floor(at - earlier, 6) for at in hours)
            return [
                None if days and init > newest else value(at, min(init, newest), latitude)
                for at, init in zip(hours, inits, strict=True)
            ]

        return self._hourly(request, series, lambda name: WEATHER_UNITS.get(name.partition("_previous_day")[0]))

    def _air(self, request: ReceivedRequest) -> Reply:
        domain = request.params.get("domains", "auto")
        every, length = CAMS_RUNS.get(domain, CAMS_RUNS["cams_global"])
        end = self.run(every_hours=every, out_after=CAMS_OUT_AFTER) + timedelta(hours=length)

        def series(name: str, hours: list[datetime], latitude: float) -> list[float | None]:
            return [None if at > end else air_at(name, at, latitude) for at in hours]

        return self._hourly(request, series, lambda name: GREEK_UNIT if name in AIR_VARIABLES else None)

    def _hourly(
        self,
        request: ReceivedRequest,
        series: Callable[[str, list[datetime], float], list[float | None]],
        unit: Callable[[str], str | None],
    ) -> Reply:
        latitudes, longitudes = (
            [float(number) for number in request.params[name].split(",")] for name in ("latitude", "longitude")
        )
        names = request.params.get("hourly", "").split(",")
        unknown = [name for name in names if unit(name) is None]
        if len(latitudes) != len(longitudes):
            return refused("Parameter 'latitude' and 'longitude' must have the same number of elements")
        if len(latitudes) > 1000:
            return refused("Only up to 1000 locations can be requested at once")
        if unknown:
            return refused(f"Cannot initialize WeatherVariable from invalid String value {unknown[0]} for key hourly")
        if wrong := [place for place in latitudes if abs(place) > 90]:
            return refused(f"Latitude must be in range of -90 to 90°. Given: {wrong[0]}.")
        hours = self._hours(request)
        if hours is None:
            return refused(
                f"Parameter 'start_date' is out of allowed range from 2016-01-01 to "
                f"{(self.now + timedelta(days=15)).date()}"
            )
        places = []
        for number, (latitude, longitude) in enumerate(zip(latitudes, longitudes, strict=True)):
            columns = {name: series(name, hours, latitude) for name in names}
            place = {
                "latitude": round(latitude * 4) / 4 + 0.000001,
                "longitude": round(longitude * 4) / 4,
                "generationtime_ms": 0.3,
                "utc_offset_seconds": 0,
                "timezone": "Europe/Helsinki" if request.params.get("timezone") == "auto" else "GMT",
                "timezone_abbreviation": "GMT",
                "elevation": 38.0,
                **({"location_id": number} if number else {}),
                "hourly_units": {"time": "unixtime"} | {name: unit(name) for name in names},
                "hourly": {"time": [int(at.timestamp()) for at in hours]} | columns,
            }
            places.append(place)
        return Reply.of_json(places if len(places) > 1 else places[0])

    def _hours(self, request: ReceivedRequest) -> list[datetime] | None:
        if "start_date" not in request.params:
            first, last = self.now.date(), self.now.date()
        else:
            first, last = (date.fromisoformat(request.params[name]) for name in ("start_date", "end_date"))
        if last > (self.now + timedelta(days=15)).date() or first < date(2016, 1, 1):
            return None
        start = datetime(first.year, first.month, first.day, tzinfo=UTC)
        return [start + timedelta(hours=hour) for hour in range(((last - first).days + 1) * 24)]


def floor(moment: datetime, hours: int) -> datetime:
    seconds = hours * 3600
    return datetime.fromtimestamp(moment.timestamp() // seconds * seconds, UTC)


# The temperature is the age of the run, so that a test can read it.
DEGREES_PER_HOUR = 0.25
WEATHER: dict[str, Callable[[datetime, datetime, float], float]] = {
    "temperature_2m": lambda at, init, latitude: (at - init).total_seconds() / 3600 * DEGREES_PER_HOUR,
    "pressure_msl": lambda at, init, latitude: round(1013 + 8 * math.sin(at.timestamp() / 3600 * math.pi / 4383), 1),
    "dew_point_2m": lambda at, init, latitude: round(4 - latitude / 30 + at.day / 10, 1),
    "precipitation": lambda at, init, latitude: float(at.hour),
    "wind_direction_10m": lambda at, init, latitude: (at.hour * 15 + 200) % 360,
    "wind_speed_10m": lambda at, init, latitude: round(4 + at.hour / 12, 1),
    "relative_humidity_2m": lambda at, init, latitude: 50 + at.hour,
}


def air_at(name: str, at: datetime, latitude: float) -> float:
    """Grows by one an hour through the day."""
    return AIR_VARIABLES.index(name) * 10 + at.hour + round(latitude / 100, 1)
