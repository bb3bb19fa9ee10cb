"""Simulated errors of a weather forecast, added to the observed weather where future weather is NOISY."""

import numpy as np
import numpy.typing as npt

from hazecast.air.arrays import Floats32, Ints
from hazecast.features.panel import WEATHER

# Error growth is linear from lead 1 h to here, and is extrapolated on the same line to longer leads: a slight
# overestimate, for the errors of real weather forecasts saturate after a week or more.
GROWTH_HOURS = 72
# Standard deviation at lead 1 h and at GROWTH_HOURS, in the unit of each channel; rain is handled separately.
SPREAD: dict[str, tuple[float, float]] = {
    "temperature_c": (1.0, 2.5),
    "dew_point_c": (1.2, 3.0),
    "pressure_hpa": (0.5, 2.5),
    "wind_u_ms": (0.6, 1.3),
    "wind_v_ms": (0.6, 1.3),
}
AUTOCORRELATION = 0.92  # of one hour's error with the next
RAIN_LOG_SPREAD = 0.7
RAIN_SHIFT_HOURS = 3


def forecast_errors(station: Ints, issued: Ints, *, horizon_hours: int, seed: int) -> Floats32:
    """Standard normal errors (case, lead, WEATHER), AR(1) over the leads.

    The draw depends on seed, station and issue hour alone, so the same case always gets the same errors.
    """
    errors = _normals(station, issued, horizon_hours=horizon_hours, seed=seed)
    innovation = np.float32(np.sqrt(1 - AUTOCORRELATION**2))
    for lead in range(1, horizon_hours):
        errors[:, lead] = AUTOCORRELATION * errors[:, lead - 1] + innovation * errors[:, lead]
    return errors


def perturb(weather: Floats32, errors: Floats32) -> Floats32:
    """Turn observed weather (case, lead, WEATHER) into a forecast with these errors.

    The spread of the errors of temperature, dew point, pressure and both wind components grows linearly with lead; wind
    speed follows from the perturbed vector (and, where only speed is known, is scaled); rain is displaced by up to 3 h
    and multiplied by a lognormal factor.
    """
    horizon_hours = weather.shape[1]
    growth = np.linspace(0, (horizon_hours - 1) / (GROWTH_HOURS - 1), horizon_hours, dtype=np.float32)
    noisy = weather.copy()
    for channel, (first, last) in SPREAD.items():
        k = WEATHER.index(channel)
        noisy[:, :, k] += errors[:, :, k] * (first + (last - first) * growth)
    u, v, speed = (WEATHER.index(c) for c in ("wind_u_ms", "wind_v_ms", "wind_speed_ms"))
    scaled = weather[:, :, speed] * np.exp(0.3 * errors[:, :, speed])
    vector = np.hypot(noisy[:, :, u], noisy[:, :, v])
    noisy[:, :, speed] = np.where(np.isnan(vector), scaled, vector)
    dew, temperature = WEATHER.index("dew_point_c"), WEATHER.index("temperature_c")
    noisy[:, :, dew] = np.where(
        np.isnan(noisy[:, :, temperature]), noisy[:, :, dew], np.minimum(noisy[:, :, dew], noisy[:, :, temperature])
    )
    rain = WEATHER.index("precipitation_mm")
    shift = np.rint(RAIN_SHIFT_HOURS * np.tanh(errors[:, :1, rain])).astype(np.int64)
    source = np.clip(np.arange(horizon_hours) + shift, 0, horizon_hours - 1)
    noisy[:, :, rain] = np.take_along_axis(weather[:, :, rain], source, axis=1) * np.exp(
        RAIN_LOG_SPREAD * errors[:, :, rain]
    )
    return noisy


def _normals(station: Ints, issued: Ints, *, horizon_hours: int, seed: int) -> Floats32:
    """Standard normals (case, lead, channel) from a counter: SplitMix64 of the case, then Box-Muller."""
    draw = _mix(np.array([seed], np.uint64))
    case = _mix(_mix(draw + issued.astype(np.uint64)) + station.astype(np.uint64))
    count = np.arange(2 * horizon_hours * len(WEATHER), dtype=np.uint64)
    words = _mix(case[:, None] + count * np.uint64(0xD1342543DE82EF95))
    uniform = ((words >> np.uint64(40)).astype(np.float32) + np.float32(0.5)) / np.float32(2**24)
    radius, angle = np.split(uniform, 2, axis=1)
    normal = np.sqrt(-2 * np.log(radius)) * np.cos(np.float32(2 * np.pi) * angle)
    return np.asarray(normal.reshape(len(station), horizon_hours, len(WEATHER)), np.float32)


def _mix(word: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    with np.errstate(over="ignore"):
        word = word + np.uint64(0x9E3779B97F4A7C15)
        word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return word ^ (word >> np.uint64(31))
