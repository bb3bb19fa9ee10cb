"""FMI's download service as documented: WFS stored queries, exceptions as XML, hours labelled by their end."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from math import cos, isnan, nan, pi

from servers.base import ContractServer, ReceivedRequest, Reply

HOUR = timedelta(hours=1)
LONGEST = timedelta(hours=168)
NAMESPACES = """xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:gml="http://www.opengis.net/gml/3.2"
  xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:om="http://www.opengis.net/om/2.0"
  xmlns:omso="http://inspire.ec.europa.eu/schemas/omso/3.0" xmlns:swe="http://www.opengis.net/swe/2.0"
  xmlns:gmlcov="http://www.opengis.net/gmlcov/1.0" xmlns:ef="http://inspire.ec.europa.eu/schemas/ef/4.0"
  xmlns:sam="http://www.opengis.net/sampling/2.0" xmlns:sams="http://www.opengis.net/samplingSpatial/2.0"
  xmlns:target="http://xml.fmi.fi/namespace/om/atmosphericfeatures/1.1\""""
NAME_SPACE = "http://xml.fmi.fi/namespace/locationcode/name"

# fmisid: name, latitude, longitude, what it measures
AIR_STATIONS = {
    "100662": ("Helsinki Kallio 2", 60.18739, 24.95060, ("PM10", "PM25", "NO2", "O3", "SO2")),
    "100742": ("Helsinki Mannerheimintie", 60.16964, 24.93924, ("PM10", "PM25", "NO2", "CO")),
    "103097": ("Kuopio Kasarmipuisto", 62.88871, 27.66946, ("PM10", "NO2")),
}
WEATHER_STATIONS = {
    "100971": ("Helsinki Kaisaniemi", 60.17523, 24.94459),
    "101570": ("Kuopio Savilahti", 62.89228, 27.63489),
}
AIR_FIELDS = ("SO2", "NO", "NO2", "O3", "TRSC", "CO", "PM10", "PM25", "QBCPM25")
WEATHER_FIELDS = ("TA_PT1H_AVG", "RH_PT1H_AVG", "WS_PT1H_AVG", "WD_PT1H_AVG", "PRA_PT1H_ACC", "PA_PT1H_AVG")
_LEVELS = {"SO2": 1.5, "NO2": 18.0, "O3": 52.0, "CO": 210.0, "PM10": 14.0, "PM25": 6.5}


def air_truth(fmisid: str, name: str, start: datetime) -> float:
    """The mean [µg/m³] over the hour that starts then; NaN where it is not measured."""
    if name not in AIR_STATIONS[fmisid][3]:
        return nan
    daily = 1 + 0.3 * cos(2 * pi * (start.hour - 8) / 24)
    return round(_LEVELS[name] * daily + int(fmisid) % 7 / 10 + start.timetuple().tm_yday % 10 / 10, 1)


def weather_truth(fmisid: str, name: str, start: datetime) -> float:
    number = WEATHER_FIELDS.index(name)
    return round((number + 1) * 10 + start.hour / 10 + int(fmisid) % 5, 1)


class FmiServer(ContractServer):
    """Publishes every hour that has ended by `now`; `revised` values replace the truth."""

    def __init__(self, *, now: datetime) -> None:
        super().__init__()
        self.now = now
        self.revised: dict[tuple[str, str, datetime], float] = {}
        self.route("/wfs", self.feature)

    @property
    def base_url(self) -> str:
        return f"{self.url}/wfs"

    def feature(self, request: ReceivedRequest) -> Reply:
        query = request.params.get("storedquery_id")
        if query == "fmi::ef::stations":
            return self.stations(request)
        if query == "urban::observations::airquality::hourly::multipointcoverage":
            places = {fmisid: AIR_STATIONS[fmisid][:3] for fmisid in request.every["fmisid"] if fmisid in AIR_STATIONS}
            return self.coverage(request, places, [f"{name}_PT1H_avg" for name in AIR_FIELDS], self.air)
        if query == "fmi::observations::weather::hourly::multipointcoverage":
            places = {
                fmisid: WEATHER_STATIONS[fmisid] for fmisid in request.every["fmisid"] if fmisid in WEATHER_STATIONS
            }
            return self.coverage(request, places, WEATHER_FIELDS, weather_truth)
        return exception("OperationParsingFailed", f"No handlers for stored query '{query}' found!")

    def air(self, fmisid: str, field: str, start: datetime) -> float:
        name = field.removesuffix("_PT1H_avg")
        return self.revised.get((fmisid, name, start), air_truth(fmisid, name, start))

    def stations(self, request: ReceivedRequest) -> Reply:
        network = {"151": AIR_STATIONS, "121": WEATHER_STATIONS}[request.params["networkid"]]
        members = [
            f"""<wfs:member><ef:EnvironmentalMonitoringFacility gml:id="WFS-{fmisid}">
            <gml:identifier codeSpace="http://xml.fmi.fi/namespace/stationcode/fmisid">{fmisid}</gml:identifier>
            <gml:name codeSpace="{NAME_SPACE}">{place[0]}</gml:name>
            <gml:name codeSpace="http://xml.fmi.fi/namespace/locationcode/geoid">-{fmisid}</gml:name>
            <ef:name>{place[0]}</ef:name>
            <ef:representativePoint><gml:Point gml:id="point-{fmisid}" srsDimension="2">
            <gml:pos>{place[1]:.6f} {place[2]:.6f}</gml:pos></gml:Point></ef:representativePoint>
            </ef:EnvironmentalMonitoringFacility></wfs:member>"""
            for fmisid, place in network.items()
        ]
        return collection(members)

    def coverage(
        self,
        request: ReceivedRequest,
        places: dict[str, tuple[str, float, float]],
        fields: Sequence[str],
        truth: Callable[[str, str, datetime], float],
    ) -> Reply:
        first, last = (datetime.fromisoformat(request.params[name]) for name in ("starttime", "endtime"))
        if last - first > LONGEST:
            return exception(
                "OperationProcessingFailed",
                "Too long time interval requested!",
                "No more than 168.000000 hours allowed.",
            )
        if request.params["timestep"] != "60" or not places:
            return collection([])
        hours = [first + HOUR * number for number in range((last - first) // HOUR + 1)]
        labels = [label for label in hours if label <= self.now.replace(minute=0, second=0, microsecond=0)]
        if not labels:
            return collection([])
        rows = [(fmisid, label) for fmisid in places for label in labels]
        positions = [f"{places[f][1]:.5f} {places[f][2]:.5f}  {int(label.timestamp())}" for f, label in rows]
        values = [" ".join(written(truth(f, field, label - HOUR)) for field in fields) for f, label in rows]
        return collection([grid(places, positions, values, fields)])


def written(value: float) -> str:
    return "NaN" if isnan(value) else f"{value:.1f}"


def grid(
    places: dict[str, tuple[str, float, float]], positions: list[str], values: list[str], fields: Sequence[str]
) -> str:
    points = "".join(
        f"""<gml:pointMember><gml:Point gml:id="point-{fmisid}" srsDimension="2"
        srsName="http://www.opengis.net/def/crs/EPSG/0/4258"><gml:name>{name}</gml:name>
        <gml:pos>{latitude:.5f} {longitude:.5f} </gml:pos></gml:Point></gml:pointMember>"""
        for fmisid, (name, latitude, longitude) in places.items()
    )
    described = "".join(f'<swe:field name="{field}" xlink:href="https://opendata.fmi.fi/meta"/>' for field in fields)
    break_ = "\n                "
    return f"""<wfs:member><omso:GridSeriesObservation gml:id="WFS-1">
      <om:featureOfInterest><sams:SF_SpatialSamplingFeature gml:id="sampling-feature-1"><sams:shape>
        <gml:MultiPoint gml:id="mp-1">{points}</gml:MultiPoint>
      </sams:shape></sams:SF_SpatialSamplingFeature></om:featureOfInterest>
      <om:result><gmlcov:MultiPointCoverage gml:id="mpcv-1">
        <gml:domainSet><gmlcov:SimpleMultiPoint gml:id="mp1-1"><gmlcov:positions>
                {break_.join(positions)}
        </gmlcov:positions></gmlcov:SimpleMultiPoint></gml:domainSet>
        <gml:rangeSet><gml:DataBlock><gml:rangeParameters/><gml:doubleOrNilReasonTupleList>
                {break_.join(values)}
        </gml:doubleOrNilReasonTupleList></gml:DataBlock></gml:rangeSet>
        <gmlcov:rangeType><swe:DataRecord>{described}</swe:DataRecord></gmlcov:rangeType>
      </gmlcov:MultiPointCoverage></om:result>
    </omso:GridSeriesObservation></wfs:member>"""


def collection(members: list[str]) -> Reply:
    count, inside = len(members), "\n".join(members)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<wfs:FeatureCollection timeStamp="2026-03-01T12:00:00Z" numberMatched="{count}" numberReturned="{count}" {NAMESPACES}>
{inside}
</wfs:FeatureCollection>"""
    return Reply.of_text(text, kind="text/xml")


def exception(code: str, *texts: str, status: int = 400) -> Reply:
    exceptions = "".join(f"<ExceptionText>{text}</ExceptionText>" for text in texts)
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<ExceptionReport xmlns="http://www.opengis.net/ows/1.1" version="2.0.0" xml:lang="eng">
  <Exception exceptionCode="{code}">{exceptions}</Exception>
</ExceptionReport>"""
    return Reply.of_text(text, status=status, kind="application/xml")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
