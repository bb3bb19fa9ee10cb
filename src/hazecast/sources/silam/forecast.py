"""SILAM, the dispersion model of the Finnish Meteorological Institute, by its open WFS; Europe, once a day, no key.

Source: stored query fmi::forecast::silam::airquality::surface::point::timevaluepair of opendata.fmi.fi.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.air.tables import Background, conform
from hazecast.errors import SourceRefused
from hazecast.sources.area import EUROPE
from hazecast.sources.http import Budget, HttpClient, MalformedResponse, Request, Response, Service

URL = "https://opendata.fmi.fi/wfs"
QUERY = "fmi::forecast::silam::airquality::surface::point::timevaluepair"
LONGEST = timedelta(hours=120)
# Carbon monoxide is left out: sources disagree whether FMI gives it in µg/m³ or mg/m³.
PARAMETERS = {
    "PM25Concentration": "pm25",
    "PM10Concentration": "pm10",
    "NO2Concentration": "no2",
    "O3Concentration": "o3",
    "SO2Concentration": "so2",
}
_SPACES = {
    "om": "http://www.opengis.net/om/2.0",
    "gml": "http://www.opengis.net/gml/3.2",
    "wml2": "http://www.opengis.net/waterml/2.0",
    "xlink": "http://www.w3.org/1999/xlink",
}
_HREF = f"{{{_SPACES['xlink']}}}href"
_EXCEPTION, _COLLECTION = "ExceptionReport", "FeatureCollection"
_TIME = pl.Datetime("us", "UTC")


@dataclass(frozen=True)
class SilamForecast:
    """The newest SILAM run at stations in Europe, five pollutants, instants averaged to hours.

    Args:
        client: the HTTP client.
        url: the WFS.
    """

    client: HttpClient
    url: str = URL
    name: str = "silam"
    attribution: str = "Background: SILAM, Finnish Meteorological Institute, CC BY 4.0"

    def fetch_background(self, stations: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
        """Background rows of the newest run; empty where no station lies in Europe.

        The service does not publish when a run became available, so `available_at` is `now`, the time of the request.

        Raises:
            SourceUnavailable: not reachable now.
            SourceRefused: the service refuses the query.
        """
        points = stations.drop_nulls(["latitude", "longitude"]).filter(EUROPE.covers())
        frames = [self._at(point, now) for point in points.iter_rows(named=True)]
        return conform(Background, pl.concat([Background.create_empty(), *frames]))

    def _at(self, point: dict[str, object], now: datetime) -> pl.DataFrame:
        since = floor_hour(now)
        params = {
            "service": "WFS",
            "version": "2.0.0",
            "request": "getFeature",
            "storedquery_id": QUERY,
            "latlon": f"{point['latitude']},{point['longitude']}",
            "parameters": ",".join(PARAMETERS),
            "starttime": f"{since:%Y-%m-%dT%H:%M:%SZ}",
            "endtime": f"{since + LONGEST:%Y-%m-%dT%H:%M:%SZ}",
            "timestep": "60",
        }
        instants = self.client.get(_service(), Request(self.url, params), _read)
        rows = _hourly(instants).filter(pl.col("valid_at") >= pl.col("issued_at"), pl.col("issued_at") <= now)
        described = {"station_id": point["station_id"], "source": self.name, "available_at": now.astimezone(UTC)}
        return rows.with_columns(pl.lit(value).alias(name) for name, value in described.items()).select(
            Background.create_empty().columns
        )


def _hourly(instants: pl.DataFrame) -> pl.DataFrame:
    """Means of the hours with a value at both ends."""
    ordered = instants.sort("pollutant", "at")
    series = ["pollutant", "issued_at"]
    mean = (pl.col("value") + pl.col("value").shift(-1).over(series)) / 2
    is_hour = pl.col("at").shift(-1).over(series) - pl.col("at") == HOUR
    whole = ordered.with_columns(concentration_ugm3=mean, is_hour=is_hour).filter("is_hour")
    return whole.rename({"at": "valid_at"}).drop_nulls("concentration_ugm3")


def _read(response: Response) -> pl.DataFrame:
    """One row per parameter and time; a value that is NaN is absent."""
    try:
        root = ElementTree.fromstring(response.body)
    except ElementTree.ParseError as err:
        raise MalformedResponse(f"not XML: {err}") from err
    if root.tag.endswith(_EXCEPTION):
        raise SourceRefused(f"FMI SILAM: {_complaint(root)}; check whether FMI changed its stored query {QUERY}")
    if not root.tag.endswith(_COLLECTION):
        raise MalformedResponse(f"no WFS response but {root.tag}")
    rows = [row for series in root.iterfind(".//{*}PointTimeSeriesObservation") for row in _read_series(series)]
    schema = {"pollutant": pl.String(), "issued_at": _TIME, "at": _TIME, "value": pl.Float64()}
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return frame.filter(pl.col("value").is_not_nan())


def _read_series(series: ElementTree.Element) -> list[tuple[str, datetime, datetime, float]]:
    observed_property = series.find("om:observedProperty", _SPACES)
    issued = series.findtext("om:resultTime/gml:TimeInstant/gml:timePosition", namespaces=_SPACES)
    if observed_property is None or issued is None:
        raise MalformedResponse("a series without parameter or issue time")
    href = observed_property.get(_HREF, "")
    pollutant = next((ours for theirs, ours in PARAMETERS.items() if f"param={theirs}" in href), None)
    if pollutant is None:
        return []
    points = series.iterfind(".//wml2:MeasurementTVP", _SPACES)
    pairs = [(p.findtext("wml2:time", "", _SPACES), p.findtext("wml2:value", "", _SPACES)) for p in points]
    try:
        issued_at = datetime.fromisoformat(issued)
        return [(pollutant, issued_at, datetime.fromisoformat(at), float(value)) for at, value in pairs]
    except ValueError as err:
        raise MalformedResponse(f"neither time nor number: {err}") from err


def _complaint(root: ElementTree.Element) -> str:
    texts = [text for element in root.iterfind(".//{*}ExceptionText") if (text := (element.text or "").strip())]
    return texts[0] if texts else "an exception without a text"


def _reason(response: Response) -> str:
    """WFS answers errors as an exception document, also with HTTP 400."""
    try:
        return _complaint(ElementTree.fromstring(response.body))
    except ElementTree.ParseError:
        return response.beginning


def _service() -> Service:
    return Service(
        name="FMI SILAM",
        budgets=(Budget(600, 300), Budget(20_000, 86_400)),
        reason=_reason,
        remedy="check the address HAZECAST_FMI_URL",
    )
