"""Time on charts: hours in the station's own days, whatever the browser's time zone or language."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import altair as alt
import polars as pl

from hazecast.dashboard.language import Language

AnyChart = TypeVar("AnyChart", alt.Chart, alt.LayerChart)


@dataclass(frozen=True)
class Span:
    """The hours [first, last] of a chart, told in `zone`."""

    first: datetime
    last: datetime
    zone: ZoneInfo
    words: Language

    def midnights(self) -> list[datetime]:
        """Every start of a day at the station within the span, also where clocks change."""
        day = self.first.astimezone(self.zone).date()
        n_days = (self.last - self.first).days + 2
        starts = [datetime.combine(day + timedelta(days=k), time(), tzinfo=self.zone) for k in range(n_days)]
        return [start for start in starts if self.first <= start < self.last]

    def time_axis(self) -> alt.X:
        """Positions `at` [ms since 1970]."""
        labels = {epoch_ms(start): [self.words.weekday(start), self.words.day(start)] for start in self.midnights()}
        axis = alt.Axis(
            values=[_utc(start) for start in self.midnights()],
            labelExpr=f"({labels})[time(datum.value)]",
            labelAlign="left",
            labelOffset=2,
            labelOverlap="parity",
            tickSize=14,
            grid=True,
            title=self._title(),
        )
        return alt.X("at:T", scale=alt.Scale(type="utc", domain=[_utc(self.first), _utc(self.last)]), axis=axis)

    def placed(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `at` for the axis and `when` in words, both from `hour_start`, which is dropped."""
        when = [self.words.time(hour, self.zone) for hour in rows["hour_start"]]
        # As floats: the page hands 64-bit integers to the browser as BigInt, which its scales cannot place.
        at = pl.col("hour_start").dt.epoch("ms").cast(pl.Float64)
        return rows.with_columns(at=at, when=pl.Series(when, dtype=pl.String)).drop("hour_start")

    def _title(self) -> str:
        offsets = dict.fromkeys(f"{moment.astimezone(self.zone):%z}" for moment in (self.first, self.last))
        written = ", ".join(f"UTC{offset[:-2]}:{offset[-2:]}" for offset in offsets)
        return self.words.say("chart.time", zone=self.zone.key, offset=written)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, as browsers count time."""
    return round(moment.timestamp() * 1000)


def sized(chart: AnyChart, height_px: int) -> AnyChart:
    """The chart at this height, without Vega's own menu."""
    found: AnyChart = chart.properties(height=height_px, usermeta={"embedOptions": {"actions": False}})
    return found


def number_locale(words: Language) -> dict[str, object]:
    """How Vega writes numbers in this language."""
    decimal, thousands = words.say("number.decimal"), words.say("number.thousands")
    return {"number": {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]}}


def _utc(moment: datetime) -> alt.DateTime:
    at = moment.astimezone(UTC)
    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, utc=True)
