"""The report of a backtest as an HTML document."""

from html import escape

import polars as pl

from hazecast import html, plots
from hazecast.evaluation.report import Report, Section, day_sections, label_of, sections
from hazecast.evaluation.verification import MIN_EVENTS, N_BINS, Verification


def page(report: Report) -> str:
    """HTML with its style and figures inside."""
    tables = sections(report.verification) + (day_sections(report.days) if report.days else [])
    pollutants = list(report.verification.by_lead["pollutant"].unique(maintain_order=True))
    links = "".join(f'<a href="#{name}">{escape(label_of(name))}</a>' for name in pollutants)
    chapters = "".join(_chapter(report, tables, name) for name in pollutants)
    top = html.banner(report.weather, kind="warning" if report.perfect_prog else "info")
    top += "".join(map(html.banner, report.warnings)) + html.facts(report.facts)
    body = f'{top}<nav aria-label="pollutants">{links}</nav><main>{chapters}</main>'
    return html.document(f"Backtest of {report.dataset}", body)


def _chapter(report: Report, tables: list[Section], pollutant: str) -> str:
    label = label_of(pollutant)
    first, *others = (_table(table, label) for table in tables if label in table.rows["pollutant"])
    figures = "".join(map(html.figure, _pictures(report.verification, pollutant, label)))
    return f'<section><h2 id="{pollutant}">{escape(label)}</h2>{first}{figures}{"".join(others)}</section>'


def _table(section: Section, label: str) -> str:
    rows = section.rows.filter(pl.col("pollutant") == label).drop("pollutant")
    table = html.table(rows.columns, rows.rows(), n_text=section.n_text - 1, label=f"{label}: {section.title}")
    return f'<h3>{escape(section.title)}</h3><p class="note">{escape(section.note)}</p>{table}'


def _pictures(verification: Verification, pollutant: str, label: str) -> list[plots.Picture]:
    tables = (verification.by_hour, verification.calibration, verification.reliability)
    by_hour, calibration, reliability = (table.filter(pl.col("pollutant") == pollutant) for table in tables)
    pictures = [plots.error_and_skill(by_hour, label), plots.quantile_calibration(calibration, label)]
    if reliability.height:
        pictures.append(plots.exceedance_reliability(reliability, label, n_bins=N_BINS, min_hours=MIN_EVENTS))
    return pictures
