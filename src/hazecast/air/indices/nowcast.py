"""NowCast: an estimate of the current daily value from the last hours, as US EPA's AirNow computes it."""

from itertools import groupby

import numpy as np

from hazecast.air.averages import Hours

PARTICLE_HOURS = 12
OZONE_HOURS = 336
OZONE_LEAST_HOURS = 252
OZONE_LONGEST_GAP_HOURS = 7
OZONE_LAGS = 96
RECENT_HOURS = 3
_AHEAD, _BEHIND, _LEAST_OF_8, _LEAST_TARGETS_SHARE = 3, 4, 6, 0.75
_REACH = 4  # of the moving average that fills gaps among the regressors


def particle_nowcast(hours: Hours) -> float | None:
    """NowCast of PM2.5 or PM10 [same unit] from hourly means, oldest first, NaN missing.

    Two of the newest 3 hours are required. Weights fall off by the ratio of the smallest to the largest
    value, at least 0.5 per hour; missing hours keep their lag. None: too few hours.

    Source: EPA, forum.airnowtech.org/t/the-nowcast-for-pm2-5-and-pm10/172.
    """
    newest_first = np.clip(hours[-PARTICLE_HOURS:][::-1], 0, None)
    present = ~np.isnan(newest_first)
    if present[:RECENT_HOURS].sum() < RECENT_HOURS - 1:
        return None
    values = newest_first[present]
    if values.max() == 0:
        return 0.0
    weights = max(values.min() / values.max(), 0.5) ** np.flatnonzero(present)
    return float(weights @ values / weights.sum())


def ozone_nowcast(hours_ppb: Hours) -> float | None:
    """NowCast of ozone [ppb]: the 8-hour mean centred on the newest hour, of which four hours are still to come.

    Two weeks of hourly means, oldest first, NaN missing: with fewer than 252 hours or more than 7 missing in a row the
    surrogate 0.85 x + 4.5 of the newest of the last 3 hours. If the newest hour is missing, the NowCast of the hour
    before is used, or that of the one before. Else the regression of the centred 8-hour means on the 96 hours up to
    theirs. None: no value in the last 3 hours, or too few means to regress on.

    Source: github.com/USEPA/O3-Nowcast, GetNowcast.r and NowcastFun_Upd.r (2019). It fits partial least squares with
    all components, which is ordinary least squares.
    """
    window = hours_ppb[-OZONE_HOURS:]
    recent = [hour for hour in window[: -RECENT_HOURS - 1 : -1] if not np.isnan(hour)]
    if not recent:
        return None
    if (
        window.size < OZONE_HOURS
        or (~np.isnan(window)).sum() < OZONE_LEAST_HOURS
        or _longest_gap(window) > OZONE_LONGEST_GAP_HOURS
    ):
        return float(0.85 * recent[0] + 4.5)
    if np.nansum(window) == 0:
        return 0.0
    if np.isnan(window[-1]):
        return ozone_nowcast(hours_ppb[:-1])
    return _regressed(window)


def _longest_gap(window: Hours) -> int:
    return max((sum(1 for _ in run) for missing, run in groupby(np.isnan(window)) if missing), default=0)


def _regressed(window: Hours) -> float | None:
    lags = np.lib.stride_tricks.sliding_window_view(_imputed(window), OZONE_LAGS)
    targets = _centred_means(window)[OZONE_LAGS - 1 :]
    known = ~np.isnan(targets)
    if known.mean() < _LEAST_TARGETS_SHARE:
        return None
    centre, level = lags[known].mean(axis=0), targets[known].mean()
    slopes = np.linalg.lstsq(lags[known] - centre, targets[known] - level, rcond=None)[0]
    return max(0.0, float(level + (lags[-1] - centre) @ slopes))


def _centred_means(window: Hours) -> Hours:
    """Means of hours t−4 … t+3; NaN with fewer than 6 of them, and where the window ends before t+3."""
    eights = np.lib.stride_tricks.sliding_window_view(window, _BEHIND + 1 + _AHEAD)
    present = (~np.isnan(eights)).sum(axis=1)
    means = np.full(window.size, np.nan)
    enough = np.where(present < _LEAST_OF_8, np.nan, present)
    means[_BEHIND:-_AHEAD] = np.nansum(eights, axis=1) / enough
    return means


def _imputed(window: Hours) -> Hours:
    """Gaps filled by the mean of the 4 hours on either side, weighted 2^-distance (R: imputeTS::na_ma)."""
    filled = window.copy()
    known = np.flatnonzero(~np.isnan(window))
    for gap in np.flatnonzero(np.isnan(window)):
        distance = np.abs(known - gap)
        reach = max(_REACH, np.partition(distance, 1)[1])
        near = distance <= reach
        filled[gap] = np.average(window[known[near]], weights=2.0 ** -distance[near])
    return filled
