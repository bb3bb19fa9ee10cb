"""From rows of the API's answers to tables for people, and the files to take away."""

from typing import Any

import polars as pl
import streamlit as st

from hazecast.dashboard.visit import Visit


def rows_of(answer: dict[str, Any] | None, name: str) -> list[dict[str, Any]]:
    """The list `name` of an answer; empty where the API has no such answer."""
    return list((answer or {}).get(name) or [])


def shown_as(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> pl.DataFrame:
    """The named columns of `rows`, null where a row has no such field; lists are joined by commas."""
    written = [{name: _written(row.get(name)) for name in columns} for row in rows]
    return pl.DataFrame(written, schema=list(columns), infer_schema_length=None)


def show_table(visit: Visit, table: pl.DataFrame, *, name: str) -> None:
    """Rows to read under heads for people, and to take away as `name`.csv under the API's names."""
    words = visit.words
    heads = {column: words.phrases.get(f"head.{column}", column) for column in table.columns}
    parts = ["hazecast", *(["simulated"] if visit.simulated else []), name]
    file_name = "_".join(parts).replace("/", "-") + ".csv"
    # Above the rows, which come later and would push it away from under the pointer. A download is no reason to run
    # the page again: a run begun by the click can drop the file it asks for.
    st.download_button(
        words.say("table.download"), table.write_csv(), file_name, "text/csv", key=f"download_{name}", on_click="ignore"
    )
    st.dataframe(table.rename(heads), hide_index=True, placeholder="")


def _written(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value
