"""FMI's SILAM forecast by WFS: time-value pairs, one series per parameter, exceptions as XML."""

from datetime import datetime, timedelta

from servers.base import Altered, ReceivedRequest, Reply
from servers.fmi import FmiServer

QUERY = "fmi::forecast::silam::airquality::surface::point::timevaluepair"
OUT_AFTER = timedelta(hours=7)
LENGTH = timedelta(hours=96)
LEVELS = {
    "PM25Concentration": 5.0,
    "PM10Concentration": 9.0,
    "NO2Concentration": 12.0,
    "O3Concentration": 60.0,
    "SO2Concentration": 1.0,
}


def exception(text: str, *, status: int = 400) -> Reply:
    body = f"""<?xml version="1.0" encoding="UTF-8"?>
<ExceptionReport xmlns="http://www.opengis.net/ows/1.1" version="2.0.0" xml:lang="eng">
  <Exception exceptionCode="OperationParsingFailed"><ExceptionText>{text}</ExceptionText></Exception>
</ExceptionReport>"""
    return Reply.of_text(body, status=status, kind="text/xml")


def with_nan() -> Altered:
    """The first value is missing."""
    return Altered(lambda body: body.replace(b"<wml2:value>5.0<", b"<wml2:value>NaN<", 1))


def level(parameter: str, at: datetime) -> float:
    return LEVELS[parameter] + at.hour


def issue_at(now: datetime) -> datetime:
    return (now - OUT_AFTER).replace(hour=0, minute=0, second=0, microsecond=0)


def forecast(request: ReceivedRequest, now: datetime) -> Reply:
    """Once a day at 00 UTC a run of four days, out at seven; answers from the requested start."""
    issued_at = issue_at(now)
    start, end = (datetime.fromisoformat(request.params[name]) for name in ("starttime", "endtime"))
    first, last = max(start, issued_at), min(end, issued_at + LENGTH)
    hours = [first + timedelta(hours=hour) for hour in range(int((last - first).total_seconds() // 3600) + 1)]
    members = "".join(_series(name, hours, issued_at) for name in request.params["parameters"].split(","))
    return Reply.of_text(
        f"""<?xml version="1.0" encoding="UTF-8"?>
<wfs:FeatureCollection xmlns:wfs="http://www.opengis.net/wfs/2.0" xmlns:om="http://www.opengis.net/om/2.0"
  xmlns:omso="http://inspire.ec.europa.eu/schemas/omso/3.0" xmlns:gml="http://www.opengis.net/gml/3.2"
  xmlns:wml2="http://www.opengis.net/waterml/2.0" xmlns:xlink="http://www.w3.org/1999/xlink">{members}
</wfs:FeatureCollection>""",
        kind="text/xml",
    )


def _series(parameter: str, hours: list[datetime], issued_at: datetime) -> str:
    points = "".join(
        f"<wml2:point><wml2:MeasurementTVP><wml2:time>{at:%Y-%m-%dT%H:%M:%SZ}</wml2:time>"
        f"<wml2:value>{level(parameter, at):.1f}</wml2:value></wml2:MeasurementTVP></wml2:point>"
        for at in hours
    )
    return f"""
<wfs:member><omso:PointTimeSeriesObservation gml:id="series-{parameter}">
  <om:phenomenonTime><gml:TimePeriod gml:id="period-{parameter}"/></om:phenomenonTime>
  <om:resultTime><gml:TimeInstant gml:id="issued-{parameter}">
    <gml:timePosition>{issued_at:%Y-%m-%dT%H:%M:%SZ}</gml:timePosition></gml:TimeInstant></om:resultTime>
  <om:observedProperty
    xlink:href="https://opendata.fmi.fi/meta?observableProperty=forecast&amp;param={parameter}&amp;language=eng"/>
  <om:result><wml2:MeasurementTimeseries gml:id="mts-{parameter}">{points}</wml2:MeasurementTimeseries></om:result>
</omso:PointTimeSeriesObservation></wfs:member>"""


class SilamServer(FmiServer):
    """FMI's one address: observations, and SILAM by its own stored query."""

    def feature(self, request: ReceivedRequest) -> Reply:
        return (
            forecast(request, self.now) if request.params.get("storedquery_id") == QUERY else super().feature(request)
        )
