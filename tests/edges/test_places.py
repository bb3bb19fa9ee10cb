"""Places: the shipped ones are whole, a malformed one names the key and the remedy, a written one reads back."""

from pathlib import Path

import pytest
import yaml

from hazecast.errors import NotKnown, SettingsError
from hazecast.places import SHIPPED, find_place, list_places, read_place, write_place

WHOLE = yaml.safe_load((SHIPPED / "delhi.yaml").read_text())


def write(folder: Path, content: object, name: str = "delhi") -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_five_places_are_shipped():
    assert [place.place for place in list_places([SHIPPED])] == [
        "beijing",
        "delhi",
        "helsinki",
        "london",
        "los-angeles",
    ]


def test_places_of_model_data_are_labelled_in_the_title():
    modelled = [place for place in list_places([SHIPPED]) if place.observations.source == "open_meteo"]
    assert [place.title for place in modelled] == ["Beijing, China (model data)"]


@pytest.mark.parametrize("name", ["beijing", "helsinki", "london"])
def test_a_place_written_reads_back(name: str, tmp_path: Path):
    place = find_place(name, [SHIPPED])
    write_place(place, tmp_path / f"{name}.yaml")
    assert read_place(tmp_path / f"{name}.yaml") == place


def test_no_place_is_overwritten(tmp_path: Path):
    path = write(tmp_path, WHOLE)
    with pytest.raises(SettingsError, match="there already"):
        write_place(find_place("delhi", [SHIPPED]), path)


def test_ones_own_folder_comes_first_and_other_files_may_lie_there(tmp_path: Path):
    write(tmp_path, WHOLE | {"title": "My Delhi"})
    write(tmp_path, {"rules": []}, name="alerts")
    assert find_place("delhi", [tmp_path, SHIPPED]).title == "My Delhi"
    assert [place.title for place in list_places([tmp_path, SHIPPED]) if place.place == "delhi"] == ["My Delhi"]
    assert len(list_places([tmp_path])) == 1


def test_an_unknown_place_lists_those_there_are():
    with pytest.raises(NotKnown, match=r"unknown place 'paris'; known: beijing, delhi"):
        find_place("paris", [SHIPPED])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"timezone": "Europe/Delhi"}, r"timezone: .*Europe/Delhi.*Europe/Helsinki"),
        ({"pollutants": ["pm25", "radon"]}, r"pollutants\.1"),
        ({"pollutants": []}, "pollutants"),
        ({"observations": {"source": "moon"}}, "observations"),
        ({"observations": {"source": "openaq"}}, "either `stations`, `near` or a `box`"),
        ({"observations": {"source": "fmi"}}, "either `stations` or a `box`"),
        ({"observations": {"source": "openaq", "near": {"latitude": 91, "longitude": 0, "radius_km": 1}}}, "latitude"),
        ({"observations": {"source": "openaq", "near": {"latitude": 1, "longitude": 0, "radius_km": 26}}}, "radius_km"),
        ({"observations": {"source": "fmi", "box": {"west": 25, "south": 60, "east": 24, "north": 61}}}, "west"),
        ({"background": ["crystal_ball"]}, "background"),
        ({"colour": "blue"}, "colour"),
        ({"horizon_hours": 60}, r"horizon_hours: .*choose one of 48, 72, 96, 120"),
        ({"place": "new-delhi"}, r"name the file new-delhi\.yaml"),
        ({"place": "../delhi"}, "small letters"),
    ],
)
def test_a_malformed_place_names_file_and_key(change: dict, named: str, tmp_path: Path):
    path = write(tmp_path, WHOLE | change)
    with pytest.raises(SettingsError, match=named) as caught:
        read_place(path)
    assert "delhi.yaml" in str(caught.value)


def test_what_is_not_yaml_is_named(tmp_path: Path):
    with pytest.raises(SettingsError, match=r"delhi\.yaml: is not readable YAML"):
        read_place(write(tmp_path, "place: [delhi"))
