"""Coordinates that contradict the time zone of their station: swapped, or without their sign."""

import re
from functools import cache
from importlib import resources

import polars as pl

from hazecast.air.distance import distance_km

# A zone spans up to some 2500 km around its city; a station farther away, that another reading puts near, is misplaced.
_FAR_KM, _NEAR_KM = 4000.0, 1500.0
_RIGHT_ANGLE = 90.0


def misplaced(latitude: pl.Series, longitude: pl.Series, timezone: pl.Series) -> list[str]:
    """For each station what is wrong with its coordinates by the city of its zone; empty where nothing is.

    Args:
        latitude: degrees, null where unknown.
        longitude: degrees, null where unknown.
        timezone: IANA names; zones without a city, such as UTC, say nothing.
    """
    return [_problem(*station) for station in zip(latitude, longitude, timezone, strict=True)]


def _problem(latitude: float | None, longitude: float | None, timezone: str) -> str:
    city = _cities().get(timezone)
    if city is None or latitude is None or longitude is None or distance_km((latitude, longitude), city) <= _FAR_KM:
        return ""
    readings = {"swap latitude and longitude": (longitude, latitude)} if abs(longitude) <= _RIGHT_ANGLE else {}
    readings |= {
        "west is negative": (latitude, -longitude),
        "south is negative": (-latitude, longitude),
        "south and west are negative": (-latitude, -longitude),
    }
    return next((remedy for remedy, place in readings.items() if distance_km(place, city) <= _NEAR_KM), "")


@cache
def _cities() -> dict[str, tuple[float, float]]:
    """Latitude and longitude [degrees] of the city of each zone, from the zone table of tzdata (ISO 6709)."""
    table = resources.files("tzdata").joinpath("zoneinfo", "zone.tab").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in table.splitlines() if line and not line.startswith("#")]
    return {row[2]: _degrees(row[1]) for row in rows}


def _degrees(position: str) -> tuple[float, float]:
    found = re.fullmatch(r"([+-])(\d{2})(\d{2})(\d{2})?([+-])(\d{3})(\d{2})(\d{2})?", position)
    assert found is not None, position
    return _decimal(*found.groups("0")[:4]), _decimal(*found.groups("0")[4:])


def _decimal(sign: str, degrees: str, minutes: str, seconds: str) -> float:
    return float(f"{sign}1") * (int(degrees) + int(minutes) / 60 + int(seconds) / 3600)
