"""Bands of an index for people: their name in words, their colour only beside it."""

from html import escape
from typing import Any

from hazecast.dashboard.visit import Visit

NO_COLOUR = "#9e9e9e"


def band_label(visit: Visit, hour: dict[str, Any] | None) -> str:
    """The band of an hour's or a day's index with its number, if the index has numbers ("Moderate, 72")."""
    if visit.index is None or hour is None or hour["band"] is None:
        return visit.words.say("now.no_band")
    name = visit.words.band(visit.index["index"], hour["band"])
    return f"{name}, {hour['label']}" if hour["value"] is not None else name


def band_colours(visit: Visit) -> dict[str, str]:
    """The colour of every band by its name, and of none; safe for colour-blind eyes."""
    bands = visit.index["bands"] if visit.index else []
    name = (visit.index or {}).get("index", "")
    known = {visit.words.band(name, band["name"]): band["colour_blind_safe"] for band in bands}
    return {**known, visit.words.say("now.no_band"): NO_COLOUR}


def band_name(visit: Visit, hour: dict[str, Any] | None) -> str:
    """The band's name alone, as `band_colours` has it."""
    if visit.index is None or hour is None or hour["band"] is None:
        return visit.words.say("now.no_band")
    return visit.words.band(visit.index["index"], hour["band"])


def band_card(title: str, band: str, colour: str, *, lines: list[str]) -> str:
    """A day's card as HTML: a bar in the band's colour beside the band in words."""
    told = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return (
        f'<div style="border-left:0.9rem solid {escape(colour)};padding:0.2rem 0 0.2rem 0.9rem">'
        f"<div>{escape(title)}</div>"
        f'<div style="font-size:1.7rem;font-weight:600;line-height:1.3">{escape(band)}</div>{told}</div>'
    )
