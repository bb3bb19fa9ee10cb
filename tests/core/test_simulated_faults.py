"""Each fault shows where it was put and nowhere else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from hazecast.air.pollutants import Pollutant
from hazecast.errors import NotKnown
from hazecast.sources.simulated import (
    Fault,
    Flatline,
    Gap,
    Outage,
    RegimeChange,
    SensorDrift,
    SimulatedSource,
    Spikes,
    UnitMistake,
)

START = datetime(2024, 3, 1, tzinfo=UTC)
WINDOW = {"since": START, "until": START + timedelta(days=30)}
STATION = "simulated-old-town"
AT = {"since": START + timedelta(days=10), "until": START + timedelta(days=20)}
ONE = {"station_id": STATION, "pollutant": Pollutant.NO2, **AT}
HIT = (
    (pl.col("station_id") == STATION)
    & (pl.col("pollutant") == "no2")
    & pl.col("observed_at").is_between(AT["since"], AT["until"], closed="left")
)
KEY = ["station_id", "pollutant", "observed_at"]

ONE_SERIES = [
    Gap(**ONE),
    Flatline(**ONE, stuck_at_ugm3=21.0),
    Spikes(**ONE, height_ugm3=400.0, share=0.1),
    SensorDrift(**ONE, per_day_ugm3=2.0),
    UnitMistake(**ONE, factor=0.001),
    RegimeChange(**ONE, factor=1.8),
]


def readings(*faults: Fault) -> pl.DataFrame:
    return SimulatedSource(seed=7, n_stations=3, faults=faults).fetch_observations(**WINDOW)


def struck_by(fault: Fault) -> pl.DataFrame:
    """The affected hours, with the undistorted value next to the distorted one."""
    healthy = readings().filter(HIT).rename({"concentration_ugm3": "healthy"})
    return healthy.join(readings(fault).select(*KEY, "concentration_ugm3"), on=KEY, how="left").sort("observed_at")


@pytest.mark.parametrize("fault", ONE_SERIES, ids=lambda fault: type(fault).__name__)
def test_a_fault_strikes_its_series_and_hours_and_no_others(fault: Fault):
    healthy, ill = readings(), readings(fault)
    assert ill.filter(~HIT).equals(healthy.filter(~HIT))
    assert not ill.filter(HIT).equals(healthy.filter(HIT))


def test_a_gap_delivers_no_rows():
    assert readings(ONE_SERIES[0]).filter(HIT).is_empty()


def test_a_flatline_repeats_one_number():
    assert struck_by(ONE_SERIES[1])["concentration_ugm3"].unique().to_list() == [21.0]


def test_spikes_are_single_high_hours_in_the_share_asked_for():
    excess = struck_by(ONE_SERIES[2]).select(pl.col("concentration_ugm3") - pl.col("healthy")).to_series()
    assert set(excess.round(6).unique()) == {0.0, 400.0}
    assert 0.04 < (excess > 1).mean() < 0.17


def test_a_drift_grows_day_by_day():
    excess = struck_by(ONE_SERIES[3]).select(pl.col("concentration_ugm3") - pl.col("healthy")).to_series()
    assert excess[0] == pytest.approx(0.0)
    assert excess[24 * 9] == pytest.approx(18.0)


@pytest.mark.parametrize(("fault", "factor"), [(ONE_SERIES[4], 0.001), (ONE_SERIES[5], 1.8)])
def test_a_wrong_unit_and_a_new_regime_scale_the_values(fault: Fault, factor: float):
    ratio = struck_by(fault).select(pl.col("concentration_ugm3") / pl.col("healthy")).to_series()
    assert ratio.to_list() == pytest.approx([factor] * ratio.len())


def test_a_regime_of_some_hours_scales_these_hours_of_every_day():
    night = RegimeChange(**ONE, factor=6.0, hours=(20, 3))
    ratio = struck_by(night).select(pl.col("observed_at").dt.hour(), pl.col("concentration_ugm3") / pl.col("healthy"))
    scaled = ratio.filter(pl.col("concentration_ugm3") > 1.5)["observed_at"].unique().sort().to_list()
    assert scaled == [0, 1, 2, 3, 20, 21, 22, 23]


def test_an_outage_silences_a_station_or_the_whole_network():
    within = pl.col("observed_at").is_between(AT["since"], AT["until"], closed="left")
    one = readings(Outage(station_id=STATION, **AT)).filter(within)
    assert sorted(one["station_id"].unique()) == ["simulated-harbour", "simulated-ring-road"]
    assert readings(Outage(**AT)).filter(within).is_empty()
    assert not readings(Outage(**AT)).filter(~within).is_empty()


@pytest.mark.parametrize("fault", ONE_SERIES, ids=lambda fault: type(fault).__name__)
def test_faults_too_are_the_same_in_every_window(fault: Fault):
    source = SimulatedSource(seed=7, n_stations=3, faults=[fault])
    middle = START + timedelta(days=13, hours=5)
    first = source.fetch_observations(since=START, until=middle)
    second = source.fetch_observations(since=middle, until=WINDOW["until"])
    assert pl.concat([first, second]).sort(KEY).equals(source.fetch_observations(**WINDOW).sort(KEY))


def test_faults_add_up_in_their_order():
    both = readings(Flatline(**ONE, stuck_at_ugm3=20.0), UnitMistake(**ONE, factor=2.0)).filter(HIT)
    assert both["concentration_ugm3"].unique().to_list() == [40.0]


def test_a_fault_aimed_at_nothing_is_refused():
    with pytest.raises(NotKnown, match="simulated-atlantis"):
        SimulatedSource(faults=[Gap(station_id="simulated-atlantis", **AT)])


def test_every_fault_is_documented_and_the_example_works():
    documented = (Path(__file__).resolve().parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    assert all(f"`{type(fault).__name__}`" in documented for fault in [*ONE_SERIES, Outage(**AT)])
    example = documented.split("```python")[1].split("```")[0]
    names: dict[str, object] = {}
    exec(example, names)
    assert isinstance(names["source"], SimulatedSource)
