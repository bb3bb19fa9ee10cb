"""Which stations are meant: by id, in a box, or near a coordinate; and pages of them."""

import base64
from typing import Annotated

from pydantic import BaseModel, Field

from hazecast.air.distance import distance_km
from hazecast.api.formats import FORMAT_HELP, Format
from hazecast.api.problems import NotAnswerable
from hazecast.api.schemas import Station
from hazecast.errors import NotKnown

MOST_STATIONS = 1000


class Where(BaseModel):
    """The stations asked for; without anything all of them."""

    station_id: list[str] = Field(default=[], description="Repeat it for several")
    bbox: str | None = Field(
        default=None,
        description="west,south,east,north [degrees]; west > east crosses the date line",
        examples=["24.5,60.0,25.5,60.5"],
    )
    latitude: float | None = Field(default=None, ge=-90, le=90, description="WGS84 [degrees], with `longitude`")
    longitude: float | None = Field(default=None, ge=-180, le=180)
    nearest: Annotated[int, Field(ge=1, le=100, description="So many stations nearest to the coordinate")] = 3
    within_km: float | None = Field(default=None, gt=0, le=20_100, description="None further away than this [km]")
    limit: Annotated[int, Field(ge=1, le=MOST_STATIONS, description="Most stations to answer with")] = 100
    cursor: str | None = Field(default=None, max_length=1000, description="`next_cursor` of the page before")
    format: Format | None = Field(default=None, description=FORMAT_HELP, examples=["csv"])


def choose_stations(stations: list[Station], where: Where) -> tuple[list[Station], str | None]:
    """The stations asked for, by id or by distance, and the cursor of the page after them.

    Raises:
        NotKnown: a station id that does not exist.
        NotAnswerable: half a coordinate, or a box or cursor that cannot be read.
    """
    known = {station.station_id: station for station in stations}
    for station_id in where.station_id:
        if station_id not in known:
            raise NotKnown("station", station_id, list(known))
    chosen = [known[one] for one in dict.fromkeys(where.station_id)] if where.station_id else stations
    if where.bbox is not None:
        chosen = _inside(chosen, _read_box(where.bbox))
    if (where.latitude is None) is not (where.longitude is None):
        raise NotAnswerable("a coordinate needs both latitude and longitude")
    if where.latitude is not None and where.longitude is not None:
        return _near(chosen, where, (where.latitude, where.longitude)), None
    return page(sorted(chosen, key=lambda station: station.station_id), where)


def page(stations: list[Station], where: Where) -> tuple[list[Station], str | None]:
    """Those after the cursor, as many as allowed, and the next cursor."""
    if where.cursor is not None:
        last = read_cursor(where.cursor)
        stations = [station for station in stations if station.station_id > last]
    shown = stations[: where.limit]
    return shown, write_cursor(shown[-1].station_id) if len(stations) > where.limit else None


def write_cursor(last: str) -> str:
    """A cursor that goes on after `last`."""
    return base64.urlsafe_b64encode(last.encode()).decode()


def read_cursor(cursor: str) -> str:
    """What `write_cursor` was given.

    Raises:
        NotAnswerable: no cursor of ours.
    """
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as err:
        raise NotAnswerable("the cursor is none of ours; take `next_cursor` of the page before") from err


def _near(stations: list[Station], where: Where, place: tuple[float, float]) -> list[Station]:
    away = [
        station.model_copy(update={"distance_km": distance_km(place, (station.latitude, station.longitude))})
        for station in stations
        if station.latitude is not None and station.longitude is not None
    ]
    close = [one for one in away if where.within_km is None or (one.distance_km or 0) <= where.within_km]
    return sorted(close, key=lambda station: station.distance_km or 0)[: where.nearest]


def _inside(stations: list[Station], box: tuple[float, float, float, float]) -> list[Station]:
    west, south, east, north = box

    def holds(station: Station) -> bool:
        if station.latitude is None or station.longitude is None or not south <= station.latitude <= north:
            return False
        if west <= east:
            return west <= station.longitude <= east
        return station.longitude >= west or station.longitude <= east

    return [station for station in stations if holds(station)]


def _read_box(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError as err:
        raise NotAnswerable(f"bbox {text!r} is not west,south,east,north in degrees") from err
    if not (abs(west) <= 180 and abs(east) <= 180 and -90 <= south <= north <= 90):  # noqa: PLR2004 - degrees
        raise NotAnswerable(f"bbox {text!r} is not west,south,east,north in degrees with south ≤ north")
    return west, south, east, north
