"""Verification sums give the same scores as the rows; limits, background and uncertainty are checked by hand."""

from datetime import timedelta

import polars as pl
import pytest
from forecast_town import UTC_TIME, at, observations
from polars.testing import assert_frame_equal

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.air.tables import Forecasts
from hazecast.scoring import model_quality, mqi, score, summarize, tally
from hazecast.scoring.fairmode import UNCERTAINTY


def issued(*, offset_ugm3: float = 2.0, days=(60, 61, 62), p_exceed: float = 0.7) -> pl.DataFrame:
    """Forecasts of "centre" and "single" around the truth, `offset_ugm3` too high."""
    truth = observations().filter(pl.col("station_id").is_in(["centre", "single"]))
    frames = []
    for day in days:
        rows = truth.filter(pl.col("observed_at").is_between(at(day), at(day + 3), closed="left"))
        middle = pl.col("concentration_ugm3") + offset_ugm3
        levels = zip(QUANTILES, QUANTILE_LEVELS, strict=True)
        frames.append(
            rows.select(
                "station_id",
                "pollutant",
                issued_at=pl.lit(at(day)).cast(UTC_TIME),
                valid_at="observed_at",
                lead_hours=((pl.col("observed_at") - at(day)).dt.total_hours() + 1).cast(pl.Int32),
                mean=middle.clip(0),
                **{name: (middle + 10 * (level - 0.5)).clip(0) for name, level in levels},
                p_exceed_who=pl.lit(p_exceed),
                p_exceed_eu=pl.lit(1 - p_exceed),
                status=pl.lit("ok"),
                model_version=pl.lit("3"),
                observations_version=pl.lit(1, pl.Int64),
                data_age_hours=pl.lit(0.0),
                source=pl.lit("files"),
            )
        )
    return Forecasts.validate(pl.concat(frames))


def test_sums_give_the_same_measures_as_the_rows():
    direct = score(issued(), observations())
    pooled = summarize(tally(issued(), observations()), ("pollutant", "lead_block"))
    both = direct.join(pooled, on=["pollutant", "lead_block"], suffix="_pooled")
    assert both.height == 8
    for measure in ("n", "mae", "rmse", "bias", "crps", "rmae", "rmae_persistence", "coverage_50", "coverage_80"):
        assert both[measure].to_list() == pytest.approx(both[f"{measure}_pooled"].to_list()), measure


def test_adding_up_days_is_the_same_as_tallying_them_together():
    parts = [tally(issued(days=(day,)), observations()) for day in (60, 61)]
    whole = tally(issued(days=(60, 61)), observations())
    assert_frame_equal(summarize(pl.concat(parts), ("pollutant",)), summarize(whole, ("pollutant",)))


def test_forecasts_that_nobody_observed_yet_are_counted_but_not_scored():
    known = observations().filter(pl.col("observed_at") < at(62))
    found = tally(issued(days=(62,)), known)
    assert found["n_forecast"].sum() == 3 * 72
    assert found["n"].sum() == 0
    assert summarize(found, ("pollutant",))["mae"].to_list() == [None, None]


def test_limits_are_judged_by_hits_and_false_alarms():
    """A chance of 0.7 everywhere expects every hour above: all events are hit, all other hours are false alarms."""
    rows = tally(issued(p_exceed=0.7), observations())
    found = summarize(rows, ("pollutant",)).filter(pl.col("pollutant") == "pm25").row(0, named=True)
    share = found["n_above_who"] / found["n"]
    assert 0 < share < 1
    assert found["pod_who"] == 1
    assert found["far_who"] == pytest.approx(1 - share)
    assert found["csi_who"] == pytest.approx(share)
    assert found["brier_who"] == pytest.approx(share * 0.09 + (1 - share) * 0.49)
    assert found["pod_eu"] == 0
    assert found["far_eu"] is None


def test_reliability_is_the_share_below_each_quantile():
    found = summarize(tally(issued(offset_ugm3=100.0), observations()), ("pollutant",))
    assert found["share_below_q05"].to_list() == [1.0, 1.0]
    assert found["coverage_90"].to_list() == [0.0, 0.0]
    exact = summarize(tally(issued(offset_ugm3=0.0), observations()), ("pollutant",))
    assert exact["share_below_q95"].to_list() == [1.0, 1.0]


def background(*, run_day: int, available_hours: int, value: float) -> pl.DataFrame:
    rows = observations().filter(pl.col("observed_at").is_between(at(60), at(66)), pl.col("station_id") == "centre")
    return rows.select(
        "station_id",
        "pollutant",
        source=pl.lit("cams"),
        issued_at=pl.lit(at(run_day)).cast(UTC_TIME),
        valid_at="observed_at",
        concentration_ugm3=pl.lit(value),
        available_at=pl.lit(at(run_day) + timedelta(hours=available_hours)).cast(UTC_TIME),
    )


def test_the_background_is_the_newest_run_known_at_issue():
    runs = pl.concat(
        [background(run_day=d, available_hours=h, value=v) for d, h, v in ((58, 9, 1.0), (59, 9, 2.0), (60, 9, 3.0))]
    )
    rows = tally(issued(days=(60,)), observations(), background=runs).filter(pl.col("station_id") == "centre")
    truth = observations().filter(
        pl.col("station_id") == "centre", pl.col("observed_at").is_between(at(60), at(63), closed="left")
    )
    assert rows["n_background"].sum() == 2 * 72
    assert rows["background_error"].sum() == pytest.approx((truth["concentration_ugm3"] - 2.0).abs().sum())
    found = summarize(rows, ("pollutant",))
    assert (found["rmae_background"] < 1).all()


def test_the_quality_indicator_by_hand():
    """A constant error of 2 µg/m³ on day means of PM2.5: 2 over twice the root mean squared uncertainty."""
    forecasts = issued(offset_ugm3=2.0, days=(60,)).filter(pl.col("pollutant") == "pm25")
    rows = model_quality(forecasts, observations())
    found = mqi(rows, ("station_id",))
    truth = observations().filter(
        pl.col("station_id") == "centre",
        pl.col("pollutant") == "pm25",
        pl.col("observed_at").is_between(at(60), at(63), closed="left"),
    )
    means = truth.group_by_dynamic("observed_at", every="1d").agg(pl.col("concentration_ugm3").mean())
    squared = means.select((0.36**2 * (0.75 * pl.col("concentration_ugm3") ** 2 + 0.25 * 25**2)).mean()).item()
    assert rows["n"].sum() == 6
    centre = found.filter(pl.col("station_id") == "centre")["mqi"].item()
    assert centre == pytest.approx(2 / (2 * squared**0.5))


def test_uncertainty_as_published():
    """FAIRMODE's table: U(0) and U(RV) of each pollutant."""
    published = {"no2": (9.60, 48.0), "o3": (17.06, 21.6), "pm10": (3.50, 14.0), "pm25": (4.50, 9.0)}
    for pollutant, (at_zero, at_reference) in published.items():
        u = UNCERTAINTY[pollutant]
        zero, reference = pl.select(u.squared(pl.lit(0.0)).sqrt(), reference=u.squared(pl.lit(u.rv_ugm3)).sqrt()).row(0)
        assert (zero, reference) == pytest.approx((at_zero, at_reference), abs=0.005)


def test_ozone_is_judged_by_its_highest_running_mean():
    forecasts = issued(offset_ugm3=2.0, days=(60,)).filter(pl.col("pollutant") == "o3")
    rows = model_quality(forecasts, observations())
    assert rows["n"].to_list() == [1, 1, 1]
    assert rows["squared_error"].to_list() == pytest.approx([4.0] * 3)
    fewer = observations().filter(~pl.col("observed_at").is_between(at(61), at(61, 7)))
    gone = model_quality(forecasts, fewer).sort("lead_day")
    assert gone["n"].to_list() == [1, 0, 1]
