"""The report of a replay as one self-contained HTML page."""

from html import escape

from hazecast import html, plots
from hazecast.replay.report import Detection, FaultReport, ReplayReport

LIGHT = "Light training: the models were trained in a fraction of the time and forecast worse than they would."


def page(report: ReplayReport, *, place: str, simulated: bool) -> str:
    """HTML with its style and figure inside."""
    run = report.run
    span = f"{run.since:%Y-%m-%d %H:%M} to {run.until:%Y-%m-%d %H:%M} UTC"
    top = html.banner("SIMULATED: these data measure nothing real.") if simulated else ""
    if report.is_light:
        top += html.banner(LIGHT)
    body = (
        f"{top}<p>{span}. Each run executes the same sequence as its Prefect flow and `hazecast run`, "
        f"at its own moment of the past.</p>{_chart(report)}"
        f"<h2>Faults</h2>{''.join(map(_fault, report.faults)) or '<p>None.</p>'}"
        f"<h2>Integrity</h2>{_integrity(report)}"
        f"<h2>Champions</h2>{_changes(report)}<h2>Runs</h2>{_runs(report)}"
    )
    return html.document(f"Replay of {place}: {report.scenario.name}", body)


def describe(detection: Detection | None, *, none: str = "not detected") -> str:
    """Time, delay and reason of a detection or alert."""
    if detection is None:
        return none
    return f"{detection.at:%Y-%m-%d %H:%M} UTC, after {detection.after_hours:.0f} h: {detection.reason}"


def _fault(fault: FaultReport) -> str:
    facts = {
        "lasted": f"{fault.since:%Y-%m-%d %H:%M} to {fault.until:%Y-%m-%d %H:%M} UTC",
        "detected": describe(fault.detected),
        "alerted": describe(fault.alerted, none="no alert"),
        "response": "\n".join(fault.response) or "none needed",
        "served": fault.served,
    }
    return f"<h3>{escape(fault.planned.label)}</h3>{html.facts(facts)}"


def _integrity(report: ReplayReport) -> str:
    rows = [(check.name, "yes" if check.passed else "NO", check.numbers) for check in report.integrity]
    return html.table(("check", "passed", "counts"), rows, n_text=3)


def _changes(report: ReplayReport) -> str:
    rows = [
        (f"{change.at:%Y-%m-%d %H:%M}", change.action, change.version, change.replaced or "–", change.reason)
        for change in report.changes
    ]
    return html.table(("UTC", "change", "version", "replaced", "reason"), rows, n_text=5)


def _runs(report: ReplayReport) -> str:
    failed = [(f"{one.at:%Y-%m-%d %H:%M}", one.run, one.reason) for one in report.run.failed]
    counts = html.table(("step", "runs", "failed"), report.runs.rows(), n_text=1)
    return counts + html.table(("UTC", "failed run", "reason"), failed, n_text=3)


def _chart(report: ReplayReport) -> str:
    spans = [plots.Span(fault.since, fault.until, fault.planned.label) for fault in report.faults]
    chart = plots.relative_error_timeline(report.daily, spans, [change.at for change in report.changes])
    caption = "Error of served forecasts by day of issue (1: the seasonal naive); faults shaded, new champions dotted."
    return html.figure(plots.Picture(plots.svg_address(chart), caption, caption))
