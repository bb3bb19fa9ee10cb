"""OpenAQ's public archive: one compressed file per location and local day, no key, written 72 h after the day."""

import gzip
import io
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from polars.exceptions import PolarsError

from hazecast.sources.http import Answer, BrokenAnswer, HttpClient, Request, Service
from hazecast.sources.openaq.api import RAW, Location

NOT_THERE = 404
# 72 h after a local day's end, which is up to 38 h after its start in UTC.
COMPLETE_AFTER = timedelta(days=5)
LONGEST_PERIOD = timedelta(hours=1)
_COLUMNS = {
    "location_id": pl.String,
    "sensors_id": pl.Int64,
    "datetime": pl.String,
    "parameter": pl.String,
    "units": pl.String,
    "value": pl.Float64,
}

ARCHIVE = Service(
    name="openaq-archive",
    answers=frozenset({200, NOT_THERE}),
    cached=True,
    remedy="check the address HAZECAST_OPENAQ_ARCHIVE_URL",
)


@dataclass(frozen=True)
class OpenAQArchive:
    """Reads whole days."""

    client: HttpClient
    base_url: str

    def measurements(self, location: Location, since: datetime, until: datetime) -> pl.DataFrame:
        """Raw values (columns `RAW`) of all local days that touch [since, until]; a day without a file has none."""
        zone = ZoneInfo(location.timezone)
        first, last = since.astimezone(zone).date(), until.astimezone(zone).date()
        days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
        return pl.concat([pl.DataFrame(schema=RAW), *(self._day(location, day) for day in days)])

    def _day(self, location: Location, day: date) -> pl.DataFrame:
        number = location.location_id
        path = f"locationid={number}/year={day:%Y}/month={day:%m}/location-{number}-{day:%Y%m%d}.csv.gz"
        return self.client.get(ARCHIVE, Request(f"{self.base_url}/records/csv.gz/{path}"), _read_day)


def _read_day(answer: Answer) -> pl.DataFrame:
    if answer.status == NOT_THERE:
        return pl.DataFrame(schema=RAW)
    try:
        rows = pl.read_csv(io.BytesIO(gzip.decompress(answer.body)), schema_overrides=_COLUMNS, columns=list(_COLUMNS))
        ends_at = pl.col("datetime").str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us")
        ended = rows.with_columns(ends_at=ends_at).sort("sensors_id", "ends_at", maintain_order=True)
    except (OSError, EOFError, zlib.error, PolarsError) as err:
        raise BrokenAnswer(f"not a day of the archive ({str(err).splitlines()[0]})") from err
    return ended.select(
        station_id="location_id",
        sensor_id="sensors_id",
        parameter="parameter",
        units="units",
        starts_at=pl.col("ends_at") - _period(),
        ends_at="ends_at",
        value="value",
    )


def _period() -> pl.Expr:
    """How long a sensor averages, which a file does not say: as far apart as its values are, an hour at most."""
    steps = pl.col("ends_at").diff()
    usual = steps.filter(steps > timedelta(0)).median().over("sensors_id")
    return pl.min_horizontal(usual.fill_null(LONGEST_PERIOD), pl.lit(LONGEST_PERIOD))
