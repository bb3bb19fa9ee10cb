"""Scores of decisions against values computed by hand."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from hazecast.scoring.decisions import day_climatology, verify_decisions

P = np.array([0.9, 0.8, 0.6, 0.3, 0.1])
HAPPENED = np.array([1.0, 0.0, 1.0, 1.0, 0.0])
HALF = np.full(5, 0.5)


def test_scores_of_five_forecasts():
    found = verify_decisions(P, HAPPENED, HALF, act_above=0.5)
    assert found["brier"] == pytest.approx((0.01 + 0.64 + 0.16 + 0.49 + 0.01) / 5)
    assert found["brier_skill"] == pytest.approx(1 - found["brier"] / 0.25)
    assert (found["pod"], found["far"], found["csi"]) == pytest.approx((2 / 3, 1 / 3, 2 / 4))
    assert found["roc_area"] == pytest.approx(4 / 6)
    # Two hits and a false alarm cost 0.5 each, a miss 1; climatology always acts, perfect forecasts at the events.
    assert found["value"] == pytest.approx((0.5 - (3 * 0.5 + 1) / 5) / (0.5 - 0.3))
    assert found["reliability_gap"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.7 + 0.1) / 5)


def test_perfect_forecasts_and_no_events():
    perfect = verify_decisions(HAPPENED, HAPPENED, HALF)
    assert [perfect[name] for name in ("brier_skill", "roc_area", "pod", "csi", "value")] == pytest.approx([1] * 5)
    none = verify_decisions(P, np.zeros(5), HALF)
    assert np.isnan([none["pod"], none["roc_area"]]).all()


def test_the_climatology_counts_days_near_the_calendar_day_across_new_year():
    first = date(2023, 12, 1)
    past = pl.DataFrame(
        {
            "station_id": ["s"] * 90,
            "day": [first + timedelta(days=k) for k in range(90)],
            "observed_ugm3": [20.0] * 31 + [10.0] * 59,
        }
    )
    days = pl.DataFrame(
        {"station_id": ["s", "s", "new"], "day": [date(2024, 12, 31), date(2024, 7, 1), date(2024, 1, 1)]}
    ).with_columns(limit_ugm3=pl.lit(15.0))
    found = day_climatology(days, past)
    assert found[0] == pytest.approx(31 / 77, abs=0.02)
    assert np.isnan(found[1:]).all()
