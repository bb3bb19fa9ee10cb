"""Read one file of a dataset column by column, refusing what cannot be read with its row and the remedy.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from hazecast.errors import SourceRefused

_ROW = "__row"
_BLANKS = ("", "na", "nan", "null")
_ISO_TIME = r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?"
_ISO_ZONE = r"(Z|[+-]\d{2}:?\d{2})$"
_BARE_DAY = r"^\d{4}-\d{2}-\d{2}$"
_NOT_A_TIME = "is not a time; write it as 2016-06-01T00:00Z"


@dataclass(frozen=True)
class Sheet:
    """The rows of one file, in file order; every reader below returns columns aligned with `frame`."""

    file: str
    frame: pl.DataFrame = field(repr=False)

    def refuse(self, column: str, wrong: pl.Series, problem: str) -> None:
        """Raise for the first row where `wrong` is true; nothing otherwise.

        Raises:
            SourceRefused: naming file, column, row and the value found, followed by `problem` (what to do).
        """
        found = wrong.fill_null(value=False).arg_max() if wrong.any() else None
        if found is not None:
            row, value = self.frame[_ROW][found], self.frame[column][found]
            shown = "a blank" if value is None else repr(value) if isinstance(value, str) else str(value)
            raise SourceRefused(f"{self.file}, column {column}, row {row}: {shown} {problem}")

    def require(self, columns: Sequence[str]) -> None:
        """Raise unless every one of `columns` is present.

        Raises:
            SourceRefused: listing the missing ones and what was found.
        """
        missing = [column for column in columns if column not in self.frame.columns]
        if missing:
            found = [column for column in self.frame.columns if column != _ROW]
            hint = "; separate columns with commas" if any(";" in column for column in found) else ""
            raise SourceRefused(
                f"{self.file}: column {', '.join(missing)} is missing (found: {', '.join(found)}); add it{hint}"
            )

    def words(self, column: str, *, default: pl.Series | str | None = None) -> pl.Series:
        """A text column, stripped; blanks become `default`, or are refused where there is none.

        Raises:
            SourceRefused: a blank without a default.
        """
        words = pl.Series(column, [None] * self.frame.height, dtype=pl.String)
        if column in self.frame.columns:
            words = self.frame[column].cast(pl.String).str.strip_chars().replace("", None)
        if default is None:
            self.refuse(column, words.is_null(), "where a value is needed; fill it in")
            return words
        filling = default if isinstance(default, pl.Series) else pl.lit(default)
        return pl.select(pl.coalesce(words, filling).alias(column)).to_series()

    def numbers(self, column: str) -> pl.Series:
        """A number column; absent column, blank, NA and NaN are null.

        Raises:
            SourceRefused: text or infinity where a number belongs.
        """
        if column not in self.frame.columns:
            return pl.Series(column, [None] * self.frame.height, dtype=pl.Float64)
        raw = self.frame[column]
        if raw.dtype == pl.String:
            raw = _unblank(raw)
        elif not (raw.dtype.is_numeric() or raw.dtype == pl.Null):
            raise SourceRefused(f"{self.file}, column {column}: holds {raw.dtype}; store it as numbers")
        numbers = raw.cast(pl.Float64, strict=False)
        unreadable = (raw.is_not_null() & numbers.is_null()) | numbers.is_infinite()
        self.refuse(column, unreadable, "is not a number; write digits with a decimal point, or nothing where missing")
        return numbers.fill_nan(None)

    def times(self, column: str, *, may_be_blank: bool = False) -> pl.Series:
        """A time column as UTC [µs]; offsets are converted.

        Raises:
            SourceRefused: a time without zone, not ISO 8601, or blank where it may not be.
        """
        raw = self.frame[column]
        if raw.dtype == pl.String:
            raw = _unblank(raw)
            times = self._parse_times(raw)
        elif isinstance(raw.dtype, pl.Datetime) and raw.dtype.time_zone:
            times = raw.cast(pl.Datetime("us", raw.dtype.time_zone)).dt.convert_time_zone("UTC")
        elif raw.dtype == pl.Null:
            times = raw.cast(pl.Datetime("us", "UTC"))
        else:
            raise SourceRefused(f"{self.file}, column {column}: holds {raw.dtype}; store times with their zone, as UTC")
        if not may_be_blank:
            self.refuse(column, times.is_null(), "where a time is needed; fill it in or remove the row")
        return times

    def hours(self, column: str) -> pl.Series:
        """A time column whose times are starts of UTC hours.

        Raises:
            SourceRefused: as `times`, or a time inside an hour.
        """
        times = self.times(column)
        inside = times != times.dt.truncate("1h")
        self.refuse(column, inside, "is not the start of a UTC hour; average to whole UTC hours, named by their start")
        return times

    def _parse_times(self, raw: pl.Series) -> pl.Series:
        column = raw.name
        bare = raw.str.contains(_ISO_TIME + "$") | raw.str.contains(_BARE_DAY)
        self.refuse(column, bare, "has no time zone; add Z for UTC or an offset such as +08:00")
        self.refuse(column, ~raw.str.contains(_ISO_TIME + _ISO_ZONE), _NOT_A_TIME)
        uniform = raw.str.replace(" ", "T").str.replace("Z$", "+00:00").str.replace(r"(T\d{2}:\d{2})([+-])", "$1:00$2")
        times = uniform.str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
        self.refuse(column, raw.is_not_null() & times.is_null(), _NOT_A_TIME)
        return times.dt.convert_time_zone("UTC")


def find_file(folder: Path, stem: str) -> Path | None:
    """The Parquet or CSV file called `stem` in `folder`, None where there is neither.

    Raises:
        SourceRefused: there is no such folder, or it holds both, so nobody can tell which counts.
    """
    if not folder.is_dir():
        raise SourceRefused(f"{folder}: no such folder; give the folder that holds stations.csv")
    found = [path for ending in ("parquet", "csv") if (path := folder / f"{stem}.{ending}").is_file()]
    if len(found) > 1:
        raise SourceRefused(f"{folder.name} has both {found[0].name} and {found[1].name}; keep one")
    return found[0] if found else None


def read_sheet(path: Path) -> Sheet:
    """Read a Parquet or CSV file; CSV columns stay text until asked for as something else.

    Raises:
        SourceRefused: not readable as what its name says, or without a row.
    """
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (pl.exceptions.PolarsError, OSError) as err:
        kind = "Parquet" if path.suffix == ".parquet" else "comma-separated UTF-8 text"
        reason = str(err).splitlines()[0]
        raise SourceRefused(f"{path.name}: not readable as {kind} ({reason}); save it again as {kind}") from err
    frame = frame.with_row_index(_ROW, offset=2).filter(~pl.all_horizontal(pl.exclude(_ROW).is_null()))
    if frame.is_empty():
        raise SourceRefused(f"{path.name}: has no rows; remove the file or fill it")
    return Sheet(path.name, frame)


def _unblank(raw: pl.Series) -> pl.Series:
    stripped = raw.str.strip_chars()
    return pl.select(pl.when(~stripped.str.to_lowercase().is_in(_BLANKS)).then(stripped).alias(raw.name)).to_series()
