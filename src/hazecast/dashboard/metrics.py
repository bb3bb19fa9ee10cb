"""Metric tiles and notes of the Forecast page: main values, provenance and accuracy."""

from typing import NamedTuple

import polars as pl

from hazecast.air.clock import HOUR
from hazecast.air.limits import STATISTIC_OF_AVERAGING
from hazecast.api import schemas
from hazecast.dashboard.context import pollutant_label
from hazecast.dashboard.series import Series
from hazecast.i18n import NO_VALUE


class Metric(NamedTuple):
    """A value with its label and a note below it."""

    label: str
    value: str
    note: str


def subtitle(series: Series) -> str:
    """Station, source, age of the forecast and model version."""
    context, language, station = series.context, series.context.language, series.context.station
    parts = [pollutant_label(series.pollutant)]
    parts.append(context.t("forecast.station", station_id=station.station_id, source=station.source))
    if series.forecast:
        issued, age = series.forecast.issued_at, language.age(series.forecast.forecast_age_hours)
        parts.append(context.t("forecast.issued", when=language.time(issued, context.zone), age=age))
        parts.append(context.t("forecast.model", version=series.forecast.model_version))
    return " · ".join(parts)


def metrics(series: Series) -> list[Metric]:
    """Latest observation, highest hour ahead, and tomorrow's probability of exceeding each limit."""
    return [_latest(series), _highest(series), *(_exceedance(series, limit) for limit in series.limits)]


def chart_notes(series: Series, limits_above: list[schemas.Limit]) -> list[str]:
    """Notes below the fan chart: limits outside it, and flagged observations."""
    context = series.context
    notes = [
        context.t("forecast.above_chart", limit=context.language.translate(limit.label), value=_value(series, limit))
        for limit in limits_above
    ]
    if series.observed["flag"].ne("ok").any():
        notes.append(context.t("forecast.flagged"))
    return notes


def accuracy(series: Series) -> str:
    """Scores of the model behind the forecast on held-out days, if they are stored."""
    context = series.context
    model = f"version-{series.forecast.model_version}" if series.forecast else None
    scores = [score for score in context.status.scores if (score.pollutant, score.model) == (series.pollutant, model)]
    if not scores or scores[0].mae is None:
        return context.t("forecast.accuracy_unknown")
    return context.t("forecast.accuracy", scores=_summary(series, scores[0], scores[0].mae))


def _value(series: Series, limit: schemas.Limit) -> str:
    return series.context.language.limit(limit.concentration_ugm3)


def _latest(series: Series) -> Metric:
    context, language = series.context, series.context.language
    label, valid = context.t("forecast.latest"), series.observed.filter(pl.col("flag") != "invalid")
    if valid.is_empty():
        if series.newest_observed_at is None:
            return Metric(label, NO_VALUE, context.t("forecast.latest_none"))
        age = language.age((context.now - series.newest_observed_at) / HOUR)
        return Metric(label, NO_VALUE, context.t("forecast.latest_old", age=age))
    newest = valid.row(-1, named=True)
    start = newest["hour_start"]
    hour = f"{language.hour(start, context.zone)}–{(start + HOUR).astimezone(context.zone):%H:%M}"
    note = context.t("forecast.latest_note", hour=hour, age=language.age((context.now - start - HOUR) / HOUR))
    flag = context.t("forecast.latest_flagged") if newest["flag"] == "suspicious" else ""
    return Metric(label, language.concentration(newest["observed_ugm3"]), note + flag)


def _highest(series: Series) -> Metric:
    context, language = series.context, series.context.language
    label, ahead = context.t("forecast.highest"), series.next_hours()
    if ahead.is_empty():
        return Metric(label, NO_VALUE, context.t("forecast.highest_none"))
    peak = ahead.sort("q50").row(-1, named=True)
    low, high = (language.number(peak[name]) for name in ("q10", "q90"))
    hour = language.hour(peak["hour_start"], context.zone)
    return Metric(
        label, language.concentration(peak["q50"]), context.t("forecast.highest_note", hour=hour, low=low, high=high)
    )


def _exceedance(series: Series, limit: schemas.Limit) -> Metric:
    """The probability that tomorrow's statistic, the one the limit is written for, is above it."""
    context, language = series.context, series.context.language
    day = series.day(STATISTIC_OF_AVERAGING[limit.averaging_hours], ahead=1)
    chance = None if day is None else getattr(day.p_exceed, limit.key, None)
    return Metric(
        context.t("forecast.exceedance", value=_value(series, limit)),
        NO_VALUE if chance is None else language.probability(chance),
        language.translate(limit.label),
    )


def _summary(series: Series, score: schemas.Score, mae: float) -> str:
    context, language = series.context, series.context.language
    since, until = language.date(score.window_start), language.date(score.window_end)
    parts = [context.t("forecast.accuracy_mae", since=since, until=until, mae=language.concentration(mae))]
    if score.rmae is not None:
        key = "forecast.accuracy_better" if score.rmae <= 1 else "forecast.accuracy_worse"
        parts.append(context.t(key, share=language.percent(abs(1 - score.rmae))))
    if score.coverage_80 is not None:
        parts.append(context.t("forecast.accuracy_coverage", share=language.percent(score.coverage_80)))
    return f"{'; '.join(parts)}. {context.t('forecast.accuracy_hours', n=language.number(score.n))}"
