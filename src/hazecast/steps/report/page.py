"""A verification as one HTML page that needs nothing else."""

from html import escape

import polars as pl

from hazecast.steps.report.figures import Picture, pictures
from hazecast.steps.report.sections import Section, label_of, sections
from hazecast.steps.report.summary import Report

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 62rem;
  padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { margin: 3rem 0 .5rem; border-bottom: 2px solid #0072B2; }
h3 { margin: 2rem 0 .25rem; font-size: 1.05rem; }
p.note { margin: 0 0 .5rem; color: #4a525b; font-size: .9rem; max-width: 50rem; }
p.weather { border-left: .4rem solid #0072B2; background: #eef5fa; padding: .6rem .9rem; font-weight: 600; }
p.warning { border-left: .4rem solid #D55E00; background: #fdf0e8; padding: .6rem .9rem; font-weight: 600; }
nav a { margin-right: 1rem; } a { color: #00558a; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d7dce1; text-align: right; white-space: nowrap; }
thead th { border-bottom: 2px solid #8b949e; vertical-align: bottom; }
.word { text-align: left; } tbody th { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; }
dt { color: #4a525b; } dd { margin: 0; }
figure { margin: 1rem 0; overflow-x: auto; } figure img { width: 100%; min-width: 40rem; height: auto; }
figcaption { color: #4a525b; font-size: .9rem; }
@media print { h2 { break-before: page; } figure, table { break-inside: avoid; } }
"""


def page(report: Report) -> str:
    """HTML with its style and figures inside."""
    tables = sections(report.verification)
    pollutants = list(report.verification.by_lead["pollutant"].unique(maintain_order=True))
    title = f"Backtest of {report.dataset}"
    links = "".join(f'<a href="#{name}">{escape(label_of(name))}</a>' for name in pollutants)
    chapters = "".join(_chapter(report, tables, name) for name in pollutants)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><header><h1>{escape(title)}</h1>{_top(report)}"
        f'<nav aria-label="pollutants">{links}</nav></header><main>{chapters}</main></body></html>\n'
    )


def _top(report: Report) -> str:
    kind = "warning" if report.perfect_prog else "weather"
    loud = f'<p class="{kind}">{escape(report.weather)}</p>'
    loud += "".join(f'<p class="warning">{escape(warning)}</p>' for warning in report.warnings)
    facts = "".join(f"<dt>{escape(word)}</dt><dd>{escape(value)}</dd>" for word, value in report.facts.items())
    return f"{loud}<dl>{facts}</dl>"


def _chapter(report: Report, tables: list[Section], pollutant: str) -> str:
    label = label_of(pollutant)
    drawn = "".join(map(_figure, pictures(report.verification, pollutant)))
    mine = [
        Section(table.title, table.note, table.rows.filter(pl.col("pollutant") == label).drop("pollutant"))
        for table in tables
    ]
    first, *others = (_table(table, label) for table in mine)
    return f'<section><h2 id="{pollutant}">{escape(label)}</h2>{first}{drawn}{"".join(others)}</section>'


def _table(section: Section, label: str) -> str:
    words = section.n_words
    head = "".join(
        f'<th scope="col"{_kind(k < words)}>{escape(name)}</th>' for k, name in enumerate(section.rows.columns)
    )
    body = "".join(f"<tr>{_cells(row, words)}</tr>" for row in section.rows.iter_rows())
    return (
        f'<h3>{escape(section.title)}</h3><p class="note">{escape(section.note)}</p><div class="wide">'
        f'<table aria-label="{escape(f"{label}: {section.title}")}"><thead><tr>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cells(row: tuple[str, ...], words: int) -> str:
    named = "".join(f'<th scope="row" class="word">{escape(cell)}</th>' for cell in row[:words])
    return named + "".join(f"<td>{escape(cell)}</td>" for cell in row[words:])


def _kind(is_word: bool) -> str:
    return ' class="word"' if is_word else ""


def _figure(picture: Picture) -> str:
    image = f'<img src="{picture.address}" alt="{escape(picture.alternative)}">'
    return f"<figure>{image}<figcaption>{escape(picture.caption)}</figcaption></figure>"
