"""The account of a replay as one HTML page that needs nothing else."""

from html import escape

from hazecast import html, plots
from hazecast.replay.account import Account, Noticed, Story

LIGHT = "Light training: the models were trained in a fraction of the time and forecast worse than they would."


def page(account: Account, *, place: str, simulated: bool) -> str:
    """HTML with its style and figure inside."""
    driven = account.drive
    span = f"{driven.since:%Y-%m-%d %H:%M} to {driven.until:%Y-%m-%d %H:%M} UTC"
    top = html.banner("SIMULATED: these data measure nothing real.") if simulated else ""
    if account.is_light:
        top += html.banner(LIGHT)
    body = (
        f"{top}<p>{span}. Every run is the one that Prefect's tasks and the commands call, "
        f"acting at its own moment of the past.</p>{_chart(account)}"
        f"<h2>Troubles</h2>{''.join(map(_story, account.stories)) or '<p>None.</p>'}"
        f"<h2>Nothing lost, nothing twice</h2>{_ledger(account)}"
        f"<h2>Champions</h2>{_changes(account)}<h2>Runs</h2>{_runs(account)}"
    )
    return html.document(f"Replay of {place}: {account.scenario.name}", body)


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
    return f"<h3>{escape(story.trouble.label)}</h3>{html.facts(facts)}"


def _ledger(account: Account) -> str:
    rows = [(entry.what, "yes" if entry.holds else "NO", entry.numbers) for entry in account.ledger]
    return html.table(("what", "holds", "numbers"), rows, n_text=3)


def _changes(account: Account) -> str:
    rows = [
        (f"{change.at:%Y-%m-%d %H:%M}", change.action, change.version, change.replaced or "–", change.reason)
        for change in account.changes
    ]
    return html.table(("UTC", "what", "version", "in place of", "why"), rows, n_text=5)


def _runs(account: Account) -> str:
    stopped = [(f"{one.at:%Y-%m-%d %H:%M}", one.run, one.reason) for one in account.drive.missed]
    counts = html.table(("step", "runs", "failed"), account.runs.rows(), n_text=1)
    return counts + html.table(("UTC", "stopped run", "why"), stopped, n_text=3)


def _chart(account: Account) -> str:
    spans = [plots.Span(story.since, story.until, story.trouble.label) for story in account.stories]
    chart = plots.relative_error_timeline(account.daily, spans, [change.at for change in account.changes])
    caption = "Error of what was served by day of issue (1: the seasonal naive); troubles shaded, new champions dotted."
    return html.figure(plots.Picture(plots.svg_address(chart), caption, caption))
