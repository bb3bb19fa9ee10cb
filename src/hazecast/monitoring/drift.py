"""Drift: whether recent weeks differ from the same season before by more than its own weeks differ."""

from collections.abc import Iterable
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats
from hazecast.air.tables import WEATHER_VARIABLES
from hazecast.air.verdicts import Drift
from hazecast.monitoring.equal_weather import WEATHER, Shift, explaining, shift_at_equal_weather
from hazecast.monitoring.findings import Finding, Subject

RECENT_DAYS = 28
# The reference extends this far before and after the same days of earlier years.
SEASON_DAYS = 30
YEARS = 3
_YEAR = timedelta(days=365.25)
_BINS = 10
# Above 0.25 the index customarily counts as a shift; here it must also exceed twice the usual index.
_SHIFTED_PSI = 0.25
_BEYOND_USUAL = 2.0
_GROSS = 2.0
_MIN_RECENT_SHARE, _MIN_REFERENCE_DAYS = 0.5, 40
_SHARE_OF_STATIONS = 0.5


def reference_windows(now: datetime) -> list[tuple[datetime, datetime]]:
    """The spans [since, until) of earlier years that are the same season as the last 28 days."""
    season = timedelta(days=SEASON_DAYS)
    recent = now - timedelta(days=RECENT_DAYS), now
    return [(recent[0] - k * _YEAR - season, recent[1] - k * _YEAR + season) for k in range(1, YEARS + 1)]


def drift(levels: pl.DataFrame, *, now: datetime) -> pl.DataFrame:
    """Compare the last 28 days of each series with the same season of up to three earlier years.

    A series has drifted when its index is above 0.25 and above twice the largest index that any 28 days of the
    reference show against the rest of it: weather alone makes weeks differ. A pollutant has also drifted when its
    level changed at equal weather (`equal_weather`), where the weather of its station is known.

    Args:
        levels: station_id, variable, at (UTC), value: flagged ok, hourly; pollutants and weather.
        now: UTC.

    Returns:
        `air.verdicts.Drift` without `checked_at`: a row per series with anything in the last 28 days.

    Source: population stability index over deciles; Kolmogorov-Smirnov distance; normalised Wasserstein distance.
    """
    spans = reference_windows(now)
    recent = levels.filter(pl.col("at") >= now - timedelta(days=RECENT_DAYS), pl.col("at") < now)
    earlier = levels.filter(pl.any_horizontal(pl.col("at").is_between(*span, closed="left") for span in spans))
    parts = dict(iter(earlier.sort("at").group_by("station_id", "variable")))
    explained = _predictors(levels)
    rows = []
    for key, mine in recent.sort("at").group_by("station_id", "variable", maintain_order=True):
        before = parts.get(key, earlier.clear())
        station_id, variable = key
        known = explained.get((station_id,)) if variable not in WEATHER_VARIABLES else None
        rows.append({"station_id": station_id, "variable": variable, **_compare(mine, before, known)})
    schema = {name: kind for name, kind in Drift.create_empty().schema.items() if name != "checked_at"}
    return pl.DataFrame(rows, schema=schema)


def drift_findings(drifts: pl.DataFrame, variables: Iterable[str]) -> list[Finding]:
    """Per pollutant: whether most of its stations drifted. A single station points to its sensor."""
    findings = []
    for variable in variables:
        subject = Subject(pollutant=variable)
        known = drifts.filter(pl.col("variable") == variable, pl.col("verdict") != "unknown")
        if known.is_empty():
            findings.append(
                Finding("drift", subject, "unknown", "nothing observed in the same season of earlier years")
            )
            continue
        drifted = known.filter(pl.col("verdict") != "ok")
        share = drifted.height / known.height
        verdict = "warning" if share > _SHARE_OF_STATIONS else "ok"
        reason = f"{drifted.height} of {known.height} stations are unlike the same season before"
        findings.append(Finding("drift", subject, verdict, reason, value=share, expected=_SHARE_OF_STATIONS))
    return findings


def psi(recent: Floats, reference: Floats) -> float:
    """Population stability index over ten equally filled bins of the reference; 0 where both are equal."""
    edges = np.unique(np.quantile(reference, np.arange(1, _BINS) / _BINS))
    shares = []
    for values in (recent, reference):
        counts = np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(edges) + 1)
        shares.append((counts + 0.5) / (len(values) + 0.5 * len(counts)))
    p, q = shares
    return float(np.sum((p - q) * np.log(p / q)))


def ks(recent: Floats, reference: Floats) -> float:
    """Largest gap between both empirical distribution functions, 0…1. No p-value: hours are not independent."""
    values = np.concatenate([recent, reference])
    below = [np.searchsorted(np.sort(sample), values, side="right") / len(sample) for sample in (recent, reference)]
    return float(np.abs(below[0] - below[1]).max())


def wasserstein(recent: Floats, reference: Floats) -> float:
    """Mean distance between equal quantiles of both, in standard deviations of the reference."""
    levels = (np.arange(100) + 0.5) / 100
    gaps = np.abs(np.quantile(recent, levels) - np.quantile(reference, levels))
    return float(gaps.mean() / max(reference.std(), 1e-9))


def _predictors(levels: pl.DataFrame) -> dict[tuple[object, ...], pl.DataFrame]:
    """Predictors for each station, shared by its pollutants; empty if a weather variable is absent."""
    wanted = levels.filter(pl.col("variable").is_in(WEATHER))
    wide = wanted.pivot("variable", index=["station_id", "at"], values="value", aggregate_function="first")
    if not set(WEATHER) <= set(wide.columns):
        return {}
    return {station: explaining(weather) for station, weather in wide.group_by("station_id")}


def _compare(recent: pl.DataFrame, reference: pl.DataFrame, explained: pl.DataFrame | None) -> dict[str, object]:
    mine, before = recent["value"].to_numpy(), reference["value"].to_numpy()
    counts = {"n": len(mine), "n_reference": len(before)}
    n_enough = 24 * RECENT_DAYS * _MIN_RECENT_SHARE
    if len(before) < 24 * _MIN_REFERENCE_DAYS or len(mine) < n_enough:
        short = "the last 28 days" if len(mine) < n_enough else "the same season of earlier years"
        return {**counts, "verdict": "unknown", "reason": f"too few observations in {short}"}
    index, usual = psi(mine, before), _usual_psi(reference)
    threshold = max(_SHIFTED_PSI, _BEYOND_USUAL * usual)
    verdict = "ok" if index <= threshold else "critical" if index > _GROSS * threshold else "warning"
    reason = f"stability index {index:.2f}, up to {usual:.2f} is usual"
    if (median_before := float(np.median(before))) > 0:  # of rain it is 0, of winter temperature it may be below
        reason += f"; median {np.median(mine) / median_before:.2f} times that of the season before"
    shift = None if explained is None else shift_at_equal_weather(recent, reference, explained)
    if shift is not None:
        verdict = "warning" if verdict == "ok" and shift.is_unusual else verdict
        reason += f"; {_in_words(shift)}"
    measures = {"psi": index, "usual_psi": usual, "ks": ks(mine, before), "wasserstein": wasserstein(mine, before)}
    return {**counts, **measures, "verdict": verdict, "reason": reason}


def _in_words(shift: Shift) -> str:
    return f"{shift.ratio:.2f} times it at equal weather, up to {shift.usual_ratio:.2f} is usual"


def _usual_psi(reference: pl.DataFrame) -> float:
    """The largest index of any 28 days of the reference, week by week, against the rest of it."""
    at, values = reference["at"].dt.epoch("s").to_numpy() / 86_400, reference["value"].to_numpy()
    found = [0.0]
    for start in np.arange(at[0], at[-1], 7.0):
        inside = (at >= start) & (at < start + RECENT_DAYS)
        if inside.sum() >= 24 * RECENT_DAYS * _MIN_RECENT_SHARE and (~inside).sum() >= 24 * SEASON_DAYS / 2:
            found.append(psi(values[inside], values[~inside]))
    return max(found)
