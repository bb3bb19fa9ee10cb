"""Plots that go with a training."""

import polars as pl
from matplotlib.figure import Figure

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES

# Okabe-Ito: distinguishable with any kind of colour vision.
_COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#000000")
_MARKERS = ("o", "s", "^", "D", "v")


def skill_figures(scores: pl.DataFrame) -> dict[str, Figure]:
    """One figure per pollutant: MAE [µg/m³] of every rival by lead block."""
    by_block = scores.filter(pl.col("lead_block") != "all", pl.col("mae").is_not_null())
    return {
        f"mae_{pollutant}": _mae_by_lead(rows, str(pollutant))
        for (pollutant,), rows in by_block.group_by("pollutant", maintain_order=True)
    }


def _mae_by_lead(rows: pl.DataFrame, pollutant: str) -> Figure:
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    groups = rows.group_by("model", maintain_order=True)
    for ((model,), mine), colour, marker in zip(groups, _COLOURS, _MARKERS, strict=False):
        axes.plot(mine["lead_block"], mine["mae"], color=colour, marker=marker, label=str(model))
    axes.set_xlabel("lead time [h]")
    axes.set_ylabel("mean absolute error [µg/m³]")
    axes.set_title(f"{pollutant}: error by lead time on days the model had not seen")
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    return figure


def calibration_figures(paired: pl.DataFrame) -> dict[str, Figure]:
    """One figure per pollutant: how often what came true was below each quantile, against how often it should be.

    Args:
        paired: rows of `scoring.pair` with quantiles.
    """
    return {
        f"calibration_{pollutant}": _reliability(rows, str(pollutant))
        for (pollutant,), rows in paired.group_by("pollutant", maintain_order=True)
    }


def _reliability(rows: pl.DataFrame, pollutant: str) -> Figure:
    below = [float((rows["observed_ugm3"] <= rows[name]).mean() or 0.0) for name in QUANTILES]  # type: ignore[arg-type]  # a mean of booleans
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_COLOURS[-1], linewidth=0.8, label="perfect")
    axes.plot(QUANTILE_LEVELS, below, color=_COLOURS[0], marker=_MARKERS[0], label=f"{rows.height:,} hours")
    axes.set_xlabel("quantile forecast")
    axes.set_ylabel("share of hours at or below it")
    axes.set_title(f"{pollutant}: calibration on days the model had not seen")
    axes.legend(frameon=False)
    return figure
