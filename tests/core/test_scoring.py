"""Scores, by hand and against an independent scorer."""

import json
import subprocess
import sys
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from forecast_town import at, observations
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.scoring import crps, p_exceed, pair, score

SHARED = Path(__file__).resolve().parents[2].parent / "shared"


def _forecasts(*, offset: float = 0.0, issues=(60, 61, 62)) -> pl.DataFrame:
    """Forecasts around the truth of "centre", `offset` away from it, with a fixed spread."""
    truth = observations().filter(pl.col("station_id") == "centre")
    frames = []
    for day in issues:
        rows = truth.filter(pl.col("observed_at").is_between(at(day), at(day + 3), closed="left"))
        lead = ((pl.col("observed_at") - at(day)).dt.total_hours() + 1).cast(pl.Int32)
        middle = pl.col("concentration_ugm3") + offset
        spread = {
            name: (middle + 10 * (level - 0.5)).clip(0) for name, level in zip(QUANTILES, QUANTILE_LEVELS, strict=True)
        }
        frames.append(
            rows.select(
                "station_id",
                "pollutant",
                pl.lit(at(day)).cast(pl.Datetime("us", "UTC")).alias("issued_at"),
                pl.col("observed_at").alias("valid_at"),
                lead.alias("lead_hours"),
                middle.clip(0).alias("mean"),
                **spread,
            )
        )
    return pl.concat(frames)


def test_a_perfect_forecast_has_no_error_and_full_coverage():
    found = score(_forecasts(), observations())
    assert set(found["lead_block"]) == {"1-6", "7-24", "25-48", "49-72", "all"}
    assert found["mae"].max() == pytest.approx(0)
    assert found["coverage_50"].min() == 1
    assert found.filter(lead_block="all")["n"].sum() == found.filter(pl.col("lead_block") != "all")["n"].sum()


def test_an_offset_is_a_bias():
    found = score(_forecasts(offset=3.0), observations())
    np.testing.assert_allclose(found["bias"], 3.0)
    np.testing.assert_allclose(found["mae"], 3.0)
    np.testing.assert_allclose(found["rmse"], 3.0)
    assert (found["coverage_50"] == 0).all()


def test_flagged_observations_are_not_truth():
    flagged = observations().with_columns(pl.lit("suspicious").alias("flag"))
    assert score(_forecasts(), flagged).is_empty()


def test_point_forecasts_are_scored_without_quantiles():
    found = score(_forecasts().drop(*(q for q in QUANTILES if q != "q50")), observations())
    assert found["crps"].null_count() == len(found)
    assert found["mae"].null_count() == 0


def test_pairs_carry_the_naive_forecasts():
    rows = pair(_forecasts(), observations()).filter(pollutant="pm25", issued_at=at(61)).sort("lead_hours")
    truth = observations().filter(station_id="centre", pollutant="pm25")
    value = dict(zip(truth["observed_at"], truth["concentration_ugm3"], strict=True))
    assert (rows["persistence_ugm3"] == value[at(60, 23)]).all()
    assert rows["seasonal_naive_ugm3"][30] == value[at(60) + timedelta(hours=6)]


def test_crps_of_a_sure_forecast_is_near_its_absolute_error():
    """All quantiles at one point: the integral over levels of the pinball loss, up to the taper at both ends."""
    found = crps(np.array([10.0]), np.full((1, 7), 4.0))
    assert found[0] == pytest.approx(6.0, rel=0.1)


@given(
    steps=st.lists(st.floats(0, 50), min_size=7, max_size=7),
    values=st.lists(st.floats(-10, 600), min_size=2, max_size=8),
)
def test_exceedance_falls_with_the_threshold(steps, values):
    quantiles = np.cumsum(steps)[None, :]
    chances = [p_exceed(quantiles, v)[0] for v in sorted(values)]
    assert all(0 <= c <= 1 for c in chances)
    assert all(earlier >= later - 1e-12 for earlier, later in pairwise(chances))


def test_exceedance_agrees_with_the_quantiles():
    quantiles = np.array([[2.0, 4.0, 8.0, 15.0, 25.0, 40.0, 60.0]])
    for level, value in zip(QUANTILE_LEVELS, quantiles[0], strict=True):
        assert p_exceed(quantiles, value)[0] == pytest.approx(1 - level)
    assert p_exceed(quantiles, -1.0)[0] == 1
    assert 0 < p_exceed(quantiles, 500.0)[0] < 0.01


@pytest.mark.skipif(not (SHARED / "bin" / "score-forecasts").exists(), reason="the independent scorer is not here")
def test_the_independent_scorer_agrees(tmp_path):
    long = observations().filter(station_id="centre")
    wide = long.pivot("pollutant", index=["station_id", "observed_at"], values="concentration_ugm3")
    wide.write_parquet(tmp_path / "observations.parquet")
    (tmp_path / "stations.csv").write_text("station_id,timezone\ncentre,UTC\n")
    forecasts = _forecasts(offset=2.0)
    forecasts.write_parquet(tmp_path / "forecasts.parquet")
    command = [sys.executable, str(SHARED / "bin" / "score-forecasts"), "--data", str(tmp_path)]
    command += [
        "--pred",
        str(tmp_path / "forecasts.parquet"),
        "--split",
        "2025-03-01",
        "--json",
        str(tmp_path / "out.json"),
    ]
    subprocess.run(command, check=True, capture_output=True)
    theirs = {
        (r["pollutant"].replace("pm2_5", "pm25"), r["lead"].replace("1-72", "all")): r
        for r in json.loads((tmp_path / "out.json").read_text())["rows"]
    }
    names = {
        "n": "n",
        "mae": "MAE",
        "rmse": "RMSE",
        "bias": "bias",
        "rmae": "rMAE_sn",
        "rmae_persistence": "rMAE_pe",
        "crps": "CRPS",
        "coverage_80": "cov80",
        "coverage_90": "cov90",
    }
    for row in score(forecasts, observations()).iter_rows(named=True):
        for ours, other in names.items():
            assert row[ours] == pytest.approx(theirs[row["pollutant"], row["lead_block"]][other], rel=1e-4, abs=1e-6)
