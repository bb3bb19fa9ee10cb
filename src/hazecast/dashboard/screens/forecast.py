"""The Forecast page: observations, forecast, limits, index, drivers and accuracy of one series."""

from datetime import timedelta

import streamlit as st

from hazecast.air.tables import DRIVERS
from hazecast.api import schemas
from hazecast.dashboard.charts.fan import fan_chart, fan_description, fit_scale
from hazecast.dashboard.charts.hours import index_chart, index_hours
from hazecast.dashboard.context import PageContext, optional
from hazecast.dashboard.layout import escape_markdown, show_empty, show_table
from hazecast.dashboard.metrics import accuracy, chart_notes, metrics, subtitle
from hazecast.dashboard.series import Series, load_series
from hazecast.i18n import NO_VALUE, UNIT, Language

SHOWN_BEFORE = timedelta(days=7)
# Smaller effects round to 0.0 µg/m³.
MIN_EFFECT_UGM3 = 0.05


def show_forecast(context: PageContext) -> None:
    """Metrics, fan chart, index, drivers and data table of the selected series."""
    st.title(escape_markdown(context.station.name), anchor=False)
    if context.pollutant is None:
        show_empty(context.t("empty.station"), context.t("empty.station_remedy"))
        return
    series = load_series(context, context.pollutant)
    st.caption(escape_markdown(subtitle(series)))
    if context.forecast is None:
        show_empty(context.t("empty.forecast"), escape_markdown(context.no_forecast_reason))
    _show_metrics(series)
    _show_fan(series)
    _show_index(context)
    _show_drivers(series)
    with st.expander(context.t("table.title")):
        show_table(context, series.table(), name=f"{context.station.station_id}_{series.pollutant}")
    st.caption(escape_markdown(accuracy(series)))


def _show_metrics(series: Series) -> None:
    shown = metrics(series)
    for column, metric in zip(st.columns(len(shown)), shown, strict=True):
        column.metric(metric.label, metric.value, metric.note, delta_color="off", delta_arrow="off", border=True)


def _show_fan(series: Series) -> None:
    context = series.context
    scale = fit_scale(series, since=context.now - SHOWN_BEFORE)
    st.altair_chart(fan_chart(scale, dark=context.dark), width="stretch", alt=fan_description(scale))
    for note in chart_notes(series, scale.limits_above):
        st.caption(escape_markdown(note))


def _show_index(context: PageContext) -> None:
    hours = index_hours(context)
    if context.index is None or hours.is_empty():
        return
    title = context.index.title
    st.header(context.t("forecast.index", index=escape_markdown(title)), anchor=False)
    description = context.t("forecast.index_description", index=title)
    st.altair_chart(index_chart(context, hours), width="stretch", alt=description)
    st.caption(context.t("forecast.index_note"))


def _show_drivers(series: Series) -> None:
    context = series.context
    drivers = optional(lambda: context.api.drivers(context.station.station_id, series.pollutant))
    hours = [hour for hour in (drivers.hours if drivers else []) if hour.valid_at > context.now]
    if hours:
        st.header(context.t("drivers.title"), anchor=False)
        st.markdown(_drivers_table(context, hours))
        st.caption(context.t("drivers.note"))


def _drivers_table(context: PageContext, hours: list[schemas.DriversHour]) -> str:
    """Markdown: a row per hour, a column per driver."""
    language = context.language
    headings = [context.t("drivers.hour"), *(context.t(f"drivers.{name}") for name in DRIVERS)]
    rows = [[language.hour(hour.valid_at, context.zone), *_effects(language, hour)] for hour in hours]
    ruler = [":--", *["--:"] * len(DRIVERS)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [headings, ruler, *rows])


def _effects(language: Language, hour: schemas.DriversHour) -> list[str]:
    effects = {str(one.driver): one.effect_ugm3 for one in hour.drivers}
    return [_signed(language, effects.get(name)) for name in DRIVERS]


def _signed(language: Language, effect_ugm3: float | None) -> str:
    """The effect with its sign and an arrow."""
    if effect_ugm3 is None:
        return NO_VALUE
    if abs(effect_ugm3) < MIN_EFFECT_UGM3:
        return f"± 0 {UNIT}"
    arrow, sign = ("▲", "+") if effect_ugm3 > 0 else ("▼", "−")
    return f"{arrow} {sign}{language.concentration(abs(effect_ugm3))}"
