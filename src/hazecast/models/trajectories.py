"""Trajectories: members of the joint distribution over the hours, pollutants and stations of one issue.

Each hour's members have exactly the issued quantiles; a Gaussian copula joins the hours (Pinson et al. 2009, doi
10.1002/we.284). Its correlation is that of the normal scores of forecasts of days that the forecasting models had not
seen in training. An error has a part that all stations share and a part of the station's own, so the cost is linear in
stations. Members are reproducible: the random numbers depend on the issue and the station alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from hazecast.air.arrays import Floats, Floats32
from hazecast.scoring.probability import p_exceed, quantile_function

# Normal scores are bounded: beyond q05 and q95 the level of a value is a guess.
_MOST_EXTREME_LEVEL = 0.005
_KEPT_VARIANCE = 0.99
_PRIOR_MEMORY_HOURS, _PRIOR_SHARED = 20.0, 0.5


@dataclass(frozen=True)
class Dependence:
    """Correlation of the errors over pollutants and leads, as loadings of independent standard normals.

    Attributes:
        pollutants: in the order of the loadings.
        shared: (pollutant, lead, factor) of the errors that all stations share.
        own: (pollutant, lead, factor) of each station's own. The squares of both sum to 1 for every hour.
    """

    pollutants: tuple[str, ...]
    shared: Floats32
    own: Floats32

    @property
    def horizon_hours(self) -> int:
        """Longest lead [h]."""
        return int(self.shared.shape[1])

    def covering(self, pollutants: Sequence[str]) -> "Dependence":
        """The same with the prior for pollutants it was not fitted to."""
        missing = tuple(pollutant for pollutant in pollutants if pollutant not in self.pollutants)
        if not missing:
            return self
        parts = [
            _join(mine, rest) for mine, rest in zip(self._parts, prior(missing, self.horizon_hours)._parts, strict=True)
        ]
        return Dependence((*self.pollutants, *missing), *parts)

    @property
    def _parts(self) -> tuple[Floats32, Floats32]:
        return self.shared, self.own


def prior(pollutants: Sequence[str], horizon_hours: int) -> Dependence:
    """The dependence assumed without data: hours alike within a day, half of it shared, pollutants independent."""
    total = _prior_correlation(len(pollutants), horizon_hours)
    return _factorised(total, _PRIOR_SHARED * total, tuple(pollutants), horizon_hours)


def _prior_correlation(n_pollutants: int, horizon_hours: int) -> Floats:
    lag = np.abs(np.subtract.outer(np.arange(horizon_hours), np.arange(horizon_hours)))
    return np.asarray(np.kron(np.eye(n_pollutants), np.exp(-lag / _PRIOR_MEMORY_HOURS)), np.float64)


def _join(first: Floats32, second: Floats32) -> Floats32:
    """Loadings of two groups of pollutants on separate factors."""
    left = np.pad(first, ((0, 0), (0, 0), (0, second.shape[2])))
    return np.concatenate([left, np.pad(second, ((0, 0), (0, 0), (first.shape[2], 0)))])


def save_dependence(dependence: Dependence, file: Path | BinaryIO) -> None:
    """Write it as a NumPy archive."""
    names = np.array(dependence.pollutants, np.str_)
    np.savez(file, allow_pickle=False, pollutants=names, shared=dependence.shared, own=dependence.own)


def load_dependence(file: Path | BinaryIO) -> Dependence:
    """Read what `save_dependence` wrote."""
    with np.load(file, allow_pickle=False) as stored:
        return Dependence(tuple(stored["pollutants"].tolist()), stored["shared"], stored["own"])


def normal_scores(quantiles: npt.ArrayLike, observed_ugm3: npt.ArrayLike) -> Floats:
    """Standard normal scores of observations in their forecasts: (row,), NaN where the observation is missing.

    Args:
        quantiles: (row, quantile) ordered q05 … q95 [µg/m³].
        observed_ugm3: (row,) [µg/m³].
    """
    level = 1 - p_exceed(quantiles, observed_ugm3)
    return np.asarray(ndtri(np.clip(level, _MOST_EXTREME_LEVEL, 1 - _MOST_EXTREME_LEVEL)))


def member_levels(dependence: Dependence, stations: Sequence[str], issued_at: datetime, *, n_members: int) -> Floats32:
    """Quantile levels of the members: (station, pollutant, lead, member), at each hour a permutation of (k - ½) / n.

    Args:
        dependence: of the model.
        stations: ids; a station's members do not depend on which others are drawn.
        issued_at: UTC.
        n_members: members.
    """
    n_pollutants, horizon = len(dependence.pollutants), dependence.horizon_hours
    shared, own = (part.reshape(n_pollutants * horizon, -1) for part in (dependence.shared, dependence.own))
    common = shared @ _normals(issued_at, "", (shared.shape[1], n_members))
    levels = np.empty((len(stations), n_pollutants * horizon, n_members), np.float32)
    for s, station in enumerate(stations):
        errors = common + own @ _normals(issued_at, station, (own.shape[1], n_members))
        rank = errors.argsort(axis=1, kind="stable").argsort(axis=1, kind="stable")
        levels[s] = (rank + 0.5) / n_members
    return levels.reshape(len(stations), n_pollutants, horizon, n_members)


def members(quantiles: Floats, levels: Floats32) -> Floats32:
    """Concentrations of the members [µg/m³]: (…, lead, member).

    Args:
        quantiles: (…, lead, quantile) as issued, q05 … q95 [µg/m³].
        levels: (…, lead, member).
    """
    flat = quantile_function(quantiles.reshape(-1, quantiles.shape[-1]), levels.reshape(-1, levels.shape[-1]).T)
    return flat.T.reshape(levels.shape).astype(np.float32)


def _normals(issued_at: datetime, station: str, shape: tuple[int, int]) -> Floats32:
    """Standard normals from the raw stream of PCG64, which NumPy keeps the same in every release."""
    seed = int.from_bytes(blake2b(f"{issued_at:%Y-%m-%dT%H}Z {station}".encode(), digest_size=8).digest())
    words = np.random.PCG64(seed).random_raw(shape)
    return np.asarray(ndtri(((words >> np.uint64(11)) + 0.5) / 2.0**53), np.float32)


def fit_dependence(scores: Floats, pollutants: tuple[str, ...], *, prior_origins: float) -> Dependence:
    """The dependence of errors on unseen rows.

    Args:
        scores: (origin, station, pollutant, lead) normal scores, NaN where the truth is unknown.
        pollutants: of `scores`.
        prior_origins: how many origins the prior counts for.
    """
    n_origins, n_stations, n_pollutants, horizon = scores.shape
    z = scores.reshape(n_origins, n_stations, n_pollutants * horizon)
    known = (~np.isnan(z)).astype(np.float64)
    z = np.nan_to_num(z)
    size = np.sqrt(np.maximum((z**2).sum(axis=(0, 1)), 1e-9) / np.maximum(known.sum(axis=(0, 1)), 1))
    z = z / np.maximum(size, 0.1)
    assumed = _prior_correlation(n_pollutants, horizon)
    own_pairs, own_products = (np.einsum("osi,osj->ij", part, part, optimize=True) for part in (known, z))
    all_pairs, all_products = (
        np.einsum("oi,oj->ij", part.sum(axis=1), part.sum(axis=1), optimize=True) for part in (known, z)
    )
    weight = prior_origins * n_stations
    total = (own_products + weight * assumed) / (own_pairs + weight)
    between = all_products - own_products
    weight *= n_stations
    shared = (between + weight * _PRIOR_SHARED * assumed) / (all_pairs - own_pairs + weight)
    return _factorised(total, shared, pollutants, horizon)


def _factorised(total: Floats, shared: Floats, pollutants: tuple[str, ...], horizon: int) -> Dependence:
    shared_factor = _factor(shared)
    own_factor = _factor(total - shared_factor @ shared_factor.T)
    size = np.sqrt((shared_factor**2).sum(axis=1) + (own_factor**2).sum(axis=1))[:, None]
    shape = len(pollutants), horizon
    parts = [(part / size).astype(np.float32).reshape(*shape, part.shape[1]) for part in (shared_factor, own_factor)]
    return Dependence(pollutants, *parts)


def _factor(matrix: Floats) -> Floats:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    values = np.maximum(values, 0)
    order = np.argsort(values)[::-1]
    kept = order[: 1 + int(np.searchsorted(np.cumsum(values[order]), _KEPT_VARIANCE * values.sum()))]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))
