"""A linear model of the departure: it learns least by heart, and so errs differently from trees and nets."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hazecast.models.path_net import Scaling, fit_scaling

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

# What works otherwise by day than by night, and less the longer the lead.
_BY_THE_CLOCK = frozenset(
    {
        "base",
        "last",
        "mean_24h",
        "mean_168h",
        "mean_28d",
        "same_hour_1d",
        "same_hour_mean",
        "same_hour_mean_28d",
        "year_sin",
        "year_cos",
        "past_temperature_c_24h",
        "past_dew_point_c_24h",
        "past_wind_speed_ms_24h",
        "at_temperature_c",
        "at_wind_speed_ms",
        "mean_wind_speed_ms_12h",
    }
)
_ROWS = 50_000
_RIDGE_PER_ROW = 0.02
_ROUNDS = 4  # of reweighting, from least squares towards least absolute errors
_SMALLEST_RESIDUAL = 0.2  # in mean absolute departures; smaller ones weigh no more


@dataclass(frozen=True)
class Line:
    """A fitted linear model.

    Attributes:
        scaling: of the features; one that is missing counts as its mean.
        hour, lead: columns of the local hour and of the lead.
        by_the_clock: columns that get slopes of their own for the turns of the day and for the lead.
        slopes: one for each column of the design.
    """

    scaling: Scaling
    hour: int
    lead: int
    by_the_clock: Ints
    slopes: Floats

    def predict(self, features: Floats) -> Floats:
        """Departure of the log level from the naive base, per row."""
        return np.asarray(self.design(features) @ self.slopes, np.float32)

    def design(self, features: Floats) -> Floats:
        """The columns that are weighted and added up."""
        scaled = self.scaling(features)
        turn = features[:, [self.hour]] * np.float32(np.pi / 12)
        day = np.concatenate([np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn)], axis=1)
        some = scaled[:, self.by_the_clock]
        with_day = (some[:, :, None] * day[:, None, :]).reshape(len(some), -1)
        ones = np.ones((len(some), 1), np.float32)
        return np.concatenate([scaled, day, with_day, some * scaled[:, [self.lead]], ones], axis=1, dtype=np.float32)


def fit_lines(features: Floats, departure: Floats, fold: Ints, *, names: tuple[str, ...], folds: int) -> list[Line]:
    """One line per fold, blind to it: ridge regression, reweighted towards the least absolute error.

    Iteratively reweighted least squares (Holland & Welsch 1977).

    Args:
        features: (row, feature); `names` must name local_hour and lead_hours.
        departure: (row,) what to say.
        fold: (row,) 0 … folds-1.
        names: of the features.
        folds: how many.
    """
    columns = np.array([k for k, name in enumerate(names) if name in _BY_THE_CLOCK], np.int64)
    start = Line(
        fit_scaling(features), names.index("local_hour"), names.index("lead_hours"), columns, np.zeros(0, np.float32)
    )
    some = np.arange(0, len(departure), max(1, len(departure) // _ROWS))
    design, wanted, fold = start.design(features[some]), departure[some], fold[some]
    lines = []
    for k in range(folds):
        seen = fold != k if (fold != k).any() else np.ones(len(fold), np.bool_)
        slopes = _least_absolute(design[seen], wanted[seen])
        lines.append(Line(start.scaling, start.hour, start.lead, columns, slopes))
    return lines


def mean_line(lines: list[Line]) -> Line:
    """The line that says the mean of what `lines`, all on the same scaling, say."""
    one = lines[0]
    slopes = np.asarray(np.mean([line.slopes for line in lines], axis=0), np.float32)
    return Line(one.scaling, one.hour, one.lead, one.by_the_clock, slopes)


def _least_absolute(design: Floats, wanted: Floats) -> Floats:
    smallest = max(_SMALLEST_RESIDUAL * float(np.abs(wanted).mean()), 1e-6)
    weight = np.full(len(wanted), 1 / smallest, np.float32)
    slopes = np.zeros(design.shape[1], np.float32)
    for _ in range(_ROUNDS + 1):
        weighted = design * weight[:, None]
        ridge = _RIDGE_PER_ROW * len(wanted) * np.eye(design.shape[1])
        slopes = np.linalg.solve(weighted.T @ design + ridge, weighted.T @ wanted).astype(np.float32)
        weight = (1 / np.maximum(np.abs(design @ slopes - wanted), smallest)).astype(np.float32)
    return slopes
