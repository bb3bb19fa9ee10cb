"""The Now page: today and tomorrow at the station with advice, and the index of all stations."""

from datetime import date, datetime, time
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import streamlit as st

from hazecast.api import schemas
from hazecast.dashboard.bands import NO_BAND_COLOUR, band_colours, band_label, band_name
from hazecast.dashboard.charts.station_map import station_map
from hazecast.dashboard.context import PageContext, pollutant_label, select_from_buttons, station_labels
from hazecast.dashboard.layout import escape_markdown, show_empty, show_table

DAYS = ("today", "tomorrow")
# A day with clocks set forward has 23 hours.
MIN_HOURS_OF_A_DAY = 23


def show_now(context: PageContext) -> None:
    """The days ahead at the station, then all stations."""
    st.title(escape_markdown(context.station.name), anchor=False)
    index = context.index
    if index is None:
        show_empty(context.t("empty.index"), context.t("empty.index_remedy"))
        return
    summaries = list(context.api.summaries(index=index.index))
    if not summaries:
        show_empty(context.t("empty.forecast"), context.t("empty.forecast_remedy"))
        return
    days = [day for summary in summaries if summary.station_id == context.station.station_id for day in summary.days]
    if days:
        _show_days(context, days)
    else:
        show_empty(context.t("empty.forecast"), escape_markdown(context.no_forecast_reason))
    st.header(context.t("now.all"), anchor=False)
    _show_stations(context, summaries)


def _show_days(context: PageContext, days: list[schemas.Day]) -> None:
    for column, day in zip(st.columns(len(DAYS)), days, strict=False):
        with column.container(border=True):
            _show_day(context, day)


def _show_day(context: PageContext, day: schemas.Day) -> None:
    language = context.language
    colour = band_colours(context).get(band_name(context, day.index), NO_BAND_COLOUR)
    st.html(_card(_title(context, day), band_label(context, day.index), colour, lines=_worst_and_best(context, day)))
    st.markdown(f"**{context.t('now.everyone')}** {escape_markdown(language.translate(day.advice))}")
    st.markdown(f"**{context.t('now.sensitive')}** {escape_markdown(language.translate(day.advice_sensitive))}")
    st.caption(escape_markdown(" · ".join(_pollutant(context, one) for one in day.pollutants)))


def _card(title: str, band: str, colour: str, *, lines: list[str]) -> str:
    """HTML: a bar in the band's colour next to the band's name."""
    rows = "".join(f"<div>{escape(line)}</div>" for line in lines)
    return (
        f'<div style="border-left:0.9rem solid {escape(colour)};padding:0.2rem 0 0.2rem 0.9rem">'
        f"<div>{escape(title)}</div>"
        f'<div style="font-size:1.7rem;font-weight:600;line-height:1.3">{escape(band)}</div>{rows}</div>'
    )


def _title(context: PageContext, day: schemas.Day) -> str:
    """The day's name, and how many hours of it the forecast covers if not all."""
    name = _day_name(context, day.day)
    return name if day.n_hours >= MIN_HOURS_OF_A_DAY else context.t("now.rest", day=name, n=day.n_hours)


def _day_name(context: PageContext, day: date) -> str:
    ahead = (day - context.now.astimezone(context.zone).date()).days
    name = context.t(f"now.{DAYS[ahead]}") + ", " if 0 <= ahead < len(DAYS) else ""
    noon = datetime.combine(day, time(12))
    return f"{name}{context.language.weekday(noon)} {context.language.day(noon)}"


def _worst_and_best(context: PageContext, day: schemas.Day) -> list[str]:
    dominant = day.index.dominant_pollutant
    because = context.t("now.because", pollutant=pollutant_label(dominant)) if dominant else ""
    if day.hours_alike:
        return [context.t("now.alike") + because]
    if day.worst_at is None or day.best_at is None:
        return []
    worst = _window(context, day.worst_at, day.worst_until)
    best = _window(context, day.best_at, day.best_until)
    return [context.t("now.worst", hour=worst) + because, context.t("now.best", hour=best)]


def _window(context: PageContext, start: datetime, end: datetime | None) -> str:
    """Start and end of some hours in the station's time; an older API names the start alone."""
    moments = [start] if end is None else [start, end]
    return "–".join(f"{moment.astimezone(context.zone):%H:%M}" for moment in moments)


def _pollutant(context: PageContext, day: schemas.PollutantDay) -> str:
    trend = f", {context.t('trend.' + day.trend)}" if day.trend else ""
    highest = context.language.concentration(day.max_ugm3)
    return context.t("now.pollutant", pollutant=pollutant_label(day.pollutant), highest=highest) + trend


def _show_stations(context: PageContext, summaries: list[schemas.Summary]) -> None:
    options = {name: context.t(f"now.{name}") for name in DAYS}
    day = select_from_buttons(context.t("now.day"), options, name="day")
    located = _located(context, summaries, ahead=DAYS.index(day))
    if located.is_empty():
        st.caption(context.t("now.no_coordinates"))
    else:
        st.altair_chart(station_map(context, located), width="stretch", alt=context.t("now.map_description"))
    table = pl.DataFrame([_row(context, summary) for summary in summaries])
    show_table(context, table, name=f"stations_{context.index.index}" if context.index else "stations")


def _located(context: PageContext, summaries: list[schemas.Summary], *, ahead: int) -> pl.DataFrame:
    """The stations with coordinates: name, latitude, longitude and the band `ahead` days from today."""
    labels = station_labels(context.stations)
    rows = [
        (labels[one.station_id], one.latitude, one.longitude, band_name(context, _index(context, one, ahead)))
        for one in summaries
        if one.latitude is not None and one.longitude is not None
    ]
    schema = {"name": pl.String, "latitude": pl.Float64, "longitude": pl.Float64, "band": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _index(context: PageContext, summary: schemas.Summary, ahead: int) -> schemas.HourIndex | None:
    today = context.now.astimezone(ZoneInfo(summary.timezone)).date()
    return next((day.index for day in summary.days if (day.day - today).days == ahead), None)


def _row(context: PageContext, summary: schemas.Summary) -> dict[str, Any]:
    days = {name: band_label(context, _index(context, summary, ahead)) for ahead, name in enumerate(DAYS)}
    status = context.t(f"status.{summary.status}")
    return {"station_id": station_labels(context.stations)[summary.station_id], **days, "status": status}
