"""The figures of a verification as self-contained SVG; colours after Okabe and Ito, each line with its own mark."""

from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hazecast.air.spec import QUANTILE_LEVELS
from hazecast.steps.report.probabilities import ENOUGH_EVENTS, N_BINS
from hazecast.steps.report.sections import label_of
from hazecast.steps.report.verify import Verification

_BLUE, _GREY = "#0072B2", "#666666"
_LOOKS: tuple[dict[str, Any], ...] = (
    {"color": _BLUE, "marker": "o", "linestyle": "-"},
    {"color": "#D55E00", "marker": "s", "linestyle": "--"},
    {"color": "#009E73", "marker": "^", "linestyle": "-."},
    {"color": "#CC79A7", "marker": "D", "linestyle": ":"},
)
_NAMES = {"mae": "forecast", "mae_persistence": "persistence", "mae_seasonal_naive": "seasonal naive"}
_RIVALS = ("mae_persistence", "mae_seasonal_naive")
_LEADS = {"xlabel": "lead [h]", "xticks": (1, 12, 24, 36, 48, 60, 72)}
_UNIT = {"xlim": (0, 1)}
_EDGES = (0.0, *QUANTILE_LEVELS, 1.0)

Paint = Callable[[Axes], None]


@dataclass(frozen=True)
class Picture:
    """An SVG as an address that a page can hold, what it shows in a line, and what it says to who cannot see it."""

    address: str
    caption: str
    alternative: str


def pictures(found: Verification, pollutant: str) -> list[Picture]:
    """Skill by lead hour, calibration of the quantiles and reliability of the exceedances of one pollutant."""
    tables = (found.by_hour, found.calibration, found.reliability)
    by_hour, calibration, reliability = (table.filter(pl.col("pollutant") == pollutant) for table in tables)
    label = label_of(pollutant)
    return [_skill(by_hour, label), _calibration(calibration, label), _reliability(reliability, label)]


def _draw(left: Paint, right: Paint) -> str:
    with mpl.rc_context({"svg.hashsalt": "hazecast", "font.size": 9}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for paint, axes in zip((left, right), figure.subplots(1, 2), strict=True):
            paint(axes)
            axes.spines[["top", "right"]].set_visible(False)
        drawn = BytesIO()
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    return "data:image/svg+xml;base64," + b64encode(drawn.getvalue()).decode()


def _skill(rows: pl.DataFrame, label: str) -> Picture:
    ranked = rows.sort("mae").rows(named=True)
    best, worst = ranked[0], ranked[-1]
    better = [f"{(rows['mae'] < rows[rival]).sum() / rows.height:.0%}" for rival in _RIVALS]
    said = (
        f"Two line charts over the lead for {label}. The forecast's mean absolute error runs from {best['mae']:.1f} "
        f"µg/m³ at lead {best['lead_hours']} h to {worst['mae']:.1f} at lead {worst['lead_hours']} h. It is smaller "
        f"than that of persistence in {better[0]} of the lead hours, than the seasonal naive's in {better[1]}."
    )
    address = _draw(partial(_paint_errors, rows), partial(_paint_skill, rows))
    return Picture(address, f"{label}: error and skill by lead hour.", said)


def _paint_errors(rows: pl.DataFrame, axes: Axes) -> None:
    for (column, name), look in zip(_NAMES.items(), _LOOKS, strict=False):
        axes.plot(rows["lead_hours"], rows[column], label=name, markevery=6, markersize=4, **look)
    axes.set(title="Error", ylabel="MAE [µg/m³]", ylim=(0, None), **_LEADS)
    axes.legend(frameon=False)


def _paint_skill(rows: pl.DataFrame, axes: Axes) -> None:
    for rival, look in zip(_RIVALS, _LOOKS[1:], strict=False):
        skill = 1 - rows["mae"] / rows[rival]
        axes.plot(rows["lead_hours"], skill, label=f"against {_NAMES[rival]}", markevery=6, markersize=4, **look)
    axes.axhline(0, color=_GREY, linewidth=0.8)
    axes.set(title="Skill: 1 − MAE / MAE of the rival", ylabel="skill (above 0 is better)", ylim=(None, 1), **_LEADS)
    axes.legend(frameon=False)


def _calibration(rows: pl.DataFrame, label: str) -> Picture:
    whole = rows.filter(pl.col("lead_block") == "all").sort("level")
    widest = whole.sort((pl.col("share_below") - pl.col("level")).abs()).row(-1, named=True)
    below = whole["share_below"]
    said = (
        f"Left, by lead block, the share of observations below each quantile of {label} against its level; on the "
        f"diagonal is calibrated. Over all leads the gap is largest at level {widest['level']:.2f}, below which "
        f"{widest['share_below']:.2f} of the observations fell. Right, the same as a histogram: {below[0]:.1%} fell "
        f"below the 5 % quantile and {1 - below[-1]:.1%} above the 95 % quantile."
    )
    address = _draw(partial(_paint_quantiles, rows), partial(_paint_pit, below))
    return Picture(address, f"{label}: calibration of the quantiles.", said)


def _paint_quantiles(rows: pl.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
    blocks = rows.filter(pl.col("lead_block") != "all").partition_by("lead_block", maintain_order=True)
    for block, look in zip(blocks, _LOOKS, strict=False):
        axes.plot(block["level"], block["share_below"], label=block["lead_block"][0], markersize=4, **look)
    axes.set(title="Quantiles", xlabel="level of the quantile", ylabel="share observed below", ylim=(0, 1), **_UNIT)
    axes.legend(frameon=False, title="lead [h]")


def _paint_pit(below: pl.Series, axes: Axes) -> None:
    widths = pl.Series(_EDGES).diff().drop_nulls()
    shares = pl.Series([0.0, *below, 1.0]).diff().drop_nulls()
    axes.bar(_EDGES[:-1], shares / widths, widths, align="edge", color=_BLUE, edgecolor="white")
    axes.axhline(1, color=_GREY, linewidth=0.8)
    axes.set(title="PIT: between which quantiles observations fell", xlabel="level", ylabel="density (1: calibrated)")
    axes.set(**_UNIT)


def _reliability(rows: pl.DataFrame, label: str) -> Picture:
    told = rows.filter(pl.col("n") >= ENOUGH_EVENTS)
    gap = max((told["share_above"] - told["p_mean"]).abs().to_list(), default=0.0)
    said = (
        f"Left, for {label} and each limit, how often the hour's mean was above it against the probability forecast; "
        f"on the diagonal is reliable, the largest gap is {gap:.2f}. Right, on a logarithmic scale, how many hours got "
        "each tenth of probability."
    )
    address = _draw(partial(_paint_reliability, told), partial(_paint_use, rows))
    caption = (
        f"{label}: probabilities of exceedance; tenths with fewer than {ENOUGH_EVENTS} hours are left out on the left."
    )
    return Picture(address, caption, said)


def _paint_reliability(rows: pl.DataFrame, axes: Axes) -> None:
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=0.8)
    for limit, look in zip(rows.partition_by("limit", maintain_order=True), _LOOKS, strict=False):
        axes.plot(limit["p_mean"], limit["share_above"], label=limit["limit"][0], markersize=4, **look)
    axes.set(title="Reliability", xlabel="probability forecast", ylabel="share that came true", ylim=(0, 1), **_UNIT)
    axes.legend(frameon=False, loc="upper left")


def _paint_use(rows: pl.DataFrame, axes: Axes) -> None:
    limits = rows.partition_by("limit", maintain_order=True)
    width = 0.8 / N_BINS / len(limits)
    for number, (limit, look) in enumerate(zip(limits, _LOOKS, strict=False)):
        left = (limit["bin"] + 0.1) / N_BINS + number * width
        axes.bar(left, limit["n"], width, align="edge", color=look["color"], label=limit["limit"][0])
    axes.set(
        title="How often each was said",
        xlabel="probability forecast",
        ylabel="hours",
        yscale="log",
        ylim=(1, None),
        **_UNIT,
    )
    axes.legend(frameon=False)
