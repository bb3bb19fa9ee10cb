"""Tables in published files: found by their header below any preamble, or by the first line where there is none."""

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.sources.files.columns import compact
from hazecast.sources.files.containers import decoded, read_members
from hazecast.sources.files.sheets import ROW, without_blanks

_MEMBERS = r"\.(parquet|csv|tsv|txt|dat)(\.gz)?$"
_SEPARATORS = ",;\t|"
_HEAD_LINES, _HEAD_BYTES = 60, 1_000_000


@dataclass(frozen=True)
class RawFile:
    """A decompressed file.

    Args:
        title: its name for messages, with that of its zip.
        name: its own name.
        text: its content in UTF-8; empty for Parquet.
        frame: the content of Parquet.
    """

    title: str
    name: str
    text: bytes = field(default=b"", repr=False)
    frame: pl.DataFrame | None = field(default=None, repr=False)

    @property
    def head(self) -> list[str]:
        """The first lines."""
        lines = self.text[:_HEAD_BYTES].split(b"\n")[:_HEAD_LINES]
        return [line.decode(errors="replace").strip("\r") for line in lines]


@dataclass(frozen=True)
class Shape:
    """How a table is recognised.

    Args:
        header: columns that it has, compared without case, blanks and punctuation.
        first_line: for tables without a header, what their first line looks like (regular expression).
        names: for tables without a header, their columns in order.
        separator: for tables without a header.
        also: what else the line of the header contains (regular expression).
    """

    header: tuple[str, ...] = ()
    also: str = ""
    first_line: str = ""
    names: tuple[str, ...] = ()
    separator: str = ","

    def find(self, raw: RawFile) -> tuple[int, str] | None:
        """Line of the header (-1: none) and separator; None where the file has another shape."""
        if raw.frame is not None:
            return (0, ",") if self.header and _has(raw.frame.columns, self.header) else None
        lines = raw.head
        if self.first_line:
            return (-1, self.separator) if re.match(self.first_line, lines[0]) else None
        for number, line in enumerate(lines):
            for separator in _SEPARATORS:
                if line.count(separator) + 1 < max(2, len(self.header)) or not re.search(self.also, line):
                    continue
                if _has(cells(line, separator), self.header):
                    return number, separator
        return None

    def missing(self, raw: RawFile) -> list[str]:
        """Columns of the header that the most similar line of a file lacks; all without such a line."""
        lines = [raw.frame.columns] if raw.frame is not None else [cells(line, ",") for line in raw.head]
        lacks = [[name for name in self.header if not _has(line, (name,))] for line in lines]
        return min(lacks, key=len, default=list(self.header))


@dataclass(frozen=True)
class Table:
    """Rows of a published file; all cells are text, except in Parquet.

    Args:
        file: name for messages.
        name: name of the file without folder and zip.
        frame: columns called "0", "1", … in order, and the number of the line as ROW.
        headers: what the columns are called in the file.
        preamble: the lines above the header, split.
        decimal_comma: whether numbers may be written "10,5".
    """

    file: str
    name: str
    frame: pl.DataFrame = field(repr=False)
    headers: list[str]
    preamble: list[list[str]] = field(repr=False)
    decimal_comma: bool

    @property
    def stem(self) -> str:
        """Name of the file without its endings."""
        return re.sub(r"(\.(csv|tsv|txt|dat|parquet|gz))+$", "", Path(self.name).name, flags=re.IGNORECASE)

    def has(self, *names: str) -> bool:
        """Whether one of these columns is there."""
        return any(compact(name) in map(compact, self.headers) for name in names)

    def column(self, *names: str) -> pl.Series:
        """The first of these columns that is there; nulls where none is."""
        found = [compact(header) for header in self.headers]
        for name in names:
            if compact(name) in found:
                return self.frame[str(found.index(compact(name)))]
        return pl.Series([None] * self.frame.height, dtype=pl.String)

    def words(self, *names: str, default: str | None = None) -> pl.Series:
        """That column as text, stripped; blanks are null, or `default`."""
        words = self.column(*names).cast(pl.String).str.strip_chars().replace("", None)
        return words if default is None else words.fill_null(default)

    def numbers(self, *names: str) -> pl.Series:
        """That column as numbers; null where it is none."""
        return to_numbers(self.column(*names), decimal_comma=self.decimal_comma)

    def facts(self) -> dict[str, str]:
        """Lines "Station,Old Town" of the preamble, by their first cell in small letters."""
        pairs = [(line[0].strip().strip(":").lower(), line[1].strip()) for line in self.preamble if len(line) > 1]
        return {key: value for key, value in pairs if key and value}


def read_files(path: Path) -> Iterator[RawFile]:
    """The tables in a file, or in a zip.

    Raises:
        SourceRefused: not readable, a spreadsheet, or a zip without tables.
    """
    members = read_members(path, _MEMBERS)
    if path.suffix.lower() in (".xlsx", ".xls", ".ods"):
        raise SourceRefused(f"{path.name}: is a spreadsheet; save its sheet as CSV")
    if not members:
        raise SourceRefused(f"{path.name}: has no CSV or Parquet file inside")
    for title, name, content in members:
        if content.startswith(b"PAR1"):
            try:
                frame = pl.read_parquet(io.BytesIO(content))
            except (pl.exceptions.PolarsError, OSError) as err:
                message = str(err).splitlines()[0]
                raise SourceRefused(f"{title}: not readable as Parquet ({message}); download it again") from err
            yield RawFile(title, name, frame=frame)
        else:
            yield RawFile(title, name, text=_text(title, content))


def read_table(raw: RawFile, shape: Shape, header_line: int, separator: str) -> Table:
    """The table of `raw`, whose shape was found at `header_line`.

    Raises:
        SourceRefused: not separated text.
    """
    if raw.frame is not None:
        frame = raw.frame.with_row_index(ROW, offset=1)
        headers = raw.frame.columns
        frame = frame.rename({header: str(number) for number, header in enumerate(headers)})
        return Table(raw.title, raw.name, frame, headers, [], decimal_comma=False)
    head = raw.head[: header_line + 1]
    headers = cells(head[-1], separator) if head else list(shape.names)
    if not head:
        width = len(cells(raw.head[0], separator))
        headers = headers[:width] + [f"column {number}" for number in range(len(headers), width)]
    start = sum(len(line) + 1 for line in raw.text[:_HEAD_BYTES].split(b"\n", header_line + 1)[: header_line + 1])
    try:
        frame = pl.read_csv(
            io.BytesIO(raw.text[start:]),
            has_header=False,
            schema={str(number): pl.String for number in range(len(headers))},
            separator=separator,
            quote_char=None if separator == "|" else '"',
            truncate_ragged_lines=True,
            row_index_name=ROW,
            row_index_offset=header_line + 2,
        )
    except pl.exceptions.NoDataError:
        frame = pl.DataFrame(schema={ROW: pl.UInt32, **{str(number): pl.String for number in range(len(headers))}})
    except pl.exceptions.PolarsError as err:
        message = str(err).splitlines()[0]
        raise SourceRefused(f"{raw.title}: not readable as text separated by {separator!r} ({message})") from err
    frame = frame.filter(~pl.all_horizontal(pl.exclude(ROW).is_null()))
    preamble = [cells(line, separator) for line in head[:-1]]
    return Table(raw.title, raw.name, frame, headers, preamble, decimal_comma=separator in ";\t")


def cells(line: str, separator: str) -> list[str]:
    """The cells of one line."""
    return [cell.strip().lstrip("\ufeff") for cell in next(csv.reader([line], delimiter=separator), [])]


def to_numbers(raw: pl.Series, *, decimal_comma: bool) -> pl.Series:
    """Numbers; null where there is none."""
    numbers = raw.cast(pl.Float64, strict=False)
    odd = raw.is_not_null() & numbers.is_null()
    if raw.dtype == pl.String and odd.any():
        again = without_blanks(raw.filter(odd))
        if decimal_comma:
            again = again.str.replace(r"^([+-]?\d*),(\d+)$", "$1.$2")
        numbers = numbers.scatter(odd.arg_true(), again.cast(pl.Float64, strict=False))
    return pl.select(pl.when(numbers.is_finite()).then(numbers)).to_series()


def _has(headers: list[str], wanted: tuple[str, ...]) -> bool:
    return {compact(name) for name in wanted} <= {compact(header) for header in headers}


def _text(title: str, content: bytes) -> bytes:
    """Text in UTF-8; files of older systems are in one byte per character."""
    try:
        return decoded(title, content).encode()
    except SourceRefused:
        # AirNow, which begins "01/31/23|", writes names in code page 437.
        return content.decode("cp437" if content[8:9] == b"|" else "cp1252", errors="replace").encode()
