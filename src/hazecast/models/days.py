"""Forecasts of day statistics: from the hourly quantiles of an issue, through trajectories, to one distribution a day.

Members follow the issued hours (`models.trajectories`); hours of the day that have been observed enter as facts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from hazecast.air.arrays import Floats, Floats32, Ints
from hazecast.air.averages import DAY_STATISTICS
from hazecast.air.clock import HOUR
from hazecast.air.limits import LIMIT_KEYS, day_limits
from hazecast.air.spec import QUANTILE_LEVELS, QUANTILES, ForecastSpec
from hazecast.air.status import STATUSES
from hazecast.air.tables import HIGHEST_STATION, MEAN_OF_STATIONS, PLACE, STATION
from hazecast.features import Panel
from hazecast.models.config import TrajectoriesConfig
from hazecast.models.threads import sequential_map
from hazecast.models.trajectories import Dependence, fit_dependence, member_levels, members, normal_scores, prior
from hazecast.scoring.days import LEAD_IN_HOURS, LocalDays, day_statistics, local_days

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
    """How the hours of one model's forecasts depend on each other.

    Attributes:
        dependence: of the hours.
        config: number of members, and how it was fitted.
    """

    dependence: Dependence
    config: TrajectoriesConfig

    @classmethod
    def assumed(cls, pollutants: Sequence[str], spec: ForecastSpec, config: TrajectoriesConfig) -> "DayModel":
        """The dependence assumed without hindcasts."""
        return cls(prior(pollutants, spec.horizon_hours), config)

    def members(self, rows: pl.DataFrame, panel: Panel) -> DayMembers:
        """The members of every day statistic of one issue; see `day_members`."""
        dependence = self.dependence.covering(rows["pollutant"].unique().sort().to_list())
        return day_members(rows, panel, dependence, n_members=self.config.members)

    def forecast(self, rows: pl.DataFrame, panel: Panel) -> pl.DataFrame:
        """`air.tables.DayForecasts` of one issue, without model_version.

        Args:
            rows: of one issue: the key, lead_hours, q05 … q95 and status.
            panel: with the observations before the issue.
        """
        found = self.members(rows, panel)
        joined = found.keys.join(day_limits(), on=["pollutant", "statistic"], how="left", maintain_order="left")
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


def fit_days(hindcasts: pl.DataFrame, panel: Panel, until: int, *, assumed: DayModel) -> DayModel:
    """Fit the dependence to hindcasts.

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
    return DayModel(dependence, config)


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


def _position(values: pl.Series, known: Sequence[str] | pl.Series) -> Ints:
    order = pl.Series(known, dtype=values.dtype)
    return values.replace_strict(order, pl.int_range(len(known), eager=True), return_dtype=pl.Int64).to_numpy()


def _local_date(moment: datetime, zone: str) -> date:
    return moment.astimezone(ZoneInfo(zone)).date()
