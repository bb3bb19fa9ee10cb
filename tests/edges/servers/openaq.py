"""OpenAQ as documented: API v3 with keys, pages and rate limits, and the public archive of daily files."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from servers.base import ContractServer, ReceivedRequest, Reply
from servers.openaq_stations import STATIONS, Sensor, Station, raw_truth

KEY = "a-key-of-ones-own"
PER_MINUTE = 60
MOST_AT_ONCE = timedelta(days=366)
ARCHIVED_AFTER = timedelta(hours=72)


class OpenAQServer(ContractServer):
    """Knows every period that has ended by `now`; `revised` values (None: none) replace the truth."""

    def __init__(self, *, now: datetime, stations: tuple[Station, ...] = STATIONS) -> None:
        super().__init__()
        self.now, self.stations = now, stations
        self.revised: dict[tuple[int, datetime], float | None] = {}
        self.flagged: set[tuple[int, datetime]] = set()
        self.used = 0
        self.route("/v3/.*", self.keyed)
        self.route("/records/csv[.]gz/.*", self.archived_day)

    @property
    def base_url(self) -> str:
        return f"{self.url}/v3"

    def keyed(self, request: ReceivedRequest) -> Reply:
        if request.headers.get("x-api-key") != KEY:
            return Reply.of_json({"detail": "Invalid credentials"}, status=401)
        self.used += 1
        counted = {
            "x-ratelimit-limit": str(PER_MINUTE),
            "x-ratelimit-used": str(self.used),
            "x-ratelimit-remaining": str(PER_MINUTE - self.used),
            "x-ratelimit-reset": "37",
        }
        reply = self.answer(request)
        return Reply(reply.status, reply.body, {**reply.headers, **counted})

    def answer(self, request: ReceivedRequest) -> Reply:
        if int(request.params.get("limit", "100")) > 1000:
            return wrong("limit", "ensure this value is less than or equal to 1000")
        match request.path.removeprefix("/v3/").split("/"):
            case ["locations"]:
                return self.locations(request)
            case ["locations", number]:
                known = [station for station in self.stations if station.location_id == int(number)]
                return page(request, [described(known[0])]) if known else missing("Location not found")
            case ["sensors", number, "measurements"]:
                return self.measurements(request, int(number))
        return missing("Not Found")

    def locations(self, request: ReceivedRequest) -> Reply:
        near, box = request.params.get("coordinates"), request.params.get("bbox")
        if near and box:
            return wrong("bbox", "Cannot pass both bounding box and coordinate/radius query in the same URL")
        if near and int(request.params["radius"]) > 25_000:
            return wrong("radius", "ensure this value is less than or equal to 25000")
        return page(request, [described(station) for station in self.stations if inside(station, near, box)])

    def measurements(self, request: ReceivedRequest, sensor_id: int) -> Reply:
        station, sensor = next((s, c) for s in self.stations for c in s.sensors if c.sensor_id == sensor_id)
        since, until = (moment(request.params[name], station.zone) for name in ("datetime_from", "datetime_to"))
        if until - since > MOST_AT_ONCE:
            detail = "Connection timed out: Try to provide more specific query parameters or a smaller time frame."
            return Reply.of_json({"detail": detail}, status=408)
        periods = self.periods(station, since, until)
        items = [measurement(sensor, station, start, self.value(sensor, start)) for start in periods]
        for item, start in zip(items, periods, strict=True):
            item["flagInfo"]["hasFlags"] = (sensor.sensor_id, start) in self.flagged
        return page(request, items)

    def value(self, sensor: Sensor, start: datetime) -> float | None:
        return self.revised.get((sensor.sensor_id, start), raw_truth(sensor, start))

    def periods(self, station: Station, since: datetime, until: datetime) -> list[datetime]:
        """Starts of the periods that end in [since, until] and have ended by now."""
        step = timedelta(minutes=station.step)
        offset = station.zone.utcoffset(since.replace(tzinfo=None)) or timedelta(0)
        first = datetime(2000, 1, 1, tzinfo=UTC) - offset % timedelta(hours=1)
        number = -((first - since) // step)
        starts = []
        while first + number * step <= min(until, self.now):
            if first + number * step >= since:
                starts.append(first + (number - 1) * step)
            number += 1
        return starts

    def archived_day(self, request: ReceivedRequest) -> Reply:
        _, location, day_text = request.path.removesuffix(".csv.gz").rsplit("/", 1)[1].split("-")
        day = datetime.strptime(day_text, "%Y%m%d").date()
        known = [station for station in self.stations if station.location_id == int(location)]
        reply = self.day_file(known[0], day) if known else None
        if reply is None:
            return Reply.of_text("<Error><Code>NoSuchKey</Code></Error>", status=404, kind="application/xml")
        tag = f'"{hashlib.md5(reply.body).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return Reply(304, b"", {"ETag": tag})
        return Reply(200, reply.body, {**reply.headers, "ETag": tag})

    def day_file(self, station: Station, day: date) -> Reply | None:
        midnight = datetime(day.year, day.month, day.day, tzinfo=station.zone)
        following = midnight + timedelta(days=1)
        if following.astimezone(UTC) + ARCHIVED_AFTER > self.now or station.last:
            return None
        lines = ["location_id,sensors_id,location,datetime,lat,lon,parameter,units,value"]
        for sensor in station.sensors:
            for start in self.periods(station, midnight.astimezone(UTC), following.astimezone(UTC)):
                ended = (start + timedelta(minutes=station.step)).astimezone(station.zone)
                value = self.value(sensor, start)
                if ended.date() == day and value is not None:
                    place = f'"{station.name}-{station.location_id}"'
                    stamp, where = ended.isoformat(), f"{station.latitude},{station.longitude}"
                    lines.append(
                        f"{station.location_id},{sensor.sensor_id},{place},{stamp},{where},"
                        f"{sensor.parameter},{sensor.units},{value}"
                    )
        return Reply.of_gzip("\n".join(lines) + "\n") if len(lines) > 1 else None


def page(request: ReceivedRequest, items: list[dict[str, Any]]) -> Reply:
    """One page; beyond a thousand the service stops counting."""
    limit, number = int(request.params.get("limit", "100")), int(request.params.get("page", "1"))
    found: int | str = len(items) if len(items) <= 1000 else ">1000"
    meta = {"name": "openaq-api", "website": "/", "page": number, "limit": limit, "found": found}
    return Reply.of_json({"meta": meta, "results": items[(number - 1) * limit : number * limit]})


def described(station: Station) -> dict[str, Any]:
    owner = {"id": 4, "name": "Unknown Governmental Organization"}
    licences = [
        {
            "id": 33,
            "name": station.licence,
            "attribution": {"name": "Bureau of Clean Air", "url": None},
            "dateFrom": "2016-01-30",
            "dateTo": None,
        }
    ]
    return {
        "id": station.location_id,
        "name": station.name,
        "locality": None,
        "timezone": station.timezone,
        "country": {"id": 1, "code": "XX", "name": "Somewhere"},
        "owner": owner,
        "provider": {"id": 119, "name": "AirNow"},
        "isMobile": station.is_mobile,
        "isMonitor": station.is_monitor,
        "instruments": [{"id": 2, "name": "Government Monitor"}],
        "sensors": [
            {
                "id": sensor.sensor_id,
                "name": f"{sensor.parameter} {sensor.units}",
                "parameter": {"id": 1, "name": sensor.parameter, "units": sensor.units, "displayName": None},
            }
            for sensor in station.sensors
        ],
        "coordinates": {"latitude": station.latitude, "longitude": station.longitude},
        "licenses": licences if station.licence else None,
        "bounds": [station.longitude, station.latitude, station.longitude, station.latitude],
        "distance": None,
        "datetimeFirst": None,
        "datetimeLast": {"utc": station.last, "local": station.last} if station.last else None,
    }


def measurement(sensor: Sensor, station: Station, start: datetime, value: float | None) -> dict[str, Any]:
    end = start + timedelta(minutes=station.step)
    period = {"datetimeFrom": both(start, station.zone), "datetimeTo": both(end, station.zone)}
    length = f"{station.step // 60:02}:{station.step % 60:02}:00"
    counted = {"expectedCount": 1, "expectedInterval": length, "observedCount": 1, "observedInterval": length}
    return {
        "value": value,
        "flagInfo": {"hasFlags": False},
        "parameter": {"id": 1, "name": sensor.parameter, "units": sensor.units, "displayName": None},
        "period": {"label": "raw", "interval": length, **period},
        "coordinates": None,
        "summary": None,
        "coverage": {**counted, "percentComplete": 100.0, "percentCoverage": 100.0, **period},
    }


def both(moment: datetime, zone: ZoneInfo) -> dict[str, str]:
    utc = moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"utc": utc, "local": moment.astimezone(zone).isoformat()}


def moment(text: str, zone: ZoneInfo) -> datetime:
    """A time without an offset is local to the station."""
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=zone)).astimezone(UTC)


def inside(station: Station, near: str | None, box: str | None) -> bool:
    if near:
        latitude, longitude = map(float, near.split(","))
        return abs(station.latitude - latitude) < 0.25 and abs(station.longitude - longitude) < 0.25
    if box:
        west, south, east, north = map(float, box.split(","))
        return west <= station.longitude <= east and south <= station.latitude <= north
    return True


def wrong(parameter: str, message: str) -> Reply:
    detail = [{"type": "value_error", "loc": ["query", parameter], "msg": message}]
    return Reply.of_json({"detail": detail}, status=422)


def missing(text: str) -> Reply:
    return Reply.of_json({"detail": text}, status=404)
