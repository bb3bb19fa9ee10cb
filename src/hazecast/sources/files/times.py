"""Read the common unambiguous spellings of a time with its zone."""

import re

import polars as pl

_DATE = r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|(\d{2})(\d{2}))"
_CLOCK = r"(\d{1,2})(?::?(\d{2})(?::?(\d{2})([.,]\d+)?)?)?"
# "UTC+8" is eight hours ahead of UTC; a name in brackets, as in "+01:00[Europe/Berlin]", adds nothing to the offset.
_ZONE = r"(?:(Z|z|UTC|utc|GMT|gmt)|(?:UTC|GMT)?([+-]\d{1,2}(?::?\d{2})?)(?:\[[A-Za-z_/+-]+\])?)"
_WITH_ZONE = rf"^{_DATE}[T t]+{_CLOCK} ?{_ZONE}$"
_WITHOUT_ZONE = rf"^{_DATE}([T t]+{_CLOCK})?$"
# Seconds and milliseconds since 1970, from 1980 on; fewer digits are Excel's days.
_EPOCH_S, _EPOCH_MS = r"^([3-9]\d{8}|[1-3]\d{9})(?:\.0+)?$", r"^([3-9]\d{11}|[1-3]\d{12})(?:\.0+)?$"
_WHY = {
    r"\d{5}(\.\d+)?": " but a day number of a spreadsheet, which has no zone",
    r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}.*": ": day and month are ambiguous",
    r".*[ \d](AM|PM|am|pm|a\.m\.|p\.m\.).*": ": hours are read from 0 to 23",
    r".*[A-Za-z]{3,}.*\d{4}.*": ": months are read as numbers",
    r".*\d ?[A-Z]{2,5}": ": names of zones differ by country, offsets such as +01:00 do not",
}


def has_no_zone(raw: pl.Series) -> pl.Series:
    """Whether each text is a time or a day without a zone."""
    return raw.str.contains(_WITHOUT_ZONE)


def why_no_time(text: str) -> str:
    """Why `text` is not read as a time, to follow "is not a time"; empty where nothing more can be said."""
    return next((reason for pattern, reason in _WHY.items() if re.fullmatch(pattern, text)), "")


def parse_times(raw: pl.Series) -> pl.DataFrame:
    """`utc` [µs] and the written `minute` of the hour; null where the text is no time with a zone.

    Hour 24 is the first hour of the next day, as in ISO 8601.
    """
    raw = raw.str.replace("−", "-", literal=True)
    part = [raw.str.extract(_WITH_ZONE, number) for number in range(1, 12)]
    year, month, day, month_2, day_2, hour, minute, second, fraction, named, offset = part
    month, day = month.fill_null(month_2).str.zfill(2), day.fill_null(day_2).str.zfill(2)
    zone = pl.select(pl.when(named.is_not_null()).then(pl.lit("+00:00")).otherwise(offset)).to_series()
    zone = zone.str.replace(r"^([+-])(\d)(:|$)", "${1}0$2$3").str.replace(r"^([+-]\d{2})$", "$1:00")
    frame = pl.DataFrame(
        {
            "date": year + "-" + month + "-" + day,
            "hour": hour.str.zfill(2),
            "minute": minute.fill_null("00"),
            "second": second.fill_null("00"),
            "fraction": fraction.str.replace(",", ".").fill_null(".0"),
            "zone": zone.str.replace(r"^([+-]\d{2})(\d{2})$", "$1:$2"),
            "since_1970": _since_1970(raw),
        }
    )
    is_midnight = (pl.col("hour") == "24") & (pl.col("minute") == "00") & (pl.col("second") == "00")
    clock = pl.when(is_midnight).then(pl.lit("00")).otherwise("hour")
    text = pl.concat_str("date", pl.lit("T"), clock, pl.lit(":"), "minute", pl.lit(":"), "second", "fraction", "zone")
    utc = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False, exact=True)
    day_later = pl.when(is_midnight).then(pl.duration(days=1)).otherwise(pl.duration(days=0))
    return frame.select(
        utc=pl.coalesce(utc.dt.convert_time_zone("UTC") + day_later, "since_1970"),
        minute=pl.coalesce(pl.col("since_1970").dt.minute(), pl.col("minute").cast(pl.Int8, strict=False)),
        offset=pl.col("zone"),
    )


def _since_1970(raw: pl.Series) -> pl.Series:
    """Times written as seconds or milliseconds since 1970, which are UTC by definition."""
    seconds, milliseconds = (raw.str.extract(pattern).cast(pl.Int64) for pattern in (_EPOCH_S, _EPOCH_MS))
    return pl.select(pl.coalesce(seconds * 1_000_000, milliseconds * 1_000).cast(pl.Datetime("us", "UTC"))).to_series()
