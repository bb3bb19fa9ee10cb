"""What moves the forecast, as a table of a few hours: read the model's own answers, not causes in the air."""

from typing import Any

from hazecast.air.clock import parse_utc
from hazecast.air.tables import DRIVERS
from hazecast.dashboard.language import NOTHING, UNIT, Language
from hazecast.dashboard.view import View

_TOO_SMALL_UGM3 = 0.05


def drivers_table(view: View) -> str | None:
    """Markdown: a row for each hour still ahead, a column for each driver; None where nothing is known."""
    visit, words = view.visit, view.visit.words
    answer = visit.api.ask_station(visit.station["station_id"], "drivers", pollutant=view.pollutant)
    hours = [hour for hour in (answer or {}).get("hours", []) if parse_utc(hour["valid_at"]) > visit.now]
    if not hours:
        return None
    heads = [words.say("drivers.hour"), *(words.say(f"drivers.{name}") for name in DRIVERS)]
    rows = [[words.hour(parse_utc(hour["valid_at"]), visit.zone), *_effects(words, hour)] for hour in hours]
    ruler = [":--", *["--:"] * len(DRIVERS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ruler, *rows])


def _effects(words: Language, hour: dict[str, Any]) -> list[str]:
    found = {one["driver"]: one["effect_ugm3"] for one in hour["drivers"]}
    return [_signed(words, found.get(name)) for name in DRIVERS]


def _signed(words: Language, effect_ugm3: float | None) -> str:
    """With an arrow, so that up and down are seen at a glance."""
    if effect_ugm3 is None:
        return NOTHING
    if abs(effect_ugm3) < _TOO_SMALL_UGM3:
        return f"± 0 {UNIT}"
    arrow, sign = ("▲", "+") if effect_ugm3 > 0 else ("▼", "−")
    return f"{arrow} {sign}{words.concentration(abs(effect_ugm3))}"
