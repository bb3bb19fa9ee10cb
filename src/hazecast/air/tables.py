"""Table contracts: one class per table with its grain (the primary key), units and ranges.

Rows are checked where they enter and where they leave (`conform`). Times are UTC; hours are named by their start.
"""

from datetime import datetime
from itertools import pairwise

import dataframely as dy
import polars as pl
from dataframely.exc import SchemaError, ValidationError

from hazecast.air.averages import DAY_STATISTICS
from hazecast.air.columns import amount as _amount
from hazecast.air.columns import concentration as _concentration
from hazecast.air.columns import one_of as _one_of
from hazecast.air.columns import utc as _utc
from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import MAX_HORIZON_HOURS, QUANTILES
from hazecast.air.status import STATUSES
from hazecast.errors import ContractError

FLAGS: tuple[str, ...] = ("ok", "suspicious", "invalid")
DRIVERS: tuple[str, ...] = ("recent_levels", "neighbours", "weather_ahead")
# Rows of day forecasts about one station, or about the whole place: its highest station, the mean of its stations.
STATION, HIGHEST_STATION, MEAN_OF_STATIONS = "station", "highest_station", "mean_of_stations"
SCOPES: tuple[str, ...] = (STATION, HIGHEST_STATION, MEAN_OF_STATIONS)
PLACE = "*"
WEATHER_VARIABLES: tuple[str, ...] = (
    "temperature_c",
    "pressure_hpa",
    "dew_point_c",
    "precipitation_mm",
    "wind_direction_deg",
    "wind_speed_ms",
    "relative_humidity_pct",
)


class Stations(dy.Schema):
    """Fixed monitoring sites. Coordinates are WGS84 [degrees], null where unknown; `timezone` is an IANA name.

    `attribution` is the credit to show with every value, `licence` the terms they may be used on ("not stated").
    """

    station_id = dy.String(primary_key=True, min_length=1)
    name = dy.String()
    latitude = dy.Float64(nullable=True, min=-90, max=90)
    longitude = dy.Float64(nullable=True, min=-180, max=180)
    timezone = dy.String()
    source = dy.String()
    attribution = dy.String()
    licence = dy.String()


class FetchedObservations(dy.Schema):
    """Hourly means [µg/m³, CO too] as a source returns them: they may include sentinels and duplicates.

    `observed_at` is the start of the averaging hour; `available_at` is when the row was first published.
    """

    station_id = dy.String(min_length=1)
    pollutant = _one_of(POLLUTANTS)
    observed_at = _utc()
    concentration_ugm3 = _concentration()
    source = dy.String()
    available_at = _utc()


class Observations(dy.Schema):
    """Stored hourly means [µg/m³]: raw values, flagged, never altered.

    `flag` is the result of quality control, `flag_reasons` the rules that failed (comma-separated names);
    `ingested_at` is when the row was stored.
    """

    station_id = dy.String(primary_key=True, min_length=1)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    observed_at = _utc(primary_key=True)
    concentration_ugm3 = _concentration()
    flag = _one_of(FLAGS)
    flag_reasons = dy.String()
    source = dy.String()
    available_at = _utc()
    ingested_at = _utc()


class Weather(dy.Schema):
    """Hourly weather at a station: observed where `issued_at` is null, else forecast at `issued_at`.

    The key is (station_id, valid_at, issued_at); a forecast is usable from `available_at`, an observation likewise.
    """

    station_id = dy.String(min_length=1)
    valid_at = _utc()
    issued_at = _utc(nullable=True)
    temperature_c = dy.Float64(nullable=True)
    pressure_hpa = dy.Float64(nullable=True)
    dew_point_c = dy.Float64(nullable=True)
    precipitation_mm = dy.Float64(nullable=True)
    wind_direction_deg = dy.Float64(nullable=True)
    wind_speed_ms = dy.Float64(nullable=True)
    relative_humidity_pct = dy.Float64(nullable=True)
    source = dy.String()
    available_at = _utc()

    @dy.rule()
    def one_row_per_key(cls) -> pl.Expr:  # noqa: N805 - dataframely passes the class
        """A primary key cannot contain nulls, so this rule replaces it."""
        return pl.struct("station_id", "valid_at", "issued_at").is_unique()


class Background(dy.Schema):
    """Concentrations [µg/m³] forecast by a physics model, archived by issue: CAMS, SILAM.

    `source` names the model; `issued_at` is the start of its run, `available_at` when the run was
    published. Hours are means named by their start, as observations are.
    """

    station_id = dy.String(primary_key=True, min_length=1)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    source = dy.String(primary_key=True)
    issued_at = _utc(primary_key=True)
    valid_at = _utc(primary_key=True)
    concentration_ugm3 = _concentration()
    available_at = _utc()


class Backfilled(dy.Schema):
    """Periods of history that are stored completely; an interrupted backfill resumes after them."""

    window_start = _utc(primary_key=True)
    window_end = _utc()
    n_observations = dy.Int64(min=0)
    stored_at = _utc()


class Forecasts(dy.Schema):
    """Issued forecasts, append-only: the archive. All concentrations [µg/m³].

    `lead_hours` counts from `issued_at` to the END of the hour `valid_at`: 1 to the horizon. There is a column for each
    of QUANTILES, `q05` … `q95`. `p_exceed_<key>` is the probability that the hour's mean is above the limit under that
    key, null where the pollutant has none. `observations_version` is the version of the observations table that was
    read; `data_age_hours` [h] the age of the newest observation at issue.
    """

    station_id = dy.String(primary_key=True)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    issued_at = _utc(primary_key=True)
    valid_at = _utc(primary_key=True)
    lead_hours = dy.Int32(min=1, max=MAX_HORIZON_HOURS)
    mean = _amount()
    locals().update({quantile: _amount() for quantile in QUANTILES})
    locals().update({f"p_exceed_{key}": dy.Float64(nullable=True, min=0, max=1) for key in LIMIT_KEYS})
    status = _one_of(STATUSES)
    model_version = dy.String()
    observations_version = dy.Int64(min=0)
    data_age_hours = dy.Float64(min=0)
    source = dy.String()

    @dy.rule()
    def quantiles_do_not_cross(cls) -> pl.Expr:  # noqa: N805
        """q05 ≤ q10 ≤ … ≤ q95."""
        pairs = pairwise(QUANTILES)
        return pl.all_horizontal(pl.col(lower) <= pl.col(upper) for lower, upper in pairs)

    @dy.rule()
    def lead_ends_with_the_hour(cls) -> pl.Expr:  # noqa: N805
        """Lead 1 is the hour that starts at issue."""
        return pl.col("valid_at") - pl.col("issued_at") == pl.duration(hours=pl.col("lead_hours").cast(pl.Int64) - 1)


class ShadowForecasts(Forecasts):
    """Shadow forecasts of challengers: archived and scored, never served; otherwise like Forecasts."""

    model_version = dy.String(primary_key=True)


class DayForecasts(dy.Schema):
    """Issued forecasts of day statistics [µg/m³], append-only, from the same issues as Forecasts.

    `day` is a local calendar date at the station, `day_ahead` counts from the day of issue, 0. `statistic` is one of
    DAY_STATISTICS. `n_hours` hours of the day have a value, `n_observed` of them observed before the issue. With scope
    "highest_station" and "mean_of_stations" the row is about the statistic's maximum and mean over the stations of the
    place, and `station_id` is PLACE. `p_exceed_<key>` is the probability that the statistic is above the limit under
    that key, null unless the limit is written for this statistic. `status` is the worst of the hours.
    """

    table_name = "day_forecasts"

    scope = _one_of(SCOPES, primary_key=True)
    station_id = dy.String(primary_key=True, min_length=1)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    statistic = _one_of(DAY_STATISTICS, primary_key=True)
    day = dy.Date(primary_key=True)
    issued_at = _utc(primary_key=True)
    day_ahead = dy.Int32(min=0)
    n_hours = dy.Int32(min=0)
    n_observed = dy.Int32(min=0)
    mean = _amount()
    locals().update({quantile: _amount() for quantile in QUANTILES})
    locals().update({f"p_exceed_{key}": dy.Float64(nullable=True, min=0, max=1) for key in LIMIT_KEYS})
    status = _one_of(STATUSES)
    model_version = dy.String()


class Trajectories(dy.Schema):
    """How to draw the members of the issues of one model: nothing is stored per issue.

    `dependence` is the NumPy archive of `models.trajectories.Dependence`, `n_members` the number of members. Members of
    an issue follow from its quantiles in Forecasts, its time and the station (`models.trajectories.member_levels`).
    """

    model_version = dy.String(primary_key=True)
    horizon_hours = dy.Int32(min=1, max=MAX_HORIZON_HOURS)
    n_members = dy.Int32(min=1)
    dependence = dy.Binary()


class Drivers(dy.Schema):
    """Effects of groups of inputs on issued forecasts, at one lead of each block.

    `effect_ugm3` is the median minus the median with typical values of one driver, all else equal. Typical are: for the
    station's last 24 hours its days before, for its neighbours the station itself, for the weather ahead that of the
    last 24 hours. The effects do not add up.
    """

    station_id = dy.String(primary_key=True)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    issued_at = _utc(primary_key=True)
    valid_at = _utc(primary_key=True)
    driver = _one_of(DRIVERS, primary_key=True)
    effect_ugm3 = dy.Float64(allow_nan=False, allow_inf=False)
    model_version = dy.String()


class Scores(dy.Schema):
    """Verification of one model on one window, per station-set: errors [µg/m³] by pollutant and lead block.

    `rmae` is MAE over the seasonal naive's MAE on the same rows; `coverage_80` the share inside q10…q90.
    """

    model = dy.String(primary_key=True)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    lead_block = dy.String(primary_key=True)
    window_start = _utc(primary_key=True)
    window_end = _utc(primary_key=True)
    n = dy.Int64(min=0)
    mae = dy.Float64(nullable=True)
    rmse = dy.Float64(nullable=True)
    bias = dy.Float64(nullable=True)
    rmae = dy.Float64(nullable=True)
    crps = dy.Float64(nullable=True)
    coverage_80 = dy.Float64(nullable=True)
    scored_at = _utc()


class Quality(dy.Schema):
    """One check of one batch: a row per station and pollutant. `completeness` is the share of hours present, 0…1."""

    checked_at = _utc(primary_key=True)
    station_id = dy.String(primary_key=True)
    pollutant = _one_of(POLLUTANTS, primary_key=True)
    window_start = _utc(primary_key=True)
    window_end = _utc()
    n_expected = dy.Int64(min=0)
    n_observed = dy.Int64(min=0)
    completeness = dy.Float64(min=0, max=1)
    n_suspicious = dy.Int64(min=0)
    n_invalid = dy.Int64(min=0)
    n_duplicate = dy.Int64(min=0)
    reasons = dy.String()


# Steps of the pipeline that leave a row in `runs`.
STEPS: tuple[str, ...] = (
    "backfill",
    "collect",
    "check",
    "background",
    "train",
    "validate",
    "registry",
    "forecast",
    "verify",
    "model_health",
    "data_drift",
    "retrain",
    "alert",
)


class Runs(dy.Schema):
    """One run of a step: its time, outcome and `summary` (one line)."""

    run_id = dy.String(primary_key=True)
    step = dy.String()
    started_at = _utc()
    finished_at = _utc()
    as_of = _utc()
    outcome = _one_of(("ok", "failed"))
    summary = dy.String()


def conform(table: type[dy.Schema], frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with exactly the table's columns in the table's order, or an error.

    Raises:
        ContractError: a column is missing or mistyped, a key repeats, or a value is out of its range.
    """
    try:
        return table.validate(frame)
    except (SchemaError, ValidationError) as err:
        reason = str(err).split("\nResolved plan")[0].strip()
        raise ContractError(f"table {table.__name__.lower()}: {reason}") from err


def newest(times: pl.Series) -> datetime | None:
    """Latest of a column of times; None when it is empty."""
    found = times.max()
    return found if isinstance(found, datetime) else None


def key_of(table: type[dy.Schema]) -> list[str]:
    """The columns that name one row of `table`."""
    return table.primary_key() or ["station_id", "valid_at", "issued_at"]
