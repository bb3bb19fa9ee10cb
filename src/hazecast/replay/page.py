"""The account of a replay as one HTML page that needs nothing else."""

from base64 import b64encode
from collections.abc import Iterable
from datetime import datetime
from html import escape
from io import BytesIO

from matplotlib.dates import date2num
from matplotlib.figure import Figure

from hazecast.replay.account import Account, Noticed, Story

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; margin: 0 auto; max-width: 62rem;
  padding: 1.5rem; }
h2 { margin: 2.5rem 0 .5rem; border-bottom: 2px solid #0072B2; } h3 { margin: 1.5rem 0 .25rem; }
p.loud { border-left: .4rem solid #D55E00; background: #fdf0e8; padding: .6rem .9rem; font-weight: 600; }
.wide { overflow-x: auto; } table { border-collapse: collapse; font-size: .9rem; }
th, td { padding: .25rem .7rem; border-bottom: 1px solid #d7dce1; text-align: left; vertical-align: top; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; }
dt { color: #4a525b; } dd { margin: 0; }
figure { margin: 1rem 0; } figure img { width: 100%; height: auto; } figcaption { color: #4a525b; font-size: .9rem; }
"""
_SERVED_BY_MODEL, _TROUBLE = "#0072B2", "#D55E00"


LIGHT = "Light training: the models were trained in a fraction of the time and forecast worse than they would."


def page(account: Account, *, place: str, simulated: bool) -> str:
    """HTML with its style and figure inside."""
    title = f"Replay of {place}: {account.scenario.name}"
    loud = '<p class="loud">SIMULATED: these data measure nothing real.</p>' if simulated else ""
    driven = account.drive
    if account.is_light:
        loud += f'<p class="loud">{LIGHT}</p>'
    span = f"{driven.since:%Y-%m-%d %H:%M} to {driven.until:%Y-%m-%d %H:%M} UTC"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head><body>'
        f"<h1>{escape(title)}</h1>{loud}<p>{span}. Every run is the one that Prefect's tasks and the commands call, "
        "acting at its own moment of the past.</p>"
        f"{_chart(account)}<h2>Troubles</h2>{''.join(map(_story, account.stories)) or '<p>None.</p>'}"
        f"<h2>Nothing lost, nothing twice</h2>{_ledger(account)}"
        f"<h2>Champions</h2>{_changes(account)}<h2>Runs</h2>{_runs(account)}</body></html>\n"
    )


def noticed_in_words(noticed: Noticed | None, *, none: str = "not noticed") -> str:
    """When a trouble was noticed, or somebody told of it, and by which words."""
    if noticed is None:
        return none
    return f"{noticed.at:%Y-%m-%d %H:%M} UTC, after {noticed.after_hours:.0f} h: {noticed.words}"


def _story(story: Story) -> str:
    facts = {
        "lasted": f"{story.since:%Y-%m-%d %H:%M} to {story.until:%Y-%m-%d %H:%M} UTC",
        "noticed": noticed_in_words(story.noticed),
        "told": noticed_in_words(story.told, none="nobody"),
        "done": "\n".join(story.done) or "nothing was needed",
        "users saw": story.seen,
    }
    rows = "".join(f"<dt>{word}</dt><dd>{escape(told).replace(chr(10), '<br>')}</dd>" for word, told in facts.items())
    return f"<h3>{escape(story.trouble.label)}</h3><dl>{rows}</dl>"


def _ledger(account: Account) -> str:
    rows = [(entry.what, "yes" if entry.holds else "NO", entry.numbers) for entry in account.ledger]
    return _table(("what", "holds", "numbers"), rows)


def _changes(account: Account) -> str:
    rows = [
        (f"{change.at:%Y-%m-%d %H:%M}", change.action, change.version, change.replaced or "–", change.reason)
        for change in account.changes
    ]
    return _table(("UTC", "what", "version", "in place of", "why"), rows)


def _runs(account: Account) -> str:
    stopped = [(f"{one.at:%Y-%m-%d %H:%M}", one.run, one.reason) for one in account.drive.missed]
    return _table(("step", "runs", "failed"), account.runs.rows()) + _table(("UTC", "stopped run", "why"), stopped)


def _table(head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    heading = "".join(f'<th scope="col">{escape(word)}</th>' for word in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{heading}</tr></thead><tbody>{body}</tbody></table></div>'


def _chart(account: Account) -> str:
    """Relative error of what was served by day of issue; troubles shaded, changes of the champion as lines."""
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(account.daily["issued_on"], account.daily["relative_error"], color=_SERVED_BY_MODEL, marker=".")
    axes.axhline(1, color="#666666", linewidth=0.8)
    for number, story in enumerate(account.stories):
        axes.axvspan(_day(story.since), _day(story.until), color=_TROUBLE, alpha=0.15)
        words = axes.text(_day(story.since), 0.98 - 0.07 * (number % 3), story.trouble.label, fontsize=7, va="top")
        words.set_transform(axes.get_xaxis_transform())
    for change in account.changes:
        axes.axvline(_day(change.at), color="#009E73", linestyle=":", linewidth=1)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("error relative to seasonal naive")
    drawn = BytesIO()
    figure.savefig(drawn, format="svg", metadata={"Date": None})
    caption = "Error of what was served by day of issue (1: the seasonal naive); troubles shaded, new champions dotted."
    address = f"data:image/svg+xml;base64,{b64encode(drawn.getvalue()).decode()}"
    return f'<figure><img alt="{caption}" src="{address}"><figcaption>{caption}</figcaption></figure>'


def _day(moment: datetime) -> float:
    return float(date2num(moment))  # type: ignore[no-untyped-call]  # matplotlib has no types here
