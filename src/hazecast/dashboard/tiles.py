"""What the Forecast page says about one series: its provenance, its main numbers and how far to believe them."""

from typing import Any, NamedTuple

import polars as pl

from hazecast.air.clock import HOUR, parse_utc
from hazecast.dashboard.language import NOTHING
from hazecast.dashboard.view import View
from hazecast.dashboard.visit import pollutant_label


class Tile(NamedTuple):
    """One number with what it is and a note under it."""

    label: str
    value: str
    note: str


def subtitle(view: View) -> str:
    """Where the page's numbers come from and how old they are."""
    visit, words = view.visit, view.visit.words
    parts = [pollutant_label(view.pollutant)]
    parts.append(words.say("forecast.station", station_id=visit.station["station_id"], source=visit.station["source"]))
    if visit.forecast:
        issued, age = parse_utc(visit.forecast["issued_at"]), words.age(visit.forecast["forecast_age_hours"])
        parts.append(words.say("forecast.issued", when=words.time(issued, visit.zone), age=age))
        parts.append(words.say("forecast.model", version=visit.forecast["model_version"]))
    return " · ".join(parts)


def tiles(view: View) -> list[Tile]:
    """Latest observation, the highest hour ahead and the chance of exceeding each limit."""
    return [_latest(view), _highest(view), *(_exceedance(view, limit) for limit in view.limits)]


def chart_notes(view: View, limits_above: list[dict[str, Any]]) -> list[str]:
    """What the chart leaves out or shows differently."""
    words = view.visit.words
    notes = [
        words.say("forecast.above_chart", limit=words.translated(limit["label"]), value=_value(view, limit))
        for limit in limits_above
    ]
    if view.observed["flag"].ne("ok").any():
        notes.append(words.say("forecast.doubted"))
    return notes


def trust(view: View) -> str:
    """How well the model behind this forecast did on days it had not seen, or that nobody knows."""
    words, forecast = view.visit.words, view.visit.forecast
    model = f"version-{forecast['model_version']}" if forecast else None
    scores = view.visit.status["scores"]
    found = [score for score in scores if score["pollutant"] == view.pollutant and score["model"] == model]
    if not found or found[0]["mae"] is None:
        return words.say("forecast.trust_unknown")
    return words.say("forecast.trust", verdict=_verdict(view, found[0]))


def _value(view: View, limit: dict[str, Any]) -> str:
    return view.visit.words.limit(limit["concentration_ugm3"])


def _latest(view: View) -> Tile:
    visit, words = view.visit, view.visit.words
    label, usable = words.say("forecast.latest"), view.observed.filter(pl.col("flag") != "invalid")
    if usable.is_empty():
        if view.newest_observed_at is None:
            return Tile(label, NOTHING, words.say("forecast.latest_none"))
        age = words.age((visit.now - parse_utc(view.newest_observed_at)) / HOUR)
        return Tile(label, NOTHING, words.say("forecast.latest_old", age=age))
    newest = usable.row(-1, named=True)
    start = newest["hour_start"]
    hour = f"{words.hour(start, visit.zone)}–{(start + HOUR).astimezone(visit.zone):%H:%M}"
    note = words.say("forecast.latest_note", hour=hour, age=words.age((visit.now - start - HOUR) / HOUR))
    doubt = words.say("forecast.latest_doubted") if newest["flag"] == "suspicious" else ""
    return Tile(label, words.concentration(newest["observed_ugm3"]), note + doubt)


def _highest(view: View) -> Tile:
    visit, words = view.visit, view.visit.words
    label, ahead = words.say("forecast.highest"), view.ahead()
    if ahead.is_empty():
        return Tile(label, NOTHING, words.say("forecast.highest_none"))
    peak = ahead.sort("q50").row(-1, named=True)
    low, high = (words.number(peak[name]) for name in ("q10", "q90"))
    hour = words.hour(peak["hour_start"], visit.zone)
    note = words.say("forecast.highest_note", hour=hour, low=low, high=high)
    return Tile(label, words.concentration(peak["q50"]), note)


def _exceedance(view: View, limit: dict[str, Any]) -> Tile:
    words, column = view.visit.words, f"p_exceed_{limit['key']}"
    label = words.say("forecast.exceedance", value=_value(view, limit))
    name = words.translated(limit["label"]).split(",")[0]
    ahead = view.ahead().drop_nulls(column)
    if ahead.is_empty():
        return Tile(label, NOTHING, name)
    peak = ahead.sort(column).row(-1, named=True)
    hour = words.hour(peak["hour_start"], view.visit.zone)
    return Tile(label, words.chance(peak[column]), words.say("forecast.exceedance_note", limit=name, hour=hour))


def _verdict(view: View, score: dict[str, Any]) -> str:
    words = view.visit.words
    since, until = (words.date(parse_utc(score[edge])) for edge in ("window_start", "window_end"))
    parts = [words.say("forecast.verdict", since=since, until=until, mae=words.concentration(score["mae"]))]
    if score["rmae"] is not None:
        key = "forecast.verdict_better" if score["rmae"] <= 1 else "forecast.verdict_worse"
        parts.append(words.say(key, share=words.percent(abs(1 - score["rmae"]))))
    if score["coverage_80"] is not None:
        parts.append(words.say("forecast.verdict_coverage", share=words.percent(score["coverage_80"])))
    return f"{'; '.join(parts)}. {words.say('forecast.verdict_hours', n=words.number(score['n']))}"
