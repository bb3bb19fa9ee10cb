"""From the predicted distribution to the forecast, in one order: recalibrate → damp extrapolation → round.

1. Recalibrate: shift and stretch the quantiles by the errors of the past days (`models.recalibration`). Around the seam
   of two lead blocks both models are blended (`block_weights`).
2. Damp extrapolation: on the log scale an error is a factor, alike at every level. Four times the usual concentration
   may occur on a clean day; four times the highest one a station ever had does not.
3. Round: where a station reports at a coarse resolution (CO in 100 µg/m³, SO2 in whole µg/m³), few values occur, and
   the median of what will be reported is one of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hazecast.air.arrays import Floats32, Ints
from hazecast.air.spec import QUANTILE_LEVELS, LeadBlock
from hazecast.features import Panel
from hazecast.models.config import PostprocessConfig
from hazecast.models.recalibration import Adjustment
from hazecast.models.uncertainty import SHAPE_LEVELS, Distribution, LevelFunction

ByStation = dict[str, dict[str, float]]

_QUANTILES_AT = np.searchsorted(SHAPE_LEVELS, QUANTILE_LEVELS)
_MEDIAN = QUANTILE_LEVELS.index(0.5)


@dataclass(frozen=True)
class StationFacts:
    """What training found out about each station.

    Attributes:
        resolution: reporting resolution [µg/m³] per pollutant and station id, where it is coarse.
        maximum: highest concentration [µg/m³], likewise, of stations with a long enough history.
    """

    resolution: ByStation
    maximum: ByStation

    def resolution_of(self, pollutant: str, stations: Sequence[str]) -> Floats32:
        """(case,) [µg/m³], 0 where the resolution is fine."""
        known = self.resolution.get(pollutant, {})
        return np.array([known.get(station, 0.0) for station in stations], np.float32)

    def maximum_of(self, pollutant: str, stations: Sequence[str], history: Floats32) -> Floats32:
        """(case,) highest concentration in training or in the days before issue [µg/m³].

        A station without a maximum of its own gets the highest of any station; where none has one, infinity.

        Args:
            pollutant: which.
            stations: (case,) ids.
            history: (case, hour) concentrations of the days before, NaN where unknown [µg/m³].
        """
        known = self.maximum.get(pollutant, {})
        anywhere = max(known.values(), default=np.inf)
        trained = np.array([known.get(station, anywhere) for station in stations], np.float32)
        return np.fmax(trained, np.fmax.reduce(history, axis=1))


def postprocess(
    predicted: Distribution,
    shapes: Sequence[LevelFunction],
    adjustment: Adjustment,
    *,
    blocks: Sequence[LeadBlock],
    offset_ugm3: float,
    maximum_ugm3: Floats32,
    resolution_ugm3: Floats32,
    config: PostprocessConfig,
) -> Floats32:
    """The forecast of one pollutant: (case, lead, q05 … q95 and mean) [µg/m³].

    Args:
        predicted: (lead, case) of the log level.
        shapes: of the standardised error, one per block.
        adjustment: (case, block).
        blocks: lead blocks.
        offset_ugm3: of the log scale.
        maximum_ugm3: (case,) highest concentration so far.
        resolution_ugm3: (case,) reporting resolution, 0 where fine.
        config: hyper-parameters.
    """
    weights = block_weights(blocks, np.arange(1, len(predicted.location) + 1), config.blend_hours)
    standardised = np.zeros((*predicted.location.shape, len(SHAPE_LEVELS)), np.float32)
    for b, shape in enumerate(shapes):
        leads = np.flatnonzero(weights[:, b])
        recalibrated = recalibrate(shape(predicted.location[leads]), adjustment.shift[:, b], adjustment.stretch[:, b])
        standardised[leads] += weights[leads, b, None, None] * recalibrated
    levels = predicted.location[..., None] + predicted.spread[..., None] * standardised
    values = np.maximum(np.exp(levels) - np.float32(offset_ugm3), 0)
    values = damp_extrapolation(values, maximum_ugm3, config.extrapolation_exponent)
    forecast = np.concatenate([values[..., _QUANTILES_AT], values.mean(axis=2, keepdims=True)], axis=2).swapaxes(0, 1)
    round_median(forecast[..., : len(QUANTILE_LEVELS)], resolution_ugm3)
    return forecast


def block_weights(blocks: Sequence[LeadBlock], leads: Ints, blend_hours: int) -> Floats32:
    """Weight of each block's model at each lead (lead, block): rows sum to 1.

    Around the seam of two blocks the weight moves linearly from one to the other: two models differ by more than the
    air changes in an hour, and a step between them would look like a change of the air.

    Args:
        blocks: in order, first and last lead [h].
        leads: (lead,) [h].
        blend_hours: leads on each side of a seam that are blended, but at most a third of a block; 0: none.
    """
    seams = np.array([last + 0.5 for _, last in blocks[:-1]])
    thirds = [(last - first + 1) / 3 for first, last in blocks]
    width = 2 * np.minimum(blend_hours, np.minimum(thirds[:-1], thirds[1:]))
    later = np.clip((leads[:, None] - seams) / np.maximum(width, 1e-6) + 0.5, 0, 1)
    edge = np.ones((len(leads), 1))
    passed = np.concatenate([edge, later, 0 * edge], axis=1)
    return np.asarray(-np.diff(passed, axis=1), np.float32)


def recalibrate(shape: Floats32, shift: Floats32, stretch: Floats32) -> Floats32:
    """Standardised quantiles (lead, case, quantile), shifted and stretched by case."""
    return np.asarray(shift[:, None] + stretch[:, None] * shape)


def damp_extrapolation(values: Floats32, maximum: Floats32, exponent: float) -> Floats32:
    """Concentrations with only a part, on the log scale, of what exceeds the maximum; their order stays.

    Args:
        values: (…, case, any) [µg/m³].
        maximum: (case,) [µg/m³].
        exponent: 0: nothing beyond the maximum; 1: all of it.
    """
    limit = maximum[:, None]
    excess = np.maximum(values / limit, 1)
    return np.asarray(np.minimum(values, limit) * excess ** np.float32(exponent))


def round_median(quantiles: Floats32, resolution: Floats32) -> None:
    """Round the median to the reporting resolution, in place; no quantile crosses it.

    Args:
        quantiles: (case, lead, q05 … q95) [µg/m³].
        resolution: (case,) [µg/m³], 0 where it is fine.
    """
    coarse = resolution > 0
    some = quantiles[coarse]
    median = np.rint(some[..., _MEDIAN] / resolution[coarse, None]) * resolution[coarse, None]
    some[..., :_MEDIAN] = np.minimum(some[..., :_MEDIAN], median[..., None])
    some[..., _MEDIAN] = median
    some[..., _MEDIAN + 1 :] = np.maximum(some[..., _MEDIAN + 1 :], median[..., None])
    quantiles[coarse] = some


def station_facts(panel: Panel, until: int, config: PostprocessConfig) -> StationFacts:
    """Reporting resolution and maximum of every station, from the truth known at panel hour `until`."""

    def maximum(values: Floats32) -> float:
        return max(float(values.max()), 0.0) if len(values) >= config.min_maximum_hours else 0.0

    resolution = panel.by_station(until, lambda values: reporting_resolution(values, config))
    return StationFacts(resolution, panel.by_station(until, maximum))


def reporting_resolution(values: Floats32, config: PostprocessConfig) -> float:
    """The step of which nearly all values are multiples, if it is coarse compared with their median; else 0."""
    if len(values) < config.resolution_min_values:
        return 0.0
    distinct, count = np.unique(values.round(3), return_counts=True)
    common = distinct[count >= config.resolution_min_share * len(values)]
    if len(common) < 2:  # noqa: PLR2004
        return 0.0
    step = float(np.diff(common).min())
    is_multiple = np.abs(values / step - np.rint(values / step)) < config.resolution_tolerance
    is_step = is_multiple.mean() >= config.resolution_multiples
    return step if is_step and step >= config.resolution_min_relative * np.median(values) else 0.0
