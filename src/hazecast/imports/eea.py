"""European Environment Agency: Parquet of the download service, and the CSV that it replaced (E1a, E2a).

Sources: columns of the Parquet files as the Air Quality Download Service delivers them (2026); vocabularies
dd.eionet.europa.eu/vocabulary/aq/pollutant, observationvalidity and observationverification; times "converted to the
UTC+1 timezone" (download page).
"""

import polars as pl

from hazecast.imports.formats import Format, Layout, Reading, stations, utc, values
from hazecast.imports.tables import Shape, Table

_POLLUTANTS = {"1": "SO2", "5": "PM10", "7": "O3", "8": "NO2", "10": "CO", "6001": "PM2.5"}
_INVALID = {"-1": "Validity -1 (not valid)", "-99": "Validity -99 (maintenance or calibration)"}
# EoI code of a station: country, then four or five letters and digits (DEBB021, FR04012, IT0461A, GB0566A).
_STATION_CODE = r"(?:^|[^A-Za-z0-9])([A-Z]{2}[0-9A-Z]{4,5})(?:[^A-Za-z0-9]|$)"
# Countries in one time zone; others (Spain, Portugal) by their mainland.
_ZONES = {
    country: zone
    for line in (
        "AT Europe/Vienna,BE Europe/Brussels,BG Europe/Sofia,CH Europe/Zurich,CY Asia/Nicosia,CZ Europe/Prague",
        "DE Europe/Berlin,DK Europe/Copenhagen,EE Europe/Tallinn,ES Europe/Madrid,FI Europe/Helsinki,FR Europe/Paris",
        "GB Europe/London,GR Europe/Athens,HR Europe/Zagreb,HU Europe/Budapest,IE Europe/Dublin,IS Atlantic/Reykjavik",
        "IT Europe/Rome,LT Europe/Vilnius,LU Europe/Luxembourg,LV Europe/Riga,MT Europe/Malta,NL Europe/Amsterdam",
        "NO Europe/Oslo,PL Europe/Warsaw,PT Europe/Lisbon,RO Europe/Bucharest,SE Europe/Stockholm,SI Europe/Ljubljana",
        "SK Europe/Bratislava,AL Europe/Tirane,BA Europe/Sarajevo,ME Europe/Podgorica,MK Europe/Skopje",
        "RS Europe/Belgrade,XK Europe/Belgrade,TR Europe/Istanbul,UA Europe/Kyiv,AD Europe/Andorra,GE Asia/Tbilisi",
    )
    for country, zone in (pair.split(" ") for pair in line.split(","))
}


def _read_parquet(table: Table) -> Reading:
    point = table.words("Samplingpoint")
    country = point.str.extract(r"^([A-Z]{2})/")
    code = point.str.extract(_STATION_CODE)
    station_id = pl.select(pl.coalesce(code, point)).to_series()
    starts, ends = _utc1(table.column("Start")), _utc1(table.column("End"))
    pollutant = table.words("Pollutant")
    rows = values(
        table,
        station_id=station_id,
        at=starts,
        name=pl.select(pl.coalesce(pollutant.replace_strict(_POLLUTANTS, default=None), pollutant)).to_series(),
        cell=table.column("Value"),
        unit=table.words("Unit"),
        reason=_reason(table, starts, ends),
        monitor=point,
        preference=_preference(table),
    )
    notes = []
    if code.null_count():
        notes.append(
            "some sampling points do not contain the code of their station, so each is a station of its own; "
            "--stations with the metadata of the download service (DataExtract.csv) joins them"
        )
    if (country.eq("IT") & table.words("Verification").eq("3")).any():
        notes.append("Italy's up-to-date data are in civil time, not UTC+1: in summer they are an hour late here")
    zone = country.replace_strict(_ZONES, default=None, return_dtype=pl.String)
    return Reading(rows, stations(station_id, timezone=zone), tuple(notes))


def _read_e1a(table: Table) -> Reading:
    station_id = table.words("AirQualityStationEoICode")
    starts, ends = utc(table.words("DatetimeBegin")), utc(table.words("DatetimeEnd"))
    zone = table.words("Countrycode").replace_strict(_ZONES, default=None, return_dtype=pl.String)
    rows = values(
        table,
        station_id=station_id,
        at=starts,
        name=table.words("AirPollutant"),
        cell=table.column("Concentration"),
        unit=table.words("UnitOfMeasurement"),
        reason=_reason(table, starts, ends),
        monitor=table.words("SamplingPoint", default=""),
        preference=_preference(table),
    )
    return Reading(rows, stations(station_id, timezone=zone))


def _read_e2a(table: Table) -> Reading:
    station_id = table.words("station_code")
    starts, ends = utc(table.words("value_datetime_begin")), utc(table.words("value_datetime_end"))
    zone = table.words("network_countrycode").replace_strict(_ZONES, default=None, return_dtype=pl.String)
    rows = values(
        table,
        station_id=station_id,
        at=starts,
        name=table.words("pollutant"),
        cell=table.column("value_numeric"),
        unit=table.words("value_unit"),
        reason=_reason(table, starts, ends),
        monitor=table.words("samplingpoint_localid", default=""),
        preference=_preference(table),
    )
    place = stations(
        station_id,
        name=table.words("station_name"),
        latitude=table.numbers("samplingpoint_y"),
        longitude=table.numbers("samplingpoint_x"),
        timezone=zone,
    )
    return Reading(rows, place)


def _utc1(raw: pl.Series) -> pl.Series:
    """Start and End of the Parquet files: UTC+1 all year, whether or not they say so."""
    if isinstance(raw.dtype, pl.Datetime):
        zoned = raw if raw.dtype.time_zone else raw.dt.replace_time_zone("Etc/GMT-1")
        return zoned.dt.convert_time_zone("UTC").cast(pl.Datetime("us", "UTC"))
    text = raw.cast(pl.String).str.replace(r"\.0+$", "")
    return utc(
        pl.select(pl.when(text.str.contains(r"[+-]\d{2}:\d{2}$|Z$")).then(text).otherwise(text + "+01:00")).to_series()
    )


def _reason(table: Table, starts: pl.Series, ends: pl.Series) -> pl.Series:
    validity = table.words("Validity", "value_validity").str.replace(r"\.0$", "")
    period = table.words("AggType", "AveragingTime", default="hour")
    rows = pl.DataFrame({"validity": validity, "period": period, "hours": (ends - starts).dt.total_minutes() / 60})
    long = pl.format("not an hourly mean ({} h)", pl.col("hours").round(0).cast(pl.Int64))
    return rows.select(
        pl.coalesce(
            pl.when(~pl.col("period").is_in(["hour", "var"])).then(pl.format("not an hourly mean ({})", "period")),
            pl.when(pl.col("hours") > 1).then(long),
            pl.col("validity").replace_strict(_INVALID, default=None, return_dtype=pl.String),
            pl.when(pl.col("validity").is_null()).then(pl.lit("Validity is missing")),
        )
    ).to_series()


def _preference(table: Table) -> pl.Series:
    """Verified (1) before preliminary (2) before not verified (3)."""
    return -table.numbers("Verification", "value_verification").fill_null(9).cast(pl.Int64)


FORMAT = Format(
    "eea",
    (
        Layout(
            "Parquet of the EEA download service",
            Shape(("Samplingpoint", "Pollutant", "Start", "End", "Value", "Unit", "Validity")),
            _read_parquet,
            "Start, UTC+01:00 all year",
            hour=None,
        ),
        Layout(
            "EEA CSV (E1a)",
            Shape(("AirQualityStationEoICode", "AirPollutant", "Concentration", "DatetimeBegin", "DatetimeEnd")),
            _read_e1a,
            "DatetimeBegin with its offset",
            hour=None,
        ),
        Layout(
            "EEA CSV of up-to-date data (E2a)",
            Shape(("station_code", "pollutant", "value_numeric", "value_datetime_begin", "value_datetime_end")),
            _read_e2a,
            "value_datetime_begin with its offset",
            hour=None,
        ),
    ),
    credit="European Environment Agency (EEA) and the reporting countries",
    licence="CC BY 4.0",
    renames_stations=True,
)
