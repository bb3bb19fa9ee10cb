"""Our index values compared with the published ones."""

from pathlib import Path

import numpy as np
import pytest
from index_vectors import VECTORS, Vector, table

from hazecast.air.indices import INDICES, Reading
from hazecast.air.indices.nowcast import particle_nowcast
from hazecast.air.pollutants import Pollutant

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "indices.md"
EPA_EXAMPLE = [34.9, 43, 50, 64.9, 69.2, 66.2, 53.7, 48.6, 49.2, 35, np.nan, 21]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.index}: {v.given} → {v.published} [{v.origin}]")
def test_published_value(vector: Vector):
    assert vector.ours() == vector.published


def test_the_document_shows_this_very_table():
    assert table() in DOCUMENT.read_text(), "print it with: python tests/core/index_vectors.py"


def test_sub_indices_of_epas_example():
    example = next(v for v in VECTORS if ";" in v.given and v.index == "us-epa")
    result = INDICES["us-epa"].evaluate(example.readings)
    assert [sub.value for sub in result.sub_indices] == [126, 102, 90]
    assert result.dominant_pollutant is Pollutant.O3


def test_unrounded_aqhi_of_aqipy():
    shares = {}
    for pollutant, value in ((Pollutant.O3, 15), (Pollutant.NO2, 0), (Pollutant.PM25, 100)):
        shares[pollutant] = INDICES["ca-aqhi"].scale(pollutant, "3h").rank(value)
    assert sum(shares.values()) == pytest.approx(5.576, abs=5e-4)


def test_particle_nowcast_of_airnow_forum_172():
    assert particle_nowcast(np.array(EPA_EXAMPLE)) == pytest.approx(28.4098, abs=5e-5)
    nowcast = Reading(Pollutant.PM25, "nowcast", particle_nowcast(np.array(EPA_EXAMPLE)))
    assert INDICES["us-epa"].evaluate([nowcast]).value == 87


def test_particle_nowcast_without_two_of_the_newest_three_hours_of_airnow_forum_172():
    assert particle_nowcast(np.array([*EPA_EXAMPLE[:-2], np.nan, np.nan])) is None
