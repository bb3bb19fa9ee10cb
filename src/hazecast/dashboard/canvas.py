"""What the chart spans: which hours and concentrations, and its axes in the station's own time."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

import altair as alt
import polars as pl

from hazecast.air.clock import HOUR, floor_hour
from hazecast.dashboard.view import View
from hazecast.dashboard.words import pollutant_label

WEEK = timedelta(days=7)
LIMIT_SHOWN_UP_TO = 1.6
HEADROOM = 1.08


@dataclass(frozen=True)
class Canvas:
    """The span of one chart: hours [first, last], concentrations [bottom, top] [µg/m³]."""

    view: View
    first: datetime
    last: datetime
    bottom: float
    top: float

    @property
    def limits(self) -> list[dict[str, Any]]:
        """Limits within the span."""
        return [limit for limit in self.view.limits if limit["concentration_ugm3"] <= self.top]

    @property
    def limits_above(self) -> list[dict[str, Any]]:
        """Limits too far above everything shown to be drawn."""
        return [limit for limit in self.view.limits if limit["concentration_ugm3"] > self.top]

    def midnights(self) -> list[datetime]:
        """Every start of a day at the station within the span, also where clocks change."""
        day, zone = self.first.astimezone(self.view.zone).date(), self.view.zone
        n_days = (self.last - self.first).days + 2
        starts = [datetime.combine(day + timedelta(days=k), time(), tzinfo=zone) for k in range(n_days)]
        return [start for start in starts if self.first <= start < self.last]

    def time_axis(self) -> alt.X:
        """Positions `at` [ms since 1970], labelled with the station's own days whatever the browser's time zone."""
        labels = {epoch_ms(start): [f"{start:%a}", f"{start:%d %b}"] for start in self.midnights()}
        offset = f"{self.view.now.astimezone(self.view.zone):%z}"
        axis = alt.Axis(
            values=[_utc(start) for start in self.midnights()],
            labelExpr=f"({labels})[time(datum.value)]",
            labelAlign="left",
            labelOffset=2,
            labelOverlap="parity",
            tickSize=14,
            grid=True,
            title=f"Station time, {self.view.zone.key} (UTC{offset[:-2]}:{offset[-2:]})",
        )
        return alt.X("at:T", scale=alt.Scale(type="utc", domain=[_utc(self.first), _utc(self.last)]), axis=axis)

    def concentration_axis(self) -> alt.Y:
        """Positions `value` [µg/m³]."""
        title = f"{pollutant_label(self.view.pollutant)} [µg/m³], hourly mean"
        return alt.Y("value:Q", title=title, scale=alt.Scale(domain=[self.bottom, self.top], nice=False))


def span(view: View) -> Canvas:
    """The last week, the forecast and all trusted values; limits not far above them widen it, far ones do not."""
    trusted = view.observed.filter(pl.col("flag") == "ok")["observed_ugm3"].to_list()
    highest = float(max([*view.hours["q95"], *trusted], default=1.0))
    values = [float(limit["concentration_ugm3"]) for limit in view.limits]
    return Canvas(
        view=view,
        first=floor_hour(view.now - WEEK),
        last=max([view.now, *view.hours["hour_start"].tail(1)]) + HOUR,
        bottom=min([0.0, *trusted]),
        top=HEADROOM * max([highest, *(value for value in values if value <= LIMIT_SHOWN_UP_TO * highest)]),
    )


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, as browsers count time."""
    return round(moment.timestamp() * 1000)


def _utc(moment: datetime) -> alt.DateTime:
    at = moment.astimezone(UTC)
    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, utc=True)
