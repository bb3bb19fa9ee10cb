"""Settings: working defaults, typed, secrets hidden, wrong values named with their variable."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from hazecast.air.spec import ForecastSpec
from hazecast.errors import SettingsError
from hazecast.places import SHIPPED
from hazecast.settings import Settings, load_settings, variable_of
from hazecast.wiring import Wiring


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    for name in Settings.model_fields:
        monkeypatch.delenv(variable_of(name), raising=False)
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.chdir(tmp_path)


def test_defaults_need_no_environment():
    settings = load_settings()
    assert settings.source == "auto"
    assert settings.tables_root.endswith(".hazecast/tables/simulated")
    assert settings.storage_options == {}


def test_the_clock_can_be_replayed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_NOW", "2016-06-01T08:00+08:00")
    assert load_settings().clock() == datetime(2016, 6, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("variable", "value", "named"),
    [
        ("HAZECAST_NOW", "2016-06-01T00:00", r"HAZECAST_NOW.*no time zone"),
        ("HAZECAST_API_PORT", "99999", "HAZECAST_API_PORT"),
        ("HAZECAST_HORIZON_HOURS", "60", r"HAZECAST_HORIZON_HOURS.*choose one of 48, 72, 96, 120"),
        ("HAZECAST_SOURCE", "files", "HAZECAST_DATA"),
        ("USE_S3", "true", "HAZECAST_S3_URI"),
    ],
)
def test_a_wrong_value_is_named_with_its_variable(
    variable: str, value: str, named: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=named):
        load_settings()


def test_options_win_over_the_environment_and_none_does_not(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HAZECAST_API_PORT", "9000")
    assert load_settings(api_port=None).api_port == 9000
    assert load_settings(api_port=9001).api_port == 9001


def test_s3_settings_reach_the_store_but_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch):
    for variable, value in {
        "USE_S3": "true",
        "HAZECAST_S3_URI": "s3://air/prod",
        "AWS_DEFAULT_REGION": "eu-north-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "top-secret",
    }.items():
        monkeypatch.setenv(variable, value)
    settings = load_settings()
    assert settings.tables_root == "s3://air/prod/simulated"
    assert settings.storage_options["AWS_REGION"] == "eu-north-1"
    assert settings.storage_options["AWS_SECRET_ACCESS_KEY"] == "top-secret"
    assert "top-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("setting", "horizon_hours"), [({}, 96), ({"horizon_hours": 48}, 48), ({"horizon_hours": ""}, 96)]
)
def test_the_horizon_is_the_places_unless_it_is_set(setting: dict[str, object], horizon_hours: int, tmp_path: Path):
    shipped = (SHIPPED / "delhi.yaml").read_text().replace("place: delhi", "place: mine")
    (tmp_path / "mine.yaml").write_text(f"{shipped}horizon_hours: 96\n")
    wiring = Wiring(Settings(home=tmp_path, config=tmp_path, place="mine", **setting))
    assert wiring.spec == ForecastSpec(horizon_hours)
    assert Wiring(Settings(home=tmp_path)).spec == ForecastSpec(72)


@pytest.mark.parametrize(
    ("host", "keys", "is_open"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("0.0.0.0", None, True),
        ("::", None, True),
        ("192.168.1.20", None, True),
        ("0.0.0.0", Path("keys.json"), False),
    ],
)
def test_an_api_on_the_network_without_keys_is_open_to_all(host: str, keys: Path | None, is_open: bool):
    assert Settings(host=host, api_keys=keys).is_open_to_all is is_open


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:4200/api"), ("::", "http://[::1]:4200/api"), ("::1", "http://[::1]:4200/api")],
)
def test_a_server_on_all_addresses_is_reached_on_loopback(host: str, address: str):
    assert Settings(prefect_host=host).prefect_address == address
