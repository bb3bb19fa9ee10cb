"""What a format is: the layouts it is published in, and the rows that reading one of them gives."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.tables import WEATHER_VARIABLES
from hazecast.imports.tables import Shape, Table, to_numbers
from hazecast.imports.titles import TITLES
from hazecast.sources.files.columns import understand
from hazecast.sources.files.sheets import ROW
from hazecast.sources.files.times import parse_times

_UTC = pl.Datetime("us", "UTC")
# One row per value of a file.
VALUES = pl.Schema(
    {
        "file": pl.String(),
        "row": pl.Int64(),
        "station_id": pl.String(),
        "monitor": pl.String(),  # tells instruments apart that measure the same at one station; empty: one instrument
        "preference": pl.Int64(),  # of two values of one hour the higher counts
        "name": pl.String(),  # what was measured, as in the file
        "field": pl.String(),  # a pollutant or a weather variable of ours; null: neither
        "at": _UTC,  # start of its averaging period
        "text": pl.String(),  # the cell
        "value": pl.Float64(),
        "unit": pl.String(),
        "reason": pl.String(),  # why the source itself does not count it; null: it does
    }
)
STATIONS = pl.Schema(
    {
        "station_id": pl.String(),
        "name": pl.String(),
        "latitude": pl.Float64(),
        "longitude": pl.Float64(),
        "timezone": pl.String(),
    }
)


class Hour(StrEnum):
    """Which moment of its hour a written time is."""

    START = "start"
    END = "end"


@dataclass(frozen=True)
class Reading:
    """What one table gives: values (`VALUES`), stations (`STATIONS`), and what a person should know about it."""

    values: pl.DataFrame
    stations: pl.DataFrame
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Layout:
    """One published layout.

    Args:
        title: for messages.
        shape: how it is recognised.
        read: gives its values and stations.
        hour: whether its times are starts or ends of hours; None where it has both, or none of a mean.
        times: its convention in words, for the report.
    """

    title: str
    shape: Shape
    read: Callable[[Table], Reading]
    times: str
    hour: Hour | None = Hour.START


@dataclass(frozen=True)
class Format:
    """A format of `hazecast import`.

    Args:
        name: as in the command.
        layouts: tried in order.
        credit: attribution of its stations.
        licence: of the data, as the publisher names it.
        timezone: IANA zone of its stations where neither file nor option names one; empty: unknown.
        renames_stations: whether a list of stations may give them other ids.
    """

    name: str
    layouts: tuple[Layout, ...]
    credit: str
    licence: str
    timezone: str = ""
    renames_stations: bool = False

    @property
    def title(self) -> str:
        """The line of the help."""
        return TITLES[self.name]


def field_of(name: str) -> str | None:
    """The pollutant or weather variable that `name` is; None where it is neither."""
    return understand(name, (*POLLUTANTS, *WEATHER_VARIABLES)).field or None


def fields_of(names: pl.Series) -> pl.Series:
    """`field_of` for a column."""
    known = {name: field_of(name) for name in names.unique().drop_nulls().to_list()}
    return names.replace_strict(known, default=None, return_dtype=pl.String)


def utc(text: pl.Series) -> pl.Series:
    """Times with their zone as UTC [µs]; null where a text is none. Each spelling is read once."""
    distinct = text.unique().drop_nulls()
    times = pl.DataFrame({"text": distinct, "utc": parse_times(distinct)["utc"]})
    return pl.DataFrame({"text": text}).join(times, on="text", how="left", maintain_order="left")["utc"]


def iso_date(text: pl.Series, *, day_first: bool) -> pl.Series:
    """ "31-01-2023" and "31/01/2023" as "2023-01-31"; dates that begin with the year stay."""
    order = "$3-$2-$1" if day_first else "$3-$1-$2"
    return text.str.replace(r"^(\d{2})[-/.](\d{2})[-/.](\d{4})\b", order)


def values(
    table: Table,
    *,
    station_id: pl.Series | str,
    at: pl.Series,
    name: pl.Series | str,
    cell: pl.Series,
    unit: pl.Series | str,
    reason: pl.Series | None = None,
    monitor: pl.Series | str = "",
    preference: pl.Series | int = 0,
    number: pl.Series | None = None,
) -> pl.DataFrame:
    """Rows of `VALUES`, one per row of `table`; a field is found by its name.

    Args:
        table: where the values stand.
        station_id: of each value.
        at: written time, UTC.
        name: what was measured, as in the file.
        cell: as written.
        unit: as written; empty for our own.
        reason: why the source itself does not count it.
        monitor: which instrument.
        preference: of two values of one hour the higher counts.
        number: the value, where it is not just the cell as a number.
    """
    named = pl.Series([name], dtype=pl.String).new_from_index(0, table.frame.height) if isinstance(name, str) else name
    columns = {
        "file": table.file,
        "row": table.frame[ROW],
        "station_id": station_id,
        "monitor": monitor,
        "preference": preference,
        "name": named,
        "field": fields_of(named),
        "at": at,
        "text": cell.cast(pl.String),
        "value": to_numbers(cell, decimal_comma=table.decimal_comma) if number is None else number,
        "unit": unit,
        "reason": None if reason is None else reason,
    }
    literal = {key: value for key, value in columns.items() if not isinstance(value, pl.Series)}
    frame = pl.DataFrame({key: value for key, value in columns.items() if isinstance(value, pl.Series)})
    return frame.with_columns(**{key: pl.lit(value) for key, value in literal.items()}).select(
        pl.col(key).cast(dtype) for key, dtype in VALUES.items()
    )


def stations(station_id: pl.Series, **columns: pl.Series | str | float | None) -> pl.DataFrame:
    """Rows of `STATIONS`, one per station; what is not given is null."""
    frame = pl.DataFrame({"station_id": station_id.cast(pl.String)})
    given = {key: value if isinstance(value, pl.Series) else pl.lit(value) for key, value in columns.items()}
    frame = frame.with_columns(**given)
    missing = {key: pl.lit(None) for key in STATIONS if key not in frame.columns}
    frame = frame.with_columns(**missing).select(pl.col(key).cast(dtype) for key, dtype in STATIONS.items())
    present = [pl.col(key).drop_nulls().first() for key in STATIONS if key != "station_id"]
    return frame.drop_nulls("station_id").group_by("station_id", maintain_order=True).agg(present)
