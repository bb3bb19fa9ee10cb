"""The charts of the Verification page: relative error by lead block, and reliability of the quantiles."""

import altair as alt
import polars as pl

from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES
from hazecast.api import schemas
from hazecast.dashboard.charts.scales import palette, with_height, with_number_format
from hazecast.dashboard.context import PageContext

REFERENCES = ("rmae", "rmae_persistence", "rmae_background")
SHAPES = ("circle", "square", "triangle-up")
RELATIVE_ERROR_PX, RELIABILITY_PX = 300, 340


def relative_error_chart(context: PageContext, groups: pl.DataFrame) -> alt.LayerChart:
    """MAE over the MAE of each reference forecast by lead block; below 1 the forecast is better.

    Args:
        context: language and theme.
        groups: one row per lead block, in order: lead_block, n, and REFERENCES, null where there is no reference.
    """
    colours = palette(dark=context.dark)
    available = [name for name in REFERENCES if groups[name].is_not_null().any()]
    names = {name: context.t(f"verification.{name}") for name in available}
    rows = groups.unpivot(available, index=["lead_block", "n"], variable_name="reference", value_name="ratio")
    rows = rows.drop_nulls("ratio").with_columns(pl.col("reference").replace(names))
    tints = [colours.forecast, colours.limits[0], colours.models[0]][: len(names)]
    legend = alt.Legend(title=None, orient="top", columns=1, labelLimit=400)
    colour_scale = alt.Scale(domain=list(names.values()), range=tints)
    shape_scale = alt.Scale(domain=list(names.values()), range=list(SHAPES)[: len(names)])
    ratio = context.t("verification.ratio")
    blocks = groups["lead_block"].to_list()
    points = (
        alt.Chart(rows)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=alt.X("lead_block:N", sort=blocks, title=context.t("verification.lead"), axis=alt.Axis(labelAngle=0)),
            y=alt.Y("ratio:Q", title=ratio, scale=alt.Scale(zero=True)),
            color=alt.Color("reference:N", scale=colour_scale, legend=legend),
            shape=alt.Shape("reference:N", scale=shape_scale, legend=legend),
            xOffset=alt.XOffset("reference:N", sort=list(names.values())),
            tooltip=[
                alt.Tooltip("reference:N", title=" "),
                alt.Tooltip("ratio:Q", title=ratio, format=".2f"),
                alt.Tooltip("n:Q", title=context.t("heading.n"), format=","),
            ],
        )
    )
    one = pl.DataFrame({"ratio": [1.0]})
    equal = alt.Chart(one).mark_rule(color=colours.rule, strokeDash=[4, 4]).encode(y="ratio:Q")
    return with_number_format(with_height(alt.layer(equal, points), RELATIVE_ERROR_PX), context.language)


def reliability_chart(context: PageContext, group: schemas.VerificationGroup) -> alt.LayerChart:
    """The observed share below each quantile against its level; calibrated quantiles lie on the diagonal."""
    colours, measures = palette(dark=context.dark), group.model_dump()
    levels = dict(zip(QUANTILES, QUANTILE_LEVELS, strict=True))
    shares = [(level, measures.get(f"share_below_{name}")) for name, level in levels.items()]
    rows = pl.DataFrame(shares, schema={"level": pl.Float64, "share": pl.Float64}, orient="row").drop_nulls()
    level_title, share_title = context.t("verification.level"), context.t("verification.share")
    percent, domain = alt.Axis(format=".0%"), alt.Scale(domain=[0, 1])
    x = alt.X("level:Q", title=level_title, scale=domain, axis=percent)
    y = alt.Y("share:Q", title=share_title, scale=domain, axis=percent)
    tooltip = [
        alt.Tooltip("level:Q", title=level_title, format=".0%"),
        alt.Tooltip("share:Q", title=share_title, format=".1%"),
    ]
    diagonal = alt.Chart(pl.DataFrame({"level": [0.0, 1.0], "share": [0.0, 1.0]})).encode(x=x, y=y)
    observed = alt.Chart(rows).encode(x=x, y=y, tooltip=tooltip)
    layers = [
        diagonal.mark_line(color=colours.rule, strokeDash=[4, 4]),
        observed.mark_line(color=colours.forecast),
        observed.mark_point(filled=True, size=90, opacity=1, color=colours.forecast),
    ]
    return with_number_format(with_height(alt.layer(*layers), RELIABILITY_PX), context.language)
