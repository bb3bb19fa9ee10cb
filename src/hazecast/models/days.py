"""Forecasts of day statistics: from the hourly quantiles of an issue, through trajectories, to one distribution a day.

Members follow the issued hours (`models.trajectories`); hours of the day that have been observed enter as facts. What
remains of bias and of wrong spread in a statistic is removed by a calibration on hindcasts of unseen days.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
from scipy.special import ndtr, ndtri

from hazecast.air.arrays import Floats, Floats32, Ints
from hazecast.air.averages import DAY_STATISTICS, LEGAL_SHARE
from hazecast.air.clock import HOUR
from hazecast.air.limits import LIMIT_KEYS, LIMITS
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES, ForecastSpec
from hazecast.air.tables import HIGHEST_STATION, MEAN_OF_STATIONS, PLACE, STATION, STATUSES
from hazecast.features import Panel
from hazecast.models.config import TrajectoriesConfig
from hazecast.models.threads import sequential_map
from hazecast.models.trajectories import Dependence, fit_dependence, member_levels, members, normal_scores, prior
from hazecast.scoring.days import LEAD_IN_HOURS, LocalDays, day_statistics, days_of_series, local_days

_TRUTH_KEY = ("scope", "station_id", "pollutant", "statistic", "day")
_MOST_EXTREME_LEVEL = 0.005
_TIE = 1e-5  # relative difference of equal values, stored with 32 bits
# Hours before issue that a statistic may include: the day of issue, at most 25 hours, and the lead-in of its MDA8.
PAST_HOURS = 25 + LEAD_IN_HOURS
_BATCH_STATIONS = 50  # bounds memory


@dataclass(frozen=True)
class DayMembers:
    """The members of day statistics.

    Attributes:
        keys: (row) scope, station_id, pollutant, statistic, day, day_ahead, issued_at, n_hours, n_observed.
        values: (row, member) [µg/m³].
    """

    keys: pl.DataFrame
    values: Floats32

    def __getitem__(self, rows: Ints) -> "DayMembers":
        return DayMembers(self.keys[rows], self.values[rows])

    def of_stations(self) -> "DayMembers":
        """Without the rows about the whole place."""
        return self[(self.keys["scope"] == STATION).arg_true().to_numpy()]


def day_members(rows: pl.DataFrame, panel: Panel, dependence: Dependence, *, n_members: int) -> DayMembers:
    """The members of every statistic of the local days that an issue reaches wholly, the day of issue first.

    Hours before issue are facts: the observations flagged ok and available then; a missing one is missing.

    Args:
        rows: of ONE issue, any stations and pollutants: the key, lead_hours and q05 … q95.
        panel: with the observations before the issue, and the stations' time zones.
        dependence: of the hours; pollutants without it are left out.
        n_members: members.
    """
    issued_at = rows["issued_at"][0]
    stations = sorted(set(rows["station_id"]) & set(panel.stations))
    batches = [tuple(stations[first : first + _BATCH_STATIONS]) for first in range(0, len(stations), _BATCH_STATIONS)]

    def statistics(some: tuple[str, ...]) -> list[_Part]:
        return _statistics_of(_Issue(rows, panel, dependence, issued_at, some), n_members)

    return _assemble(list(chain.from_iterable(sequential_map(statistics, batches))), issued_at)


@dataclass(frozen=True)
class _Issue:
    rows: pl.DataFrame
    panel: Panel
    dependence: Dependence
    issued_at: datetime
    stations: tuple[str, ...]

    def quantiles(self) -> Floats:
        """(station, pollutant, lead, quantile), NaN where not forecast."""
        pollutants = self.dependence.pollutants
        found = np.full((len(self.stations), len(pollutants), self.dependence.horizon_hours, len(QUANTILES)), np.nan)
        mine = self.rows.filter(pl.col("station_id").is_in(self.stations), pl.col("pollutant").is_in(pollutants))
        at = _position(mine["station_id"], self.stations), _position(mine["pollutant"], pollutants)
        found[(*at, mine["lead_hours"].to_numpy() - 1)] = mine.select(QUANTILES).to_numpy()
        return found

    def facts(self) -> Floats:
        """(station, pollutant, PAST_HOURS) observed before issue, NaN where unknown."""
        panel, issue = self.panel, self.panel.hour_of(self.issued_at)
        found = np.full((len(self.stations), len(self.dependence.pollutants), PAST_HOURS), np.nan)
        station = _position(pl.Series(self.stations), panel.stations)
        first, last = max(issue - PAST_HOURS, 0), min(issue, panel.n_hours)
        for k, pollutant in enumerate(self.dependence.pollutants):
            if pollutant not in panel.pollutants or last <= first:
                continue
            at = panel.pollutants.index(pollutant), station, slice(first, last)
            usable = panel.is_truth[at] & (panel.known_from[at] <= issue)
            start = PAST_HOURS - (issue - first)
            found[:, k, start : start + last - first] = np.where(usable, panel.concentration_ugm3[at], np.nan)
        return found


@dataclass(frozen=True)
class _Part:
    """Statistics of stations of one time zone: values by statistic (station, pollutant, member, day)."""

    stations: tuple[str, ...]
    pollutants: tuple[str, ...]
    days: tuple[date, ...]
    today: date
    n_hours: Ints
    n_observed: Ints
    values: Mapping[str, Floats32]


def _statistics_of(issue: _Issue, n_members: int) -> list[_Part]:
    levels = member_levels(issue.dependence, issue.stations, issue.issued_at, n_members=n_members)
    ahead = members(issue.quantiles(), levels)
    facts = issue.facts()
    past = np.broadcast_to(facts[:, :, None, :], (*facts.shape[:2], n_members, PAST_HOURS))
    hours = np.concatenate([past, ahead.swapaxes(2, 3)], axis=3)
    zone_of = dict(zip(issue.panel.stations, issue.panel.timezones, strict=True))
    zones = np.array([zone_of[station] for station in issue.stations])
    parts = []
    for zone in np.unique(zones):
        mine = zones == zone
        today = _local_date(issue.issued_at, zone)
        since = issue.issued_at - PAST_HOURS * HOUR
        days = _from_today(local_days(since, since + hours.shape[3] * HOUR, zone), today)
        known = ~np.isnan(hours[mine][:, :, 0])
        spans = [slice(first, first + n) for first, n in zip(days.first, days.n_hours, strict=True)]
        parts.append(
            _Part(
                stations=tuple(station for station, own in zip(issue.stations, mine, strict=True) if own),
                pollutants=issue.dependence.pollutants,
                days=days.days,
                today=today,
                n_hours=np.stack([known[..., span].sum(axis=-1) for span in spans], axis=-1),
                n_observed=np.stack(
                    [known[..., span][..., : max(PAST_HOURS - span.start, 0)].sum(-1) for span in spans], -1
                ),
                values={name: v.astype(np.float32) for name, v in day_statistics(hours[mine], days).items()},
            )
        )
    return parts


def _from_today(days: LocalDays, today: date) -> LocalDays:
    keep = np.array([day >= today for day in days.days], bool)
    return LocalDays(tuple(day for day in days.days if day >= today), days.first[keep], days.n_hours[keep])


def _assemble(parts: Sequence[_Part], issued_at: datetime) -> DayMembers:
    frames, values = [], []
    for part in parts:
        for name in DAY_STATISTICS:
            found = np.moveaxis(part.values[name], 2, 3)
            station, pollutant, day = (axis.ravel() for axis in np.indices(found.shape[:3]))
            keep = ~np.isnan(found).any(axis=3).ravel()
            columns = {
                "scope": pl.Series([STATION]).new_from_index(0, len(station)),
                "station_id": pl.Series(part.stations, dtype=pl.String).gather(station),
                "pollutant": pl.Series(part.pollutants, dtype=pl.String).gather(pollutant),
                "statistic": pl.Series([name]).new_from_index(0, len(station)),
                "day": pl.Series(part.days, dtype=pl.Date).gather(day),
                "day_ahead": pl.Series([(d - part.today).days for d in part.days], dtype=pl.Int32).gather(day),
                "n_hours": pl.Series(part.n_hours.ravel().astype(np.int32)),
                "n_observed": pl.Series(part.n_observed.ravel().astype(np.int32)),
            }
            frames.append(pl.DataFrame(columns).filter(pl.Series(keep)))
            values.append(found.reshape(-1, found.shape[3])[keep])
    keys = pl.concat(frames).with_columns(issued_at=pl.lit(issued_at).cast(pl.Datetime("us", "UTC")))
    stations = DayMembers(keys, np.concatenate(values))
    return _with_place(stations)


def _with_place(stations: DayMembers) -> DayMembers:
    """Add the rows of the whole place: the highest station and the mean of the stations, member by member."""
    group = ["pollutant", "statistic", "day"]
    grouped = stations.keys.with_row_index("row").group_by(group, maintain_order=True)
    places = grouped.agg(pl.col("row"), pl.col("day_ahead", "issued_at").first(), pl.col("n_hours", "n_observed").min())
    frames, values = [stations.keys], [stations.values]
    reductions = ((HIGHEST_STATION, np.max), (MEAN_OF_STATIONS, np.mean))
    for scope, reduction in reductions:
        keys = places.with_columns(scope=pl.lit(scope), station_id=pl.lit(PLACE)).select(stations.keys.columns)
        frames.append(keys)
        values.append(
            np.array([reduction(stations.values[rows.to_numpy()], axis=0) for rows in places["row"]], np.float32)
        )
    if places.is_empty():
        return stations
    return DayMembers(pl.concat(frames), np.concatenate(values))


def distributions(found: DayMembers) -> pl.DataFrame:
    """The keys with mean and q05 … q95 [µg/m³]."""
    quantiles = np.quantile(found.values.astype(np.float64), QUANTILE_LEVELS, axis=1, method="hazen")
    columns = {name: pl.Series(q) for name, q in zip(QUANTILES, quantiles, strict=True)}
    return found.keys.with_columns(mean=pl.Series(found.values.mean(axis=1, dtype=np.float64)), **columns)


def exceedance(found: DayMembers, limit_ugm3: Floats) -> Floats:
    """Probability that the statistic is above its limit (row,): linear between members, NaN without a limit.

    Below the lowest member it rises to 1 at zero concentration; above the highest it decays with the scale of the
    members above their upper quartile.
    """
    ordered = np.sort(found.values, axis=1).astype(np.float64)
    n = ordered.shape[1]
    knots = np.concatenate([np.zeros((len(ordered), 1)), ordered], axis=1)
    levels = np.concatenate([[0.0], (np.arange(n) + 0.5) / n])
    k = np.clip((knots <= limit_ugm3[:, None]).sum(axis=1) - 1, 0, n - 1)
    row = np.arange(len(knots))
    width = knots[row, k + 1] - knots[row, k]
    share = np.clip((limit_ugm3 - knots[row, k]) / np.maximum(width, 1e-9), 0, 1)
    inside = 1 - levels[k] - share * (levels[k + 1] - levels[k])
    scale = np.maximum(ordered[:, -1] - ordered[:, int(0.75 * n)], 1e-9) / np.log(0.25 * 2 * n)
    tail = (1 - levels[-1]) * np.exp(-np.maximum(limit_ugm3 - ordered[:, -1], 0) / scale)
    return np.where(limit_ugm3 >= ordered[:, -1], tail, np.where(np.isnan(limit_ugm3), np.nan, inside))


@dataclass(frozen=True)
class DayModel:
    """How the hours of one model's forecasts depend on each other, and how its day statistics are calibrated.

    Attributes:
        dependence: of the hours.
        config: number of members, and how it was fitted.
        calibration: (shift, stretch) of the normal scores by `_calibration_key`: the level u of a statistic becomes
            Φ(shift + stretch · Φ⁻¹(u)). Identity where there is none.
    """

    dependence: Dependence
    calibration: Mapping[str, tuple[float, float]]
    config: TrajectoriesConfig

    @classmethod
    def assumed(cls, pollutants: Sequence[str], spec: ForecastSpec, config: TrajectoriesConfig) -> "DayModel":
        """The dependence assumed without hindcasts, and no calibration."""
        return cls(prior(pollutants, spec.horizon_hours), {}, config)

    def members(self, rows: pl.DataFrame, panel: Panel) -> DayMembers:
        """The calibrated members of every day statistic of one issue; see `day_members`."""
        dependence = self.dependence.covering(rows["pollutant"].unique().sort().to_list())
        return calibrate(day_members(rows, panel, dependence, n_members=self.config.members), self.calibration)

    def forecast(self, rows: pl.DataFrame, panel: Panel) -> pl.DataFrame:
        """`air.tables.DayForecasts` of one issue, without model_version.

        Args:
            rows: of one issue: the key, lead_hours, q05 … q95 and status.
            panel: with the observations before the issue.
        """
        found = self.members(rows, panel)
        limits = pl.DataFrame(
            [(limit.pollutant.value, limit.day_statistic, limit.key, limit.concentration_ugm3) for limit in LIMITS],
            schema=["pollutant", "statistic", "key", "limit_ugm3"],
            orient="row",
        ).pivot("key", index=["pollutant", "statistic"], values="limit_ugm3")
        joined = found.keys.join(limits, on=["pollutant", "statistic"], how="left", maintain_order="left")
        chances = {
            f"p_exceed_{key}": pl.Series(exceedance(found, joined[key].cast(pl.Float64).to_numpy())).fill_nan(None)
            for key in LIMIT_KEYS
        }
        return _with_status(distributions(found).with_columns(**chances), rows)


def _with_status(days: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """With the worst status of the hours of each series, and of all series for rows about the place."""
    order = {status: k for k, status in enumerate(STATUSES)}
    worst = rows.with_columns(pl.col("status").replace_strict(order, return_dtype=pl.Int64))
    of_series = worst.group_by("station_id", "pollutant").agg(pl.col("status").max())
    of_place = of_series.group_by("pollutant").agg(pl.col("status").max()).with_columns(station_id=pl.lit(PLACE))
    ranks = pl.concat([of_series, of_place.select(of_series.columns)])
    names = pl.col("status").replace_strict(dict(enumerate(STATUSES)), return_dtype=pl.String)
    return days.join(ranks, on=["station_id", "pollutant"], maintain_order="left").with_columns(names)


def calibrate(found: DayMembers, calibration: Mapping[str, tuple[float, float]]) -> DayMembers:
    """The members at their calibrated levels; the order of the members of a row stays."""
    n = found.values.shape[1]
    scores = ndtri((np.arange(n) + 0.5) / n)
    values = found.values.copy()
    for (scope, pollutant, statistic, day_ahead), rows in _groups(found.keys):
        shift, stretch = calibration.get(_calibration_key(scope, pollutant, statistic, day_ahead), (0.0, 1.0))
        if (shift, stretch) == (0.0, 1.0):
            continue
        position = np.clip(ndtr(shift + stretch * scores) * n - 0.5, 0, n - 1)
        below = np.minimum(position.astype(np.int64), n - 2)
        share = (position - below).astype(np.float32)
        order = values[rows].argsort(axis=1, kind="stable")
        ordered = np.take_along_axis(values[rows], order, axis=1)
        mine = np.empty_like(ordered)
        np.put_along_axis(mine, order, (1 - share) * ordered[:, below] + share * ordered[:, below + 1], axis=1)
        values[rows] = mine
    return replace(found, values=values)


def fit_days(hindcasts: pl.DataFrame, panel: Panel, until: int, *, assumed: DayModel) -> DayModel:
    """Fit the dependence, and then the calibration, to hindcasts.

    Args:
        hindcasts: forecasts of issues whose truth the forecasting models had not seen; may be empty.
        panel: with the truth.
        until: panel hour; later truth is not used.
        assumed: what holds without hindcasts.
    """
    if hindcasts.is_empty():
        return assumed
    config, pollutants = assumed.config, assumed.dependence.pollutants
    hindcasts = hindcasts.filter(pl.col("pollutant").is_in(pollutants))
    scores = _hourly_scores(hindcasts, panel, until, pollutants, assumed.dependence.horizon_hours)
    dependence = fit_dependence(scores, pollutants, prior_origins=config.prior_origins)
    issues = hindcasts.partition_by("issued_at", maintain_order=True)
    found = [day_members(rows, panel, dependence, n_members=config.members) for rows in issues]
    observed = _observed_days(panel, until, stations=hindcasts["station_id"].unique().sort())
    return DayModel(dependence, fit_calibration(found, observed, prior_days=config.prior_days), config)


def _hourly_scores(rows: pl.DataFrame, panel: Panel, until: int, pollutants: Sequence[str], horizon: int) -> Floats:
    """(origin, station, pollutant, lead) normal scores, NaN where not forecast or the truth is unknown by then."""
    origins, stations = rows["issued_at"].unique().sort(), rows["station_id"].unique().sort()
    found = np.full((len(origins), len(stations), len(pollutants), horizon), np.nan)
    origin, station = _position(rows["issued_at"], origins), _position(rows["station_id"], stations)
    lead, of_panel = rows["lead_hours"].to_numpy() - 1, _position(stations, panel.stations)[station]
    first = np.array([panel.hour_of(moment) for moment in origins])[origin]
    pollutant = _position(rows["pollutant"], pollutants)
    for k, name in enumerate(pollutants):
        mine = pollutant == k
        truth, known_from = panel.truth(name, of_panel[mine], (first + lead)[mine])
        usable = ~np.isnan(truth) & (known_from <= until)
        scores = normal_scores(rows.filter(pl.Series(mine)).select(QUANTILES).to_numpy(), np.where(usable, truth, 0))
        found[origin[mine], station[mine], k, lead[mine]] = np.where(usable, scores, np.nan)
    return found


def _observed_days(panel: Panel, until: int, *, stations: pl.Series) -> pl.DataFrame:
    """As `scoring.days.observed_days`, from the truth known by panel hour `until`."""
    truth = np.where(panel.truth_by(until), panel.concentration_ugm3, np.nan).astype(np.float64)
    frames = []
    for s in _position(stations, panel.stations):
        for k, pollutant in enumerate(panel.pollutants):
            found = days_of_series(truth[k, s], panel.start, panel.timezones[s])
            keys = {"station_id": panel.stations[s], "pollutant": pollutant}
            frames.append(found.with_columns(**{name: pl.lit(value) for name, value in keys.items()}))
    return pl.concat(frames)


def fit_calibration(
    found: Sequence[DayMembers], observed: pl.DataFrame, *, prior_days: float
) -> dict[str, tuple[float, float]]:
    """Shift and stretch of the normal scores of day statistics on days the models had not seen: median and 80 % range.

    Args:
        found: members of many issues, not calibrated.
        observed: `scoring.days.observed_days`.
        prior_days: days that the identity counts for.
    """
    keys = pl.concat([one.keys for one in found]).with_row_index("row")
    values = np.concatenate([one.values for one in found])
    truth = keys.join(_with_places(keys, observed), on=["issued_at", *_TRUTH_KEY]).sort("row")
    rows = truth["row"].to_numpy()
    found_rows, value = DayMembers(keys, values)[rows], truth["observed_ugm3"].to_numpy()
    # Members tie where the highest hour has been observed already: the middle of the tie is its level.
    level = 1 - (exceedance(found_rows, value * (1 - _TIE)) + exceedance(found_rows, value * (1 + _TIE))) / 2
    scores = ndtri(np.clip(level, _MOST_EXTREME_LEVEL, 1 - _MOST_EXTREME_LEVEL))
    fitted = {}
    for group, mine in _groups(truth):
        n_days = truth["day"].gather(mine).n_unique()
        weight = n_days / (n_days + prior_days)
        low, shift, high = np.quantile(scores[mine], [0.1, 0.5, 0.9]).tolist()
        stretch = (high - low) / (2 * ndtri(0.9))
        fitted[_calibration_key(*group)] = (weight * shift, weight * stretch + 1 - weight)
    return fitted


def _with_places(keys: pl.DataFrame, observed: pl.DataFrame) -> pl.DataFrame:
    """Observed statistics by issue and scope; those of the place where most of its stations have one."""
    stations = keys.filter(pl.col("scope") == STATION)
    known = stations.join(observed, on=["station_id", "pollutant", "day", "statistic"], how="left")
    group = ["issued_at", "pollutant", "day", "statistic"]
    place = known.group_by(group).agg(
        pl.col("observed_ugm3").max().alias(HIGHEST_STATION),
        pl.col("observed_ugm3").mean().alias(MEAN_OF_STATIONS),
        share=pl.col("observed_ugm3").is_not_null().mean(),
    )
    place = place.filter(pl.col("share") >= LEGAL_SHARE).drop("share")
    long = place.unpivot(index=group, variable_name="scope", value_name="observed_ugm3")
    own = known.drop_nulls("observed_ugm3").with_columns(scope=pl.lit(STATION))
    columns = ["issued_at", *_TRUTH_KEY, "observed_ugm3"]
    return pl.concat([own.select(columns), long.with_columns(station_id=pl.lit(PLACE)).select(columns)])


def _groups(keys: pl.DataFrame) -> Iterator[tuple[tuple[str, str, str, int], Ints]]:
    by = ["scope", "pollutant", "statistic", "day_ahead"]
    for group, rows in keys.select(by).with_row_index("at").group_by(by, maintain_order=True):
        yield group, rows["at"].to_numpy()


def _calibration_key(scope: str, pollutant: str, statistic: str, day_ahead: int) -> str:
    return f"{scope} {pollutant} {statistic} {day_ahead}"


def _position(values: pl.Series, known: Sequence[str] | pl.Series) -> Ints:
    order = pl.Series(known, dtype=values.dtype)
    return values.replace_strict(order, pl.int_range(len(known), eager=True), return_dtype=pl.Int64).to_numpy()


def _local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
