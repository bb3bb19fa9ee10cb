"""`hazecast backtest run`: complete output, no leakage, and resumption after SIGKILL."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from mlflow import MlflowClient
from typer.testing import CliRunner

from hazecast.air.spec import QUANTILES
from hazecast.air.tables import WEATHER_VARIABLES
from hazecast.cli import app
from hazecast.evaluation import backtest as evaluation
from hazecast.evaluation.backtest import DAY_COLUMNS
from hazecast.evaluation.checkpoints import read_metadata
from hazecast.evaluation.dataset import read_dataset
from hazecast.evaluation.days import verify_days
from hazecast.evaluation.report import report_on
from hazecast.features.view import DIURNAL_MEAN_DAYS
from hazecast.models.stack import Stack
from hazecast.sources.simulated import SimulatedSource

from .conftest import START

DAYS, STATIONS = 32, 1
SCORE_DAYS = Path(__file__).resolve().parents[3] / "shared" / "bin" / "score-days"
KEY = ["station_id", "pollutant", "issued_at", "valid_at"]
# Lisbon, whose winter clock is UTC.
PERIOD = ("--train-until", "2024-01-26", "--from", "2024-01-26", "--to", "2024-01-30", "--hour", "6")
RETRAINED = (*PERIOD, "--weather", "noisy", "--pollutants", "pm25", "--retrain", "2d")
ONE_ISSUE = ("--train-until", "2024-01-26", "--from", "2024-01-26T06:00", "--to", "2024-01-26T07:00", "--hour", "6")
ISSUED_AT = datetime.fromisoformat("2024-01-26T06:00+00:00")
TWINS_ISSUE = ("--train-until", "2024-02-25", "--from", "2024-02-25T06:00", "--to", "2024-02-25T07:00", "--hour", "6")
TWINS_ISSUED_AT = datetime.fromisoformat("2024-02-25T06:00+00:00")


@pytest.fixture(scope="module", autouse=True)
def light_training() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HAZECAST_LIGHT_TRAINING", "true")
        yield


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One station, so that training is quick; two pollutants, observed weather and forecasts."""
    return write_dataset(tmp_path_factory.mktemp("backtest") / "town", days=DAYS)


def write_dataset(folder: Path, *, days: int) -> Path:
    folder.mkdir()
    source, span = SimulatedSource(n_stations=STATIONS), {"since": START, "until": START + timedelta(days=days)}
    source.fetch_stations().write_csv(folder / "stations.csv")
    wide = source.fetch_observations(**span).pivot(
        "pollutant", index=["station_id", "observed_at"], values="concentration_ugm3"
    )
    wide.select("station_id", "observed_at", "pm25", "o3").write_parquet(folder / "observations.parquet")
    known = ("station_id", "valid_at", "issued_at", "available_at", *WEATHER_VARIABLES)
    source.fetch_weather(**span).select(known).write_parquet(folder / "weather.parquet")
    return folder


def command(*arguments: object) -> tuple[int, str]:
    """Exit code and output, unwrapped."""
    result = CliRunner().invoke(app, ["backtest", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(scope="module")
def finished(town: Path) -> Path:
    """An uninterrupted backtest with two trainings."""
    out = town.parent / "finished.parquet"
    code, output = command("--data", town, *RETRAINED, "--out", out)
    assert code == 0, output
    assert "Imitated weather forecasts" in output
    return out


def test_one_row_per_station_issue_and_lead(finished: Path):
    rows = pl.read_parquet(finished)
    assert rows.columns == [*KEY, "lead_hours", "mean", *QUANTILES, "status"]
    assert rows.height == STATIONS * 4 * 72
    assert rows.select(pl.struct(KEY).is_unique().all()).item()
    assert set(rows["pollutant"]) == {"pm25"}
    assert rows["issued_at"].unique().sort().to_list() == [ISSUED_AT + timedelta(days=k) for k in range(4)]
    ahead = (rows["valid_at"] - rows["issued_at"]).dt.total_hours() + 1
    assert ahead.equals(rows["lead_hours"].cast(pl.Int64), check_names=False)
    values = rows.select(QUANTILES).to_numpy()
    assert (np.diff(values, axis=1) >= 0).all()
    assert values.min() >= 0


def test_days_are_written_next_to_the_hours(finished: Path, town: Path):
    days = town.parent / "days.parquet"
    more = ("--days-out", days, "--thresholds", "pm25=9,15")
    code, output = command(
        "--data", town, *PERIOD, "--pollutants", "pm25", "--out", town.parent / "hours.parquet", *more
    )
    assert code == 0, output
    rows = pl.read_parquet(days)
    assert rows.columns == list(DAY_COLUMNS)
    assert read_metadata(days)["fingerprint"] == read_metadata(town.parent / "hours.parquet")["fingerprint"]
    # The limits for the day's mean and two thresholds for each statistic.
    assert dict(rows.group_by("statistic", "limit_key").len().group_by("statistic").len().iter_rows()) == {
        "mean_24h": 3,
        "max_1h": 1,
        "mda8": 1,
    }
    assert rows.select((pl.col("p_exceed").is_between(0, 1)).all()).item()
    key = ["station_id", "issued_at", "day", "statistic"]
    assert (
        rows.filter(limit_key="threshold")
        .group_by(*key)
        .agg(pl.col("limit_ugm3").sort())
        .select((pl.col("limit_ugm3") == [9.0, 15.0]).all())
        .item()
    )
    code, output = command("report", town.parent / "hours.parquet", "--days", days)
    assert code == 0, output
    assert "Decisions by day" in output
    assert command("report", finished, "--days", days)[0] == 1


def test_scores_of_days_agree_with_an_independent_scorer(town: Path):
    """Its truth includes flagged observations, so ours does here too."""
    if not SCORE_DAYS.is_file():
        pytest.skip("needs ../shared/bin/score-days, which is not part of the project")
    days = town.parent / "days.parquet"
    scored = town.parent / "scored.json"
    arguments = ["--data", town, "--days", days, "--split", "2024-01-26", "--json", scored]
    subprocess.run([sys.executable, SCORE_DAYS, *arguments], check=True, capture_output=True)
    dataset = read_dataset(town)
    found = verify_days(
        pl.read_parquet(days),
        dataset.observations.with_columns(flag=pl.lit("ok")),
        dict(dataset.stations.select("station_id", "timezone").iter_rows()),
        trained_until=date(2024, 1, 26),
    )
    compared = 0
    for row in json.loads(scored.read_text())["rows"]:
        mine = {"statistic": row["statistic"], "day_ahead": row["day_ahead"]}
        if row["kind"] == "value":
            (own,) = found.by_statistic.filter(**mine).iter_rows(named=True)
            pairs = [("mae", "mae"), ("bias", "bias"), ("coverage_80", "cov80"), ("pinball", "pinball")]
        else:
            own = found.by_limit.filter(**mine, limit_ugm3=row["limit_ugm3"]).row(0, named=True)
            pairs = [("brier", "brier"), ("brier_skill", "skill"), ("reliability_gap", "gap"), ("pod", "pod")]
        assert own["n"] * (1 if row["kind"] == "value" else row["n"] // own["n"]) == row["n"]
        for ours, theirs in pairs:
            if row[theirs] == row[theirs] and own[ours] == own[ours]:
                assert own[ours] == pytest.approx(row[theirs], abs=1e-9)
                compared += 1
    assert compared > 20


@pytest.mark.parametrize("text", ["pm25", "pm25=", "pm25=a", "pm25=-1", "xx=5"])
def test_thresholds_that_are_not_understood_are_refused(town: Path, text: str):
    out = town.parent / "refused.parquet"
    more = ("--days-out", town.parent / "refused-days.parquet", "--thresholds", text)
    code, output = command("--data", town, *PERIOD, "--out", out, *more)
    assert code == 2
    assert text.split("=")[0] in output
    assert not out.exists()


def test_the_file_has_its_metadata_and_no_absolute_path(finished: Path, town: Path):
    metadata = read_metadata(finished)
    assert (metadata["weather"], metadata["perfect_prog"], metadata["data"]) == ("noisy", False, "town")
    assert metadata["trained_until"] == ["2024-01-26T00:00:00+00:00", "2024-01-28T06:00:00+00:00"]
    assert str(town.parent).encode() not in finished.read_bytes()


def test_a_finished_run_leaves_one_file_and_is_not_run_again(finished: Path, town: Path, monkeypatch):
    monkeypatch.setattr(evaluation, "model_class", None)
    before = finished.stat().st_mtime_ns
    assert command("--data", town, *RETRAINED, "--out", finished)[0] == 0
    assert finished.stat().st_mtime_ns == before
    assert not list(finished.parent.glob(f"{finished.name}.*"))


def test_a_killed_run_resumes_to_the_same_file(finished: Path, town: Path, monkeypatch):
    out = town.parent / "killed.parquet"
    arguments = ["backtest", "--data", str(town), *RETRAINED, "--out", str(out)]
    child = subprocess.Popen(
        [sys.executable, "-m", "hazecast.cli", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not list(out.parent.glob(f"{out.name}.parts-*/*.parquet")):
        assert child.poll() is None, "it ended before a part was there"
        time.sleep(0.02)
    os.kill(child.pid, signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    assert not out.exists()

    forecast_now = []
    predict = Stack.predict
    monkeypatch.setattr(Stack, "predict", lambda *given: forecast_now.extend(given[2]) or predict(*given))
    assert command(*arguments[1:])[0] == 0
    assert [issue.day for issue in forecast_now] == [28, 29]
    assert out.read_bytes() == finished.read_bytes()
    assert not list(out.parent.glob(f"{out.name}.parts-*"))


def write_altered(town: Path, folder: Path) -> Path:
    """The same place, with other air and weather from the issue on."""
    shutil.copytree(town, folder)
    for name, column, hour in (("observations", "pm25", "observed_at"), ("weather", "wind_speed_ms", "valid_at")):
        path = folder / f"{name}.parquet"
        later = pl.col(hour) >= ISSUED_AT
        pl.read_parquet(path).with_columns(pl.when(later).then(pl.col(column) * 3 + 1).otherwise(column)).write_parquet(
            path
        )
    return folder


@pytest.mark.parametrize(("weather", "uses_it"), [("none", False), ("observed", True)])
def test_data_after_the_issue_are_used_only_as_weather_and_only_if_declared(
    town: Path, tmp_path: Path, weather: str, uses_it: bool
):
    arguments = (*ONE_ISSUE, "--weather", weather, "--pollutants", "pm25")
    frames = []
    for folder in (town, write_altered(town, tmp_path / "altered")):
        out = tmp_path / f"{folder.name}.parquet"
        code, output = command("--data", folder, *arguments, "--out", out)
        assert code == 0, output
        assert ("PERFECT PROG" in output) is uses_it is read_metadata(out)["perfect_prog"]
        frames.append(pl.read_parquet(out))
    assert frames[0].height == STATIONS * 72
    assert frames[0].equals(frames[1]) is not uses_it


REFUSED = [
    (("--to", "2024-01-26"), "is not before --to", 2),
    (("--train-until", "2024-01-27"), "verified on its own training data", 2),
    (("--train-until", "2024-01-05"), "less than 21 days of pm25, o3", 1),
    (("--train-until", "yesterday"), "--train-until 'yesterday' is not a date or time", 2),
    (("--from", "2030-01-01", "--to", "2031-01-01"), "outside the observations", 2),
    (("--pollutants", "pm25,smog"), "unknown pollutant 'smog'; known: pm25, o3", 2),
    (("--data", "nowhere"), "nowhere: no such folder", 1),
    (("--out", "nowhere/preds.parquet"), "the folder of the file must exist", 2),
    (("--from", "2024-01-26T07:00", "--to", "2024-01-26T08:00"), "an issue at 6:00", 2),
]


@pytest.mark.parametrize(("wrong", "message", "exit_code"), REFUSED)
def test_inconsistent_arguments_are_refused_with_a_reason(
    town: Path, tmp_path: Path, wrong: tuple[str, ...], message: str, exit_code: int
):
    code, output = command("--data", town, *PERIOD, "--out", tmp_path / "preds.parquet", *wrong)
    assert (code, list(tmp_path.iterdir())) == (exit_code, [])
    assert message in output


@pytest.mark.parametrize("wrong", [("--every", "1x"), ("--hour", "24"), ("--horizon", "121"), ("--weather", "good")])
def test_an_invalid_option_is_a_usage_error(town: Path, tmp_path: Path, wrong: tuple[str, ...]):
    assert command("--data", town, *PERIOD, "--out", tmp_path / "preds.parquet", *wrong)[0] == 2


def test_weather_missing_from_the_dataset_is_refused(town: Path, tmp_path: Path):
    bare = shutil.copytree(town, tmp_path / "bare", ignore=shutil.ignore_patterns("weather*"))
    for weather in ("forecast", "noisy", "observed"):
        code, output = command("--data", bare, *PERIOD, "--out", tmp_path / "p.parquet", "--weather", weather)
        assert code == 2
        assert f"--weather {weather}: the dataset has no" in output


def test_help_lists_both_commands():
    code, output = command("--help")
    assert code == 0
    assert "report" in output
    assert "--train-until" in command("run", "--help")[1]


@pytest.fixture(scope="module")
def twins(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A town with a longer record and a second station like the first, some kilometres away."""
    folder = write_dataset(tmp_path_factory.mktemp("twins") / "town", days=DAYS + DIURNAL_MEAN_DAYS)
    for name in ("observations.parquet", "weather.parquet"):
        rows = pl.read_parquet(folder / name)
        second = rows.with_columns(pl.col("station_id") + "-twin")
        pl.concat([rows, second]).write_parquet(folder / name)
    stations = pl.read_csv(folder / "stations.csv")
    second = stations.with_columns(pl.col("station_id") + "-twin", pl.col("latitude") + 0.05)
    pl.concat([stations, second]).write_csv(folder / "stations.csv")
    return folder


def test_a_station_left_out_is_not_in_the_training_of_its_model(twins, tmp_path):
    """Changing its old hours changes no forecast for it, but changes a model that was trained on them."""
    changed = tmp_path / "changed"
    shutil.copytree(twins, changed)
    rows = pl.read_parquet(changed / "observations.parquet")
    first_input_hour = TWINS_ISSUED_AT - timedelta(days=DIURNAL_MEAN_DAYS)
    old = pl.col("station_id").str.ends_with("-twin") & (pl.col("observed_at") < first_input_hour)
    rows.with_columns(pl.when(old).then(2 * pl.col("pm25") + 5).otherwise("pm25").alias("pm25")).write_parquet(
        changed / "observations.parquet"
    )
    forecasts = {}
    for data in (twins, changed):
        for groups in ("2", "0"):
            out = tmp_path / f"{data.name}-{groups}.parquet"
            options = ("--data", data, *TWINS_ISSUE, "--pollutants", "pm25", "--unseen-groups", groups, "--out", out)
            assert command(*options)[0] == 0
            mine = pl.col("station_id").str.ends_with("-twin")
            forecasts[data, groups] = pl.read_parquet(out).filter(mine).sort(KEY)
    assert forecasts[twins, "2"].height == 72
    assert forecasts[twins, "2"].equals(forecasts[changed, "2"])
    assert not forecasts[twins, "0"].equals(forecasts[changed, "0"])
    _, report = command("report", tmp_path / f"{twins.name}-2.parquet")
    assert "none was in the training: left out in 2 groups" in report


def test_more_groups_than_stations_are_refused(town, tmp_path):
    code, output = command("--data", town, *PERIOD, "--unseen-groups", "2", "--out", tmp_path / "x.parquet")
    assert code == 2
    assert "--unseen-groups must be between 2 and the 1 stations" in output


def test_a_report_is_recorded_in_mlflow(town, finished, tmp_path, monkeypatch):
    monkeypatch.setenv("HAZECAST_HOME", str(tmp_path))
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    code, output = command("report", finished, "--data", town, "--record", "as it is")
    assert code == 0
    assert "experiment hazecast-town-trials" in output
    client = MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("hazecast-town-trials")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "as it is"
    assert run.data.params["weather"] == "noisy"
    judged = report_on(finished, data=town).verification.by_lead.filter(lead_block="all", pollutant="pm25")
    assert run.data.metrics["mae.pm25.all"] == pytest.approx(judged["mae"][0])
