"""The Verification page: scores of issued forecasts by lead, quantile and station, and a past forecast in full."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Any

import polars as pl
import streamlit as st

from hazecast.air.clock import as_iso
from hazecast.api import schemas
from hazecast.dashboard.charts.fan import fan_chart, fan_description, fit_scale
from hazecast.dashboard.charts.verification import REFERENCES, relative_error_chart, reliability_chart
from hazecast.dashboard.context import (
    PageContext,
    optional,
    pollutant_label,
    select_from_buttons,
    select_from_list,
    station_labels,
)
from hazecast.dashboard.layout import escape_markdown, records, show_empty, show_table, table_of
from hazecast.dashboard.series import Series, load_archived_series

PERIODS_DAYS = (7, 30, 90, 365)
DEFAULT_PERIOD = "30"
STATION, ALL_STATIONS = "here", "everywhere"
COVERAGE = "coverage_"
# Fields of a verification group that are not measures; the shares below each quantile are in the reliability chart.
NOT_TABULATED = ("issued_on", "station_id", "pollutant", "model_version", "n_forecast")
SHARE_BELOW = "share_below_"
BY_STATION = ("station_id", "n", "mae", "rmae", "coverage_80")
SHOWN_BEFORE = timedelta(hours=24)
PAGE_SIZE = 1000


def show_verification(context: PageContext) -> None:
    """Verification of the selected pollutant, and one past forecast with the observations that followed."""
    st.title(context.t("page.verification"), anchor=False)
    if context.pollutant is None:
        show_empty(context.t("empty.station"), context.t("empty.station_remedy"))
        return
    since, scope = _select_scope(context)
    query: dict[str, Any] = {"pollutant": context.pollutant, "since": since}
    station = {"station_id": context.station.station_id} if scope == STATION else {}
    by_lead = context.api.verification(by="lead_block", **query, **station).groups
    if not any(group.n for group in by_lead):
        show_empty(context.t("empty.verification"), context.t("empty.verification_remedy"))
    else:
        _show_leads(context, by_lead)
        _show_calibration(context, context.api.verification(by="pollutant", **query, **station).groups[0])
        _show_stations(context, context.api.verification(by="station_id", **query).groups)
    _show_past_forecast(context, context.pollutant, since=since)


def _select_scope(context: PageContext) -> tuple[datetime, str]:
    """The start of the first issue day, UTC, and the station or all."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        periods = {str(days): str(days) for days in PERIODS_DAYS}
        days = select_from_buttons(context.t("select.days"), periods, name="days", default=DEFAULT_PERIOD)
        scopes = {name: context.t(f"verification.{name}") for name in (STATION, ALL_STATIONS)}
        scope = select_from_buttons(context.t("select.where"), scopes, name="where")
    since = context.now - timedelta(days=int(days))
    return since.replace(hour=0, minute=0, second=0, microsecond=0), scope


def _show_leads(context: PageContext, groups: Iterable[schemas.VerificationGroup]) -> None:
    st.header(context.t("verification.leads"), anchor=False)
    ordered: list[schemas.VerificationGroup] = sorted(groups, key=_first_lead)
    rows = records(ordered)
    chart = relative_error_chart(context, table_of(rows, ("lead_block", "n", *REFERENCES)))
    st.altair_chart(chart, width="stretch", alt=context.t("verification.leads_description"))
    st.caption(context.t("verification.leads_note"))
    with st.expander(context.t("table.title")):
        measures = [name for name in rows[0] if name not in NOT_TABULATED and not name.startswith(SHARE_BELOW)]
        show_table(context, table_of(rows, measures), name=f"leads_{context.pollutant}")


def _first_lead(group: schemas.VerificationGroup) -> int:
    return int(str(group.lead_block).split("-")[0])


def _show_calibration(context: PageContext, group: schemas.VerificationGroup) -> None:
    st.header(context.t("verification.calibration"), anchor=False)
    left, right = st.columns([3, 2])
    with left:
        description = context.t("verification.reliability_description")
        st.altair_chart(reliability_chart(context, group), width="stretch", alt=description)
    with right:
        for name, share in group.model_dump().items():
            if name.startswith(COVERAGE):
                label = context.t("verification.coverage", percent=name.removeprefix(COVERAGE))
                st.metric(label, context.language.percent(share), border=True)
    st.caption(context.t("verification.calibration_note", n=context.language.number(group.n)))


def _show_stations(context: PageContext, groups: Iterable[schemas.VerificationGroup]) -> None:
    labels = station_labels(context.stations)
    pollutant = escape_markdown(pollutant_label(str(context.pollutant)))
    st.header(context.t("verification.stations", pollutant=pollutant), anchor=False)
    named = [{**row, "station_id": labels.get(row["station_id"], row["station_id"])} for row in records(groups)]
    table = table_of(named, BY_STATION).with_columns(pl.col("mae", "rmae", "coverage_80").cast(pl.Float64).round(2))
    show_table(context, table, name=f"stations_{context.pollutant}")


def _show_past_forecast(context: PageContext, pollutant: str, *, since: datetime) -> None:
    """The fan chart of an issue of the selected days with the observations that followed."""
    st.header(context.t("past.title", station=escape_markdown(context.station.name)), anchor=False)
    issues = {as_iso(issued_at): issued_at for issued_at in _issues(context, pollutant, since)}
    if not issues:
        show_empty(context.t("empty.archive"))
        return
    labels = {key: context.language.time(issued_at, context.zone) for key, issued_at in issues.items()}
    default = _newest_complete(context, issues)
    chosen = select_from_list(context.t("select.issue"), {default: labels[default], **labels}, name="issue", width=300)
    issued_at = issues[chosen]
    series = load_archived_series(context, pollutant, issued_at=issued_at, before=SHOWN_BEFORE)
    scale = fit_scale(series, since=issued_at - SHOWN_BEFORE)
    st.altair_chart(fan_chart(scale, dark=context.dark), width="stretch", alt=fan_description(scale))
    st.caption(escape_markdown(_coverage_and_error(series)))


def _issues(context: PageContext, pollutant: str, since: datetime) -> list[datetime]:
    """Issue times of the archive from `since` on, newest first."""
    issues = context.api.issues(context.station.station_id, pollutant, limit=PAGE_SIZE)
    newest_first = (issue.issued_at for issue in issues)
    return optional(lambda: list(takewhile(lambda issued_at: issued_at >= since, newest_first))) or []


def _newest_complete(context: PageContext, issues: dict[str, datetime]) -> str:
    """The newest issue of which all hours are past; else the oldest. Issues have the horizon of the newest."""
    leads = [hour.lead_hours for hour in (context.forecast.hours if context.forecast else [])]
    horizon = timedelta(hours=max(leads, default=0))
    return next((key for key, issued_at in issues.items() if issued_at + horizon <= context.now), list(issues)[-1])


def _coverage_and_error(series: Series) -> str:
    """How many observations the 80 % interval covers, and the mean error of the median."""
    observed = series.observed.filter(pl.col("flag") == "ok")
    both = series.hours.join(observed, on="hour_start").with_columns(
        inside=pl.col("observed_ugm3").is_between("q10", "q90"), error=(pl.col("q50") - pl.col("observed_ugm3")).abs()
    )
    context = series.context
    if both.is_empty():
        return context.t("past.no_observations")
    inside, error, n = both.select(pl.sum("inside"), pl.mean("error"), pl.len()).row(0)
    return context.t("past.result", inside=inside, n=n, error=context.language.concentration(error))
