"""Read the common unambiguous spellings of a time with its zone."""

import polars as pl

_DATE = r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})"
_CLOCK = r"(\d{2})(?::?(\d{2})(?::?(\d{2})([.,]\d+)?)?)?"
_ZONE = r"(Z|z|UTC|utc|GMT|gmt|[+-]\d{2}(?::?\d{2})?)"
_WITH_ZONE = rf"^{_DATE}[T t]+{_CLOCK} ?{_ZONE}$"
_WITHOUT_ZONE = rf"^{_DATE}([T t]+{_CLOCK})?$"


def has_no_zone(raw: pl.Series) -> pl.Series:
    """Whether each text is a time or a day without a zone."""
    return raw.str.contains(_WITHOUT_ZONE)


def parse_times(raw: pl.Series) -> pl.DataFrame:
    """`utc` [µs] and the written `minute` of the hour; null where the text is no time with a zone.

    Hour 24 is the first hour of the next day, as in ISO 8601.
    """
    part = [raw.str.extract(_WITH_ZONE, number) for number in range(1, 9)]
    year, month, day, hour, minute, second, fraction, zone = part
    zone = zone.str.to_uppercase().replace(["Z", "UTC", "GMT"], "+00:00").str.replace(r"^([+-]\d{2})$", "$1:00")
    frame = pl.DataFrame(
        {
            "date": year + "-" + month + "-" + day,
            "hour": hour,
            "minute": minute.fill_null("00"),
            "second": second.fill_null("00"),
            "fraction": fraction.str.replace(",", ".").fill_null(".0"),
            "zone": zone.str.replace(r"^([+-]\d{2})(\d{2})$", "$1:$2"),
        }
    )
    is_midnight = (pl.col("hour") == "24") & (pl.col("minute") == "00") & (pl.col("second") == "00")
    clock = pl.when(is_midnight).then(pl.lit("00")).otherwise("hour")
    text = pl.concat_str("date", pl.lit("T"), clock, pl.lit(":"), "minute", pl.lit(":"), "second", "fraction", "zone")
    utc = text.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%:z", time_unit="us", strict=False, exact=True)
    day_later = pl.when(is_midnight).then(pl.duration(days=1)).otherwise(pl.duration(days=0))
    return frame.select(
        utc=utc.dt.convert_time_zone("UTC") + day_later,
        minute=pl.col("minute").cast(pl.Int8, strict=False),
        offset=pl.col("zone"),
    )
