"""Passwords of the local servers: created once, readable by their owner only, and settings take precedence."""

from pathlib import Path

import pytest

from hazecast.credentials import known_prefect_login, mlflow_password, prefect_file, prefect_login
from hazecast.settings import Settings


def test_passwords_are_created_once_for_their_owner_only(tmp_path: Path):
    settings = Settings(home=tmp_path)
    assert known_prefect_login(settings) == ""
    first = mlflow_password(settings), prefect_login(settings)
    assert (mlflow_password(settings), prefect_login(settings)) == first
    assert first[1].startswith("hazecast:")
    assert first[0] not in first[1]
    assert len(first[0]) > 40
    assert known_prefect_login(settings) == first[1]
    folder = tmp_path / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()} == {"mlflow": 0o600, "prefect": 0o600}


def test_an_empty_file_is_replaced_and_an_open_one_closed(tmp_path: Path):
    settings = Settings(home=tmp_path)
    prefect_file(settings).parent.mkdir()
    prefect_file(settings).write_text("\n")
    prefect_file(settings).chmod(0o644)
    assert len(prefect_login(settings)) > 40
    assert prefect_file(settings).stat().st_mode & 0o777 == 0o600


def test_a_setting_takes_precedence(tmp_path: Path):
    settings = Settings(home=tmp_path, prefect_api_auth_string="me:mine", mlflow_tracking_password="ours")
    assert (prefect_login(settings), known_prefect_login(settings), mlflow_password(settings)) == (
        "me:mine",
        "me:mine",
        "ours",
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("address", ["https://prefect.example.org/api", "http://127.0.0.1.evil.example/api"])
def test_no_other_server_gets_the_local_login(address: str, tmp_path: Path):
    prefect_login(Settings(home=tmp_path))
    assert known_prefect_login(Settings(home=tmp_path, prefect_api_url=address)) == ""
