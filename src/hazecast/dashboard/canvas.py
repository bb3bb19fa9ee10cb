"""What the fan chart spans: which hours and concentrations, and its axes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import altair as alt
import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.dashboard.axes import Span
from hazecast.dashboard.view import View
from hazecast.dashboard.visit import pollutant_label

LIMIT_SHOWN_UP_TO = 1.6
HEADROOM = 1.08


@dataclass(frozen=True)
class Canvas:
    """One chart: its hours, and concentrations [bottom, top] [µg/m³]."""

    view: View
    span: Span
    bottom: float
    top: float

    @property
    def limits(self) -> list[dict[str, Any]]:
        """Limits within the chart."""
        return [limit for limit in self.view.limits if limit["concentration_ugm3"] <= self.top]

    @property
    def limits_above(self) -> list[dict[str, Any]]:
        """Limits too far above everything shown to be drawn."""
        return [limit for limit in self.view.limits if limit["concentration_ugm3"] > self.top]

    def concentration_axis(self) -> alt.Y:
        """Positions `value` [µg/m³]."""
        title = self.view.visit.words.say("chart.concentration", pollutant=pollutant_label(self.view.pollutant))
        return alt.Y("value:Q", title=title, scale=alt.Scale(domain=[self.bottom, self.top], nice=False))


def stretch_canvas(view: View, *, since: datetime) -> Canvas:
    """The hours from `since` to the end of the forecast, or to now without one, and all trusted values.

    Limits not far above them widen it, far ones do not.
    """
    trusted = view.observed.filter(pl.col("flag") == "ok")["observed_ugm3"].to_list()
    drawn = [*view.hours["q95"], *trusted, *view.background["concentration_ugm3"]]
    highest = float(max(drawn, default=1.0))
    values = [float(limit["concentration_ugm3"]) for limit in view.limits]
    last: datetime = max(view.hours["hour_start"], default=view.visit.now)
    return Canvas(
        view=view,
        span=Span(floor_hour(since), last + HOUR, view.visit.zone, view.visit.words),
        bottom=min([0.0, *trusted]),
        top=HEADROOM * max([highest, *(value for value in values if value <= LIMIT_SHOWN_UP_TO * highest)]),
    )
