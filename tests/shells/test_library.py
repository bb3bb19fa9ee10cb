"""`import hazecast as hz` on real data, in pandas and Polars, and the code of docs/library.md."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from matplotlib.figure import Figure
from polars.testing import assert_frame_equal

import hazecast as hz
from hazecast.air.spec import QUANTILES
from hazecast.errors import NotKnown, SettingsError, SourceRefused, TooLittleHistory
from hazecast.evaluation.dataset import Dataset
from hazecast.models.climatology import Climatology

PAGE = Path(__file__).resolve().parents[2] / "docs" / "library.md"
SINCE, ISSUED, UNTIL = (datetime(2016, *day, tzinfo=UTC) for day in ((11, 10), (12, 20), (12, 24)))


@pytest.fixture(scope="module")
def wide(beijing: Path) -> pl.DataFrame:
    """Two stations and six weeks of Beijing."""
    rows = pl.read_parquet(beijing / "observations.parquet")
    stations = pl.col("station_id").is_in(["Dongsi", "Tiantan"])
    period = pl.col("observed_at").is_between(SINCE, UNTIL, closed="left")
    return rows.filter(stations, period).select("station_id", "observed_at", "pm25", "o3")


@pytest.fixture(scope="module")
def data(wide: pl.DataFrame) -> Dataset:
    return hz.read_dataset(wide)


def test_import_is_light():
    code = "import sys, hazecast; print(len({'polars', 'numpy', 'httpx', 'pydantic', 'matplotlib'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "0\n"


def test_the_library_needs_no_server():
    code = "import sys, hazecast; hazecast.fit; print({'mlflow', 'prefect', 'streamlit', 'fastapi'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


def test_the_page_runs(
    beijing: Path, wide: pl.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    monkeypatch.chdir(tmp_path)
    Path("beijing").mkdir()
    wide.write_parquet("beijing/observations.parquet")
    Path("beijing/stations.csv").write_text((beijing / "stations.csv").read_text())
    wide.select("station_id", "pm25", time="observed_at").with_columns(o3=wide["o3"] / 2).rename(
        {"o3": "o3 (ppb)"}
    ).write_csv("air.csv")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        assert len(block.strip().splitlines()) <= 10
        namespace: dict[str, object] = {}
        exec(block, namespace)
    assert "coverage" in capsys.readouterr().out
    assert Path("dongsi.png").stat().st_size > 10_000
    assert isinstance(namespace["forecast"], pd.DataFrame)
    assert set(namespace["forecast"]["pollutant"]) == {"pm25", "o3"}


def test_frames_of_any_library_give_the_same_dataset(wide: pl.DataFrame, data: Dataset):
    indexed = wide.to_pandas().set_index(["station_id", "observed_at"])
    one_station = wide.filter(station_id="Dongsi")
    by_time = one_station.to_pandas().set_index("observed_at").rename_axis(None)
    assert_frame_equal(hz.read_dataset(by_time).observations, hz.read_dataset(one_station).observations)
    shuffled = wide.to_pandas().sample(frac=1, random_state=0)
    for frame in (wide.to_pandas(), indexed, shuffled, wide.lazy(), wide.to_arrow()):
        assert_frame_equal(hz.read_dataset(frame).observations, data.observations)


def test_frames_are_read_by_the_rules_of_files(wide: pl.DataFrame):
    local = wide.to_pandas().rename(columns={"observed_at": "Date Time", "pm25": "PM2.5", "o3": "O3 (ppb)"})
    read = hz.read_dataset(local.assign(latitude=39.93, longitude=116.42, tz="Asia/Shanghai"))
    assert read.timezone == "Asia/Shanghai"
    assert read.stations["latitude"].to_list() == pytest.approx([39.93, 39.93])
    assert read.pollutants == ["pm25", "o3"]
    with pytest.raises(SourceRefused, match=r"column Date Time: .*with their zone"):
        hz.read_dataset(local.assign(**{"Date Time": local["Date Time"].dt.tz_localize(None)}))
    with pytest.raises(SourceRefused, match="'mood' is not understood"):
        hz.read_dataset(local.assign(mood=1))
    assert hz.read_dataset(local.assign(mood=1), ignore_columns=True).pollutants == ["pm25", "o3"]
    with pytest.raises(SourceRefused, match="colums"):
        hz.read_dataset(local, colums={"mood": "no2"})
    with pytest.raises(SourceRefused, match="station_id is missing"):
        hz.read_dataset(local.drop(columns="station_id"))


def test_forecast_score_and_plot(data: Dataset, wide: pl.DataFrame, tmp_path: Path):
    model = hz.fit(data, until=ISSUED, kind="trees", pollutants=["pm25"], light=True)
    forecast = model.predict(ISSUED)
    assert forecast.height == 2 * 72
    assert set(forecast["pollutant"]) == {"pm25"}
    model.save(tmp_path / "model")
    past = hz.read_dataset(wide.filter(pl.col("observed_at") < ISSUED))
    again = hz.load(tmp_path / "model", past).predict()
    assert_frame_equal(again, forecast)
    scores = hz.score(forecast, data)
    assert_frame_equal(hz.score(forecast.to_pandas(), data), scores)
    assert scores["lead_block"].to_list() == ["1-6", "25-48", "49-72", "7-24", "all"]
    point = forecast.drop("lead_hours", "mean", *(name for name in QUANTILES if name != "q50"))
    assert hz.score(point, data)["mae"].to_list() == pytest.approx(scores["mae"].to_list())
    figure = hz.plot(forecast, data, station="Tiantan")
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(NotKnown, match="Harbour"):
        hz.plot(forecast, data, station="Harbour")
    with pytest.raises(TooLittleHistory, match=r"pollutant \(pm25, o3\)"):
        hz.score(forecast.with_columns(pollutant=pl.lit("PM2.5")), data)
    with pytest.raises(SourceRefused, match="with their zone"):
        hz.score(forecast.with_columns(pl.col("valid_at").dt.replace_time_zone(None)), data)


def test_backtest_uses_a_class_of_the_user(data: Dataset):
    class Halved(Climatology):
        """Half of the climatology."""

        kind = "halved"

        def predict(self, panel, issued_at):
            return super().predict(panel, issued_at).with_columns(pl.col("mean", *QUANTILES) / 2)

    options = {"since": "2016-12-18", "until": "2016-12-21", "pollutants": ["pm25"], "every": timedelta(days=1)}
    halved, whole = (hz.backtest(data, kind=kind, **options) for kind in (Halved, "climatology"))
    assert halved["issued_at"].n_unique() == 3
    assert halved["mean"].to_list() == pytest.approx((whole["mean"] / 2).to_list())

    class NoModel:
        kind = "none"

    with pytest.raises(SettingsError, match="NoModel is not a model"):
        hz.fit(data, kind=NoModel)


def test_wrong_arguments_name_the_remedy(data: Dataset, tmp_path: Path):
    with pytest.raises(TooLittleHistory, match="21 are needed"):
        hz.fit(data, until=SINCE + timedelta(days=5))
    with pytest.raises(TooLittleHistory, match="issue later"):
        hz.fit(data, kind="climatology").predict("2012-01-01")
    with pytest.raises(NotKnown, match="pm10"):
        hz.fit(data, pollutants=["pm10"])
    with pytest.raises(SettingsError, match="no weather forecasts"):
        hz.fit(data, weather="forecast")
    with pytest.raises(SettingsError, match="not one of"):
        hz.fit(data, weather="sunny")
    with pytest.raises(SettingsError, match="unknown model parameter"):
        hz.fit(data, parameters={"trees.round": 1})
    with pytest.raises(SettingsError, match="dataset\\.yaml of the folder"):
        hz.read_dataset(tmp_path, units={"co": "mg/m3"})
    with pytest.raises(NotKnown, match="city"):
        hz.score(hz.fit(data, kind="climatology").predict(ISSUED), data, by=("city",))


def test_simulated_data_are_labelled():
    data = hz.simulate(days=30, n_stations=1)
    assert data.stations["source"].to_list() == ["simulated"]
    assert data.weather["issued_at"].is_not_null().any()
