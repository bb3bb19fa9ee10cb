"""The Now page: all stations by band, today and tomorrow at a glance, and what people can do."""

from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from hazecast.air.clock import parse_utc
from hazecast.dashboard.bands import NO_COLOUR, band_card, band_colours, band_label, band_name
from hazecast.dashboard.choices import choose_from_row
from hazecast.dashboard.frame import plain, show_nothing
from hazecast.dashboard.map import station_map
from hazecast.dashboard.tables import show_table
from hazecast.dashboard.visit import Visit, pollutant_label, station_labels

DAYS = ("today", "tomorrow")


def show_now(visit: Visit) -> None:
    """The chosen station's next days, then every station."""
    words = visit.words
    st.title(plain(visit.station["name"]), anchor=False)
    if visit.index is None:
        show_nothing(words.say("empty.index"), words.say("empty.index_remedy"))
        return
    summaries = visit.api.ask_all("summaries", "summaries", index=visit.index["index"])
    if not summaries:
        show_nothing(words.say("empty.forecast"), words.say("empty.forecast_remedy"))
        return
    chosen = [one for one in summaries if one["station_id"] == visit.station["station_id"]]
    if chosen and chosen[0]["days"]:
        _show_days(visit, chosen[0]["days"])
    else:
        show_nothing(words.say("empty.forecast"), plain(visit.missing))
    st.header(words.say("now.all"), anchor=False)
    _show_places(visit, summaries)


def _show_days(visit: Visit, days: list[dict[str, Any]]) -> None:
    for column, day in zip(st.columns(len(DAYS)), days, strict=False):
        with column.container(border=True):
            _show_day(visit, day)


def _show_day(visit: Visit, day: dict[str, Any]) -> None:
    words = visit.words
    colour = band_colours(visit).get(band_name(visit, day["index"]), NO_COLOUR)
    st.html(band_card(_title(visit, day), band_label(visit, day["index"]), colour, lines=_times(visit, day)))
    st.markdown(f"**{words.say('now.everyone')}** {plain(words.translated(day['advice']))}")
    st.markdown(f"**{words.say('now.sensitive')}** {plain(words.translated(day['advice_sensitive']))}")
    st.caption(plain(" · ".join(_pollutant(visit, one) for one in day["pollutants"])))


def _title(visit: Visit, day: dict[str, Any]) -> str:
    """The day in words, and whether only a part of it is still ahead."""
    words = visit.words
    name = _day_name(visit, day)
    return words.say("now.rest", day=name, n=day["n_hours"]) if day["n_hours"] < 23 else name  # noqa: PLR2004


def _day_name(visit: Visit, day: dict[str, Any]) -> str:
    words, moment = visit.words, parse_utc(f"{day['day']}T12:00Z")
    ahead = (moment.date() - visit.now.astimezone(visit.zone).date()).days
    name = words.say(f"now.{DAYS[ahead]}") + ", " if 0 <= ahead < len(DAYS) else ""
    return f"{name}{words.weekday(moment)} {words.day(moment)}"


def _times(visit: Visit, day: dict[str, Any]) -> list[str]:
    if day["worst_at"] is None or day["best_at"] is None:
        return []
    worst, best = (f"{parse_utc(day[key]).astimezone(visit.zone):%H:%M}" for key in ("worst_at", "best_at"))
    decided = day["index"]["dominant_pollutant"]
    because = visit.words.say("now.because", pollutant=pollutant_label(decided)) if decided else ""
    return [visit.words.say("now.worst", hour=worst) + because, visit.words.say("now.best", hour=best)]


def _pollutant(visit: Visit, one: dict[str, Any]) -> str:
    words = visit.words
    trend = f", {words.say('trend.' + one['trend'])}" if one["trend"] else ""
    highest = words.concentration(one["max_ugm3"])
    return words.say("now.pollutant", pollutant=pollutant_label(one["pollutant"]), highest=highest) + trend


def _show_places(visit: Visit, summaries: list[dict[str, Any]]) -> None:
    words = visit.words
    options = {name: words.say(f"now.{name}") for name in DAYS}
    day = choose_from_row(words.say("now.day"), options, name="day")
    placed = _placed(visit, summaries, ahead=DAYS.index(day))
    if placed.is_empty():
        st.caption(words.say("now.no_coordinates"))
    else:
        st.altair_chart(station_map(visit, placed), width="stretch", alt=words.say("now.map_description"))
    table = pl.DataFrame([_row(visit, one) for one in summaries])
    show_table(visit, table, name=f"stations_{visit.index['index']}" if visit.index else "stations")


def _placed(visit: Visit, summaries: list[dict[str, Any]], *, ahead: int) -> pl.DataFrame:
    """The stations with coordinates and their band `ahead` days from today."""
    labels = station_labels(visit.stations)
    rows = [
        (labels[one["station_id"]], one["latitude"], one["longitude"], band_name(visit, _index(visit, one, ahead)))
        for one in summaries
        if one["latitude"] is not None and one["longitude"] is not None
    ]
    schema = {"name": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "band": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _index(visit: Visit, summary: dict[str, Any], ahead: int) -> dict[str, Any] | None:
    today = visit.now.astimezone(ZoneInfo(summary["timezone"])).date()
    found = [
        day["index"] for day in summary["days"] if (parse_utc(f"{day['day']}T12:00Z").date() - today).days == ahead
    ]
    return found[0] if found else None


def _row(visit: Visit, summary: dict[str, Any]) -> dict[str, Any]:
    status = visit.words.say(f"status.{summary['status']}")
    days = {name: band_label(visit, _index(visit, summary, ahead)) for ahead, name in enumerate(DAYS)}
    return {"station_id": station_labels(visit.stations)[summary["station_id"]], **days, "status": status}
