"""Every plot: of a training (MLflow, Prefect), of a backtest's report and of a replay.

Figures are Matplotlib figures that no window shows; `svg_address` and `png_address` turn one into a data URI.
Colours after Okabe and Ito; each line also has its own marker, so that a plot works without colour.
"""

from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from typing import Any

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, date2num
from matplotlib.figure import Figure

from hazecast.air.pollutants import Pollutant
from hazecast.air.spec import DAY_HOURS, QUANTILE_LEVELS, QUANTILES

BLUE, ORANGE, GREEN, PINK, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#666666"
_LINES: tuple[dict[str, Any], ...] = (
    {"color": BLUE, "marker": "o", "linestyle": "-"},
    {"color": ORANGE, "marker": "s", "linestyle": "--"},
    {"color": GREEN, "marker": "^", "linestyle": "-."},
    {"color": PINK, "marker": "D", "linestyle": ":"},
    {"color": "#000000", "marker": "v", "linestyle": "-"},
    {"color": "#E69F00", "marker": "P", "linestyle": "--"},
)
_FORECASTS = {"mae": "forecast", "mae_persistence": "persistence", "mae_seasonal_naive": "seasonal naive"}
_REFERENCES = ("mae_persistence", "mae_seasonal_naive")
_UNIT = {"xlim": (0, 1)}

Draw = Callable[[Axes], None]


@dataclass(frozen=True)
class Picture:
    """A figure for an HTML page: its data URI, a caption, and a text alternative for readers who cannot see it."""

    address: str
    caption: str
    alternative: str


@dataclass(frozen=True)
class Span:
    """A labelled period to shade in a time series, UTC."""

    since: datetime
    until: datetime
    label: str


def mae_by_lead_block(scores: pl.DataFrame) -> dict[str, Figure]:
    """One figure per pollutant ("mae_pm25"): MAE [µg/m³] of every model by lead block.

    Args:
        scores: `air.tables.Scores`.
    """
    by_block = scores.filter(pl.col("lead_block") != "all", pl.col("mae").is_not_null())
    return {
        f"mae_{pollutant}": _mae_by_lead_block(rows, str(pollutant))
        for (pollutant,), rows in by_block.group_by("pollutant", maintain_order=True)
    }


def calibration_by_pollutant(paired: pl.DataFrame) -> dict[str, Figure]:
    """One figure per pollutant, "calibration_pm25": share of observations at or below each quantile against its level.

    Args:
        paired: rows of `scoring.pair` with quantiles.
    """
    return {
        f"calibration_{pollutant}": _calibration(rows, str(pollutant))
        for (pollutant,), rows in paired.group_by("pollutant", maintain_order=True)
    }


def error_and_skill(rows: pl.DataFrame, label: str) -> Picture:
    """Error and skill of one pollutant by lead hour.

    Args:
        rows: lead_hours, mae, mae_persistence, mae_seasonal_naive, sorted by lead.
        label: the pollutant's name.
    """
    ranked = rows.sort("mae").rows(named=True)
    best, worst = ranked[0], ranked[-1]
    persistence, naive = (f"{(rows['mae'] < rows[name]).sum() / rows.height:.0%}" for name in _REFERENCES)
    alternative = (
        f"Two line charts over the lead for {label}. The forecast's mean absolute error runs from {best['mae']:.1f} "
        f"µg/m³ at lead {best['lead_hours']} h to {worst['mae']:.1f} at lead {worst['lead_hours']} h. It is smaller "
        f"than that of persistence in {persistence} of the lead hours, and smaller than that of the seasonal naive in "
        f"{naive}."
    )
    address = _two_panels(lambda axes: _draw_errors(axes, rows), lambda axes: _draw_skill(axes, rows))
    return Picture(address, f"{label}: error and skill by lead hour.", alternative)


def quantile_calibration(rows: pl.DataFrame, label: str) -> Picture:
    """Calibration of one pollutant's quantiles by lead block, and the PIT histogram over all leads.

    Args:
        rows: lead_block, level, share_below.
        label: the pollutant's name.
    """
    overall = rows.filter(pl.col("lead_block") == "all").sort("level")
    widest = overall.sort((pl.col("share_below") - pl.col("level")).abs()).row(-1, named=True)
    below = overall["share_below"]
    alternative = (
        f"Left, by lead block, the share of observations below each quantile of {label} against its level; a "
        f"calibrated forecast is on the diagonal. Over all leads the gap is largest at level {widest['level']:.2f}, "
        f"below which {widest['share_below']:.2f} of the observations fell. Right, the same as a histogram: "
        f"{below[0]:.1%} fell below the 5 % quantile and {1 - below[-1]:.1%} above the 95 % quantile."
    )
    address = _two_panels(lambda axes: _draw_quantiles(axes, rows), lambda axes: _draw_pit(axes, below))
    return Picture(address, f"{label}: calibration of the quantiles.", alternative)


def exceedance_reliability(rows: pl.DataFrame, label: str, *, n_bins: int, min_hours: int) -> Picture:
    """Reliability of one pollutant's exceedance probabilities by limit, and how often each probability was issued.

    Args:
        rows: limit, bin, n, p_mean, share_above.
        label: the pollutant's name.
        n_bins: number of bins of equal width.
        min_hours: bins with fewer hours are left out of the reliability diagram.
    """
    filled = rows.filter(pl.col("n") >= min_hours)
    gap = max((filled["share_above"] - filled["p_mean"]).abs().to_list(), default=0.0)
    alternative = (
        f"Left, for {label} and each limit, how often the hour's mean was above it against the probability forecast; "
        f"a reliable forecast is on the diagonal, and the largest gap is {gap:.2f}. Right, on a logarithmic scale, the "
        "number of hours in each bin of probability."
    )
    address = _two_panels(lambda axes: _draw_reliability(axes, filled), lambda axes: _draw_counts(axes, rows, n_bins))
    caption = f"{label}: probabilities of exceedance; bins with fewer than {min_hours} hours are left out on the left."
    return Picture(address, caption, alternative)


def relative_error_timeline(daily: pl.DataFrame, spans: Sequence[Span], events: Iterable[datetime]) -> Figure:
    """Relative error of the served forecasts by day of issue, with shaded spans and dotted lines at events.

    Args:
        daily: issued_on, relative_error (1: the seasonal naive).
        spans: periods to shade and label.
        events: moments to mark, UTC.
    """
    figure = Figure(figsize=(9, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.plot(daily["issued_on"], daily["relative_error"], color=BLUE, marker=".")
    axes.axhline(1, color=GREY, linewidth=0.8)
    for number, span in enumerate(spans):
        axes.axvspan(_day(span.since), _day(span.until), color=ORANGE, alpha=0.15)
        # Three heights in turn, so that labels of neighbouring spans do not overlap.
        label = axes.text(_day(span.since), 0.98 - 0.07 * (number % 3), span.label, fontsize=7, va="top")
        label.set_transform(axes.get_xaxis_transform())
    for event in events:
        axes.axvline(_day(event), color=GREEN, linestyle=":", linewidth=1)
    axes.set(ylim=(0, None), ylabel="error relative to seasonal naive")
    return figure


class NotebookFigure(Figure):
    """A figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        written = BytesIO()
        self.savefig(written, format="png", dpi=100)
        return written.getvalue()


def forecast_fan(rows: pl.DataFrame, observed: pl.DataFrame) -> Figure:
    """Median, 50 % and 90 % intervals of one forecast, with the observations before and after its issue.

    Args:
        rows: one series and issue, sorted: station_id, pollutant, issued_at, valid_at, q05 … q95 [µg/m³].
        observed: of the same series, sorted: observed_at, concentration_ugm3.
    """
    figure = NotebookFigure(figsize=(9, 3.6), layout="constrained")
    axes = figure.subplots()
    hours = rows["valid_at"].to_list()
    for low, high, alpha, label in (("q05", "q95", 0.15, "90 % interval"), ("q25", "q75", 0.3, "50 % interval")):
        axes.fill_between(hours, rows[low], rows[high], color=BLUE, alpha=alpha, linewidth=0, label=label)
    axes.plot(hours, rows["q50"], color=BLUE, label="median")
    # Hourly steps without a value are a gap, not a straight line.
    hourly = observed.upsample("observed_at", every="1h") if observed.height else observed
    axes.plot(hourly["observed_at"].to_list(), hourly["concentration_ugm3"], color="black", lw=1, label="observed")
    axes.axvline(_day(rows["issued_at"][0]), color=GREY, linestyle=":", linewidth=1)
    axes.set(ylim=(0, None), ylabel=f"{Pollutant(rows['pollutant'][0]).label} [µg/m³]", xlabel="UTC")
    axes.set_title(f"{rows['station_id'][0]}, issued {rows['issued_at'][0]:%Y-%m-%d %H:%M} UTC")
    axes.legend(frameon=False, ncols=4, fontsize=8)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(axes.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]
    return figure


def svg_address(figure: Figure) -> str:
    """The figure as an SVG data URI; the same figure gives the same bytes."""
    with mpl.rc_context({"svg.hashsalt": "hazecast"}):
        return _address(figure, "svg", "image/svg+xml", metadata={"Date": None})


def png_address(figure: Figure) -> str:
    """The figure as a PNG data URI."""
    return _address(figure, "png", "image/png", dpi=80)


def _address(figure: Figure, form: str, media_type: str, **options: Any) -> str:
    written = BytesIO()
    figure.savefig(written, format=form, **options)
    return f"data:{media_type};base64,{b64encode(written.getvalue()).decode()}"


def _day(moment: datetime) -> float:
    return float(date2num(moment))  # type: ignore[no-untyped-call]  # matplotlib has no types here


def _mae_by_lead_block(rows: pl.DataFrame, pollutant: str) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for ((model,), scores), line in zip(rows.group_by("model", maintain_order=True), _LINES, strict=False):
        axes.plot(scores["lead_block"], scores["mae"], label=str(model), **line)
    axes.set(xlabel="lead time [h]", ylabel="mean absolute error [µg/m³]", ylim=(0, None))
    axes.set_title(f"{pollutant}: error by lead time on the validation days")
    axes.legend(frameon=False)
    return figure


def _calibration(rows: pl.DataFrame, pollutant: str) -> Figure:
    below = [float((rows["observed_ugm3"] <= rows[name]).mean() or 0.0) for name in QUANTILES]  # type: ignore[arg-type]  # a mean of booleans
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    _draw_diagonal(axes, label="perfect")
    axes.plot(QUANTILE_LEVELS, below, label=f"{rows.height:,} hours", **_LINES[0])
    axes.set(xlabel="quantile forecast", ylabel="share of hours at or below it")
    axes.set_title(f"{pollutant}: calibration on the validation days")
    axes.legend(frameon=False)
    return figure


def _two_panels(left: Draw, right: Draw) -> str:
    with mpl.rc_context({"font.size": 9}):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for draw, axes in zip((left, right), figure.subplots(1, 2), strict=True):
            draw(axes)
            axes.spines[["top", "right"]].set_visible(False)
        return svg_address(figure)


def _draw_errors(axes: Axes, rows: pl.DataFrame) -> None:
    for (column, name), line in zip(_FORECASTS.items(), _LINES, strict=False):
        axes.plot(rows["lead_hours"], rows[column], label=name, markevery=6, markersize=4, **line)
    axes.set(title="Error", ylabel="MAE [µg/m³]", ylim=(0, None))
    _label_leads(axes, rows)


def _draw_skill(axes: Axes, rows: pl.DataFrame) -> None:
    for reference, line in zip(_REFERENCES, _LINES[1:], strict=False):
        skill = 1 - rows["mae"] / rows[reference]
        axes.plot(
            rows["lead_hours"], skill, label=f"against {_FORECASTS[reference]}", markevery=6, markersize=4, **line
        )
    axes.axhline(0, color=GREY, linewidth=0.8)
    axes.set(title="Skill: 1 − MAE / MAE of the reference", ylabel="skill (above 0 is better)", ylim=(None, 1))
    _label_leads(axes, rows)


def _label_leads(axes: Axes, rows: pl.DataFrame) -> None:
    """Ticks at lead 1 and every half day up to the longest lead of the rows."""
    longest = int(rows["lead_hours"].max() or 1)  # type: ignore[arg-type]  # an integer column
    axes.set(xlabel="lead [h]", xticks=(1, *range(DAY_HOURS // 2, longest + 1, DAY_HOURS // 2)))
    axes.legend(frameon=False)


def _draw_quantiles(axes: Axes, rows: pl.DataFrame) -> None:
    _draw_diagonal(axes)
    blocks = rows.filter(pl.col("lead_block") != "all").partition_by("lead_block", maintain_order=True)
    for block, line in zip(blocks, _LINES, strict=False):
        axes.plot(block["level"], block["share_below"], label=block["lead_block"][0], markersize=4, **line)
    axes.set(title="Quantiles", xlabel="level of the quantile", ylabel="share observed below", ylim=(0, 1), **_UNIT)
    axes.legend(frameon=False, title="lead [h]")


def _draw_pit(axes: Axes, below: pl.Series) -> None:
    edges = (0.0, *QUANTILE_LEVELS, 1.0)
    widths = pl.Series(edges).diff().drop_nulls()
    shares = pl.Series([0.0, *below, 1.0]).diff().drop_nulls()
    axes.bar(edges[:-1], shares / widths, widths, align="edge", color=BLUE, edgecolor="white")
    axes.axhline(1, color=GREY, linewidth=0.8)
    axes.set(title="PIT histogram of the observations", xlabel="level", ylabel="density (1: calibrated)", **_UNIT)


def _draw_reliability(axes: Axes, rows: pl.DataFrame) -> None:
    _draw_diagonal(axes)
    for limit, line in zip(rows.partition_by("limit", maintain_order=True), _LINES, strict=False):
        axes.plot(limit["p_mean"], limit["share_above"], label=limit["limit"][0], markersize=4, **line)
    axes.set(title="Reliability", xlabel="probability forecast", ylabel="share exceeded", ylim=(0, 1), **_UNIT)
    axes.legend(frameon=False, loc="upper left")


def _draw_counts(axes: Axes, rows: pl.DataFrame, n_bins: int) -> None:
    limits = rows.partition_by("limit", maintain_order=True)
    width = 0.8 / n_bins / max(len(limits), 1)
    for number, (limit, line) in enumerate(zip(limits, _LINES, strict=False)):
        left = (limit["bin"] + 0.1) / n_bins + number * width
        axes.bar(left, limit["n"], width, align="edge", color=line["color"], label=limit["limit"][0])
    axes.set(title="Probabilities issued", xlabel="probability forecast", ylabel="hours", yscale="log")
    axes.set(ylim=(1, None), **_UNIT)
    axes.legend(frameon=False)


def _draw_diagonal(axes: Axes, **options: Any) -> None:
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, **options)
