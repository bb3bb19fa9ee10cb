"""Randomness indexed by the hour: the same hour gives the same draw in any requested window.

A generator with state would give other values for other windows; every draw here is a hash of (stream, index).
"""

from collections.abc import Mapping
from hashlib import blake2b

import numpy as np

from hazecast.air.arrays import Floats, Ints

Hours = Ints

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream(seed: int, *names: object) -> int:
    """A 64-bit key of one independent stream of draws."""
    words = "/".join(map(str, (seed, *names)))
    return int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "big")


def uniform(key: int, index: Hours) -> Floats:
    """One draw in (0, 1) per index.

    Source: SplitMix64 (Steele, Lea & Flood 2014), used as a hash.
    """
    mixed = index.astype(np.uint64) * _GOLDEN + np.uint64(key)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * _MIX_1
    mixed = (mixed ^ (mixed >> np.uint64(27))) * _MIX_2
    mixed ^= mixed >> np.uint64(31)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53


def normal(key: int, index: Hours) -> Floats:
    """One standard normal draw per index (Box–Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(key, 2 * index)))
    result: Floats = radius * np.cos(2.0 * np.pi * uniform(key, 2 * index + 1))
    return result


def smooth(key: int, hours: Hours, *, every_hours: int, series: Hours | int = 0) -> Floats:
    """Autocorrelated standard normal noise: draws at knots `every_hours` apart, joined by a cubic B-spline.

    Args:
        key: the stream.
        hours: hours since 1970.
        every_hours: distance of the knots [h]; the correlation is gone after about three.
        series: independent realisations within the stream, one number per hour or for all.
    """
    knot = hours // every_hours
    x = (hours % every_hours) / every_hours
    weights = ((1 - x) ** 3, 3 * x**3 - 6 * x**2 + 4, 1 + 3 * x + 3 * x**2 - 3 * x**3, x**3)
    first = knot + np.asarray(series, dtype=np.int64) * 10_000_000
    total = sum(weight * normal(key, first + step) for step, weight in enumerate(weights))
    norm = np.sqrt(sum(weight**2 for weight in weights))
    result: Floats = total / norm
    return result


def wander(key: int, hours: Hours, shares: Mapping[int, float]) -> Floats:
    """Standard normal noise on several time scales: `shares` maps knot distances [h] to their weight."""
    total = sum(share * smooth(key ^ every, hours, every_hours=every) for every, share in shares.items())
    result: Floats = total / np.sqrt(sum(share**2 for share in shares.values()))
    return result
