"""What all pages share: banners, credits, tables with download, and what replaces a page that cannot be shown."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

import polars as pl
import streamlit as st
from pydantic import BaseModel

from hazecast.api import schemas
from hazecast.dashboard.context import PageContext
from hazecast.i18n import Language


class Banner(NamedTuple):
    """A notice above every page; `severe` if it affects the quality of the forecast."""

    title: str
    text: str
    severe: bool


def escape_markdown(text: str) -> str:
    """`text` with everything escaped that Markdown would interpret."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!$~:|<>])", r"\\\1", text)


def banners(context: PageContext) -> list[Banner]:
    """The banners that apply, the most severe last."""
    language, found = context.language, []
    if context.simulated:
        found.append(Banner(context.t("banner.simulated"), context.t("banner.simulated_text"), False))
    if context.status.clock_replayed:
        moment = f"{language.time(context.now, context.zone)} {context.now.astimezone(context.zone):%Y}"
        found.append(Banner(context.t("banner.replayed"), context.t("banner.replayed_text", moment=moment), False))
    if context.status.training:
        percent, step = f"{context.status.training.share:.0%}", context.status.training.step
        text = context.t("banner.training_text", percent=percent, step=context.t(f"banner.step_{step}"))
        found.append(Banner(context.t("banner.training"), text, False))
    if context.forecast and context.forecast.status != "ok":
        status, age = context.forecast.status, language.age(context.forecast.forecast_age_hours)
        found.append(Banner(context.t(f"banner.{status}"), context.t(f"banner.{status}_text", age=age), True))
    return found


def show_banners(context: PageContext) -> None:
    """Draw the banners above the page."""
    for banner in banners(context):
        show = st.warning if banner.severe else st.info
        show(
            f"**{banner.title}.** {escape_markdown(banner.text)}",
            icon=":material/warning:" if banner.severe else None,
        )


def show_credits(context: PageContext) -> None:
    """Draw attribution and disclaimer below the page."""
    parts = [context.t("credits.observations", attribution=context.station.attribution)]
    if not context.simulated:
        parts.append(context.t("credits.preliminary"))
    parts.append(context.t("credits.forecasts"))
    st.caption(escape_markdown(" ".join(parts)))


def show_empty(message: str, remedy: str = "") -> None:
    """Draw what is missing and which command provides it."""
    st.info(f"**{message}** {remedy}")


def show_unreachable(language: Language, url: str, reason: str) -> None:
    """Replace the page if the API does not answer."""
    st.title("Hazecast", anchor=False)
    st.error(f"**{language.t('unreachable.title')}** `{url}` ({escape_markdown(reason)})", icon=":material/cloud_off:")
    st.markdown(language.t("unreachable.remedy"))
    st.button(language.t("unreachable.retry"), type="primary")


def show_problem(language: Language, problem: schemas.Problem) -> None:
    """Replace the page if the API answers with an error."""
    st.title("Hazecast", anchor=False)
    st.error(f"**{escape_markdown(problem.title)}.** {escape_markdown(problem.detail)}")
    st.button(language.t("unreachable.retry"), type="primary")


def show_failure(language: Language) -> None:
    """Replace the page if it cannot be drawn; the log has the reason."""
    st.title("Hazecast", anchor=False)
    st.error(f"**{language.t('failure.title')}** {language.t('failure.remedy')}", icon=":material/error:")
    st.button(language.t("unreachable.retry"), type="primary", key="retry_failure")


def records(models: Iterable[BaseModel]) -> list[dict[str, Any]]:
    """One row per model, by field name, times in UTC."""
    return [model.model_dump() for model in models]


def table_of(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pl.DataFrame:
    """The named columns of `rows`; null where a row lacks a field, lists joined by commas."""
    cells = [{name: _cell(row.get(name)) for name in columns} for row in rows]
    return pl.DataFrame(cells, schema=list(columns), infer_schema_length=None)


def with_local_times(context: PageContext, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """`rows` with every time written in the station's time zone and the selected language."""
    language, zone = context.language, context.zone
    return [
        {name: language.time(value, zone) if isinstance(value, datetime) else value for name, value in row.items()}
        for row in rows
    ]


def show_table(context: PageContext, table: pl.DataFrame, *, name: str) -> None:
    """Draw a table with translated headings, and a button that downloads it as `name`.csv with the API's names."""
    headings = {column: _heading(context.language, column) for column in table.columns}
    parts = ["hazecast", *(["simulated"] if context.simulated else []), name]
    file_name = "_".join(parts).replace("/", "-") + ".csv"
    # Above the table, which is drawn later and would move the button. A download must not rerun the page: the rerun
    # can discard the file that the browser requests.
    st.download_button(
        context.t("table.download"), table.write_csv(), file_name, "text/csv", key=f"download_{name}", on_click="ignore"
    )
    st.dataframe(table.rename(headings), hide_index=True, placeholder="")


def _heading(language: Language, column: str) -> str:
    """The translated heading; a column without translation keeps the API's name."""
    if column.startswith("coverage_"):
        return language.t("heading.coverage", percent=column.removeprefix("coverage_"))
    return language.messages.get(f"heading.{column}", column)


def _cell(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return value.value if isinstance(value, StrEnum) else value
