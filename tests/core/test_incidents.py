"""One incident is one alert: it opens once, is updated sparingly, and ends once."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hazecast.air.spec import QUANTILES
from hazecast.monitoring import (
    DayExceedance,
    ExceedanceRule,
    HealthRule,
    Incident,
    Rules,
    Signal,
    health_signals,
    transition,
)
from hazecast.monitoring import day_exceedance_signals as day_signals_of
from hazecast.monitoring import exceedance_signals as signals_of

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULE = HealthRule(
    name="data", label="Data", checks=("silent",), open_after_hours=6, close_after_hours=12, cool_down_hours=48
)


def signal(level: str = "bad", *, summary: str = "PM2.5 is silent", severity: str = "warning", rule=RULE) -> Signal:
    return Signal(rule, "harbour pm25", level, severity, summary, f"it is {level}")


def play(looks: str, *, every_hours: float = 6, rule=RULE) -> list[Incident | None]:
    """Looks in time: b bad, c clear, - between, C critical, n bad with news."""
    seen: list[Incident | None] = []
    kinds = {
        "b": signal(rule=rule),
        "c": signal("clear", rule=rule),
        "-": signal("between", rule=rule),
        "C": signal(severity="critical", rule=rule),
        "n": signal(summary="PM2.5 is silent, and more", rule=rule),
    }
    incident = None
    for number, look in enumerate(looks):
        incident = transition(incident, kinds[look], audience="operators", now=NOON + number * every_hours * HOUR)
        seen.append(incident)
    return seen


def events_of(looks: str, **how) -> str:
    """What people hear at each look: o opened, u updated, r resolved, . nothing."""
    incidents = play(looks, **how)
    events = [0] + [one.event if one else 0 for one in incidents]
    words = [one.event_word[0] if one else "." for one in incidents]
    return "".join(
        word if after > before else "." for (before, after), word in zip(pairwise(events), words, strict=True)
    )


@pytest.mark.parametrize(
    ("looks", "expected"),
    [
        ("cccc", "...."),
        ("bc", ".."),  # a single bad look passes by in silence
        ("bb", ".o"),
        ("bbbbbbbb", ".o......"),  # however long it lasts
        ("bbccc", ".o..r"),  # clear for 12 hours
        ("bbcbccc", ".o....r"),  # a short calm is not the end
        ("bbc-ccc", ".o....r"),  # nor is half a calm
        ("bbCC", ".ou."),  # worse is sent at once
        ("bbn", ".o."),  # news waits for the cool-down
        ("bbbbbbbbbn", ".o.......u"),
        ("bbcccb", ".o..ru"),  # back within the cool-down: the same incident
        ("bbccccccccccccbb", ".o..r..........o"),  # back after it: a new one, after the usual patience
    ],
)
def test_what_people_hear(looks: str, expected: str):
    assert events_of(looks) == expected


def test_a_new_incident_has_a_new_name():
    first, *_, last = [one for one in play("bbccccccccccccbb") if one]
    assert first.incident_id != last.incident_id
    assert last.opened_at is not None and last.opened_at - last.bad_since == 6 * HOUR


def test_back_within_the_cool_down_keeps_its_name():
    first, *_, last = [one for one in play("bbcccb") if one]
    assert last.incident_id == first.incident_id
    assert (last.state, last.resolved_at) == ("open", None)


@given(st.text("bc-Cn", max_size=60), st.integers(0, 3))
def test_events_only_grow_and_never_chatter(looks: str, extra: int):
    """For any history: an end follows a beginning, and opening without patience needs a bad look for six hours."""
    expected = events_of(looks)
    openings, endings = expected.count("o"), expected.count("r")
    assert endings <= openings + expected.count("u")
    assert openings <= len(looks) // 2
    stepwise = [one for one in play(looks) if one]
    assert all(later.event - earlier.event <= 1 for earlier, later in pairwise(stepwise) if _same(earlier, later))
    if stepwise:
        last = stepwise[-1]
        again = transition(last, signal(), audience="operators", now=last.seen_at - extra * HOUR)
        assert again == last


def _same(earlier: Incident, later: Incident) -> bool:
    return earlier.incident_id == later.incident_id


@given(st.integers(1, 200))
def test_any_length_of_trouble_is_opened_once_and_ended_once(n_looks: int):
    assert events_of("b" * (n_looks + 1) + "ccc").replace(".", "") == "or"


def health(*rows: tuple[str, str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [{"check": c, "subject": s, "verdict": v, "reason": f"{s} is {v}"} for c, s, v in rows], orient="row"
    )


def test_verdicts_become_signals_of_their_rule_alone():
    found = health_signals(
        RULE,
        health(
            ("silent", "a pm25", "critical"),
            ("silent", "b pm25", "unknown"),
            ("silent", "c pm25", "ok"),
            ("stuck", "a pm25", "warning"),
        ),
    )
    assert [(one.subject, one.level, one.severity) for one in found] == [
        ("silent: a pm25", "bad", "critical"),
        ("silent: b pm25", "between", "warning"),
        ("silent: c pm25", "clear", "warning"),
    ]
    assert found[0].reason == "a pm25 is critical"


# 20 UTC is the next local day in Kathmandu (+05:45).
ISSUED = datetime(2026, 7, 1, 18, tzinfo=UTC)
STATIONS = pl.DataFrame(
    {
        "station_id": ["k", "l"],
        "name": ["Kathmandu", "Lisbon"],
        "timezone": ["Asia/Kathmandu", "Europe/Lisbon"],
    }
)


def forecast(median_ugm3, *, station_id: str = "l", pollutant: str = "no2") -> pl.DataFrame:
    hours = range(72)
    medians = [float(median_ugm3(hour)) for hour in hours]
    return pl.DataFrame(
        {
            "station_id": station_id,
            "pollutant": pollutant,
            "issued_at": ISSUED,
            "valid_at": [ISSUED + hour * HOUR for hour in hours],
            **{
                name: [m * f for m in medians]
                for name, f in zip(QUANTILES, (0.5, 0.6, 0.8, 1, 1.2, 1.5, 1.8), strict=True)
            },
        },
        schema_overrides={
            "issued_at": pl.Datetime("us", "UTC"),
            "valid_at": pl.Datetime("us", "UTC"),
        },
    )


def rule(**settings) -> ExceedanceRule:
    usual = {
        "name": "x",
        "label": "High",
        "above_ugm3": {"no2": 200.0},
        "by": "day_maximum",
        "open_at": 1,
        "close_at": 0.8,
    }
    return ExceedanceRule(**(usual | settings))


@pytest.mark.parametrize(("peak", "level"), [(150, "clear"), (170, "between"), (199, "between"), (201, "bad")])
def test_the_highest_hour_of_a_day_decides(peak: float, level: str):
    (found,) = signals_of(rule(), forecast(lambda hour: peak if hour == 30 else 20), STATIONS)
    assert found.level == level
    assert f"highest hour {peak} µg/m³" in found.reason
    assert "2026-07-03" in found.reason


def test_probability_decides_where_the_rule_says_so():
    by_chance = rule(by="probability", open_at=0.15, close_at=0.1)
    (found,) = signals_of(by_chance, forecast(lambda hour: 150 if hour == 30 else 20), STATIONS)
    assert found.level == "bad"
    assert "chance of up to" in found.reason
    (calm,) = signals_of(by_chance, forecast(lambda hour: 20), STATIONS)
    assert calm.level == "clear"


def test_days_are_those_of_the_station():
    """20 UTC on 1 July is 01:45 on 2 July in Kathmandu."""
    rows = forecast(lambda hour: 300 if hour == 2 else 20, station_id="k")
    (found,) = signals_of(rule(), rows, STATIONS)
    assert found.summary == "High: NO₂ at Kathmandu, expected until 2026-07-02"


def test_a_day_mean_needs_most_of_its_day():
    """Issued at 19 h local time, the rest of today is no day; tomorrow and the day after are."""
    by_mean = rule(by="day_mean", above_ugm3={"pm25": 50.0})
    evening = forecast(lambda hour: 500 if hour < 5 else 20, pollutant="pm25")
    (found,) = signals_of(by_mean, evening, STATIONS)
    assert found.level == "clear"
    smog = forecast(lambda hour: 60, pollutant="pm25")
    (found,) = signals_of(by_mean, smog, STATIONS)
    assert (found.level, "day mean 60 µg/m³" in found.reason) == ("bad", True)


def test_days_beyond_the_rule_s_sight_do_not_count():
    late = forecast(lambda hour: 300 if hour > 60 else 20)
    assert signals_of(rule(days_ahead=2), late, STATIONS)[0].level == "clear"
    assert signals_of(rule(days_ahead=4), late, STATIONS)[0].level == "bad"


def day_rows(*medians: float, station_id: str = "k", statistic: str = "mean_24h", pollutant: str = "pm25"):
    """Day forecasts of one station from 2 July on, with 0.5 and 1.8 times the median as q05 and q95."""
    return pl.DataFrame(
        {
            "station_id": station_id,
            "pollutant": pollutant,
            "statistic": statistic,
            "day": [date(2026, 7, 2) + k * timedelta(days=1) for k in range(len(medians))],
            "issued_at": ISSUED,
            **{
                name: [m * f for m in medians]
                for name, f in zip(QUANTILES, (0.5, 0.6, 0.8, 1, 1.2, 1.5, 1.8), strict=True)
            },
        },
        schema_overrides={"issued_at": pl.Datetime("us", "UTC")},
    )


def day_rule(**settings) -> ExceedanceRule:
    usual = {"name": "x", "label": "High", "above_ugm3": {"pm25": 50.0}, "by": "mean_24h", "cost_loss_ratio": 0.25}
    return ExceedanceRule(**(usual | settings))


def in_words(found: DayExceedance) -> tuple[str, str]:
    return (
        f"{found.station} until {found.until}",
        f"{found.probability:.2f} {found.n_stations_above}/{found.n_stations}",
    )


@pytest.mark.parametrize(("median", "level"), [(20.0, "clear"), (38.0, "between"), (45.0, "bad"), (90.0, "bad")])
def test_the_probability_of_a_day_statistic_decides(median: float, level: str):
    """A median below the value opens an incident where acting costs a quarter of the loss."""
    (found,) = day_signals_of(day_rule(), day_rows(10.0, median), STATIONS, wording=in_words)
    assert found.level == level


def test_other_statistics_and_pollutants_do_not_count():
    rows = pl.concat([day_rows(500.0, statistic="max_1h"), day_rows(500.0, pollutant="pm10"), day_rows(5.0)])
    (found,) = day_signals_of(day_rule(), rows, STATIONS, wording=in_words)
    assert (found.level, found.subject) == ("clear", "k pm25")


def test_the_text_gets_the_likeliest_day_the_last_day_and_the_share_of_stations():
    others = [day_rows(10.0, 20.0, 10.0, station_id=name) for name in STATIONS["station_id"] if name != "k"]
    rows = pl.concat([day_rows(60.0, 100.0, 60.0), *others])
    found = next(one for one in day_signals_of(day_rule(), rows, STATIONS, wording=in_words) if one.level == "bad")
    assert found.summary == "Kathmandu until 2026-07-04"
    assert found.reason == f"0.95 1/{STATIONS.height}"
    (short,) = day_signals_of(day_rule(days_ahead=1), day_rows(60.0, 100.0), STATIONS, wording=in_words)
    assert short.summary == "Kathmandu until 2026-07-02"


def test_a_cost_loss_ratio_is_the_threshold():
    assert (day_rule().open_at, day_rule().close_at) == (0.25, 0.7 * 0.25)
    assert day_rule(close_at=0.1).close_at == 0.1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"open_at": 0.5}, "the same threshold"),
        ({"by": "day_mean"}, "use mean_24h, max_1h, mda8"),
        ({"cost_loss_ratio": 1.5}, "less than 1"),
        ({"by": "mean_12h"}, "mean_24h"),
    ],
)
def test_a_wrong_cost_loss_ratio_is_refused(wrong: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        day_rule(**wrong)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"operators": [{"name": "a", "label": "A", "checks": ["sklil"]}]}, "unknown check sklil; known: skill"),
        ({"operators": [{"name": "a", "label": "A", "checks": ["skill"]}] * 2}, "two rules have the same name"),
        ({"public": [{"name": "a", "label": "A", "by": "day_maximum", "open_at": 1, "close_at": 2}]}, "above_ugm3"),
        (
            {
                "public": [
                    {"name": "a", "label": "A", "above_ugm3": {"no2": 1}, "by": "day_mean", "open_at": 1, "close_at": 2}
                ]
            },
            "close_at must not be above open_at",
        ),
        (
            {
                "public": [
                    {
                        "name": "a",
                        "label": "A",
                        "above_ugm3": {"no2": 1},
                        "by": "probability",
                        "open_at": 5,
                        "close_at": 2,
                    }
                ]
            },
            "between 0 and 1",
        ),
        ({"public": [{"name": "a", "label": "A", "abov": 1}]}, "abov"),
    ],
)
def test_wrong_rules_are_refused_with_the_reason(wrong: dict, message: str):
    with pytest.raises(ValidationError, match=message):
        Rules.model_validate(wrong)
