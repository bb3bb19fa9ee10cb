"""The identity of a dataset folder, and homes and folders of any name."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.tables import Observations
from hazecast.datasets import claim, dataset_place, plain_name
from hazecast.errors import SettingsError, StoreError
from hazecast.settings import load_settings
from hazecast.store import Store


def settings_of(folder: Path, home: Path, **options: object):
    return load_settings(source="files", data=folder, home=home, **options)


def test_two_folders_of_one_name_have_tables_of_their_own(tmp_path: Path):
    london, paris, home = tmp_path / "london" / "data", tmp_path / "paris" / "data", tmp_path / "home"
    names = []
    for folder in (london, paris, london, paris):
        place = dataset_place(folder, home, reserved=set(), shared=False)
        claim(place, folder, home, reserved=set())
        names.append(place)
    assert names[:2] == names[2:]
    assert names[0] == "data"
    assert names[1].startswith("data-")


def test_a_folder_never_gets_the_name_of_a_live_or_simulated_place(tmp_path: Path):
    for name in ("london", "simulated"):
        assert settings_of(tmp_path / name, tmp_path / "home").place_name.startswith(f"{name}-")
    with pytest.raises(SettingsError, match="helsinki is a live place"):
        claim("helsinki", tmp_path / "data", tmp_path, reserved={"helsinki"})


def test_an_explicit_place_belongs_to_one_folder(tmp_path: Path):
    claim("town", tmp_path / "a", tmp_path / "home", reserved=set())
    claim("town", tmp_path / "a", tmp_path / "home", reserved=set())
    with pytest.raises(SettingsError, match=r"place town hold data of .*/a, not of .*/b; choose another --place"):
        claim("town", tmp_path / "b", tmp_path / "home", reserved=set())


def test_names_in_s3_have_the_hash_because_other_homes_share_the_bucket(tmp_path: Path):
    assert dataset_place(tmp_path / "data", tmp_path, reserved=set(), shared=True).startswith("data-")


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("air quality", "air-quality"),
        ("São Paulo", "Sao-Paulo"),
        ("北京", "dataset"),
        ("100%", "100"),
        ("my_city", "my_city"),
    ],
)
def test_names_become_plain(name: str, plain: str):
    assert plain_name(name) == plain


@pytest.mark.parametrize("name", ["My Projects", "données", "100%", "data#1", "北京", "what?", "run=1", "a+b&c"])
def test_tables_are_stored_and_read_in_any_path(tmp_path: Path, name: str):
    store = Store(str(tmp_path / name / "tables"))
    hour = datetime(2024, 1, 1, tzinfo=UTC)
    row = {"station_id": "a", "pollutant": "pm25", "observed_at": hour, "concentration_ugm3": 7.0, "flag": "ok"}
    row |= {"flag_reasons": "", "source": "files", "available_at": hour, "ingested_at": hour}
    rows = pl.DataFrame([row], schema=Observations.create_empty().schema)
    assert store.read(Observations).is_empty()
    store.upsert(Observations, rows)
    store.upsert(Observations, rows.with_columns(concentration_ugm3=9.0))
    assert store.read(Observations, pl.col("station_id") == "a")["concentration_ugm3"].to_list() == [9.0]
    assert store.newest(Observations, "observed_at") == hour


def test_a_path_that_cannot_hold_tables_is_refused_before_anything_is_written(tmp_path: Path):
    with pytest.raises(StoreError, match=r"a%20b.*set HAZECAST_HOME or HAZECAST_S3_URI to another"):
        Store(str(tmp_path / "a%20b" / "tables"))
