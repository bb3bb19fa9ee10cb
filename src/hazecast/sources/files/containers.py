"""Find the files of a dataset and decode them: CSV with comma, semicolon or tab, UTF-8 or UTF-16, gzip, zip, Parquet.

One table may be one file, or one file a year (`observations_2023.csv`), or a zip of such files.
"""

import csv
import gzip
import io
import re
import zipfile
import zlib
from collections import Counter
from pathlib import Path

import polars as pl

from hazecast.errors import SourceRefused
from hazecast.sources.files.sheets import ROW, Sheet

_TABULAR = r"(parquet|csv|tsv|txt)"
_SEPARATORS = ",;\t|"
_GZIP, _ZIP, _UTF16 = b"\x1f\x8b", b"PK\x03\x04", (b"\xff\xfe", b"\xfe\xff")
# Comments, blank lines, and the hint that Excel writes.
_PREAMBLE = re.compile(r"#.*|sep=.|", re.IGNORECASE)
_UTF32 = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
# Members of a zip that are no tables.
_NO_TABLE = re.compile(r"(^|/)(__MACOSX/|\.|readme|licen[cs]e|metadata)", re.IGNORECASE)
_REMEDIES = {
    r"xlsx?|xlsm|ods|numbers": "a spreadsheet is not read: save it as CSV (UTF-8)",
    r"json|geojson|xml|nc|h5|feather|arrow|rds|rdata|sqlite|db": "this format is not read: save it as CSV or Parquet",
    r"bz2|xz|zst|7z|rar|tar|tgz": "this compression is not read: unpack it, or use gzip or zip",
}


def find_files(folder: Path, stem: str) -> list[Path]:
    """The files of the table `stem` in `folder`, sorted by name; empty where there is none.

    Raises:
        SourceRefused: there is no such folder, or one file is there in two formats.
    """
    if not folder.is_dir():
        raise SourceRefused(f"{folder}: no such folder; give the folder that holds stations.csv")
    pattern = re.compile(rf"({stem}([-_. ]?\d[\d._ -]*)?)\.({_TABULAR}(\.gz|\.zip)?|zip)", re.IGNORECASE)
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        match = pattern.fullmatch(path.name) if path.is_file() else None
        if match is None:
            continue
        base = match[1].lower()
        if base in found:
            raise SourceRefused(f"{folder.name} has both {path.name} and {found[base].name}; keep one")
        found[base] = path
    return list(found.values())


def why_missing(folder: Path, stem: str) -> str:
    """Why the table `stem` is not in `folder`, and what to do about it."""
    names = [path.name for path in sorted(folder.iterdir()) if path.is_file() and not path.name.startswith((".", "~$"))]
    for name in names:
        ending = name.lower().rpartition(".")[2]
        remedy = next((text for pattern, text in _REMEDIES.items() if re.fullmatch(pattern, ending)), "")
        if remedy and name.lower().startswith(stem):
            return f"{folder / name}: {remedy}"
    found = f" (found: {', '.join(names[:8])})" if names else ""
    return f"{folder}: has no {stem} file{found}; add or rename one to {stem}.csv (layout: docs/data.md)"


def unread_files(folder: Path, stems: tuple[str, ...]) -> list[str]:
    """Names of tables in `folder` that no stem matches, such as observations_old.csv."""
    read = {path for stem in stems for path in find_files(folder, stem)}
    tables = [path for path in sorted(folder.iterdir()) if re.fullmatch(rf".*\.{_TABULAR}(\.gz)?", path.name, re.I)]
    return [path.name for path in tables if path not in read]


def read_sheets(path: Path) -> list[Sheet]:
    """The tables in one file; a zip may hold several. CSV columns stay text until they are read as something else.

    Raises:
        SourceRefused: not readable as what its name says, or without a row.
    """
    found = [member for member in read_members(path, rf"\.{_TABULAR}(\.gz)?$") if not _NO_TABLE.search(member[1])]
    if not found:
        is_workbook = bool(read_members(path, r"^(xl/|content\.xml)"))
        remedy = "a spreadsheet is not read: save it as CSV (UTF-8)" if is_workbook else "add one"
        raise SourceRefused(f"{path.name}: has no CSV or Parquet file inside; {remedy}")
    return [_read_table(title, name, content) for title, name, content in found]


def read_members(path: Path, pattern: str) -> list[tuple[str, str, bytes]]:
    """Title, name and content of a file, decompressed; of a zip those of its files whose name matches `pattern`.

    Raises:
        SourceRefused: not readable, or damaged.
    """
    try:
        content = path.read_bytes()
        if not content.startswith(_ZIP):
            return [(path.name, path.name, _decompressed(content))]
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = [name for name in sorted(archive.namelist()) if re.search(pattern, name, re.IGNORECASE)]
            return [(f"{path.name}/{name}", name, _decompressed(archive.read(name))) for name in names]
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as err:
        raise SourceRefused(f"{path.name}: not readable ({err}); copy the file again") from err


def _decompressed(content: bytes) -> bytes:
    return gzip.decompress(content) if content.startswith(_GZIP) else content


def _read_table(title: str, name: str, content: bytes) -> Sheet:
    if re.search(r"\.parquet(\.gz)?$", name, re.IGNORECASE):
        try:
            frame = pl.read_parquet(io.BytesIO(content))
        except (pl.exceptions.PolarsError, OSError) as err:
            raise SourceRefused(f"{title}: not readable as Parquet ({_first_line(err)}); save it again") from err
        return _sheet(title, frame, headers=frame.columns, first_row=2, decimal_comma=False)
    return _read_text(title, decoded(title, content))


def _read_text(title: str, text: str) -> Sheet:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    skipped = 0
    while skipped < len(lines) - 1 and _PREAMBLE.fullmatch(lines[skipped].strip()):
        skipped += 1
    header = lines[skipped]
    if not header.strip():
        raise SourceRefused(f"{title}: not readable: it is empty; begin with the names of the columns")
    if re.match(r"\s*<(!doctype|html|\?xml)", header, re.IGNORECASE):
        raise SourceRefused(f"{title}: not readable: it is a web page or XML, not a table; download the data again")
    counts = Counter(re.sub(r'"[^"]*"', "", header))
    separator = max(_SEPARATORS, key=lambda mark: counts[mark])
    headers = next(csv.reader([header], delimiter=separator))
    body = "\n".join(lines[skipped:])
    try:
        frame = pl.read_csv(io.BytesIO(body.encode()), infer_schema=False, separator=separator)
    except (pl.exceptions.PolarsError, OSError) as err:
        kind = "comma-separated text" if separator == "," else f"text separated by {separator!r}"
        reason = _longer_row(lines, separator, len(headers), skipped) or _first_line(err)
        raise SourceRefused(f"{title}: not readable as {kind} ({reason}); save it again as UTF-8 CSV") from err
    return _sheet(title, frame, headers=headers, first_row=2 + skipped, decimal_comma=separator in ";\t")


def _longer_row(lines: list[str], separator: str, n_headers: int, skipped: int) -> str:
    """The first row with more cells than the header, in words; empty where there is none."""
    for number, cells in enumerate(csv.reader(lines[skipped:], delimiter=separator), start=skipped + 1):
        if len(cells) > n_headers and any(cells[n_headers:]):
            return (
                f"row {number} has {len(cells)} cells where the header has {n_headers}: {separator.join(cells)[:60]!r}"
            )
    return ""


def _sheet(title: str, frame: pl.DataFrame, *, headers: list[str], first_row: int, decimal_comma: bool) -> Sheet:
    if len(headers) == frame.width:
        frame.columns = [f"{number}:{header}" for number, header in enumerate(headers)]
    blank = [
        name for name in frame.columns if not name.partition(":")[2].strip() and frame[name].null_count() == len(frame)
    ]
    frame = frame.drop(blank).with_row_index(ROW, offset=first_row)
    frame = frame.filter(~pl.all_horizontal(pl.exclude(ROW).is_null()))
    if frame.is_empty():
        raise SourceRefused(f"{title}: has no rows; remove the file or fill it")
    return Sheet(title, frame, decimal_comma=decimal_comma)


def decoded(title: str, content: bytes) -> str:
    """The text of a file in UTF-8 or UTF-16.

    Raises:
        SourceRefused: neither; the message names the row.
    """
    try:
        if content.startswith(_UTF32):
            return content.decode("utf-32")
        if content.startswith(_UTF16):
            return content.decode("utf-16")
        if b"\0" in content[:200]:
            return content.decode("utf-16-le" if content[1:2] == b"\0" else "utf-16-be")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        row = content[: err.start].count(b"\n") + 1
        raise SourceRefused(f"{title}: row {row} is not UTF-8 text; save the file again as UTF-8") from err


def _first_line(err: Exception) -> str:
    return str(err).splitlines()[0]
