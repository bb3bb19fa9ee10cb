"""Parsers for FMI's download service (WFS 2.0): exceptions, stations, and tables as `multipointcoverage`.

A coverage is three lists: stations as points, rows of (latitude, longitude, unix time), and as many rows of values.
Rows identify their station by its coordinates only.
"""

from dataclasses import dataclass
from xml.etree import ElementTree

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hazecast.errors import SourceRefused
from hazecast.sources.http import Budget, MalformedResponse, Response, Service

_OWS, _WFS = "{http://www.opengis.net/ows/1.1}", "{http://www.opengis.net/wfs/2.0}"
_GML, _GMLCOV = "{http://www.opengis.net/gml/3.2}", "{http://www.opengis.net/gmlcov/1.0}"
_SWE, _EF = "{http://www.opengis.net/swe/2.0}", "{http://inspire.ec.europa.eu/schemas/ef/4.0}"
_POINT = "point-"
_DECIMALS = 5  # of the service's coordinates: about a metre


NO_ROWS = pl.DataFrame(schema={"station_id": pl.String, "labelled_at": pl.Datetime("us", "UTC")})


@dataclass(frozen=True)
class FmiStation:
    """A station of the registry: fmisid, name, coordinates [degrees, WGS84]."""

    fmisid: str
    name: str
    latitude: float
    longitude: float


def exception_text(response: Response) -> str:
    """Text of an exception document, else the first words of the response."""
    try:
        words = [text.text or "" for text in ElementTree.fromstring(response.body).iter(f"{_OWS}ExceptionText")]
    except ElementTree.ParseError:
        words = []
    return " ".join(" ".join(words).split()) or response.beginning


FMI = Service(
    name="fmi",
    budgets=(Budget(600, 300), Budget(20_000, 86_400)),
    reason=exception_text,
    remedy="check the area and the address HAZECAST_FMI_URL",
)


def read_stations(response: Response) -> list[FmiStation]:
    """The stations of a response to `fmi::ef::stations`; some of the registry have no position and are left out.

    Raises:
        MalformedResponse: not a complete WFS document.
        SourceRefused: an exception document.
    """
    facilities = _document(response).iter(f"{_EF}EnvironmentalMonitoringFacility")
    return [_station(facility) for facility in facilities if facility.findtext(f".//{_GML}pos")]


def read_coverage(response: Response) -> pl.DataFrame:
    """Rows of a coverage: station_id (fmisid), labelled_at (UTC) and one column per parameter, missing values null.

    Raises:
        MalformedResponse: not a complete WFS document, or its lists differ in length.
        SourceRefused: an exception document.
    """
    members = _document(response).findall(f"{_WFS}member")
    return pl.concat([NO_ROWS, *map(_table, members)], how="diagonal")


def _document(response: Response) -> ElementTree.Element:
    try:
        root = ElementTree.fromstring(response.body)
    except ElementTree.ParseError as err:
        raise MalformedResponse(f"not complete XML ({err})") from err
    if root.tag == f"{_OWS}ExceptionReport":
        raise SourceRefused(f"fmi: exception in place of data: {exception_text(response)}; {FMI.remedy}")
    if root.tag != f"{_WFS}FeatureCollection":
        raise MalformedResponse(f"no WFS response but {root.tag}")
    return root


def _station(facility: ElementTree.Element) -> FmiStation:
    fmisid = facility.findtext(f"{_GML}identifier")
    named = [name.text for name in facility.iter(f"{_GML}name") if name.get("codeSpace", "").endswith("code/name")]
    if not fmisid:
        raise MalformedResponse("a station without an id")
    latitude, longitude = _numbers(facility.findtext(f".//{_GML}pos"), columns=2)[0]
    return FmiStation(fmisid.strip(), (named[0] if named else None) or fmisid, float(latitude), float(longitude))


def _table(member: ElementTree.Element) -> pl.DataFrame:
    fields = [field.get("name", "") for field in member.iter(f"{_SWE}field")]
    positions = _numbers(member.findtext(f".//{_GMLCOV}positions"), columns=3)
    values = _numbers(member.findtext(f".//{_GML}doubleOrNilReasonTupleList"), columns=len(fields))
    if len(positions) != len(values):
        raise MalformedResponse(f"{len(positions)} positions but {len(values)} rows of values")
    stations = _stations_by_place(member)
    try:
        station_ids = [stations[_place(latitude, longitude)] for latitude, longitude, _ in positions]
    except KeyError as err:
        raise MalformedResponse(f"no station at {err}") from err
    columns = {name: pl.Series(values[:, number], nan_to_null=True) for number, name in enumerate(fields)}
    labels = pl.Series(positions[:, 2] * 1_000_000).cast(pl.Int64).cast(pl.Datetime("us", "UTC"))
    return pl.DataFrame({"station_id": pl.Series(station_ids, dtype=pl.String), "labelled_at": labels, **columns})


def _stations_by_place(member: ElementTree.Element) -> dict[tuple[float, float], str]:
    places = {}
    for point in member.iter(f"{_GML}Point"):
        latitude, longitude = _numbers(point.findtext(f"{_GML}pos"), columns=2)[0]
        places[_place(latitude, longitude)] = point.get(f"{_GML}id", "").removeprefix(_POINT)
    return places


def _place(latitude: float, longitude: float) -> tuple[float, float]:
    return round(float(latitude), _DECIMALS), round(float(longitude), _DECIMALS)


def _numbers(text: str | None, *, columns: int) -> NDArray[np.float64]:
    """The numbers in `text` as rows of `columns`; "NaN" is a number too."""
    written = (text or "").split()
    if not columns or len(written) % columns:
        raise MalformedResponse(f"{len(written)} numbers do not fill rows of {columns}")
    try:
        return np.array(written, dtype=np.float64).reshape(-1, columns)
    except ValueError as err:
        raise MalformedResponse(f"a list of numbers is not one: {err}") from err
