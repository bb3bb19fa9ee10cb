from pathlib import Path

import dashboard_store
import pytest
import small_store
from streamlit.testing.v1 import AppTest
from streamlit.util import calc_hash

import hazecast.dashboard
from hazecast.air.tables import Forecasts, Observations, Stations
from hazecast.keys import add_key
from hazecast.steps.ongoing import Ongoing
from hazecast.store import Store

DEFAULTS = {"lang": "en", "index": "eu-eaqi"}
PAGE = Path(hazecast.dashboard.__file__).with_name("app.py")


@pytest.fixture
def open_page(monkeypatch):
    def open_at(url, screen="forecast", **query):
        monkeypatch.setenv("HAZECAST_API_URL", url)
        page = AppTest.from_file(str(PAGE), default_timeout=60)
        for name, value in query.items():
            page.query_params[name] = value
        if screen != "now":  # AppTest cannot switch to pages that are functions
            page._page_hash = calc_hash(screen)
        page.run()
        assert not page.exception
        return page

    return open_at


def page_text(page):
    kinds = (page.header, page.title, page.caption, page.info, page.warning, page.error, page.markdown)
    return "\n".join(element.value for kind in kinds for element in kind)


def list_named(page, key):
    return next(one for one in page.selectbox if one.key == key)


def buttons_named(page, key):
    return next(one for one in page.get("button_group") if one.key == key)


def test_page_of_an_api_that_requires_a_key(open_page, serve, filled_store, tmp_path, monkeypatch):
    key = add_key(tmp_path / "keys.json", "dashboard", scopes=["read"], per_minute=600)
    with serve(filled_store, keys_file=tmp_path / "keys.json") as url:
        assert "Unauthorized" in page_text(open_page(url, station=small_store.HARBOUR))
        monkeypatch.setenv("HAZECAST_API_KEY", key)
        assert open_page(url, station=small_store.HARBOUR).title[0].value == "Simulated Harbour"


def test_page_of_a_simulated_station(open_page, serve, filled_store):
    with serve(filled_store) as url:
        page = open_page(url, station=small_store.HARBOUR, pollutant="no2")
    assert page.title[0].value == "Simulated Harbour"
    assert [info.value.split(".")[0] for info in page.info] == ["**SIMULATED", "**REPLAYED CLOCK"]
    assert not page.warning
    assert [metric.label for metric in page.metric] == [
        "Latest observation",
        "Highest hour, next 24 h",
        "Probability above 25 µg/m³, tomorrow",
        "Probability above 200 µg/m³, tomorrow",
    ]
    assert page.metric[0].value == "24.9 µg/m³"
    assert page.metric[0].delta == "Sun 11:00–12:00, 30 min ago"
    assert page.metric[3].value == "< 1 %"
    assert "EU 2030 limit, 1 h \\(200 µg/m³\\) is above the range of this chart" in page_text(page)
    assert "Simulated; not real" in page_text(page)


def test_a_running_training_is_shown_with_its_progress(open_page, serve, filled_store):
    training = Ongoing("train", "trees for leads 1-6 h", 0.52, small_store.NOW, small_store.NOW)
    with serve(filled_store, training=lambda: training) as url:
        assert "fitting, 52% done" in page_text(open_page(url)).replace("\\", "")
        assert "sovitus, 52%" in page_text(open_page(url, lang="fi")).replace("\\", "")


def test_selections_are_kept_in_the_address(open_page, serve, filled_store):
    with serve(filled_store) as url:
        page = open_page(url)
        assert page.query_params == {**DEFAULTS, "station": small_store.DONGSI, "pollutant": "pm25"}
        list_named(page, "station").select(small_store.HARBOUR).run()
        buttons_named(page, "pollutant").set_value("no2").run()
        assert page.query_params == {**DEFAULTS, "station": small_store.HARBOUR, "pollutant": "no2"}
        assert not page.exception
        list_named(page, "station").select(small_store.DONGSI).run()
    assert not page.exception
    assert page.query_params == {**DEFAULTS, "station": small_store.DONGSI, "pollutant": "pm25"}


def test_unknown_values_in_the_address_fall_back_to_defaults(open_page, serve, filled_store):
    with serve(filled_store) as url:
        page = open_page(url, station="nowhere", pollutant="co")
    assert page.title[0].value == "Dongsi"


def test_accuracy_of_the_model(open_page, serve, filled_store):
    with serve(filled_store) as url:
        scored = page_text(open_page(url, station=small_store.DONGSI, pollutant="pm25"))
        unscored = page_text(open_page(url, station=small_store.HARBOUR, pollutant="no2"))
    assert "mean absolute error 4\\.2 µg/m³" in scored
    assert "39 % lower than the seasonal naive forecast" in scored
    assert "the 80 % interval covered 79 % of the observations" in scored
    assert "no scores of this model" in unscored


@pytest.mark.parametrize("status", ["degraded", "baseline"])
def test_the_status_of_the_forecast_is_a_warning(open_page, serve, tmp_path, status):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    store.append(Forecasts, small_store.forecast(small_store.DONGSI, "pm25", status=status))
    with serve(store, clock_replayed=False) as url:
        page = open_page(url)
    assert page.warning[0].value.startswith(f"**{status.upper()}.**")
    assert not page.info
    assert page.metric[0].value == "–"


def test_a_stale_forecast_is_a_warning(open_page, serve, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    old = small_store.ISSUED - 100 * small_store.HOUR
    store.append(Forecasts, small_store.forecast(small_store.DONGSI, "pm25", issued_at=old))
    with serve(store) as url:
        page = open_page(url)
    assert page.warning[0].value.startswith("**STALE.** The newest forecast was issued 4 days ago")
    assert page.metric[1].value == "–"


def test_observations_are_shown_before_the_first_forecast(open_page, serve, tmp_path):
    store = Store(str(tmp_path))
    store.upsert(Stations, small_store.stations())
    store.upsert(Observations, small_store.observations(small_store.DONGSI, "pm25"))
    with serve(store) as url:
        page = open_page(url)
    assert "**No forecast yet.**" in page_text(page) and "hazecast forecast" in page_text(page)
    assert page.metric[0].value == "11.6 µg/m³"


def test_an_empty_installation_names_the_command_that_fills_it(open_page, serve, tmp_path, filled_store):
    with serve(Store(str(tmp_path))) as url:
        assert "hazecast collect" in page_text(open_page(url))
    with serve(filled_store) as url:
        page = open_page(url)
        list_named(page, "station").select(small_store.EMPTY).run()
        assert "hazecast collect" in page_text(page)
        assert page.query_params["station"] == small_store.EMPTY


def test_without_the_api_the_page_shows_its_address_and_a_remedy(open_page, serve, filled_store, unused_port):
    url = f"http://127.0.0.1:{unused_port}"
    page = open_page(url)
    assert url in page.error[0].value
    assert "HAZECAST_API_URL" in page_text(page)
    with serve(filled_store):
        page.button[0].click().run()
    assert not page.error
    assert page.title[0].value == "Dongsi"
    assert "Rajapinta ei vastaa" in open_page(url, lang="fi").error[0].value


def test_an_error_of_the_api_is_shown(open_page, serve, tmp_path):
    small_store.fill(tmp_path)
    for log in (tmp_path / "forecasts" / "_delta_log").glob("*.json"):
        log.write_text("damaged")
    with serve(Store(str(tmp_path))) as url:
        page = open_page(url)
    assert "Store unavailable" in page.error[0].value


@pytest.fixture(scope="module")
def town(tmp_path_factory):
    return dashboard_store.fill(tmp_path_factory.mktemp("town"))


def test_now_shows_today_and_tomorrow_with_advice(open_page, serve, town):
    with serve(town) as url:
        page = open_page(url, "now", station=small_store.HARBOUR, index="fi-hsy", lang="fi")
    cards = [html.proto.body for html in page.get("html")]
    assert [("Tänään" in card, "Huomenna" in card) for card in cards] == [(True, False), (False, True)]
    assert all("Tyydyttävä" in card or "Hyvä" in card for card in cards)
    assert "Herkät ryhmät" in page_text(page) and "SIMULOITU" in page_text(page)
    table = page.dataframe[0].value
    assert list(table["Asema"])[:2] == ["Dongsi", "Simulated Harbour"]


def test_drivers_are_shown_for_the_hours_ahead(open_page, serve, town):
    with serve(town) as url:
        drivers = page_text(open_page(url, station=small_store.HARBOUR, pollutant="pm25"))
        without = page_text(open_page(url, station=small_store.HARBOUR, pollutant="no2"))
    rows = [line for line in drivers.splitlines() if line.startswith("|")]
    assert rows[0] == "| Hour | Last 24 h here | Nearby stations | Weather ahead |"
    assert rows[2:] == [  # the first of four hours is past
        "| Sun 23:00 | ▲ +2.4 µg/m³ | ± 0 µg/m³ | ▼ −1.5 µg/m³ |",
        "| Mon 20:00 | ▲ +2.4 µg/m³ | ± 0 µg/m³ | ▼ −3.6 µg/m³ |",
        "| Tue 20:00 | ▲ +2.4 µg/m³ | ± 0 µg/m³ | ▼ −6.0 µg/m³ |",
    ]
    assert "not the causes of the pollution" in drivers
    assert "Drivers of this forecast" not in without


@pytest.mark.parametrize("address", ["verification", "trust"])  # `trust`: the former address
def test_verification_shows_scores_and_a_past_forecast(open_page, serve, town, address):
    with serve(town) as url:
        page = open_page(url, address, station=small_store.HARBOUR, pollutant="pm25")
        assert page.title[0].value == "Verification"
        assert [metric.label for metric in page.metric] == [f"Coverage of the {p} % interval" for p in (50, 80, 90)]
        assert list(page.dataframe[0].value["Lead time [h]"]) == ["1-6", "7-24", "25-48", "49-72"]
        assert list_named(page, "issue").value == "2026-03-26T06:00:00Z"  # its last hour is over
        empty = open_page(url, address, station=small_store.HARBOUR, pollutant="no2")
    assert "hazecast verify" in page_text(empty)


def test_data_lists_the_sensor_with_a_warning(open_page, serve, town):
    with serve(town) as url:
        page = open_page(url, "data", station=small_store.HARBOUR)
    hours, series, sensors = (frame.value for frame in page.dataframe)
    assert set(hours["Flag"]) == {"ok", "suspicious", "invalid", "missing"}
    assert list(series["Pollutant"]) == ["pm25", "pm25"]
    assert list(sensors["Subject"]) == ["sim/harbour no2"]


def test_operations_shows_registry_checks_and_links(open_page, serve, town, monkeypatch):
    monkeypatch.setenv("HAZECAST_MLFLOW_PAGE", "http://mlflow.example")
    with serve(town) as url:
        page = open_page(url, "operations", lang="sv")
    assert "utan modellregister" in page_text(page) and "1 av 4 kontroller" in page_text(page)
    assert [link.proto.url for link in page.get("link_button")] == ["http://mlflow.example"]
