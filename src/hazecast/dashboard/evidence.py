"""The charts of the Trust page: error by lead against rivals, and reliability of the quantiles."""

import altair as alt
import polars as pl

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.air.tables import LEAD_BLOCKS
from hazecast.dashboard.axes import number_locale, sized
from hazecast.dashboard.palette import palette
from hazecast.dashboard.visit import Visit

RIVALS = ("rmae", "rmae_persistence", "rmae_background")
SHAPES = ("circle", "square", "triangle-up")
BLOCKS = tuple(f"{first}-{last}" for first, last in LEAD_BLOCKS)
SKILL_PX, RELIABILITY_PX = 300, 340


def skill_chart(visit: Visit, groups: pl.DataFrame) -> alt.LayerChart:
    """Our error over each rival's by lead block: below the line at 1 we are better.

    Args:
        visit: whose words and theme.
        groups: one row per lead_block with rmae, rmae_persistence and rmae_background, null where not compared.
    """
    words, colours = visit.words, palette(dark=visit.dark)
    compared = [rival for rival in RIVALS if groups[rival].is_not_null().any()]
    names = {rival: words.say(f"trust.{rival}") for rival in compared}
    rows = groups.unpivot(compared, index=["lead_block", "n"], variable_name="rival", value_name="ratio")
    drawn = rows.drop_nulls("ratio").with_columns(pl.col("rival").replace(names))
    tints = [colours.series[1], colours.limits[0], colours.others[0]][: len(names)]
    legend = alt.Legend(title=None, orient="top", columns=1, labelLimit=400)
    points = (
        alt.Chart(drawn)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=alt.X("lead_block:N", sort=list(BLOCKS), title=words.say("trust.lead"), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("ratio:Q", title=words.say("trust.ratio"), scale=alt.Scale(zero=True)),
            color=alt.Color("rival:N", scale=alt.Scale(domain=list(names.values()), range=tints), legend=legend),
            shape=alt.Shape(
                "rival:N", scale=alt.Scale(domain=list(names.values()), range=list(SHAPES)[: len(names)]), legend=legend
            ),
            xOffset=alt.XOffset("rival:N", sort=list(names.values())),
            tooltip=[
                alt.Tooltip("rival:N", title=" "),
                alt.Tooltip("ratio:Q", title=words.say("trust.ratio"), format=".2f"),
                alt.Tooltip("n:Q", title=words.say("head.n"), format=","),
            ],
        )
    )
    equal = (
        alt.Chart(pl.DataFrame({"ratio": [1.0]})).mark_rule(color=colours.now, strokeDash=[4, 4]).encode(y="ratio:Q")
    )
    return _finished(visit, alt.layer(equal, points), height=SKILL_PX)


def reliability_chart(visit: Visit, group: dict[str, float | None]) -> alt.LayerChart:
    """The share of observations below each quantile against its level: on the diagonal the quantiles are right."""
    words, colours = visit.words, palette(dark=visit.dark)
    shares = [(level, group[f"share_below_{name}"]) for name, level in zip(QUANTILES, QUANTILE_LEVELS, strict=True)]
    drawn = pl.DataFrame(shares, schema={"level": pl.Float64, "share": pl.Float64}, orient="row").drop_nulls()
    x = alt.X("level:Q", title=words.say("trust.level"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    y = alt.Y("share:Q", title=words.say("trust.share"), scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%"))
    diagonal = alt.Chart(pl.DataFrame({"level": [0.0, 1.0], "share": [0.0, 1.0]})).encode(x=x, y=y)
    found = alt.Chart(drawn).encode(
        x=x,
        y=y,
        tooltip=[
            alt.Tooltip("level:Q", title=words.say("trust.level"), format=".0%"),
            alt.Tooltip("share:Q", title=words.say("trust.share"), format=".1%"),
        ],
    )
    colour = colours.series[1]
    layers = [
        diagonal.mark_line(color=colours.now, strokeDash=[4, 4]),
        found.mark_line(color=colour),
        found.mark_point(filled=True, size=90, opacity=1, color=colour),
    ]
    return _finished(visit, alt.layer(*layers), height=RELIABILITY_PX)


def _finished(visit: Visit, chart: alt.LayerChart, *, height: int) -> alt.LayerChart:
    return sized(chart, height).configure(locale=number_locale(visit.words))
