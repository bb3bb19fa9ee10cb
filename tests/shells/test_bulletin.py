"""Bulletins: the same facts as page, text and CAP message, in three languages, from command and API."""

from datetime import timedelta
from xml.etree import ElementTree as ET

import polars as pl
import pytest
import small_store
from fastapi.testclient import TestClient
from small_store import DONGSI, HARBOUR, ISSUED, NOW

from hazecast.air.tables import DayForecasts, Drivers, Stations
from hazecast.api.app import Options, create_app
from hazecast.bulletin.cap import as_cap
from hazecast.bulletin.content import make_bulletin
from hazecast.bulletin.render import as_html, as_text
from hazecast.errors import NotKnown, TooLittleHistory
from hazecast.i18n import LANGUAGES, read_language
from hazecast.monitoring import Rules
from hazecast.store import Store

DAY = timedelta(days=1)
RULE = {
    "name": "particles",
    "label": "High particle levels",
    "above_ugm3": {"pm25": 5},
    "by": "mean_24h",
    "cost_loss_ratio": 0.4,
}
RULES = Rules.model_validate({"public": [RULE]})
# OASIS CAP 1.2, section 3.2: the order of the elements of `info`.
CAP_INFO = "language category event responseType urgency severity certainty audience eventCode effective onset expires"
CAP_INFO += " senderName headline description instruction web contact parameter resource area"


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Store:
    store = small_store.fill(tmp_path_factory.mktemp("bulletin"))
    series = [(HARBOUR, "pm25"), (HARBOUR, "no2"), (DONGSI, "pm25")]
    earlier = pl.concat([small_store.forecast(*one, issued_at=ISSUED - 2 * DAY) for one in series])
    store.append(DayForecasts, small_store.day_forecasts(store, earlier))
    hour = {"station_id": HARBOUR, "pollutant": "pm25", "issued_at": ISSUED, "valid_at": ISSUED + DAY}
    effects = [hour | {"driver": name, "effect_ugm3": value, "model_version": "7"} for name, value in EFFECTS.items()]
    store.append(Drivers, pl.DataFrame(effects, schema=Drivers.create_empty().schema))
    return store


EFFECTS = {"recent_levels": 3.25, "neighbours": -0.01, "weather_ahead": -4.5}


def bulletin(store: Store, rules: Rules = RULES, **options):
    return make_bulletin(store, rules, place="Harbour & <Town>", now=NOW, **options)


def test_the_text_states_probability_interval_drivers_and_yesterday(store: Store):
    text = as_text(bulletin(store), read_language("en"))
    assert text.startswith("Air quality bulletin for Harbour & <Town>: Mon 30 Mar 2026")
    assert "SIMULATED" in text
    assert "the 24-hour mean is above 5 µg/m³ with a probability of" in text
    assert "2 of 2 stations reach the threshold of 40 %" in text
    lines = text.splitlines()
    station = next(line for line in lines if line.startswith("Simulated Harbour  PM2.5, 24-hour mean"))
    assert station.endswith("(25)") and "(15)" in station
    assert any(line.startswith("PM2.5, 24-hour mean") and "highest station" in line for line in lines)
    assert any(line.split() == ["PM2.5", "Weather", "ahead", "−4.5"] for line in lines)
    assert any(line.split() == ["PM2.5", "Nearby", "stations", "0.0"] for line in lines)
    assert "City of Beijing, CC BY 4.0" in text
    yesterday = lines[lines.index("Yesterday: forecast and result") :]
    (harbour,) = [line for line in yesterday if line.startswith("NO₂, 24-hour mean")]
    assert harbour.split()[3] == "1"


def test_every_limit_stands_beside_the_statistic_it_is_written_for(store: Store):
    days = bulletin(store).days
    assert set(days.select("pollutant", "statistic").rows()) == {
        ("pm25", "mean_24h"),
        ("no2", "mean_24h"),
        ("no2", "max_1h"),
    }
    hourly = days.filter(pl.col("statistic") == "max_1h")
    assert hourly["p_exceed_who"].null_count() == hourly.height
    assert hourly["p_exceed_eu"].null_count() == 0


@pytest.mark.parametrize("code", list(LANGUAGES))
def test_the_page_is_complete_in_every_language_and_escapes_names(store: Store, code: str):
    page = as_html(bulletin(store), read_language(code))
    assert f'<html lang="{code}">' in page
    assert "Harbour &amp; &lt;Town&gt;" in page and "<Town>" not in page
    assert page.count("<table") == 4 and page.count("<circle") == 1
    assert "http" not in page.replace("http://www.w3.org", "")


def test_cap_has_a_block_per_exceedance_and_language_in_the_prescribed_order(store: Store):
    made = bulletin(store)
    message = as_cap(made, [read_language("en"), read_language("fi")], sender="air.example.org")
    space = "{urn:oasis:names:tc:emergency:cap:1.2}"
    alert = ET.fromstring(message)
    names = [part.tag.removeprefix(space) for part in alert]
    assert names == ["identifier", "sender", "sent", "status", "msgType", "scope", *["info"] * 4]
    assert alert.findtext(f"{space}status") == "Test"
    assert alert.findtext(f"{space}sent") == "2026-03-29T09:30:00-00:00"
    for info in alert.iter(f"{space}info"):
        found = [part.tag.removeprefix(space) for part in info]
        assert found == sorted(found, key=CAP_INFO.split().index)
        assert info.findtext(f"{space}certainty") == "Likely"
    areas = {area.findtext(f"{space}geocode/{space}value"): area for area in alert.iter(f"{space}area")}
    assert areas[HARBOUR].findtext(f"{space}circle") == "60.16000,24.95000 0"
    assert areas[DONGSI].find(f"{space}circle") is None
    assert alert.find(f"{space}info").findtext(f"{space}event") == "High particle levels"


def test_without_an_exceedance_the_message_is_all_clear(store: Store):
    calm = bulletin(store, Rules())
    assert "<responseType>AllClear</responseType>" in as_cap(calm, [read_language("sv")], sender="x")
    assert "No rule for public warnings is met." in as_text(calm, read_language("en"))


def test_a_day_beyond_the_forecast_and_an_empty_store_are_refused(store: Store, tmp_path):
    with pytest.raises(NotKnown, match="unknown day '2026-05-01'; known: 2026-03-29, 2026-03-30"):
        bulletin(store, day=(NOW + 33 * DAY).date())
    with pytest.raises(TooLittleHistory, match="hazecast forecast"):
        bulletin(Store(str(tmp_path)))


def test_an_old_forecast_is_called_stale(store: Store):
    assert bulletin(store, stale_after_hours=1).status == "stale"


def test_the_api_serves_all_formats_and_refuses_unknown_words(store: Store, clock):
    options = Options(title="Harbour Town", alert_rules=RULES)
    app = create_app(store=store, clock=clock, clock_replayed=False, options=options)
    client = TestClient(app, raise_server_exceptions=False)
    page = client.get("/api/v1/bulletin")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Air quality bulletin for Harbour Town" in page.text
    assert "Ilmanlaatutiedote" in client.get("/api/v1/bulletin", params={"format": "text", "lang": "fi"}).text
    cap = client.get("/api/v1/bulletin", params={"format": "cap"})
    assert cap.headers["content-type"].startswith("application/cap+xml")
    assert ET.fromstring(cap.content) is not None
    assert client.get("/api/v1/bulletin", params={"lang": "de"}).status_code == 422
    assert client.get("/api/v1/bulletin", params={"day": "2031-01-01"}).status_code == 404


def test_without_day_forecasts_the_api_answers_404_with_the_remedy(make_client, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    response = make_client(store).get("/api/v1/bulletin")
    assert response.status_code == 404
    assert "hazecast forecast" in response.json()["detail"]
