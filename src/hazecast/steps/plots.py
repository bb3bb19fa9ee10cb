"""Plots that go with a training."""

import polars as pl
from matplotlib.figure import Figure

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
