"""`hazecast index`: the JSON contract, units, several pollutants, and usage errors."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from hazecast.cli import app


def invoke_index(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["index", *arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def answer_of(*arguments: str) -> dict[str, object]:
    result = invoke_index(*arguments, "--json")
    assert result.exit_code == 0, result.output
    assert result.stdout.count("\n") == 1
    return json.loads(result.stdout)


def pairs(**values: float) -> list[str]:
    return [word for name, value in values.items() for word in ("--pollutant", name, "--value", str(value))]


def test_the_contract():
    answer = answer_of("--index", "us-epa", "--pollutant", "pm25", "--value", "35.9", "--averaging", "24h")
    assert answer["index"] == "us-epa"
    assert answer["version"] == "2024-05-06"
    assert answer["value"] == 102
    assert answer["band"] == "Unhealthy for Sensitive Groups"
    assert answer["status"] == "ok"
    assert (answer["pollutant"], answer["averaging"], answer["unit"]) == ("pm25", "24h", "ugm3")
    assert (answer["colour"], answer["colour_blind_safe"]) == ("#FF7E00", "#FF8203")
    assert set(answer["advice"]) == {"everyone", "sensitive", "note"}


@pytest.mark.parametrize(
    ("index", "pollutant", "value", "averaging", "number", "band"),
    [
        ("us-epa", "o3", "0.162", "1h", 147, "Unhealthy for Sensitive Groups"),
        ("us-epa", "no2", "649", "1h", 200, "Unhealthy"),
        ("eu-eaqi", "pm25", "15.1", "1h", None, "Moderate"),
        ("uk-daqi", "pm25", "11.5", "24h", 2, "Low"),
        ("in-naqi", "pm25", "45", "24h", 75, "Satisfactory"),
        ("cn-hj633-2012", "pm25", "75", "24h", 100, "良 (Good)"),
        ("cn-hj633-2026", "pm25", "75", "24h", 114, "轻度污染 (Lightly Polluted)"),
        ("fi-hsy", "co", "4.5", "1h", None, "Satisfactory"),
    ],
)
def test_every_country(index: str, pollutant: str, value: str, averaging: str, number: int | None, band: str):
    answer = answer_of("--index", index, "--pollutant", pollutant, "--value", value, "--averaging", averaging)
    assert (answer["value"], answer["band"]) == (number, band)


def test_units_can_be_given_and_are_repeated():
    given = ("--index", "us-epa", "--pollutant", "o3", "--averaging", "8h")
    assert answer_of(*given, "--value", "70", "--unit", "ppb")["value"] == 100
    answer = answer_of(*given, "--value", "137.4", "--unit", "ugm3")
    assert (answer["value"], answer["unit"]) == (100, "ppm")


def test_several_pollutants_have_a_dominant_one():
    answer = answer_of("--index", "us-epa", *pairs(o3=0.078, pm25=35.9, co=8.4))
    assert (answer["value"], answer["dominant_pollutant"]) == (126, "o3")
    assert [sub["value"] for sub in answer["sub_indices"]] == [126, 102, 90]
    canada = answer_of("--index", "ca-aqhi", *pairs(o3=40, no2=10, pm25=200), "--averaging", "3h")
    assert (canada["value"], canada["label"]) == (13, "10+")


def test_too_few_pollutants_are_insufficient_data():
    answer = answer_of("--index", "ca-aqhi", "--pollutant", "pm25", "--value", "10", "--averaging", "3h")
    assert (answer["status"], answer["value"], answer["band"]) == ("insufficient data", None, None)
    assert (
        "insufficient data"
        in invoke_index("--index", "us-epa", "--pollutant", "so2", "--averaging", "24h", "--value", "9").output
    )


def test_an_older_version():
    arguments = ("--index", "eu-eaqi", "--index-version", "before-2024", "--pollutant", "pm25", "--value", "15")
    assert answer_of(*arguments)["averaging"] == "24h"


def test_it_imports_no_heavy_module():
    """The index of one value must not load MLflow, LightGBM or the API."""
    arguments = ["index", "--index", "us-epa", "--pollutant", "pm25", "--value", "35.9"]
    program = f"import sys; from hazecast.cli import app; app({arguments}, standalone_mode=False); print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert "102" in loaded.stdout
    assert not {"mlflow", "lightgbm", "fastapi", "hazecast.wiring"} & set(loaded.stdout.split())


def test_text_output_has_band_and_advice():
    text = invoke_index("--index", "uk-daqi", "--pollutant", "pm25", "--value", "75").output
    for word in ("UK Daily Air Quality Index", "10 Very High", "everyone", "sensitive groups", "not medical advice"):
        assert word in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--index moon --pollutant pm25 --value 1", "us-epa, eu-eaqi"),
        ("--index us-epa --pollutant radon --value 1", "pm25, pm10, no2"),
        ("--index eu-eaqi --pollutant co --value 1", "pm25, pm10, o3"),
        ("--index us-epa --pollutant pm25 --value 1 --averaging 1h", "24h, nowcast"),
        ("--index us-epa --pollutant pm25 --value -1", "≥ 0"),
        ("--index us-epa --pollutant pm25 --value nan", "≥ 0"),
        ("--index us-epa --pollutant pm25 --value 1 --unit ppb", "molar mass"),
        ("--index us-epa --pollutant o3 --value 70", "--unit"),
        ("--index us-epa --pollutant pm25 --pollutant o3 --value 1", "one value for each"),
        ("--index us-epa --pollutant pm25 --value much", "--value"),
        ("--index us-epa --pollutant pm25 --value 1 --unit stone", "stone"),
        ("--index eu-eaqi --index-version 1999 --pollutant pm25 --value 1", "2024, before-2024, 2017"),
        ("--pollutant pm25 --value 1", "--index"),
    ],
)
def test_errors_name_the_choices(arguments: str, message: str):
    result = invoke_index(*arguments.split(), "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    assert message in result.stderr
    assert "Traceback" not in result.output
