"""A report as one HTML document that needs no other file: its style, tables and figures are inside."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from hazecast.plots import Picture

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 62rem;
  padding: 1.5rem; }
h1 { font-size: 1.7rem; margin: 0 0 .5rem; } h2 { margin: 3rem 0 .5rem; border-bottom: 2px solid #0072B2; }
h3 { margin: 2rem 0 .25rem; font-size: 1.05rem; }
p.note { margin: 0 0 .5rem; color: #4a525b; font-size: .9rem; max-width: 50rem; }
p.info { border-left: .4rem solid #0072B2; background: #eef5fa; padding: .6rem .9rem; font-weight: 600; }
p.warning { border-left: .4rem solid #D55E00; background: #fdf0e8; padding: .6rem .9rem; font-weight: 600; }
nav a { margin-right: 1rem; } a { color: #00558a; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d7dce1; text-align: right; vertical-align: top; }
thead th { border-bottom: 2px solid #8b949e; vertical-align: bottom; } th { white-space: nowrap; }
.text { text-align: left; } tbody th { font-weight: 600; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; }
dt { color: #4a525b; } dd { margin: 0; white-space: pre-line; }
figure { margin: 1rem 0; overflow-x: auto; } figure img { width: 100%; min-width: 40rem; height: auto; }
figcaption { color: #4a525b; font-size: .9rem; }
@media print { h2 { break-before: page; } figure, table { break-inside: avoid; } }
"""


def document(title: str, body: str, *, language: str = "en") -> str:
    """The whole document; `title` is text, `body` is HTML without the heading."""
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>{escape(title)}</h1>{body}</body></html>\n"
    )


def banner(text: str, *, kind: str = "warning") -> str:
    """A highlighted paragraph; `kind` is "warning" or "info"."""
    return f'<p class="{kind}">{escape(text)}</p>'


def facts(values: Mapping[str, str]) -> str:
    """A list of terms and their values."""
    return f"<dl>{''.join(f'<dt>{escape(term)}</dt><dd>{escape(value)}</dd>' for term, value in values.items())}</dl>"


def table(head: Sequence[str], rows: Iterable[Sequence[object]], *, n_text: int, label: str = "") -> str:
    """A table that scrolls sideways when it is wide.

    Args:
        head: column headings.
        rows: cells in the order of `head`.
        n_text: how many of the leading columns are text, aligned left; the others are numbers.
        label: what a screen reader announces.
    """
    named = f' aria-label="{escape(label)}"' if label else ""
    heading = "".join(f'<th scope="col"{_text_class(k < n_text)}>{escape(name)}</th>' for k, name in enumerate(head))
    body = "".join(f"<tr>{_cells(row, n_text)}</tr>" for row in rows)
    return f'<div class="wide"><table{named}><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(picture: Picture) -> str:
    """A figure with its caption and text alternative."""
    image = f'<img src="{picture.address}" alt="{escape(picture.alternative)}">'
    return f"<figure>{image}<figcaption>{escape(picture.caption)}</figcaption></figure>"


def _cells(row: Sequence[object], n_text: int) -> str:
    return "".join(
        f'<th scope="row" class="text">{escape(str(cell))}</th>'
        if k == 0 and n_text
        else f"<td{_text_class(k < n_text)}>{escape(str(cell))}</td>"
        for k, cell in enumerate(row)
    )


def _text_class(is_text: bool) -> str:
    return ' class="text"' if is_text else ""
