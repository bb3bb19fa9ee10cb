"""OpenAQ's public archive: one compressed file per location and local day, no key, written 72 h after the day."""

import gzip
import io
import zlib
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
from polars.exceptions import PolarsError

from hazecast.air.clock import HOUR
from hazecast.sources.http import HttpClient, MalformedResponse, Request, Response, Service
from hazecast.sources.openaq.api import RAW, Location

NOT_THERE = 404
# 72 h after a local day's end, which is up to 38 h after its start in UTC.
COMPLETE_AFTER = timedelta(days=5)
# Values half a day apart are daily means. Closer ones are means over their step where most of several steps are equal;
# else they are hourly means with gaps, or parts of an hour.
HALF_A_DAY = timedelta(hours=12)
_FEWEST_STEPS, _REGULAR_SHARE = 6, 0.75
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
    accepted_statuses=frozenset({200, NOT_THERE}),
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
        days = [self._day(location, first + timedelta(days=number)) for number in range((last - first).days + 1)]
        rows = pl.concat(days).sort("sensor_id", "ends_at", maintain_order=True)
        starts_at, not_stated = pl.col("ends_at") - usual_period(), pl.lit(value=False)
        return rows.with_columns(starts_at=starts_at, is_flagged=not_stated).select(RAW.names())

    def _day(self, location: Location, day: date) -> pl.DataFrame:
        number = location.location_id
        path = f"locationid={number}/year={day:%Y}/month={day:%m}/location-{number}-{day:%Y%m%d}.csv.gz"
        return self.client.get(ARCHIVE, Request(f"{self.base_url}/records/csv.gz/{path}"), _read_day)


def _read_day(response: Response) -> pl.DataFrame:
    if response.status == NOT_THERE:
        return pl.DataFrame(schema=RAW).drop("starts_at", "is_flagged")
    try:
        rows = pl.read_csv(
            io.BytesIO(gzip.decompress(response.body)), schema_overrides=_COLUMNS, columns=list(_COLUMNS)
        )
        ends_at = rows["datetime"].str.to_datetime("%Y-%m-%dT%H:%M:%S%z", time_unit="us")
    except (OSError, EOFError, zlib.error, PolarsError) as err:
        raise MalformedResponse(f"not a day of the archive ({str(err).splitlines()[0]})") from err
    return rows.select(
        station_id="location_id",
        sensor_id="sensors_id",
        parameter="parameter",
        units="units",
        ends_at=ends_at,
        value=pl.col("value").fill_nan(None),
    )


def usual_period() -> pl.Expr:
    """Averaging period of a sensor, inferred from the steps of its values."""
    step = pl.col("ends_at").diff()
    steps = step.filter(step > timedelta(0))
    usual = steps.median().over("sensor_id").fill_null(HOUR)
    is_regular = ((steps == steps.median()).mean() >= _REGULAR_SHARE) & (steps.len() >= _FEWEST_STEPS)
    is_mean_over_step = (usual >= HALF_A_DAY) | (usual <= HOUR) | is_regular.over("sensor_id")
    return pl.when(is_mean_over_step).then(usual).otherwise(pl.lit(HOUR))
