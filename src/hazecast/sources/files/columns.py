"""The meaning of a column by its header: case, blanks, synonyms, and the unit in its name."""

import re
import unicodedata
from dataclasses import dataclass

from hazecast.air.pollutants import POLLUTANTS, Pollutant
from hazecast.air.units import WEATHER_UNITS, Unit, parse_unit, weather_unit

# Compared without case, blanks and punctuation. Sources: headers of EEA, UK-AIR/openair, US EPA AQS, CNEMC, CPCB, UCI,
# Sensor.Community, ERA5, NOAA ISD/worldmet.
_SYNONYMS = {
    "station_id": "stationid siteid sitecode stationcode locationid sensorid airqualitystation",
    "observed_at": "observedat datetime timestamp datetimebegin start",
    "valid_at": "validat datetime timestamp",
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
        "elevation",
        "elevationm",
        "altitude",
        "altitudem",
        "stationtype",
        "sitetype",
        "environment",
        "address",
        "owner",
    ]
)
_QUALITY = re.compile(r"(data)?(is)?valid(ity)?|(data)?(quality|qc|qa)(flag|code|status)?|flags?|status")
# Headers near one of ours that are about something else; renaming them to ours would be wrong.
_OTHER = {
    "a concentration is needed, not an index": re.compile(r".*(aqi|index|iaqi|subindex).*"),
    "hourly means are needed, not means over longer periods": re.compile(
        r"(pm25|pm10|no2|o3|so2|co|ozone).*(8h|8hr|24h|24hr|day|daily|dailymean|rolling|running|avg24|annual)"
    ),
    "Hazecast does not read it": re.compile(
        r"nox?|nitricoxide|nitrogenoxides|co2|carbondioxide|pm1|pm4|tsp|bc|blackcarbon|nh3|ammonia|h2s|ch4|voc|nmhc|benzene"
        r"|c6h6|toluene|(wind|gust)(speed|dir|direction)?(gust|max)|.*(std|stddev|max|min|raw|median|uncertainty)"
    ),
    "the direction the wind comes from is needed": re.compile(r"wind(direction|dir)?to(wards?)?(direction)?|wdto"),
    "wind speed and direction are needed, not components": re.compile(
        r"[uv](10|10m|wind)?|(uwind|vwind|windu|windv).*"
    ),
    "a time is one column, such as 2016-06-01T00:00Z": re.compile(
        r"date|time|hour|year|month|day|minute|localtime|timelocal"
    ),
    "the start of the hour is needed, not its end": re.compile(r"(datetime|date|time|hour)?_?end(ing|time|date)?"),
    "one column per pollutant is needed (`hazecast import` converts)": re.compile(
        r"pollutant|parameter|parametername|component|value|concentration|measurement|airpollutant"
    ),
}


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
    """The header without case, markup, blanks and punctuation; "NO₂" is "no2"."""
    plain = unicodedata.normalize("NFKC", re.sub(r"<[^>]*>", "", header.lower()))
    return re.sub(r"[^a-z0-9]", "", plain)


def understand(header: str, fields: tuple[str, ...]) -> Column:
    """The meaning of `header` in a table of `fields`."""
    base, unit = _split_unit(header.strip(), fields)
    word, zone = compact(base), ""
    is_weak = False
    for end in ("utc", "gmt"):
        # "Date (UTC)", "observed_at_utc"
        if compact(unit) == end or (word.endswith(end) and word != end):
            word, unit, zone = word.removesuffix(end), "", end
            is_weak = True
    for field in fields:
        names = (compact(field), *_SYNONYMS.get(field, "").split())
        if word in names or (is_weak and field in _WEAK and word in _WEAK[field].split()):
            return Column(header, field, unit, says_utc=bool(zone))
    quality = _quality_of(header, fields)
    return quality or Column(header, "")


def weak_field(header: str, fields: tuple[str, ...]) -> str:
    """The field that `header` may stand for where no other column is it; empty: none."""
    word = compact(header)
    return next((field for field in fields if word in _WEAK.get(field, "").split()), "")


def why_other(header: str) -> str:
    """What a header stands for that Hazecast does not read; empty where that is not known."""
    word = compact(header)
    return next((reason for reason, pattern in _OTHER.items() if pattern.fullmatch(word)), "")


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
    tokens = [token for token in re.split(r"[\s_,:]+|-(?=[a-zµμ])", header) if token not in ("in", "")]
    for number in range(1, len(tokens)):
        base, unit = "_".join(tokens[:number]), "_".join(tokens[number:])
        field = next(
            (name for name in fields if compact(base) in (compact(name), *_SYNONYMS.get(name, "").split())), ""
        )
        is_unit = (
            parse_unit(unit)
            if field in POLLUTANTS
            else field in WEATHER_UNITS and weather_unit(field, unit) is not None
        )
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


def pollutant_unit(pollutant: str, text: str) -> Unit | None:
    """The unit `text`; None where `pollutant` cannot have that unit."""
    unit = parse_unit(text)
    is_mixing_ratio = unit in (Unit.PPB, Unit.PPM)
    return None if is_mixing_ratio and Pollutant(pollutant).molar_mass_gmol is None else unit
