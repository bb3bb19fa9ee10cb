"""Hyper-parameters of the models: one frozen `ModelConfig`, its presets, and how a file or `--set` changes it.

Where a value was chosen by a trial, the trial is a row of docs/decisions/trials.csv. Changing a value changes the
models trained from then on; every value is saved with a model and logged to MLflow.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hazecast.errors import SettingsError, UsageError
from hazecast.features import FutureWeather

Value = str | int | float


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SamplingConfig(_Group):
    """Which rows the models learn from."""

    cases: int = Field(default=60_000, ge=1, description="Issues (station, hour) drawn at most.")
    rows_per_block: int = Field(default=100_000, ge=1, description="Rows per lead block for the trees, about.")
    leads_per_case: int = Field(
        default=3, ge=1, description="Leads drawn of each issue and block; more are nearly copies."
    )
    issues_per_case: int = Field(
        default=4, ge=1, description="Of a long history one issue in so many: issues an hour apart are nearly the same."
    )
    min_cases: int = Field(default=3_000, ge=1, description="Issues drawn from a short history, where it has so many.")
    folds: int = Field(default=3, ge=2, description="Folds in time of the cross-fitting (Chernozhukov et al. 2018).")
    fold_hours: int = Field(
        default=480, ge=1, description="Longest stretch of one fold: 20 days, longer than any episode [h]."
    )
    offset_share: float = Field(
        default=0.1, gt=0, description="Offset of the log scale, of the median: bends the scale where values are noise."
    )
    offset_share_direct: float = Field(
        default=3.0,
        gt=0,
        description="The same for ozone: titration leaves traces at night that would dominate the log scale.",
    )


class TreesConfig(_Group):
    """Gradient-boosted trees (LightGBM) of the median; the names in brackets are LightGBM's."""

    rounds: int = Field(default=50, ge=1, description="Trees per fold; with a high learning rate, for speed.")
    learning_rate: float = Field(default=0.18, gt=0, le=1, description="Shrinkage of each tree.")
    leaves: int = Field(default=63, ge=2, description="Leaves per tree (num_leaves).")
    l2: float = Field(default=30.0, ge=0, description="L2 regularisation (lambda_l2).")
    feature_fraction: float = Field(default=0.4, gt=0, le=1, description="Features per tree: over 100 are correlated.")
    extra_trees: bool = Field(
        default=True, description="Random thresholds (Geurts et al. 2006): faster, less overfitting."
    )
    max_bin: int = Field(default=127, ge=2, description="Histogram bins.")
    bin_sample: int = Field(
        default=20_000, ge=1, description="Rows that the bins are computed from; enough for 127 bins."
    )
    rows_per_min_leaf: int = Field(default=800, ge=1, description="min_data_in_leaf grows by 1 with so many rows.")
    smallest_min_leaf: int = Field(default=20, ge=1, description="Lower bound of min_data_in_leaf.")
    largest_min_leaf: int = Field(default=300, ge=1, description="Upper bound of min_data_in_leaf.")


class GruConfig(_Group):
    """The gated recurrent unit (Cho et al. 2014), trained with AdamW (Loshchilov & Hutter 2019)."""

    state_units: int = Field(default=64, ge=1, description="Units of the state.")
    past_units: int = Field(default=64, ge=1, description="Units of the encoder of the past.")
    step_units: int = Field(default=48, ge=1, description="Units of the encoder of each hour ahead.")
    read_units: int = Field(default=64, ge=1, description="Units of the read-out.")
    first_output: float = Field(
        default=0.01, gt=0, description="Scale of the output at initialisation: starts at the naive."
    )
    networks_per_fold: int = Field(default=2, ge=1, description="Networks averaged per fold.")
    epochs: int = Field(default=3, ge=1, description="Passes over the cases where a weather forecast is known.")
    epochs_without_weather: int = Field(default=1, ge=1, description="The same without: more of it would overfit.")
    epochs_with_observed_weather: int = Field(default=6, ge=1, description="The same with perfect weather.")
    learning_rate: float = Field(default=9e-3, gt=0, description="Peak learning rate for the largest batch.")
    learning_rate_without_weather: float = Field(default=6e-3, gt=0, description="The same without a weather forecast.")
    min_steps: int = Field(
        default=150, ge=1, description="Optimiser steps at least; more epochs where there are few cases."
    )
    batches_per_epoch: int = Field(
        default=100, ge=1, description="Batches that an epoch is divided into, within the bounds."
    )
    min_batch: int = Field(default=32, ge=1, description="Smallest batch [cases].")
    max_batch: int = Field(default=256, ge=1, description="Largest batch [cases].")
    warm_up_steps: int = Field(default=50, ge=1, description="Steps of linear learning-rate warm-up.")
    weight_decay: float = Field(
        default=0.7, ge=0, description="Decoupled decay of the matrices; strong, against overfitting."
    )
    huber_delta: float = Field(
        default=0.25, gt=0, description="Huber threshold in mean absolute errors (Huber 1964): nearly the median."
    )
    max_grad_norm: float = Field(
        default=1.0, gt=0, description="Gradients are clipped to this norm (Pascanu et al. 2013)."
    )
    scaling_cases: int = Field(default=4_000, ge=1, description="Cases that the input scaling is computed from.")
    clip_sd: float = Field(default=5.0, gt=0, description="Scaled inputs are clipped to so many standard deviations.")

    def schedule(self, weather: FutureWeather) -> tuple[int, float]:
        """Epochs and peak learning rate for what is known of the weather ahead."""
        if weather is FutureWeather.NONE:
            return self.epochs_without_weather, self.learning_rate_without_weather
        observed = weather is FutureWeather.OBSERVED
        return self.epochs_with_observed_weather if observed else self.epochs, self.learning_rate


class StackConfig(_Group):
    """The weight of the GRU and the trees in their mean, chosen on out-of-fold rows."""

    grid_steps: int = Field(default=10, ge=1, description="Steps of the grid search over the weight, 0…1.")
    shrinkage: float = Field(
        default=1 / 3,
        ge=0,
        le=1,
        description="Share by which the best weight is moved towards the prior: it is overfitted.",
    )
    prior_weight: float = Field(default=0.5, ge=0, le=1, description="Weight of the GRU before any data (Clemen 1989).")


class UncertaintyConfig(_Group):
    """The distribution of the error on the log scale, learned from out-of-fold residuals."""

    rounds: int = Field(default=25, ge=1, description="Trees of the expected absolute error: it is hard to learn.")
    leaves: int = Field(default=8, ge=2, description="Leaves per tree of the expected absolute error.")
    rows_per_min_leaf: int = Field(default=100, ge=1, description="Rows per minimum leaf size.")
    smallest_min_leaf: int = Field(default=100, ge=1, description="Lower bound of min_data_in_leaf.")
    min_spread: float = Field(default=0.02, gt=0, description="Smallest expected absolute error on the log scale.")
    max_spread_quantile: float = Field(
        default=0.99, gt=0, le=1, description="Largest spread used, as a quantile of training: caps extrapolation."
    )
    clip: float = Field(
        default=6.0,
        gt=0,
        description="Standardised errors are clipped here: at a detection limit they would rule the mean.",
    )
    max_classes: int = Field(
        default=5, ge=1, description="Classes of level, each with a bias and shape of its own, at most."
    )
    rows_per_class: int = Field(default=1_000, ge=1, description="Rows per class of level at least.")
    full_level_dependence_days: float = Field(
        default=365.0,
        gt=0,
        description="Days of history after which errors may depend fully on the level: a year of seasons.",
    )
    level_dependence_exponent: float = Field(default=2.0, gt=0, description="How the dependence grows until then.")


class RecalibrationConfig(_Group):
    """Correction of bias and spread from the hindcasts of the past days."""

    days: int = Field(default=14, ge=1, description="Days of hindcasts.")
    stations: int = Field(
        default=200, ge=1, description="Stations that are hindcast at most, evenly spread over the list."
    )
    prior_days: float = Field(default=7.0, ge=0, description="Weight of the training's spread, in days.")
    significance_se: float = Field(
        default=3.0, ge=0, description="Standard errors by which a bias must exceed zero to count."
    )
    min_days: int = Field(default=4, ge=1, description="Days with truth before a bias is corrected.")


class PostprocessConfig(_Group):
    """Blending of lead blocks, damping of extrapolation and rounding to the reporting resolution."""

    blend_hours: int = Field(
        default=6,
        ge=0,
        le=9,
        description="Leads on each side of the seam of two lead blocks that are blended [h].",
    )
    extrapolation_exponent: float = Field(
        default=0.25, ge=0, le=1, description="Share kept, on the log scale, of what lies beyond the station's maximum."
    )
    min_maximum_hours: int = Field(
        default=336, ge=1, description="Hours observed before a station's maximum counts [h]."
    )
    resolution_min_values: int = Field(
        default=200, ge=2, description="Values needed to recognise a reporting resolution."
    )
    resolution_min_share: float = Field(
        default=0.002, ge=0, description="Rarer values are corrections, and are ignored."
    )
    resolution_multiples: float = Field(
        default=0.98, gt=0, le=1, description="Share of values that must be multiples of it."
    )
    resolution_tolerance: float = Field(default=0.05, gt=0, description="Distance from a multiple that is still one.")
    resolution_min_relative: float = Field(
        default=0.05, gt=0, description="Resolution, of the station's median, from which on it matters."
    )


class TrajectoriesConfig(_Group):
    """Members of the joint distribution of an issue, and the hindcasts of unseen days that they are fitted to."""

    members: int = Field(default=200, ge=100, le=1_000, description="Members that day statistics are computed from.")
    origins: int = Field(
        default=240, ge=1, description="Issues hindcast at most, each by the models that did not see it."
    )
    stations: int = Field(default=25, ge=1, description="Stations hindcast at most, evenly spread over the list.")
    prior_origins: float = Field(
        default=10.0, ge=0, description="Hindcasts that the assumed correlation counts for, where the record is short."
    )


class ClimatologyConfig(_Group):
    """The climatology that is forecast where no model can."""

    days: int = Field(default=365, ge=1, description="Days of history used.")
    min_days: int = Field(
        default=10, ge=1, description="Values of a clock hour needed; with fewer, all hours are pooled."
    )


class ModelConfig(_Group):
    """All hyper-parameters. The defaults are those of the shipped models."""

    sampling: SamplingConfig = SamplingConfig()
    trees: TreesConfig = TreesConfig()
    gru: GruConfig = GruConfig()
    stack: StackConfig = StackConfig()
    uncertainty: UncertaintyConfig = UncertaintyConfig()
    recalibration: RecalibrationConfig = RecalibrationConfig()
    postprocess: PostprocessConfig = PostprocessConfig()
    trajectories: TrajectoriesConfig = TrajectoriesConfig()
    climatology: ClimatologyConfig = ClimatologyConfig()

    @classmethod
    def light(cls) -> Self:
        """A preset that trains in a fraction of the time and forecasts worse (HAZECAST_LIGHT_TRAINING)."""
        return cls(
            sampling=SamplingConfig(cases=1_000),
            gru=GruConfig(networks_per_fold=1),
            trajectories=TrajectoriesConfig(members=100, origins=40, stations=6),
        )

    @property
    def parameters(self) -> dict[str, Value]:
        """Every value by its dotted name: "trees.rounds"."""
        return dict(_flatten(self.model_dump()))

    def changed(self, values: Mapping[str, Any], *, source: str) -> Self:
        """A copy with some values changed.

        Args:
            values: by dotted name ("trees.rounds") or nested ({"trees": {"rounds": 80}}).
            source: where they come from, for the message.

        Raises:
            SettingsError: an unknown name, or a value out of range; the message gives the known names or the range.
        """
        known, given = self.parameters, dict(_flatten(values))
        unknown = [name for name in given if name not in known]
        if unknown:
            close = [name for name in known if name.partition(".")[0] == unknown[0].partition(".")[0]] or known
            raise SettingsError(f"{source}: unknown model parameter {unknown[0]}; known: {', '.join(close)}")
        try:
            return self.model_validate(_nest(known | given))
        except ValidationError as err:
            problems = "; ".join(f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in err.errors())
            raise SettingsError(f"{source}: {problems}") from err


def parse_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """Values by name from "trees.rounds=80".

    Raises:
        SettingsError: not of that form.
    """
    pairs = [text.partition("=") for text in assignments]
    wrong = [name for name, equals, _ in pairs if not equals]
    if wrong:
        raise UsageError(f"--set {wrong[0]} has no value; write it like --set trees.rounds=80")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _nest(values: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    nested: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        group, _, key = name.partition(".")
        nested.setdefault(group, {})[key] = value
    return nested
