"""Shared by all charts: the time axis, sizes, number format and theme colours."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

import altair as alt
import polars as pl

from hazecast.i18n import Language

HOUR_MS = 3_600_000.0

AnyChart = TypeVar("AnyChart", alt.Chart, alt.LayerChart)


class Palette(NamedTuple):
    """Colours of one theme, distinguishable for colour-blind people; `intervals` are the narrowest and the widest."""

    text: str
    forecast: str
    intervals: tuple[str, str]
    limits: tuple[str, ...]
    models: tuple[str, ...]
    flagged: str
    rule: str
    background: str
    states: tuple[str, ...]


# The backgrounds equal those of .streamlit/config.toml. Blue tints and the Okabe-Ito palette.
LIGHT = Palette(
    text="#1f2430",
    forecast="#00507d",
    intervals=("#6fb0d6", "#d8e9f4"),
    limits=("#b34700", "#7a3e9d", "#a3123f"),
    models=("#00735c", "#8f5b00"),
    flagged="#6b717b",
    rule="#5f6570",
    background="#ffffff",
    states=("#0072b2", "#e69f00", "#d55e00", "#c9ccd1"),
)
DARK = Palette(
    text="#f2f2f2",
    forecast="#9adbff",
    intervals=("#2a7aa5", "#163e54"),
    limits=("#ff9f5a", "#d7a6ff", "#ff8fb1"),
    models=("#5fd6b4", "#e6c35c"),
    flagged="#9aa0aa",
    rule="#b8bdc7",
    background="#12151b",
    states=("#56b4e9", "#e69f00", "#f0763f", "#3a404b"),
)


def palette(*, dark: bool) -> Palette:
    """The colours of the theme."""
    return DARK if dark else LIGHT


def tints(first: str, last: str, n: int) -> list[str]:
    """`n` colours in equal steps of red, green and blue from `first` to `last` ("#rrggbb")."""
    start, end = (bytes.fromhex(colour.removeprefix("#")) for colour in (first, last))
    shares = [k / max(n - 1, 1) for k in range(n)]
    steps = ([round(a + share * (b - a)) for a, b in zip(start, end, strict=True)] for share in shares)
    return [f"#{bytes(step).hex()}" for step in steps]


@dataclass(frozen=True)
class TimeScale:
    """The hours [first, last] of a chart in the station's time zone, whatever the time zone of the browser."""

    first: datetime
    last: datetime
    zone: ZoneInfo
    language: Language

    def midnights(self) -> list[datetime]:
        """Starts of local days within the scale, also where clocks change."""
        day = self.first.astimezone(self.zone).date()
        n_days = (self.last - self.first).days + 2
        starts = [datetime.combine(day + timedelta(days=k), time(), tzinfo=self.zone) for k in range(n_days)]
        return [start for start in starts if self.first <= start < self.last]

    def axis(self) -> alt.X:
        """The x channel of field `at` [ms since 1970], labelled by local days."""
        language = self.language
        labels = {epoch_ms(start): [language.weekday(start), language.day(start)] for start in self.midnights()}
        axis = alt.Axis(
            values=[_vega_time(start) for start in self.midnights()],
            labelExpr=f"({labels})[time(datum.value)]",
            labelAlign="left",
            labelOffset=2,
            labelOverlap="parity",
            tickSize=14,
            grid=True,
            title=self._title(),
        )
        domain = [_vega_time(self.first), _vega_time(self.last)]
        return alt.X("at:T", scale=alt.Scale(type="utc", domain=domain), axis=axis)

    def with_time(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with `at` for the axis and `when` for tooltips in place of `hour_start`."""
        when = [self.language.time(hour, self.zone) for hour in rows["hour_start"]]
        # As floats: Streamlit sends 64-bit integers to the browser as BigInt, which Vega's scales cannot place.
        at = pl.col("hour_start").dt.epoch("ms").cast(pl.Float64)
        return rows.with_columns(at=at, when=pl.Series(when, dtype=pl.String)).drop("hour_start")

    def _title(self) -> str:
        offsets = dict.fromkeys(f"{moment.astimezone(self.zone):%z}" for moment in (self.first, self.last))
        formatted = ", ".join(f"UTC{offset[:-2]}:{offset[-2:]}" for offset in offsets)
        return self.language.t("chart.time", zone=self.zone.key, offset=formatted)


def epoch_ms(moment: datetime) -> int:
    """Milliseconds since 1970, the time unit of browsers."""
    return round(moment.timestamp() * 1000)


def with_height(chart: AnyChart, height_px: int) -> AnyChart:
    """The chart at this height, without Vega's menu."""
    sized: AnyChart = chart.properties(height=height_px, usermeta={"embedOptions": {"actions": False}})
    return sized


def with_number_format(chart: alt.LayerChart, language: Language) -> alt.LayerChart:
    """The chart with the language's decimal mark and thousands separator."""
    decimal, thousands = language.t("number.decimal"), language.t("number.thousands")
    number = {"decimal": decimal, "thousands": thousands, "grouping": [3], "currency": ["", ""]}
    formatted: alt.LayerChart = chart.configure(locale={"number": number})
    return formatted


def _vega_time(moment: datetime) -> alt.DateTime:
    at = moment.astimezone(UTC)
    return alt.DateTime(year=at.year, month=at.month, date=at.day, hours=at.hour, minutes=at.minute, utc=True)
