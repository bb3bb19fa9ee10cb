"""One table of a dataset, read column by column; what cannot be read is refused with its row and the remedy.

Rows are counted as a spreadsheet shows them: the header is row 1.
"""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.sources.files.columns import Column, is_metadata, understand, weak_field, why_other
from hazecast.sources.files.options import DatasetOptions
from hazecast.sources.files.times import has_no_zone, parse_times, why_no_time

ROW = "__row"
_BLANKS = (
    *(
        "",
        "na",
        "n/a",
        "#n/a",
        "n.a.",
        "<na>",
        "nan",
        "-nan",
        "null",
        "none",
        "nil",
        "\\n",
        "nodata",
        "no data",
        "missing",
    ),
    *("-", "--", "---", "----", "–", "—", ".", "..", "...", "invld"),
)
_UTC = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class Sheet:
    """The rows of one table, in file order; every reader below returns columns aligned with `frame`.

    Args:
        file: its name, for messages.
        frame: the cells, one column per field once arranged.
        decimal_comma: whether numbers may be written "10,5".
        columns: what each field of the frame is in the file.
        blanks: words in lower case that stand for a missing value.
    """

    file: str
    frame: pl.DataFrame = field(repr=False)
    decimal_comma: bool = False
    columns: dict[str, Column] = field(default_factory=dict)
    blanks: tuple[str, ...] = _BLANKS

    def arrange(self, fields: tuple[str, ...], options: DatasetOptions) -> "Sheet":
        """The sheet with its columns named by `fields`; metadata and ignored columns are gone.

        Raises:
            SourceRefused: two columns for one field, or a column that is not understood.
        """
        raw = {name: name.partition(":")[2].lstrip("\ufeff").strip() for name in self.frame.columns if name != ROW}
        meant = {name: _meaning(header, fields, options) for name, header in raw.items()}
        chosen: dict[str, tuple[str, Column]] = {}
        for name, column in meant.items():
            key = f"quality:{name}" if column.field == "quality" else column.field
            if key and key in chosen:
                other = chosen[key][1].header
                raise SourceRefused(f"{self.file}: columns {other!r} and {column.header!r} are both {key}; keep one")
            if key:
                chosen[key] = (name, column)
        for name, column in meant.items():
            weak = "" if column.field else weak_field(column.header, fields)
            if weak and weak not in chosen:
                chosen[weak] = (name, replace(column, field=weak))
        used = {name for name, _ in chosen.values()}
        self._refuse_unknown([header for name, header in raw.items() if name not in used], fields, options)
        frame = self.frame.select(ROW, *(pl.col(name).alias(key) for key, (name, _) in chosen.items()))
        blanks = (*_BLANKS, *(str(word).strip().lower() for word in options.missing))
        return replace(self, frame=frame, columns={key: column for key, (_, column) in chosen.items()}, blanks=blanks)

    def refuse(self, column: str, wrong: pl.Series, problem: str) -> None:
        """Raise for the first row where `wrong` is true; nothing otherwise.

        Raises:
            SourceRefused: naming file, column, row and the value found, followed by `problem` (what to do).
        """
        found = wrong.fill_null(value=False).arg_max() if wrong.any() else None
        if found is not None:
            row, value = self.frame[ROW][found], self.frame[column][found]
            shown = "a blank" if value is None else repr(value) if isinstance(value, str) else str(value)
            raise SourceRefused(f"{self.file}, column {self.title(column)}, row {row}: {shown} {problem}")

    def title(self, field: str) -> str:
        """The header of a field as the file has it."""
        return self.columns[field].header if field in self.columns else field

    def require(self, fields: Sequence[str]) -> None:
        """Raise unless every one of `fields` is present.

        Raises:
            SourceRefused: listing the missing ones and what was found.
        """
        missing = [name for name in fields if name not in self.frame.columns]
        if missing:
            found = [column.header for column in self.columns.values()]
            raise SourceRefused(
                f"{self.file}: column {', '.join(missing)} is missing (found: {', '.join(found)}); add it"
            )

    def words(self, column: str, *, default: pl.Series | str | None = None) -> pl.Series:
        """A text column, stripped; blanks become `default`, or are refused where there is none.

        Raises:
            SourceRefused: a blank without a default.
        """
        words = pl.Series(column, [None] * self.frame.height, dtype=pl.String)
        if column in self.frame.columns:
            words = _as_text(self.frame[column])
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
            raw = without_blanks(raw, self.blanks)
            if self.decimal_comma:
                raw = raw.str.replace(r"^([+-]?\d*),(\d+)$", "$1.$2")
        elif not (raw.dtype.is_numeric() or raw.dtype == pl.Null):
            raise SourceRefused(
                f"{self.file}, column {self.title(column)}: values are {raw.dtype}; store it as numbers"
            )
        numbers = raw.cast(pl.Float64, strict=False)
        unreadable = (raw.is_not_null() & numbers.is_null()) | numbers.is_infinite()
        self.refuse(
            column,
            unreadable,
            "is not a number; write digits with a decimal point, or nothing where missing, or list the words that mean "
            "missing in dataset.yaml (missing: [...])",
        )
        return numbers.fill_nan(None)

    def times(self, column: str, *, may_be_blank: bool = False) -> pl.Series:
        """A time column as UTC [µs]; offsets are converted.

        Raises:
            SourceRefused: a time without zone, not a time, or blank where it may not be.
        """
        return self._times(column, may_be_blank=may_be_blank)["utc"].alias(column)

    def hours(self, column: str, zones: pl.Series, *, aggregate: bool) -> pl.Series:
        """A time column as starts of UTC hours.

        An hour of a zone such as +05:30 belongs to the UTC hour it starts in, as in the OpenAQ source.

        Args:
            column: its field.
            zones: IANA zone of each row's station, for files in UTC.
            aggregate: whether times inside an hour are allowed, to be averaged.

        Raises:
            SourceRefused: as `times`, or a time inside an hour.
        """
        times = self._times(column, may_be_blank=False).with_columns(zone=zones)
        hour = times["utc"].dt.truncate("1h")
        inside = times["utc"] != hour
        if not aggregate and inside.any():
            starts_local_hour = (times["minute"] == 0) & _has_no_seconds(times["utc"]) | _starts_hour_of_zone(times)
            self.refuse(
                column,
                inside & ~starts_local_hour,
                "is not the start of a UTC hour; average to whole UTC hours, named by their start, or pass --aggregate",
            )
        return hour.alias(column)

    def _times(self, column: str, *, may_be_blank: bool) -> pl.DataFrame:
        """`utc`, and the `minute` as written, in the file's own zone."""
        raw = self.frame[column]
        if raw.dtype == pl.String:
            raw = without_blanks(raw, self.blanks)
            times = self._parse_times(column, raw)
        elif raw.dtype.is_integer():
            times = self._parse_times(column, raw.cast(pl.String))
        elif isinstance(raw.dtype, pl.Datetime) and raw.dtype.time_zone:
            local = raw.cast(pl.Datetime("us", raw.dtype.time_zone))
            times = pl.DataFrame({"utc": local.dt.convert_time_zone("UTC"), "minute": local.dt.minute()})
        elif raw.dtype == pl.Null:
            times = pl.DataFrame({"utc": raw.cast(_UTC), "minute": raw.cast(pl.Int8)})
        else:
            raise SourceRefused(
                f"{self.file}, column {self.title(column)}: values are {raw.dtype}; store times with their zone, as UTC"
            )
        if not may_be_blank:
            self.refuse(column, times["utc"].is_null(), "where a time is needed; fill it in or remove the row")
        return times

    def _parse_times(self, column: str, raw: pl.Series) -> pl.DataFrame:
        without = has_no_zone(raw)
        if self.columns[column].says_utc:
            raw = pl.select(pl.when(without).then(raw + "Z").otherwise(raw)).to_series()
        else:
            self.refuse(column, without, "has no time zone; add Z for UTC or an offset such as +08:00")
        times = parse_times(raw)
        unreadable = raw.is_not_null() & times["utc"].is_null()
        first = raw.filter(unreadable).first()
        self.refuse(column, unreadable, f"is not a time{why_no_time(str(first))}; write it as 2016-06-01T00:00Z")
        return times.select("utc", "minute")

    def _refuse_unknown(self, headers: list[str], fields: tuple[str, ...], options: DatasetOptions) -> None:
        unknown = [name for name in headers if not is_metadata(name) and not options.ignores(name)]
        if unknown:
            other = {name: why_other(name) for name in unknown}
            near = {name: difflib.get_close_matches(name.lower(), fields, n=1) for name in unknown if not other[name]}
            hints = [f"{name!r}: {reason}" for name, reason in other.items() if reason]
            hints += [f"{name!r} looks like {close[0]}" for name, close in near.items() if close]
            listed = ", ".join(map(repr, unknown))
            hint = f" ({'; '.join(hints)})" if hints else ""
            raise SourceRefused(
                f"{self.file}: column {listed} is not understood{hint}; rename it, map it in dataset.yaml (columns) or "
                "pass --ignore-columns"
            )


def _meaning(header: str, fields: tuple[str, ...], options: DatasetOptions) -> Column:
    if header in options.columns:
        return replace(understand(header, fields), header=header, field=options.columns[header])
    return understand(header, fields)


def _has_no_seconds(times: pl.Series) -> pl.Series:
    return times == times.dt.truncate("1m")


def _starts_hour_of_zone(times: pl.DataFrame) -> pl.Series:
    """Whether each time starts an hour of its station's zone."""
    found = pl.Series([False] * times.height)
    for (zone,), rows in times.with_row_index("at").group_by("zone"):
        local = rows["utc"].dt.convert_time_zone(str(zone or "UTC"))
        starts = rows.filter((local.dt.minute() == 0) & (local.dt.second() == 0))["at"]
        found[starts.to_list()] = True
    return found


def _as_text(raw: pl.Series) -> pl.Series:
    """Text, stripped; station ids that became floats on the way (1001.0) are whole numbers again."""
    if raw.dtype.is_float():
        whole = raw.cast(pl.Int64, strict=False)
        text = pl.when(whole.cast(pl.Float64) == raw).then(whole.cast(pl.String)).otherwise(raw.cast(pl.String))
        raw = pl.select(text.alias(raw.name)).to_series()
    return raw.cast(pl.String).str.strip_chars().replace("", None)


def without_blanks(raw: pl.Series, blanks: Sequence[str] = _BLANKS) -> pl.Series:
    """Text, stripped; null where it stands for a missing value."""
    stripped = raw.str.strip_chars()
    return pl.select(pl.when(~stripped.str.to_lowercase().is_in(blanks)).then(stripped).alias(raw.name)).to_series()
