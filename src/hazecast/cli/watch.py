"""Terminal output of `hazecast verify`, `monitor` and `alerts`."""

from datetime import datetime, timedelta

import polars as pl
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from hazecast.air.clock import hours_between
from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.spec import LEAD_BLOCKS, block_name
from hazecast.air.verdicts import ModelQuality, Verification
from hazecast.alerts import Message
from hazecast.cli.base import new_table
from hazecast.errors import DeliveryError, SettingsError
from hazecast.monitoring import Incident
from hazecast.scoring import mqi, summarize
from hazecast.steps.alert import AlertResult
from hazecast.steps.monitor import MonitoringReport
from hazecast.wiring import Wiring

_COLOURS = {"ok": "green", "unknown": "dim", "warning": "yellow", "critical": "bold red"}
_DAYS_SHOWN = 30


def verification(parts: Wiring, console: Console) -> None:
    """Verification of the forecasts of the last 30 days by model version, pollutant and lead."""
    since = parts.now() - timedelta(days=_DAYS_SHOWN)
    rows = parts.store.read(Verification, pl.col("issued_on") >= since)
    scored = rows.filter(pl.col("n") > 0)
    if scored.is_empty():
        console.print(f"no forecast of the last {_DAYS_SHOWN} days has been observed yet")
        return
    console.print(_skill_table(scored))
    quality = parts.store.read(ModelQuality, pl.col("issued_on") >= since)
    indicators = mqi(quality.filter(pl.col("n") > 0), ("pollutant", "lead_day"))
    for pollutant, lead_day, _, value in indicators.iter_rows():
        console.print(f"FAIRMODE indicator of {pollutant}, day {lead_day}: {value:.2f} (≤ 1 is the objective)")


def _skill_table(scored: pl.DataFrame) -> Table:
    blocks = list(map(block_name, LEAD_BLOCKS))
    found = summarize(scored, ("model_version", "pollutant", "lead_block"))
    table = new_table(title=f"forecasts issued in the last {_DAYS_SHOWN} days, as observed since")
    columns = ("version", "pollutant", "lead [h]", "hours", "MAE", "bias", "rMAE", "vs persistence", "vs background")
    for column in (*columns, "in 80 %", *(f"POD/FAR/CSI {key}" for key in LIMIT_KEYS)):
        table.add_column(column, justify="left" if column in columns[:3] else "right")
    order = pl.col("lead_block").cast(pl.Enum(blocks))
    for row in found.sort("model_version", "pollutant", order).iter_rows(named=True):
        numbers = ("mae", "bias", "rmae", "rmae_persistence", "rmae_background", "coverage_80")
        events = ["/".join(_number(row[f"{score}_{key}"]) for score in ("pod", "far", "csi")) for key in LIMIT_KEYS]
        cells = [*(_number(row[name]) for name in numbers), *events]
        table.add_row(row["model_version"], row["pollutant"], row["lead_block"], f"{row['n']:,}", *cells)
    table.caption = (
        "MAE, bias in µg/m³; rMAE below 1: better than the seasonal naive; POD, FAR, CSI: hours above the limit"
    )
    return table


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def monitoring(report: MonitoringReport, console: Console) -> None:
    """Warnings and critical verdicts, counts of the others, and the retraining decision."""
    counts = (
        report.health.group_by("check", "verdict").len().pivot("verdict", index="check", values="len").sort("check")
    )
    table = new_table("check", *_COLOURS)
    for row in counts.iter_rows(named=True):
        table.add_row(row["check"], *(str(row.get(verdict) or "–") for verdict in _COLOURS))
    console.print(table)
    for row in report.findings.iter_rows(named=True):
        colour = _COLOURS[row["verdict"]]
        line = f"[{colour}]{row['verdict']}[/] {row['check']}, {escape(row['subject'])}: {escape(row['reason'])}"
        console.print(line, soft_wrap=True)
    mark = "[bold yellow]retrain[/]" if report.retrain.justified else "[green]no retraining[/]"
    console.print(f"{mark}: {escape('; '.join(report.retrain.reasons))}", soft_wrap=True)


def alerts(result: AlertResult, parts: Wiring, console: Console, *, dry_run: bool) -> None:
    """Messages sent (or to be sent), and open incidents.

    Raises:
        DeliveryError: a channel did not accept its message; it stays pending and is retried at the next run.
    """
    for channel, message in result.messages:
        state = "would be sent" if dry_run else "not delivered" if channel in result.failed else "sent"
        console.print(
            f"[bold]{channel}[/bold] {state}: {escape(message.title)}\n{escape(message.body)}", soft_wrap=True
        )
    _open(result.incidents, parts.now(), console)
    if parts.replayed_now is not None and not dry_run:
        console.print("[yellow]no notifications[/]: the clock is replayed")
    elif not parts.alert_channels:
        console.print(
            "[yellow]no notifications[/]: set HAZECAST_ALERT_URLS or HAZECAST_ALERT_WEBHOOKS (docs/alerts.md)"
        )
    if result.failed:
        raise DeliveryError("; ".join(result.failed.values()))


def _open(incidents: tuple[Incident, ...], now: datetime, console: Console) -> None:
    alive = [one for one in incidents if one.state in ("open", "pending")]
    for one in sorted(alive, key=lambda one: (one.audience, one.state, one.summary)):
        age_hours = hours_between(one.bad_since, now)
        colour = _COLOURS[one.severity]
        line = f"[{colour}]{one.state}[/] {one.audience}: {escape(one.summary)}, for {age_hours:.0f} h"
        console.print(line, escape(one.reason), sep="\n  ", soft_wrap=True)
    if not alive:
        console.print("no incident is open")


def try_channels(parts: Wiring, console: Console) -> None:
    """Send every channel a test message.

    Raises:
        SettingsError: no channel is set.
        DeliveryError: one did not accept it.
    """
    if not parts.alert_channels:
        raise SettingsError(
            "no channel is set: HAZECAST_ALERT_URLS, HAZECAST_PUBLIC_ALERT_URLS, HAZECAST_ALERT_WEBHOOKS"
        )
    for channel in parts.alert_channels:
        text = f"A trial message from {parts.settings.place_name}: alerts reach this channel."
        channel.send(Message(f"trial-{channel.name}", channel.audiences[0], "Hazecast: trial", text, True, ()))
        console.print(f"[green]✓[/green] {channel.name}")
