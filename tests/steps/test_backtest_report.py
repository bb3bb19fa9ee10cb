"""The report of a backtest: correct scores, and a self-contained page."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.cli import app
from hazecast.errors import TooLittleHistory
from hazecast.evaluation.backtest import COLUMNS, Backtest, run
from hazecast.evaluation.dataset import Dataset, read_dataset
from hazecast.evaluation.page import page
from hazecast.evaluation.report import Report
from hazecast.evaluation.verification import verify
from hazecast.features import FutureWeather, build_panel
from hazecast.models.climatology import Climatology

START = datetime(2024, 1, 1, tzinfo=UTC)
SCORER = Path(__file__).resolve().parents[2].parent / "shared" / "bin" / "score-forecasts"
DAYS = 120


def observed(values: np.ndarray, *, flag: str = "ok") -> pl.DataFrame:
    """Hourly observations of PM2.5 at one station from START on."""
    hours = pl.datetime_range(START, START + timedelta(hours=len(values) - 1), "1h", eager=True)
    return pl.DataFrame(
        {"station_id": "s", "pollutant": "pm25", "observed_at": hours, "concentration_ugm3": values, "flag": flag}
    )


def forecast(issue: datetime, quantiles: np.ndarray) -> pl.DataFrame:
    """Hours issued at `issue`; (hours, 7) quantiles."""
    hours = len(quantiles)
    valid = pl.datetime_range(issue, issue + timedelta(hours=hours - 1), "1h", eager=True)
    columns = {name: quantiles[:, k] for k, name in enumerate(QUANTILES)}
    return pl.DataFrame(
        {"station_id": "s", "pollutant": "pm25", "issued_at": issue, "valid_at": valid}
        | {
            "lead_hours": np.arange(1, hours + 1, dtype=np.int32),
            "mean": quantiles.mean(axis=1),
            **columns,
            "status": "ok",
        }
    ).with_columns(pl.col("issued_at", "valid_at").cast(pl.Datetime("us", "UTC")))


@pytest.fixture(scope="module")
def air() -> np.ndarray:
    """Independent draws from one distribution, so that its quantiles are known."""
    return np.random.default_rng(0).exponential(20, 24 * DAYS)


def issues() -> list[int]:
    return [24 * day for day in range(30, DAYS - 3)]


def verified(forecasts: list[pl.DataFrame], truth: pl.DataFrame, *, timezone: str = "UTC"):
    trained_until = START + timedelta(days=30)
    return verify(pl.concat(forecasts), truth, timezone=timezone, trained_until=trained_until)


def at(hour: int) -> datetime:
    return START + timedelta(hours=hour)


def test_a_perfect_forecast_has_perfect_scores(air):
    perfect = [forecast(at(h), np.repeat(air[h : h + 72, None], 7, axis=1)) for h in issues()]
    found = verified(perfect, observed(air))
    overall = found.by_lead.filter(lead_block="all").row(0, named=True)
    assert (overall["n"], found.n_scored) == (len(issues()) * 72, len(issues()) * 72)
    assert [overall[name] for name in ("mae", "rmse", "bias", "crps", "rmae")] == pytest.approx([0] * 5, abs=1e-9)
    assert [overall[f"coverage_{share}"] for share in (50, 80, 90)] == [1, 1, 1]
    assert found.by_limit["brier_skill"].to_list() == pytest.approx([1] * 6, abs=0.005)
    assert found.by_level["n"].sum() == overall["n"]
    assert found.by_level.height == 5


def test_the_true_distribution_is_calibrated_and_a_narrow_one_is_not(air):
    quantiles_ugm3 = -20 * np.log(1 - np.array(QUANTILE_LEVELS))
    honest = verified([forecast(at(h), np.tile(quantiles_ugm3, (72, 1))) for h in issues()], observed(air))
    narrow = verified([forecast(at(h), np.tile(10 + quantiles_ugm3 / 4, (72, 1))) for h in issues()], observed(air))
    assert gap(honest.calibration, "level", "share_below") < 0.04
    assert gap(narrow.calibration, "level", "share_below") > 0.2
    assert gap(honest.reliability, "p_mean", "share_above") < 0.04
    assert gap(narrow.reliability, "p_mean", "share_above") > 0.1
    # The climatology is the true distribution too, so the skill is about 0.
    assert honest.by_limit["brier_skill"].to_list() == pytest.approx([0] * 6, abs=0.02)


def gap(table: pl.DataFrame, forecast: str, observed: str) -> float:
    return float((table[forecast] - table[observed]).abs().max())


def test_naive_errors_are_of_the_same_rows(air):
    truth = observed(air).filter(pl.col("observed_at").dt.hour() != 5)
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (72, 1))
    found = verified([forecast(at(h), quantiles_ugm3) for h in issues()], truth)
    persistence = np.array([air[h - 1] for h in issues()])
    lead_2 = found.by_hour.filter(lead_hours=2).row(0, named=True)
    assert lead_2["mae_persistence"] == pytest.approx(np.abs(persistence - air[np.array(issues()) + 1]).mean())
    assert lead_2["mae"] == pytest.approx(np.abs(14 - air[np.array(issues()) + 1]).mean())
    assert found.by_hour["lead_hours"].to_list() == [lead for lead in range(1, 73) if lead % 24 != 6]


def test_without_a_past_there_is_no_climatology(air):
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (72, 1))
    found = verify(forecast(at(24 * 40), quantiles_ugm3), observed(air), timezone="UTC", trained_until=START)
    assert found.by_limit["brier_skill"].null_count() == found.by_limit.height == 6
    assert found.by_limit["brier"].null_count() == 0


def test_flagged_observations_are_scored_separately(air):
    spiked = air.copy()
    spiked[24 * 40] = 5_000
    truth = observed(spiked).with_columns(
        flag=pl.when(pl.col("concentration_ugm3") > 4_000).then(pl.lit("suspicious")).otherwise(pl.lit("ok"))
    )
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (72, 1))
    found = verified([forecast(at(h), quantiles_ugm3) for h in issues()], truth)
    without_flagged, with_flagged = (
        t.filter(lead_block="all").row(0, named=True) for t in (found.by_lead, found.by_lead_flagged)
    )
    assert with_flagged["n"] - without_flagged["n"] == 3
    assert with_flagged["rmse"] > 2 * without_flagged["rmse"]


def test_seasons_follow_the_local_month_of_issue(air):
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (72, 1))
    late = datetime(2024, 2, 29, 23, tzinfo=UTC)
    for timezone, season in (("UTC", "Dec–Feb"), ("Asia/Tokyo", "Mar–May")):
        assert set(
            verified([forecast(late, quantiles_ugm3)], observed(air), timezone=timezone).by_season["season"]
        ) == {season}


def test_nothing_to_verify_is_an_error(air):
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (72, 1))
    with pytest.raises(TooLittleHistory):
        verified([forecast(at(24 * 40), quantiles_ugm3)], observed(air[:100]))


def test_a_five_day_forecast_has_every_lead_block_and_figure(air):
    quantiles_ugm3 = np.tile(np.array([1.0, 2, 5, 14, 28, 46, 60]), (120, 1))
    found = verified([forecast(at(h), quantiles_ugm3) for h in issues()[:-2]], observed(air))
    assert found.by_lead["lead_block"].to_list() == ["1-6", "7-24", "25-48", "49-72", "73-96", "97-120", "all"]
    html = page(Report("town", "No weather ahead.", False, (), {}, found))
    assert len(Page(html).of("img")) == 3
    assert "97-120" in Page(html).text


def test_a_pollutant_without_limits_has_no_exceedances(air, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("hazecast.evaluation.verification.limits_of", lambda _: ())
    found = verified([forecast(at(h), np.tile(air[h], (72, 7))) for h in issues()], observed(air))
    assert found.by_limit.is_empty()
    html = Page(page(Report("town", "No weather ahead.", False, (), {}, found)))
    assert len(html.of("img")) == 2
    assert "Exceedance probabilities" not in html.text


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forecasts of a perfect-prog backtest at a station with markup in its name."""
    folder = tmp_path_factory.mktemp("report") / "town"
    folder.mkdir()
    values = np.random.default_rng(1).exponential(20, (24 * 32, 2))
    hours = pl.datetime_range(START, START + timedelta(hours=len(values) - 1), "1h", eager=True, time_zone="UTC")
    shared = pl.DataFrame({"station_id": "<b>&[red]"}).join(pl.DataFrame({"valid_at": hours}), how="cross")
    shared.with_columns(wind_speed_ms=values[:, 1]).write_parquet(folder / "weather.parquet")
    air = shared.rename({"valid_at": "observed_at"}).with_columns(pm25=values[:, 0].round(1))
    air.write_parquet(folder / "observations.parquet")
    (folder / "stations.csv").write_text("station_id,attribution\n<b>&[red],City of X\n")
    day = timedelta(days=1)
    backtest = Backtest(
        START + 26 * day, START + 26 * day, START + 29 * day, 6, weather=FutureWeather.OBSERVED, pollutants=("pm25",)
    )
    run(backtest, read_dataset(folder), folder.parent / "preds.parquet")
    return folder.parent / "preds.parquet"


def command(*arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["backtest", "report", *map(str, arguments)])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, " ".join(result.output.split())


def test_the_page_is_self_contained_and_declares_perfect_prog(replayed: Path, tmp_path: Path):
    code, output = command(replayed, "--html", tmp_path / "report.html")
    assert code == 0
    html = (tmp_path / "report.html").read_text()
    document = Page(html)
    assert not document.of("script") + document.of("link")
    assert not re.search(r"(src|href)=\"(?!data:image/svg\+xml;base64,|#)", html)
    assert "http" not in re.sub(r"base64,[\w+/=]+", "", html)
    for text in (output, document.text):
        assert "PERFECT PROG" in text
        assert "City of X" in text
        assert "<b>&[red]" in text
    assert not document.of("b")
    pictures = document.of("img")
    assert len(pictures) == 3
    assert all(len(picture["alt"] or "") > 80 for picture in pictures)


def test_the_same_file_gives_the_same_page(replayed: Path, tmp_path: Path):
    for name in ("one.html", "two.html"):
        command(replayed, "--html", tmp_path / name)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()


def test_a_dataset_that_has_changed_is_mentioned(replayed: Path, tmp_path: Path):
    revised = tmp_path / "revised"
    revised.mkdir()
    for path in (replayed.parent / "town").iterdir():
        (revised / path.name).write_bytes(path.read_bytes())
    assert "has changed since" not in command(replayed, "--data", revised)[1]
    rows = pl.read_parquet(revised / "observations.parquet").with_columns(pl.col("pm25") + 1)
    rows.write_parquet(revised / "observations.parquet")
    assert "has changed since" in command(replayed, "--data", revised)[1]


def test_a_moved_dataset_is_an_error(replayed: Path, tmp_path: Path):
    moved = tmp_path / "preds.parquet"
    moved.write_bytes(replayed.read_bytes())
    code, output = command(moved)
    assert code == 1
    assert "give its folder with --data DIR" in output


def test_a_page_in_a_missing_folder_is_refused_before_the_work(replayed: Path, tmp_path: Path):
    code, output = command(replayed, "--html", tmp_path / "nowhere" / "report.html")
    assert (code, "folder of the file must exist" in output) == (2, True)


def test_a_file_of_another_kind_is_refused(replayed: Path, tmp_path: Path):
    pl.read_parquet(replayed).write_parquet(tmp_path / "other.parquet")
    for file in (tmp_path / "other.parquet", tmp_path / "absent.parquet", replayed.parent / "town" / "stations.csv"):
        code, output = command(file)
        assert code == 1
        assert "is not a file written by `hazecast backtest`" in output


@pytest.fixture(scope="module")
def beijing_winter(beijing: Path, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three stations and ten weeks of the real record, gaps and all."""
    folder = tmp_path_factory.mktemp("beijing") / "winter"
    folder.mkdir()
    stations = pl.read_csv(beijing / "stations.csv").head(3)
    stations.write_csv(folder / "stations.csv")
    here = pl.col("station_id").is_in(stations["station_id"].to_list())
    weeks = pl.col("observed_at").is_between(datetime(2016, 11, 1, tzinfo=UTC), datetime(2017, 1, 10, tzinfo=UTC))
    pl.read_parquet(beijing / "observations.parquet").filter(here, weeks).write_parquet(folder / "observations.parquet")
    return read_dataset(folder)


def test_an_independent_implementation_computes_the_same_scores(beijing_winter: Dataset, tmp_path: Path):
    """Flagged observations count here, because the other implementation ignores flags."""
    if not SCORER.is_file():
        pytest.skip("needs ../shared/bin/score-forecasts, which is not part of the project")
    split = datetime(2016, 12, 10, tzinfo=UTC)
    panel = build_panel(beijing_winter.observations, beijing_winter.weather, beijing_winter.stations)
    rows = Climatology(split).predict(panel, [split + timedelta(days=k, hours=22) for k in range(20)])
    rows.select(COLUMNS).write_parquet(tmp_path / "preds.parquet")
    arguments = ("--data", beijing_winter.folder, "--pred", tmp_path / "preds.parquet", "--split", "2016-12-10")
    subprocess.run(
        [sys.executable, SCORER, *arguments, "--json", tmp_path / "out.json"], check=True, capture_output=True
    )
    theirs = {(row["pollutant"], row["lead"]): row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}

    ours = verify(rows, beijing_winter.observations, timezone="Asia/Shanghai", trained_until=split).by_lead_flagged
    assert ours.height == len(theirs) == 6 * 5
    words = {"n": "n", "mae": "MAE", "rmse": "RMSE", "bias": "bias", "crps": "CRPS", "rmae": "rMAE_sn"}
    words |= {"rmae_persistence": "rMAE_pe", "coverage_80": "cov80", "coverage_90": "cov90"}
    for row in ours.iter_rows(named=True):
        pollutant = {"pm25": "pm2_5"}.get(row["pollutant"], row["pollutant"])
        their = theirs[pollutant, {"all": "1-72"}.get(row["lead_block"], row["lead_block"])]
        assert [row[mine] for mine in words] == pytest.approx([their[name] for name in words.values()], rel=2e-3)
