"""What the page says: banners, tiles and the lines of trust and attribution, in words for people."""

import re
from collections import Counter
from datetime import datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.air.clock import HOUR, parse_utc
from hazecast.air.pollutants import PLAUSIBLE, Pollutant
from hazecast.dashboard.view import View

UNIT = "µg/m³"
NOTHING = "–"


class Banner(NamedTuple):
    """Something everybody must know before believing a number; `severe` when the forecast itself suffers."""

    word: str
    text: str
    severe: bool


class Tile(NamedTuple):
    """One number with what it is and a note under it."""

    label: str
    value: str
    note: str


def pollutant_label(pollutant: str) -> str:
    """Its name for people ("PM2.5")."""
    return PLAUSIBLE[Pollutant(pollutant)].label


def station_labels(stations: list[dict[str, Any]]) -> dict[str, str]:
    """A label for every station_id: its name, with the id where several share it."""
    shared = Counter(station["name"] for station in stations)
    return {
        station["station_id"]: station["name"] + (f" ({station['station_id']})" if shared[station["name"]] > 1 else "")
        for station in stations
    }


def local(moment: datetime, zone: ZoneInfo) -> str:
    """Day and hour at the station ("Sun 29 Mar 12:30")."""
    return f"{moment.astimezone(zone):%a %d %b %H:%M}"


def local_hour(moment: datetime, zone: ZoneInfo) -> str:
    """Weekday and hour at the station ("Sun 12:30"), for moments within a few days."""
    return f"{moment.astimezone(zone):%a %H:%M}"


def plain(text: str) -> str:
    """`text` so that Markdown shows it as it is."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!$~:|<>])", r"\\\1", text)


def concentration(value_ugm3: float) -> str:
    """With its unit; decimals only where they say something."""
    decimals = 1 if abs(value_ugm3) < 100 else 0  # noqa: PLR2004 - a matter of reading
    return f"{value_ugm3:,.{decimals}f} {UNIT}"


def age(hours: float) -> str:
    """An age in the unit people would use."""
    if hours < 1:
        return f"{max(hours, 0) * 60:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} days"  # noqa: PLR2004 - a matter of reading


def chance(probability: float) -> str:
    """A probability in percent that never claims certainty."""
    percent = round(probability * 100)
    return {0: "< 1 %", 100: "> 99 %"}.get(percent, f"{percent} %")


def banners(view: View, *, clock_replayed: bool) -> list[Banner]:
    """Whatever applies, the gravest last."""
    found = []
    if view.simulated:
        found.append(Banner("SIMULATED", "These values come from a simulation, not from instruments.", False))
    if clock_replayed:
        moment = f"{local(view.now, view.zone)} {view.now.astimezone(view.zone):%Y}"
        found.append(Banner("REPLAYED CLOCK", f"The past is being replayed; “now” is {moment}.", False))
    if view.forecast and view.forecast["status"] != "ok":
        found.append(Banner(view.forecast["status"].upper(), view.forecast["status_reason"], True))
    return found


def subtitle(view: View) -> str:
    """Where the page's numbers come from and how old they are."""
    parts = [pollutant_label(view.pollutant), f"station {view.station['station_id']}"]
    parts.append(f"source: {view.station['source']}")
    if view.forecast:
        issued = local(parse_utc(view.forecast["issued_at"]), view.zone)
        parts.append(f"forecast issued {issued}, {age(view.forecast['forecast_age_hours'])} ago")
        parts.append(f"model {view.forecast['model_version']}")
    return " · ".join(parts)


def tiles(view: View) -> list[Tile]:
    """Latest observation, the highest hour ahead and the chance of exceeding each limit."""
    return [_latest(view), _highest(view), *(_exceedance(view, limit) for limit in view.limits)]


def chart_notes(view: View, limits_above: list[dict[str, Any]]) -> list[str]:
    """What the chart leaves out or shows differently."""
    notes = [
        f"{limit['label']} ({limit['concentration_ugm3']:,g} {UNIT}) lies above this chart." for limit in limits_above
    ]
    if view.observed["flag"].ne("ok").any():
        notes.append("Hollow marks are doubted observations (circle: suspicious, cross: invalid).")
    return notes


def trust(view: View, scores: list[dict[str, Any]]) -> str:
    """How well the model behind this forecast did on days it had not seen, or that nobody knows."""
    model = f"version-{view.forecast['model_version']}" if view.forecast else None
    found = [score for score in scores if score["pollutant"] == view.pollutant and score["model"] == model]
    if not found or found[0]["mae"] is None:
        return "How good is it? Not known: no comparison of this model with observations is stored."
    return f"How good is it? {_verdict(found[0])}"


def attribution(view: View) -> str:
    """Whom to credit, and what the numbers are not."""
    doubt = "" if view.simulated else " Values are preliminary and not validated by their owner."
    return (
        f"Observations: {plain(view.station['attribution'])}.{doubt} "
        "Forecasts by Hazecast, free software under Apache-2.0; no official warning."
    )


def _latest(view: View) -> Tile:
    usable = view.observed.filter(pl.col("flag") != "invalid")
    if usable.is_empty():
        newest = view.observations["newest_observed_at"]
        known = f"; the newest is {age((view.now - parse_utc(newest)) / HOUR)} old" if newest else ""
        return Tile("Latest observation", NOTHING, f"none in the last 7 days{known}")
    newest = usable.row(-1, named=True)
    start = newest["hour_start"]
    hour = f"{local_hour(start, view.zone)}–{(start + HOUR).astimezone(view.zone):%H:%M}"
    doubt = ", suspicious" if newest["flag"] == "suspicious" else ""
    old = age((view.now - start - HOUR) / HOUR)
    return Tile("Latest observation", concentration(newest["observed_ugm3"]), f"{hour}, {old} ago{doubt}")


def _highest(view: View) -> Tile:
    ahead = view.ahead()
    if ahead.is_empty():
        return Tile("Highest hour, next 24 h", NOTHING, "no forecast for these hours")
    peak = ahead.sort("q50").row(-1, named=True)
    low, high = round(peak["q10"]), round(peak["q90"])
    return Tile(
        "Highest hour, next 24 h",
        concentration(peak["q50"]),
        f"{local_hour(peak['hour_start'], view.zone)}, 80 % sure: {low}–{high}",
    )


def _exceedance(view: View, limit: dict[str, Any]) -> Tile:
    label = f"Chance above {limit['concentration_ugm3']:,g} {UNIT}, next 24 h"
    name = limit["label"].split(",")[0]
    ahead = view.ahead().drop_nulls(f"p_exceed_{limit['key']}")
    if ahead.is_empty():
        return Tile(label, NOTHING, name)
    peak = ahead.sort(f"p_exceed_{limit['key']}").row(-1, named=True)
    return Tile(
        label, chance(peak[f"p_exceed_{limit['key']}"]), f"{name}; at {local_hour(peak['hour_start'], view.zone)}"
    )


def _verdict(score: dict[str, Any]) -> str:
    since, until = (f"{parse_utc(score[edge]):%d %b %Y}" for edge in ("window_start", "window_end"))
    parts = [f"From {since} to {until} its median missed by {concentration(score['mae'])} on average"]
    if score["rmae"] is not None:
        better = (1 - score["rmae"]) * 100
        parts.append(f"{abs(better):.0f} % {'less' if better >= 0 else 'more'} than repeating the day before would")
    if score["coverage_80"] is not None:
        parts.append(f"{score['coverage_80'] * 100:.0f} % of hours fell inside the 80 % band")
    return f"{'; '.join(parts)}. {score['n']:,} hours compared."
