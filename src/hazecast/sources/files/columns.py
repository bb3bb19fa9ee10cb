"""The meaning of a column by its header: case, blanks, synonyms, and the unit in its name."""

import re
from dataclasses import dataclass

from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.units import WEATHER_UNITS, Unit, parse_unit

# Compared without case, blanks and punctuation. Sources: headers of EEA, UK-AIR/openair, US EPA AQS, CNEMC, CPCB, UCI,
# Sensor.Community, ERA5, NOAA ISD/worldmet.
_SYNONYMS = {
    "station_id": "stationid siteid sitecode stationcode locationid sensorid airqualitystation",
    "observed_at": "observedat datetime timestamp datetimeutc dateutc timeutc datetimegmt dategmt datetimebegin start",
    "valid_at": "validat datetime timestamp datetimeutc dateutc timeutc datetimegmt dategmt",
    "issued_at": "issuedat issued runtime reftime",
    "available_at": "availableat",
    "latitude": "lat latitudedeg",
    "longitude": "lon lng long longitudedeg",
    "timezone": "tz timezonename tzname",
    "name": "stationname sitename",
    "attribution": "credit",
    "licence": "license",
    "unit": "units unitofmeasure unitsofmeasure unitofmeasurement",
    "pm25": "pm2p5 finepm pm25fine particulatematter25 pm25particulatematter",
    "pm10": "pm100 ge10 particulatematter10 pm10particulatematter",
    "no2": "nitrogendioxide",
    "o3": "ozone",
    "so2": "sulphurdioxide sulfurdioxide",
    "co": "carbonmonoxide",
    "temperature_c": "temperature temp airtemperature airtemp temperature2m t2m ta tmp",
    "pressure_hpa": "pressure pres press airpressure atmosphericpressure mslp slp msl sp",
    "dew_point_c": "dewpoint dew dewp dewpointtemperature dewpoint2m d2m td",
    "precipitation_mm": "precipitation precip rain rainfall prcp",
    "wind_direction_deg": "winddirection winddir wd wdir winddirection10m",
    "wind_speed_ms": "windspeed ws wspm wspd windspeed10m",
    "relative_humidity_pct": "relativehumidity humidity rh relhum relativehumidity2m",
}
# Read only where nothing else names the column.
_WEAK = {"station_id": "station site location id", "observed_at": "time date", "valid_at": "time date observedat"}
# Understood, and without effect in a table of values.
_METADATA = frozenset(
    [
        "index",
        "unnamed",
        "name",
        "stationname",
        "sitename",
        "latitude",
        "longitude",
        "lat",
        "lon",
        "timezone",
        "tz",
        "city",
        "country",
        "region",
        "network",
        "source",
        "attribution",
        "licence",
        "license",
        "verification",
        "averagingtime",
        "datacapture",
    ]
)
_QUALITY = re.compile(r"(data)?(is)?valid(ity)?|(data)?(quality|qc|qa)(flag|code|status)?|flags?|status")


@dataclass(frozen=True)
class Column:
    """What a header means.

    Args:
        header: as written in the file.
        field: our name; "" where the header is not understood, "quality" for a quality column.
        unit: of the values, as written in the header; "" where it has none.
        pollutant: for a quality column, the pollutant it is about; "" for all of the row.
        says_utc: whether the header itself states that its times are UTC.
    """

    header: str
    field: str
    unit: str = ""
    pollutant: str = ""
    says_utc: bool = False


def compact(header: str) -> str:
    """The header without case, markup, blanks and punctuation."""
    return re.sub(r"[^a-z0-9]", "", re.sub(r"<[^>]*>", "", header.lower()))


def understand(header: str, fields: tuple[str, ...]) -> Column:
    """The meaning of `header` in a table of `fields`."""
    base, unit = _split_unit(header.strip(), fields)
    word = compact(base)
    for field in fields:
        if word in (compact(field), *_SYNONYMS.get(field, "").split()):
            return Column(header, field, unit, says_utc=word.endswith(("utc", "gmt")))
    quality = _quality_of(header, fields)
    return quality or Column(header, "")


def weak_field(header: str, fields: tuple[str, ...]) -> str:
    """The field that `header` may stand for where no other column is it; empty: none."""
    word = compact(header)
    return next((field for field in fields if word in _WEAK.get(field, "").split()), "")


def is_metadata(header: str) -> bool:
    """Whether the column is understood and has no effect."""
    return not compact(header) or compact(header) in _METADATA


def _quality_of(header: str, fields: tuple[str, ...]) -> Column | None:
    word = compact(header)
    if "observed_at" not in fields:
        return None
    for pollutant in ("", *POLLUTANTS):
        rest = word.removeprefix(pollutant) if word.startswith(pollutant) else word.removesuffix(pollutant)
        if (not pollutant or rest != word) and _QUALITY.fullmatch(rest):
            return Column(header, "quality", pollutant=pollutant)
    return None


def _split_unit(header: str, fields: tuple[str, ...]) -> tuple[str, str]:
    """The header without its unit, and the unit: "o3 (ppb)", "CO [mg/m³]", "no2_ppb", "temperature_k"."""
    bracketed = re.fullmatch(r"(.+?)[\s_]*[(\[](.+)[)\]]", header)
    if bracketed:
        return bracketed[1], bracketed[2].strip()
    tokens = re.split(r"[\s_]+", header)
    for number in range(1, len(tokens)):
        base, unit = "_".join(tokens[:number]), "_".join(tokens[number:])
        field = next(
            (name for name in fields if compact(base) in (compact(name), *_SYNONYMS.get(name, "").split())), ""
        )
        is_unit = parse_unit(unit) if field in POLLUTANTS else unit.lower() in WEATHER_UNITS.get(field, {})
        if field and is_unit:
            return base, unit
    # temperature_k: the field's own name ends in its unit, so it is compared without.
    for field in fields:
        stem = field.rpartition("_")[0]
        if stem and field in WEATHER_UNITS and header.lower().startswith(f"{stem}_"):
            unit = header.lower().removeprefix(f"{stem}_")
            if unit in WEATHER_UNITS[field]:
                return field, unit
    return header, ""


def pollutant_unit(column: Column, text: str) -> Unit | None:
    """The unit `text` for the pollutant of `column`; None where it cannot have that unit."""
    unit = parse_unit(text)
    is_mixing_ratio = unit in (Unit.PPB, Unit.PPM)
    return None if is_mixing_ratio and Pollutant(column.field).molar_mass_gmol is None else unit
