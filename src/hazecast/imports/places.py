"""Station metadata: from the files themselves, and from a list of stations in any of the usual layouts."""

from zoneinfo import available_timezones

import polars as pl

from hazecast.imports.formats import STATIONS, stations
from hazecast.imports.tables import RawFile, Shape, Table, cells, read_table, to_numbers
from hazecast.sources.files.columns import compact

_LATITUDES = ("latitude", "lat", "samplingpointy", "latitudedecimaldegrees", "纬度")
_LONGITUDES = ("longitude", "lon", "lng", "long", "samplingpointx", "longitudedecimaldegrees", "经度")
_NAMES = ("name", "stationname", "sitename", "airqualitystationname", "localsitename", "locationname", "监测点名称")
_ZONES = ("timezone", "tz")
_EOI_CODE = "airqualitystationeoicode"


def find_list(raw: RawFile) -> Table | None:
    """The list of stations in a file; None where it has no coordinates."""
    if raw.frame is not None:
        return None
    for number, line in enumerate(raw.head[:10]):
        for separator in ",;\t|":
            names = [_word(cell) for cell in cells(line, separator)]
            if set(names) & set(_LATITUDES) and set(names) & set(_LONGITUDES):
                return read_table(raw, Shape(), number, separator)
    return None


def with_list(values: pl.DataFrame, known: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, pl.DataFrame, int]:
    """`values` and `known` (formats.STATIONS) completed by a list of stations, and how many stations it has of them.

    The column of the list that contains most of the station ids, or names, identifies them. Sampling points of EEA
    become stations by their EoI code.
    """
    names = [_word(header) for header in table.headers]
    texts = {key: table.frame[key].cast(pl.String).str.strip_chars() for key in map(str, range(len(names)))}
    wanted = known.select("station_id", by_id=pl.col("station_id").str.replace(r"^[A-Z]{2}/", ""), by_name="name")
    best, by = max(
        ((key, by) for key in texts for by in ("by_id", "by_name")),
        key=lambda pair: wanted[pair[1]].is_in(texts[pair[0]].drop_nulls().implode()).sum(),
    )
    listed = stations(
        texts[best],
        name=_pick(texts, names, _NAMES),
        latitude=_numbers(_pick(texts, names, _LATITUDES), table),
        longitude=_numbers(_pick(texts, names, _LONGITUDES), table),
        timezone=_zones(_pick(texts, names, _ZONES)),
    )
    found = wanted.join(listed, left_on=by, right_on="station_id", how="inner")
    joined = known.join(found.select(STATIONS.names()), on="station_id", how="left", suffix="_listed")
    known = joined.select(
        "station_id", *(pl.coalesce(f"{key}_listed", key).alias(key) for key in STATIONS if key != "station_id")
    )
    if _EOI_CODE in names and names[int(best)] != _EOI_CODE:
        codes = (
            pl.DataFrame({"point": texts[best], "code": texts[str(names.index(_EOI_CODE))]})
            .drop_nulls()
            .unique("point")
        )
        ids = wanted.join(codes, left_on="by_id", right_on="point", how="inner").select("station_id", "code")
        values, known = _renamed(values, ids), _renamed(known, ids).unique("station_id", maintain_order=True)
    return values, known, found.height


def _renamed(frame: pl.DataFrame, ids: pl.DataFrame) -> pl.DataFrame:
    joined = frame.join(ids, on="station_id", how="left", maintain_order="left")
    return joined.with_columns(station_id=pl.coalesce("code", "station_id")).drop("code")


def _word(header: str) -> str:
    """compact() drops all but Latin letters."""
    return compact(header) or header.strip()


def _pick(texts: dict[str, pl.Series], names: list[str], wanted: tuple[str, ...]) -> pl.Series | None:
    return next((texts[str(names.index(name))] for name in wanted if name in names), None)


def _numbers(texts: pl.Series | None, table: Table) -> pl.Series | None:
    return None if texts is None else to_numbers(texts, decimal_comma=table.decimal_comma)


def _zones(texts: pl.Series | None) -> pl.Series | None:
    if texts is None:
        return None
    return pl.select(pl.when(texts.is_in(sorted(available_timezones()))).then(texts)).to_series()
