"""What a person looks at: the station, pollutant and language chosen, and what every page must know of them."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import streamlit as st

from hazecast.air.clock import parse_utc
from hazecast.air.pollutants import Pollutant
from hazecast.dashboard.choices import asked_for, choose_from_list, choose_from_row
from hazecast.dashboard.client import Api
from hazecast.dashboard.language import LANGUAGES, Language, read_language, spoken


@dataclass(frozen=True)
class Visit:
    """One person's choices and the answers of the API that all pages share.

    `pollutant` is None where nothing is measured or forecast; `forecast` is None while there is none, `missing` then
    says why; `index` (as the API describes it) is None where the API knows none.
    """

    api: Api
    words: Language
    status: dict[str, Any]
    stations: list[dict[str, Any]]
    station: dict[str, Any]
    pollutant: str | None
    index: dict[str, Any] | None
    forecast: dict[str, Any] | None
    missing: str

    @property
    def now(self) -> datetime:
        """What the installation's clock says."""
        return parse_utc(self.status["now"])

    @property
    def zone(self) -> ZoneInfo:
        """The station's time zone."""
        return ZoneInfo(self.station["timezone"])

    @property
    def simulated(self) -> bool:
        """Whether anything shown of the station is not a real measurement."""
        return bool(self.station["simulated"] or (self.forecast or {}).get("simulated"))

    @property
    def dark(self) -> bool:
        """Whether the page is dark."""
        return bool(st.context.theme.type == "dark")


def pollutant_label(pollutant: str) -> str:
    """Its name for people ("PM2.5")."""
    return Pollutant(pollutant).label


def station_labels(stations: list[dict[str, Any]]) -> dict[str, str]:
    """A label for every station_id: its name, with the id where several share it."""
    shared = Counter(station["name"] for station in stations)
    return {
        station["station_id"]: station["name"] + (f" ({station['station_id']})" if shared[station["name"]] > 1 else "")
        for station in stations
    }


def language_asked_for() -> Language:
    """The language chosen or in the address (`?lang=fi`), else the browser's; known before its box is drawn."""
    return read_language(asked_for("lang", _languages()))


def choose_language() -> None:
    """The box to choose the language from."""
    choose_from_list("Language · Kieli · Språk", _languages(), name="lang", width=150)


def _languages() -> dict[str, str]:
    preferred = spoken(st.context.locale)
    return {preferred: LANGUAGES[preferred], **LANGUAGES}


def choose_station(words: Language, stations: list[dict[str, Any]]) -> dict[str, Any]:
    """The station chosen or in the address (`?station=…`), else the first that has anything."""
    labels = station_labels(stations)
    by_id = {station["station_id"]: station for station in sorted(stations, key=lambda one: not one["pollutants"])}
    options = {station_id: labels[station_id] for station_id in by_id}
    return by_id[choose_from_list(words.say("choose.station"), options, name="station", width=300)]


def choose_pollutant(words: Language, station: dict[str, Any]) -> str | None:
    """The pollutant chosen or in the address (`?pollutant=…`), else the first; None where there is none."""
    options = {pollutant: pollutant_label(pollutant) for pollutant in station["pollutants"]}
    return choose_from_row(words.say("choose.pollutant"), options, name="pollutant") if options else None


def choose_index(words: Language, indices: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The index chosen or in the address (`?index=…`), else the place's own; None where there is none."""
    by_name = {index["index"]: index for index in sorted(indices, key=lambda one: not one["is_default"])}
    options = {name: index["title"] for name, index in by_name.items()}
    return by_name[choose_from_list(words.say("choose.index"), options, name="index", width=260)] if options else None


def choose_visit(api: Api, words: Language, *, status: dict[str, Any], stations: list[dict[str, Any]]) -> Visit:
    """What is chosen at the top of every page, with the forecast it leads to."""
    station = choose_station(words, stations)
    pollutant = choose_pollutant(words, station)
    index = choose_index(words, api.ask_all("indices", "indices"))
    asked = {"index": index["index"]} if index else {}
    found = api.forecast_if_any(station["station_id"], pollutant, **asked) if pollutant else (None, "")
    return Visit(api, words, status, stations, station, pollutant, index, *found)
