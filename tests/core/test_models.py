"""Forecasts of every model: complete, ordered, with the right status, and unchanged by saving and loading."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from forecast_town import DAYS, HOUR, at, observations, stations, weather
from polars.testing import assert_frame_equal

from hazecast.air.spec import QUANTILES, ForecastSpec
from hazecast.features import FutureWeather, Panel, build_panel
from hazecast.models import KINDS, Explainable, load_model, model_class
from hazecast.models.base import days_of
from hazecast.models.baselines import climatology, persistence, seasonal_naive
from hazecast.models.config import ModelConfig, UncertaintyConfig
from hazecast.models.forecaster import ResidualForecaster
from hazecast.models.postprocess import station_facts
from hazecast.models.stack import Stack
from hazecast.models.uncertainty import level_dependence
from hazecast.quality import check_weather
from hazecast.scoring import score
from presets import LIGHT, SMALL, TINY

KEY = ["station_id", "pollutant", "issued_at", "valid_at"]
UNTIL = at(60)


@pytest.fixture(scope="module")
def panel() -> Panel:
    return build_panel(observations(), weather(runs=True), stations())


@pytest.fixture(scope="module")
def forecaster(panel: Panel) -> Stack:
    return Stack.fit(panel, pollutants=("pm25", "o3", "no2"), until=UNTIL, weather=FutureWeather.OBSERVED, config=SMALL)


def test_every_hour_is_forecast_in_order_and_above_zero(panel, forecaster):
    issues = [at(61, 6), at(62, 6), at(DAYS)]
    found = forecaster.predict(panel, issues)
    pairs = len(stations()) * 2 - 1
    assert len(found) == pairs * 72 * len(issues)
    assert found.select(KEY).is_unique().all()
    values = found.select(*QUANTILES, "mean").to_numpy()
    assert np.isfinite(values).all()
    assert values.min() >= 0
    assert (np.diff(values[:, :7], axis=1) >= 0).all()
    lead = (found["valid_at"] - found["issued_at"]).dt.total_hours() + 1
    assert lead.equals(found["lead_hours"].cast(pl.Int64), check_names=False)


@pytest.mark.parametrize("spoilt", [999.9, -9999.0, 281.3])
def test_a_forecast_on_weather_that_the_check_rejects_is_degraded(forecaster, spoilt: float):
    """Missing-value codes and Kelvin at one station, in every other hour ahead."""
    bad = (pl.col("station_id") == "centre") & (pl.col("valid_at") >= at(61)) & (pl.col("valid_at").dt.hour() % 2 == 0)
    rows = weather(runs=True).with_columns(temperature_c=pl.when(bad).then(spoilt).otherwise("temperature_c"))
    found = forecaster.predict(build_panel(observations(), check_weather(rows).rows, stations()), [at(61, 6)])
    centre = found.filter(station_id="centre").group_by(pl.col("valid_at").dt.hour() % 2).agg(pl.col("status").unique())
    assert dict(centre.rows()) == {0: ["degraded"], 1: ["ok"]}


def test_the_status_tells_missing_weather_from_missing_observations(panel, forecaster):
    found = forecaster.predict(panel, [at(30, 6), at(61, 6), at(DAYS - 1)])
    dry = found.filter(station_id="dry")
    assert set(dry["status"]) == {"degraded"}
    assert set(found.filter(pl.col("station_id") == "gappy", pl.col("issued_at") == at(30, 6))["status"]) == {
        "baseline"
    }
    assert found.filter(station_id="new", issued_at=at(30, 6)).is_empty()
    centre = found.filter(pl.col("station_id") == "centre")
    assert set(centre.filter(pl.col("issued_at") == at(61, 6))["status"]) == {"ok"}
    last = centre.filter(pl.col("issued_at") == at(DAYS - 1)).sort("lead_hours")
    assert set(last.filter(pl.col("lead_hours") <= 24)["status"]) == {"ok"}
    assert set(last.filter(pl.col("lead_hours") > 24)["status"]) == {"degraded"}


def test_a_pollutant_it_was_not_trained_for_gets_the_baseline(panel):
    only = Stack.fit(panel, pollutants=("o3",), until=UNTIL, weather=FutureWeather.NONE, config=LIGHT)
    status = only.predict(panel, at(61)).group_by("pollutant").agg(pl.col("status").unique())
    assert dict(status.iter_rows()) == {"o3": ["ok"], "pm25": ["baseline"]}


def test_nothing_after_until_is_learned(panel, forecaster):
    """Training on a panel that ends at `until` gives the same forecaster."""
    past = build_panel(
        observations().filter(pl.col("available_at") <= UNTIL),
        weather().filter(pl.col("valid_at") < UNTIL + 100 * HOUR),
        stations(),
    )
    twin = Stack.fit(past, pollutants=("pm25", "o3"), until=UNTIL, weather=FutureWeather.OBSERVED, config=SMALL)
    issue = at(61, 6)
    assert twin.predict(panel, issue).equals(forecaster.predict(panel, issue))


@pytest.mark.parametrize("horizon_hours", [48, 120])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "mlforecast"])
def test_every_kind_forecasts_every_horizon_and_is_the_same_after_loading(panel, tmp_path, kind, horizon_hours):
    """The whole seam: any kind through the registry of kinds, and any horizon through features, blocks and drivers."""
    spec = ForecastSpec(horizon_hours)
    fitted = model_class(kind).fit(
        panel, pollutants=("pm25",), until=UNTIL, weather=FutureWeather.NOISY, spec=spec, config=TINY
    )
    fitted.save(tmp_path)
    loaded = load_model(tmp_path)
    assert (loaded.kind, loaded.spec, loaded.trained_until) == (kind, spec, UNTIL)
    assert loaded.parameters == fitted.parameters
    issues = [at(61, 6), at(66, 6)]  # the second one is recalibrated
    found = loaded.predict(panel, issues)
    assert found.equals(fitted.predict(panel, issues))
    issue = found.filter(issued_at=issues[1])
    days = days_of(loaded).forecast(issue, panel)
    assert days.equals(days_of(fitted).forecast(issue, panel))
    assert days.filter(station_id="gappy")["day_ahead"].max() == horizon_hours // 24 - 1
    one = found.filter(station_id="centre", pollutant="pm25", issued_at=at(66, 6)).sort("lead_hours")
    assert one["lead_hours"].to_list() == list(range(1, horizon_hours + 1))
    values = one.select(*QUANTILES, "mean").to_numpy()
    assert np.isfinite(values).all()
    assert (np.diff(values[:, :7], axis=1) >= 0).all()
    if isinstance(loaded, Explainable):
        lead = loaded.drivers(panel, at(61, 6)).select(
            ((pl.col("valid_at") - pl.col("issued_at")).dt.total_hours() + 1).unique().sort()
        )
        assert tuple(lead.to_series()) == spec.sample_leads
        assert loaded.feature_importance()["lead_block"].n_unique() == len(spec.lead_blocks)


def test_every_lead_block_is_recalibrated_at_every_horizon(panel):
    for horizon_hours in (48, 120):
        spec = ForecastSpec(horizon_hours)
        fitted = model_class("trees").fit(
            panel, pollutants=("pm25",), until=UNTIL, weather=FutureWeather.NONE, spec=spec, config=TINY
        )
        hour = np.array([panel.hour_of(at(DAYS))])
        assert (fitted._adjustments(panel, hour)["pm25"].stretch != 1).all()


def test_a_saved_model_is_loaded_unchanged(panel, forecaster, tmp_path):
    forecaster.save(tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert isinstance(again, ResidualForecaster)
    assert again.predict(panel, at(61, 6)).equals(forecaster.predict(panel, at(61, 6)))
    assert again.training == forecaster.training
    assert again.stations == forecaster.stations
    assert again.config == forecaster.config
    assert not list((tmp_path / "model").glob("*.pkl"))


def test_the_median_of_a_station_with_a_coarse_resolution_is_rounded_to_it(tmp_path):
    """One station rounds to 10 µg/m³: its median does so too, and errs less; the others are left alone."""
    coarse = (pl.col("station_id") == "centre") & (pl.col("pollutant") == "pm25")
    reported = (pl.col("concentration_ugm3") / 10).round() * 10
    rounded = observations().with_columns(
        pl.when(coarse).then(reported).otherwise("concentration_ugm3").alias("concentration_ugm3")
    )
    panel = build_panel(rounded, weather(), stations())
    fitted = Stack.fit(panel, pollutants=("pm25",), until=UNTIL, weather=FutureWeather.NONE, config=LIGHT)
    fitted.save(tmp_path / "model")
    fitted = Stack.load(tmp_path / "model")
    assert fitted.stations.resolution == {"pm25": {"centre": 10}}
    issues = [at(60 + k) for k in range(11)]
    found = fitted.predict(panel, issues)
    smooth = replace(fitted, stations=replace(fitted.stations, resolution={})).predict(panel, issues)
    assert (found.filter(coarse)["q50"] % 10 == 0).all()
    assert (np.diff(found.select(QUANTILES).to_numpy(), axis=1) >= 0).all()
    assert_frame_equal(found.filter(~coarse), smooth.filter(~coarse))
    mae = [score(rows.filter(coarse), rounded).filter(lead_block="all")["mae"].item() for rows in (found, smooth)]
    assert mae[0] < 0.95 * mae[1]


def test_a_station_maximum_is_of_known_unflagged_values_of_two_weeks_or_more():
    """A flagged peak and a later one do not count, and a few days of a new or gappy station are too few."""
    now = at(50)
    first, late = (pl.col("observed_at") == at(day) for day in (20, 50))
    peaks = observations().with_columns(
        pl.when(first | late).then(1e4).otherwise("concentration_ugm3").alias("concentration_ugm3"),
        pl.when(first).then(pl.lit("suspicious")).otherwise("flag").alias("flag"),
    )
    panel = build_panel(peaks, weather(), stations())
    found = station_facts(panel, panel.hour_of(now), ModelConfig().postprocess).maximum
    seen = peaks.filter(
        pl.col("available_at") <= now, pl.col("flag") == "ok", ~pl.col("station_id").is_in(["new", "gappy"])
    )
    highest = seen.group_by("pollutant", "station_id").agg(pl.col("concentration_ugm3").max())
    assert found == {
        pollutant: {station: pytest.approx(most, rel=1e-6) for _, station, most in rows.sort("station_id").rows()}
        for (pollutant,), rows in highest.group_by("pollutant")
    }


def test_errors_depend_on_the_level_once_there_is_a_year_of_data(panel):
    config = UncertaintyConfig()
    few = level_dependence(panel, panel.hour_of(UNTIL), {}, config)
    assert few == pytest.approx({"o3": (60 / 365) ** 2, "pm25": (60 / 365) ** 2}, rel=0.01)
    coarse = {"pm25": dict.fromkeys(panel.stations[:4], 1.0)}
    assert level_dependence(panel, panel.hour_of(UNTIL), coarse, config)["pm25"] == 0
    long = build_panel(observations(400), weather(), stations())
    assert level_dependence(long, long.n_hours, {"o3": {"centre": 1.0}}, config) == {"o3": 1, "pm25": 1}


def test_issues_do_not_influence_each_other(panel, forecaster):
    both = forecaster.predict(panel, [at(61, 6), at(64, 6)]).filter(issued_at=at(64, 6))
    alone = forecaster.predict(panel, at(64, 6))
    assert_frame_equal(both.sort(KEY), alone.sort(KEY), rel_tol=1e-4)


def test_a_model_fresh_from_training_has_nothing_to_recalibrate_on(panel, forecaster):
    found = forecaster.predict(panel, UNTIL)
    assert set(found.filter(station_id="centre")["status"]) == {"ok"}


def test_it_beats_the_baselines_when_weather_drives_the_air(panel, forecaster):
    issues = [at(60 + k) for k in range(11)]
    scored = {
        name: score(predict(panel, issues), observations()).filter(lead_block="all").sort("pollutant")["mae"].to_numpy()
        for name, predict in {
            "stack": forecaster.predict,
            "persistence": persistence,
            "naive": seasonal_naive,
            "climatology": climatology,
        }.items()
    }
    stack = scored.pop("stack")
    for mae in scored.values():
        assert (stack < mae).all()


def test_importance_sums_to_one(forecaster):
    share = forecaster.feature_importance().group_by("pollutant", "lead_block").agg(pl.col("share").sum())
    assert len(share) == 8
    np.testing.assert_allclose(share["share"], 1, rtol=1e-6)


def test_progress_is_reported(panel):
    reported = []
    Stack.fit(
        panel,
        pollutants=("pm25",),
        until=at(20),
        weather=FutureWeather.NONE,
        config=LIGHT,
        progress=lambda line, share: reported.append((line, share)),
    )
    assert [share for _, share in reported] == sorted(share for _, share in reported)
    assert reported[0] == ("training sequences", 0.0)
    assert ("trees for leads 1-6 h", 0.5) in reported


def test_training_without_any_observation_is_an_error(panel):
    with pytest.raises(ValueError, match="no2"):
        Stack.fit(panel, pollutants=("no2",), until=UNTIL, weather=FutureWeather.NONE)


def test_persistence_and_naive_by_hand(panel):
    issue = at(61, 6)
    truth = observations().filter(station_id="centre", pollutant="pm25")
    value = dict(zip(truth["observed_at"], truth["concentration_ugm3"], strict=True))
    last = persistence(panel, issue).filter(station_id="centre", pollutant="pm25")
    np.testing.assert_allclose(last["mean"], value[issue - HOUR], rtol=1e-6)
    naive = seasonal_naive(panel, issue).filter(station_id="centre", pollutant="pm25").sort("lead_hours")
    assert naive["mean"][0] == pytest.approx(value[issue - 24 * HOUR])
    assert naive["mean"][23] == pytest.approx(value[issue - HOUR])
    assert naive["mean"][24] == pytest.approx(value[issue - 24 * HOUR])
    assert naive["mean"][71] == pytest.approx(value[issue - HOUR])


def test_climatology_is_the_mean_of_hour_and_month(panel):
    issue = at(20, 6)
    truth = observations().filter(
        pl.col("station_id") == "centre", pl.col("pollutant") == "pm25", pl.col("observed_at") < issue
    )
    at_noon = truth.filter(pl.col("observed_at").dt.hour() == 12)["concentration_ugm3"].mean()
    found = climatology(panel, issue).filter(station_id="centre", pollutant="pm25", valid_at=at(21, 12))
    assert found["mean"][0] == pytest.approx(at_noon, rel=1e-5)
