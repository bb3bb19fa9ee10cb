"""A bulletin as a message of the Common Alerting Protocol, for the systems of civil protection.

Source: OASIS, Common Alerting Protocol Version 1.2, 1 July 2010.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.bulletin.content import Bulletin
from hazecast.i18n import Language
from hazecast.monitoring import DayExceedance
from hazecast.steps.alert import exceedance_reason, exceedance_summary

NAMESPACE = "urn:oasis:names:tc:emergency:cap:1.2"
_LIKELY = 0.5  # CAP: Likely is a probability above about 50 %, Possible one below it


def as_cap(bulletin: Bulletin, languages: Sequence[Language], *, sender: str) -> str:
    """One CAP 1.2 message with an `info` block per exceedance and language; one "all clear" block without exceedance.

    Simulated and replayed bulletins have the status Test.

    Args:
        bulletin: the bulletin.
        languages: of the blocks.
        sender: globally unique name of the sender, such as an internet domain.
    """
    alert = ET.Element("alert", xmlns=NAMESPACE)
    is_test = bulletin.is_simulated or bulletin.is_replayed
    for name, value in {
        "identifier": f"hazecast-{bulletin.place}-{bulletin.issued_at:%Y%m%dT%H%M}-{bulletin.now:%Y%m%dT%H%M}",
        "sender": sender,
        "sent": _cap_time(bulletin.now),
        "status": "Test" if is_test else "Actual",
        "msgType": "Alert",
        "scope": "Public",
    }.items():
        _add(alert, name, value)
    for language in languages:
        for found in bulletin.exceedances:
            _info(alert, bulletin, found, language)
        if not bulletin.exceedances:
            _all_clear(alert, bulletin, language)
    ET.indent(alert)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(alert, encoding="unicode")}\n'


def _info(alert: ET.Element, bulletin: Bulletin, found: DayExceedance, language: Language) -> None:
    today = bulletin.now.astimezone(ZoneInfo(bulletin.timezone)).date()
    info = _block(
        alert,
        language,
        event=language.translate(found.rule.label),
        response="Prepare",
        urgency="Expected" if found.day == today else "Future",
        severity="Severe" if found.rule.severity == "critical" else "Moderate",
        certainty="Likely" if found.probability > _LIKELY else "Possible",
    )
    zone = ZoneInfo(bulletin.timezone)
    _add(info, "effective", _cap_time(bulletin.now))
    _add(info, "onset", _cap_time(datetime.combine(found.day, time(), zone)))
    _add(info, "expires", _cap_time(datetime.combine((found.until or found.day) + timedelta(days=1), time(), zone)))
    _add(info, "senderName", bulletin.place)
    _add(info, "headline", exceedance_summary(found, language))
    _add(info, "description", exceedance_reason(found, language))
    area = ET.SubElement(info, "area")
    _add(area, "areaDesc", found.station)
    located = bulletin.days.filter(pl.col("station_id") == found.station_id).drop_nulls(["latitude", "longitude"])
    for latitude, longitude in located.select("latitude", "longitude").head(1).iter_rows():
        _add(area, "circle", f"{latitude:.5f},{longitude:.5f} 0")
    code = ET.SubElement(area, "geocode")
    _add(code, "valueName", "station_id")
    _add(code, "value", found.station_id)


def _all_clear(alert: ET.Element, bulletin: Bulletin, language: Language) -> None:
    text = language.t("bulletin.no_warnings")
    info = _block(
        alert,
        language,
        event=language.t("bulletin.event"),
        response="AllClear",
        urgency="Future",
        severity="Minor",
        certainty="Unlikely",
    )
    _add(info, "effective", _cap_time(bulletin.now))
    _add(info, "expires", _cap_time(bulletin.now + timedelta(days=1)))
    _add(info, "senderName", bulletin.place)
    _add(info, "headline", text)
    area = ET.SubElement(info, "area")
    _add(area, "areaDesc", bulletin.place)


def _block(
    alert: ET.Element, language: Language, *, event: str, response: str, urgency: str, severity: str, certainty: str
) -> ET.Element:
    info = ET.SubElement(alert, "info")
    _add(info, "language", language.code)
    _add(info, "category", "Env")
    _add(info, "category", "Health")
    _add(info, "event", event)
    _add(info, "responseType", response)
    _add(info, "urgency", urgency)
    _add(info, "severity", severity)
    _add(info, "certainty", certainty)
    return info


def _add(parent: ET.Element, name: str, text: str) -> None:
    ET.SubElement(parent, name).text = text


def _cap_time(moment: datetime) -> str:
    """UTC to the second with the zone that CAP prescribes: -00:00, never Z."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S}-00:00"
