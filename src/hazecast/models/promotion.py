"""The promotion rule: significantly better than every rival, and not worse in any other respect."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from math import ceil

import polars as pl

from hazecast.air.arrays import Floats
from hazecast.air.limits import limit_values
from hazecast.air.spec import QUANTILES
from hazecast.errors import TooLittleHistory
from hazecast.scoring import diebold_mariano, p_exceed

CHAMPION, CLIMATOLOGY = "champion", "climatology"
SIGNIFICANT_BELOW = 0.05
NOMINAL_COVERAGE = 0.8
# What counts as "not worse" than the champion: noise of a four-week window.
BRIER_TOLERANCE = 1.02
COVERAGE_TOLERANCE = 0.02
WORST_STATIONS_TOLERANCE = 1.05
_WORST_SHARE = 0.1
# The hours above a WHO level are frequent enough to score in a month; those above the other limits are not.
_BRIER_LIMIT = "who"
_VERBS = {
    (False, True): "beats",
    (False, False): "does not beat",
    (True, True): "is not worse than",
    (True, False): "is worse than",
}
_SCHEMA = {
    "test": pl.String,
    "rival": pl.String,
    "candidate": pl.Float64,
    "theirs": pl.Float64,
    "p_value": pl.Float64,
    "passed": pl.Boolean,
}


@dataclass(frozen=True)
class PromotionDecision:
    """How a candidate compares with its rivals.

    Attributes:
        promoted: it passed every test.
        beats_baselines: it is significantly better than every rival but the champion.
        reason: why, in words.
        tests: one row per test: test, rival, candidate and theirs (the two numbers compared), p_value, passed.
    """

    promoted: bool
    beats_baselines: bool
    reason: str
    tests: pl.DataFrame


def decide_promotion(
    candidate: pl.DataFrame, rivals: Mapping[str, pl.DataFrame], *, step_hours: int, horizon_hours: int
) -> PromotionDecision:
    """Decide whether the candidate is promoted.

    It must have a smaller error than every rival by a one-sided Diebold-Mariano test at 5 %, the error being the mean
    over pollutants of the absolute error relative to the seasonal naive's, per issue; the climatology, which is
    the fallback without a champion, must not be better by the same test. The same applies to a champion of another
    horizon, because the place needs a model of its own horizon. Against the champion the candidate must
    also not be worse in the Brier score of exceeding the WHO level (2 %), in the distance of the 80 % interval's
    coverage from 80 % (0.02) or in the relative error at the worst tenth of the stations (5 %).

    Args:
        candidate: `scoring.pair` rows of the candidate's forecasts.
        rivals: the same by name; the present champion, if any, under "champion".
        step_hours: between issues, for the overlap of neighbouring losses [h].
        horizon_hours: longest lead of the candidate [h].

    Raises:
        TooLittleHistory: nothing can be compared.
    """
    if candidate.is_empty() or not rivals:
        raise TooLittleHistory("nothing in the validation window can be scored; collect a longer history")
    overlap = ceil(horizon_hours / step_hours)
    may_be_equal = {name for name, rival in rivals.items() if _may_be_equal(candidate, rival, name)}
    rows = [
        _better(candidate, rival, overlap=overlap, name=name, or_equal=name in may_be_equal)
        for name, rival in rivals.items()
    ]
    if CHAMPION in rivals:
        rows += _no_worse(*_common_leads(candidate, rivals[CHAMPION]))
    tests = pl.DataFrame(rows, schema=_SCHEMA, orient="row")
    against_baselines = tests.filter(pl.col("rival") != CHAMPION)
    return PromotionDecision(
        bool(tests["passed"].all()), bool(against_baselines["passed"].all()), _in_words(tests, may_be_equal), tests
    )


def _may_be_equal(candidate: pl.DataFrame, rival: pl.DataFrame, name: str) -> bool:
    """Whether it is enough that the rival is not significantly better."""
    has_other_horizon = rival["lead_hours"].max() != candidate["lead_hours"].max()
    return name == CLIMATOLOGY or (name == CHAMPION and has_other_horizon)


def _better(
    candidate: pl.DataFrame, rival: pl.DataFrame, *, name: str, overlap: int, or_equal: bool
) -> tuple[object, ...]:
    candidate, rival = _common_leads(candidate, rival)
    both = _relative_loss(candidate).join(_relative_loss(rival), on="issued_at", suffix="_rival").sort("issued_at")
    mine, theirs = both["loss"].to_numpy(), both["loss_rival"].to_numpy()
    try:
        found = diebold_mariano(mine, theirs, horizon=overlap)
    except TooLittleHistory:
        return "relative MAE", name, _mean(mine), _mean(theirs), None, False
    needed = 1 - SIGNIFICANT_BELOW if or_equal else SIGNIFICANT_BELOW
    return "relative MAE", name, _mean(mine), _mean(theirs), found.p_value, found.p_value < needed


def _common_leads(candidate: pl.DataFrame, rival: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both at the leads that both forecast: a champion may have another horizon."""
    both = candidate.select("lead_hours").unique().join(rival.select("lead_hours").unique(), on="lead_hours")
    common = pl.col("lead_hours").is_in(both["lead_hours"].implode())
    return candidate.filter(common), rival.filter(common)


def _no_worse(candidate: pl.DataFrame, champion: pl.DataFrame) -> list[tuple[object, ...]]:
    brier = _brier(candidate), _brier(champion)
    gap = _coverage_gap(candidate), _coverage_gap(champion)
    worst = _worst_stations(candidate), _worst_stations(champion)
    return [
        ("Brier score of exceedance", CHAMPION, *brier, None, brier[0] <= brier[1] * BRIER_TOLERANCE),
        ("coverage gap of the 80 % interval", CHAMPION, *gap, None, gap[0] <= gap[1] + COVERAGE_TOLERANCE),
        ("relative MAE at the worst stations", CHAMPION, *worst, None, worst[0] <= worst[1] * WORST_STATIONS_TOLERANCE),
    ]


def _relative_loss(paired: pl.DataFrame) -> pl.DataFrame:
    """One row per issue: the mean over pollutants of the absolute error, relative to the seasonal naive's overall."""
    by_issue = paired.group_by("issued_at", "pollutant").agg(pl.col("absolute_error_ugm3").mean())
    relative = pl.col("absolute_error_ugm3") / pl.col("naive_ugm3")
    return by_issue.join(_naive(paired, "pollutant"), on="pollutant").group_by("issued_at").agg(loss=relative.mean())


def _naive(paired: pl.DataFrame, *by: str) -> pl.DataFrame:
    error = (pl.col("seasonal_naive_ugm3") - pl.col("observed_ugm3")).abs().mean()
    return paired.group_by(by).agg(naive_ugm3=error).filter(pl.col("naive_ugm3") > 0)


def _brier(paired: pl.DataFrame) -> float:
    paired = paired.filter(pl.col("pollutant").is_in(list(limit_values(_BRIER_LIMIT))))
    limit = paired["pollutant"].replace_strict(dict(limit_values(_BRIER_LIMIT)), return_dtype=pl.Float64).to_numpy()
    exceeded = paired["observed_ugm3"].to_numpy() > limit
    return _mean((p_exceed(paired.select(QUANTILES).to_numpy(), limit) - exceeded) ** 2)


def _coverage_gap(paired: pl.DataFrame) -> float:
    """Mean over pollutants of the distance between the 80 % interval's coverage and 80 %."""
    by_pollutant = paired.group_by("pollutant").agg(pl.col("coverage_80").mean())
    return _mean((by_pollutant["coverage_80"] - NOMINAL_COVERAGE).abs().to_numpy())


def _worst_stations(paired: pl.DataFrame) -> float:
    """Mean relative error of the worst tenth of the stations, at least one."""
    series = paired.group_by("station_id", "pollutant").agg(pl.col("absolute_error_ugm3").mean())
    relative = series.join(_naive(paired, "station_id", "pollutant"), on=["station_id", "pollutant"])
    share = pl.col("absolute_error_ugm3") / pl.col("naive_ugm3")
    errors = relative.group_by("station_id").agg(error=share.mean())["error"].sort(descending=True)
    return _mean(errors.head(ceil(_WORST_SHARE * len(errors))).to_numpy())


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")


def _in_words(tests: pl.DataFrame, may_be_equal: Collection[str]) -> str:
    """ "relative MAE 0.71; beats persistence (1.02, p=0.001); does not beat champion (0.70, p=0.6)"."""
    compared = tests.filter(pl.col("test") == "relative MAE")
    parts = [f"relative MAE {compared['candidate'][0]:.3f}"]
    for row in compared.iter_rows(named=True):
        p_value = "too few issues" if row["p_value"] is None else f"p={row['p_value']:.2g}"
        verb = _VERBS[row["rival"] in may_be_equal, row["passed"]]
        parts.append(f"{verb} {row['rival']} ({row['theirs']:.3f}, {p_value})")
    worse = tests.filter(pl.col("test") != "relative MAE", ~pl.col("passed"))
    parts += [
        f"worse than {row['rival']} in {row['test']} ({row['candidate']:.3f} against {row['theirs']:.3f})"
        for row in worse.iter_rows(named=True)
    ]
    return "; ".join(parts)
