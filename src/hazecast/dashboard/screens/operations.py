"""The Operations page: models, alerts, monitoring, drift, retraining and runs."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel

from hazecast.api import schemas
from hazecast.dashboard.context import PageContext, optional
from hazecast.dashboard.layout import escape_markdown, records, show_empty, show_table, table_of, with_local_times
from hazecast.dashboard.screens.data import WARNINGS, translated_verdicts
from hazecast.i18n import NO_VALUE
from hazecast.settings import load_settings

Row = TypeVar("Row", bound=BaseModel)

ROLES = ("champion", "challenger", "serving")
VERSIONS = ("version", "aliases", "registered_at", "run_id")
CHANGES = ("at", "action", "version", "replaced", "by", "reason")
ALERTS = ("state", "severity", "summary", "reason", "opened_at", "resolved_at")
VERDICTS = ("verdict", "check", "subject", "reason")
DRIFT = ("station_id", "variable", "verdict", "psi", "usual_psi", "reason")
RETRAINS = ("checked_at", "justified", "reasons")
RUNS = ("started_at", "step", "outcome", "summary")
# Most severe first.
SEVERITIES = ("critical", "warning", "unknown", "ok")
MAX_ROWS = 50


def show_operations(context: PageContext) -> None:
    """The state of models and pipeline, for operators."""
    st.title(context.t("page.operations"), anchor=False)
    _show_links()
    health = optional(context.api.health_verdicts)
    _show_models(context)
    _show_rows(context, "alerts", records(_newest(context.api.alerts)), ALERTS)
    _show_verdicts(context, health)
    _show_rows(context, "drift", translated_verdicts(context, health.drift if health else []), DRIFT)
    _show_rows(context, "retrains", records(health.retrains if health else []), RETRAINS)
    _show_rows(context, "runs", records(_newest(context.api.runs)), RUNS)


def _show_links() -> None:
    """Links to MLflow and Prefect, if their addresses are set."""
    settings = load_settings()
    addresses = {"MLflow": settings.mlflow_page, "Prefect": settings.prefect_page}
    with st.container(horizontal=True):
        for name, address in addresses.items():
            if address:
                st.link_button(name, address, icon=":material/open_in_new:")


def _show_models(context: PageContext) -> None:
    st.header(context.t("operations.models"), anchor=False)
    models = optional(context.api.models)
    if models is None:
        show_empty(context.t("empty.models"), context.t("empty.models_remedy"))
        return
    if models.registry != "ok":
        st.warning(context.t(f"registry.{models.registry}"), icon=":material/warning:")
    versions = (models.champion, models.challenger, models.serving)
    for column, role, version in zip(st.columns(len(ROLES)), ROLES, versions, strict=True):
        column.metric(context.t(f"operations.{role}"), version or NO_VALUE, border=True)
    tables: tuple[tuple[str, Sequence[BaseModel], tuple[str, ...]], ...] = (
        ("versions", models.versions, VERSIONS),
        ("changes", models.changes, CHANGES),
    )
    for name, rows, columns in tables:
        if rows:
            st.subheader(context.t(f"operations.{name}"), anchor=False)
            show_table(context, table_of(with_local_times(context, records(rows)), columns), name=name)


def _show_verdicts(context: PageContext, health: schemas.HealthVerdicts | None) -> None:
    st.header(context.t("operations.verdicts"), anchor=False)
    if health is None or health.checked_at is None or not health.verdicts:
        show_empty(context.t("empty.verdicts"), context.t("empty.verdicts_remedy"))
        return
    n_warnings = sum(one.verdict in WARNINGS for one in health.verdicts)
    checked_at = context.language.time(health.checked_at, context.zone)
    summary = context.t("operations.checked", n=len(health.verdicts), n_warnings=n_warnings, when=checked_at)
    (st.warning if n_warnings else st.success)(escape_markdown(summary))
    ordered = sorted(health.verdicts, key=lambda one: SEVERITIES.index(one.verdict))
    show_table(context, table_of(translated_verdicts(context, ordered), VERDICTS), name="verdicts")


def _show_rows(context: PageContext, name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    st.header(context.t(f"operations.{name}"), anchor=False)
    if rows:
        show_table(context, table_of(with_local_times(context, rows), columns), name=name)
    else:
        show_empty(context.t(f"empty.{name}"))


def _newest(request: Callable[[], Iterator[Row]]) -> list[Row]:
    """The first MAX_ROWS of a list that starts with the newest; empty if the API has no such list."""
    return optional(lambda: list(islice(request(), MAX_ROWS))) or []
