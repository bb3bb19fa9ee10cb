"""Which stations are meant: boxes, circles, lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hazecast.air.distance import distance_km
from hazecast.sources.area import Box, Circle, Listed

places = st.tuples(st.floats(-89, 89), st.floats(-180, 180))


def test_known_distances():
    helsinki, tampere, quito = (60.1699, 24.9384), (61.4978, 23.7610), (-0.1807, -78.4678)
    assert distance_km(helsinki, tampere) == pytest.approx(161, abs=1)
    assert distance_km(helsinki, quito) == pytest.approx(10_780, rel=0.01)
    assert distance_km((0, 0), (0, 1)) == pytest.approx(111.19, abs=0.01)


@given(one=places, other=places)
def test_a_distance_is_the_same_there_and_back_and_at_most_half_round(one, other):
    assert 0 <= distance_km(one, other) <= 20_016
    assert distance_km(one, other) == pytest.approx(distance_km(other, one), abs=1e-6)


def test_a_box_contains_what_lies_between_its_edges():
    box = Box(west=24.5, south=60.1, east=25.3, north=60.4)
    assert box.contains("any", 60.2, 24.9)
    assert not box.contains("any", 24.9, 60.2)
    assert not box.contains("any", 60.5, 24.9)


def test_a_circle_contains_what_is_near_enough():
    assert Circle(60.17, 24.94, 10).contains("any", 60.25, 24.94)
    assert not Circle(60.17, 24.94, 5).contains("any", 60.25, 24.94)


def test_a_list_contains_its_ids():
    assert Listed(("7", "9")).contains("9", 0, 0)
    assert not Listed(("7", "9")).contains("8", 0, 0)
