"""The panel: all observations and weather forecasts of the stations as dense hourly arrays, with their availability."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from hazecast.air.arrays import Bools, Floats32, Ints
from hazecast.air.clock import HOUR
from hazecast.air.distance import nearest_stations
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import MAX_HORIZON_HOURS

WEATHER = (
    "temperature_c",
    "dew_point_c",
    "pressure_hpa",
    "precipitation_mm",
    "wind_u_ms",
    "wind_v_ms",
    "wind_speed_ms",
)
MAX_RUN_HOURS = MAX_HORIZON_HOURS + 48  # a run may be two days old and still reach the horizon
NEVER = np.iinfo(np.int32).max
_CALM_MS = 0.3
_SPAN = np.int64(2) ** 32  # more than the hours of any panel


@dataclass(frozen=True)
class WeatherRuns:
    """Weather forecasts, one row per (station, issue), sorted by station and then by when they became usable.

    `values` is (run, hours since the hour of issue, WEATHER), as long as the longest run; hours are panel indices.
    """

    station: Ints
    usable_from: Ints
    issued: Ints
    values: Floats32

    @property
    def n_hours(self) -> int:
        """Length of the longest run [h]."""
        return int(self.values.shape[1])

    def newest(self, station: Ints, at: Ints) -> Ints:
        """Row of the latest-issued run of each station that was usable at hour `at`; -1 where there was none."""
        if not len(self.station):
            return np.full(len(station), -1, np.int64)
        usable, latest = self._order
        position = np.searchsorted(usable, station * _SPAN + np.maximum(at, -1), side="right") - 1
        row = latest[np.maximum(position, 0)]
        return np.where((position >= 0) & (self.station[row] == station), row, -1)

    @cached_property
    def _order(self) -> tuple[Ints, Ints]:
        """When each row became usable, as one number with its station; the latest-issued row by then."""
        usable = self.station * _SPAN + self.usable_from
        issue = self.station * _SPAN + (self.issued - self.issued.min())
        is_latest = issue == np.maximum.accumulate(issue)
        return usable, np.maximum.accumulate(np.where(is_latest, np.arange(len(issue)), 0))


@dataclass(frozen=True)
class Panel:
    """Stations × hours, hour 0 being `start`.

    Attributes:
        stations: station ids, sorted.
        pollutants: those ever observed.
        start: first hour, UTC.
        concentration_ugm3: (pollutant, station, hour); NaN where missing or flagged invalid. May be used as input.
        is_truth: same shape; flagged ok: a training target, and used for scoring (suspicious values are not).
        known_from: same shape; hour at whose start the value was first available.
        weather: (station, hour, WEATHER), observed; NaN where missing.
        weather_known_from: (station, hour).
        runs: weather forecasts.
        neighbours: (station, k) nearest stations, -1 where there are fewer or coordinates are unknown.
        latitude_deg: (station,), NaN where unknown.
        longitude_deg: (station,), NaN where unknown.
        timezones: IANA name of each station.
        targets: stations to forecast, as indices; None: all. The others are there as neighbours.
    """

    stations: tuple[str, ...]
    pollutants: tuple[str, ...]
    start: datetime
    concentration_ugm3: Floats32
    is_truth: Bools
    known_from: npt.NDArray[np.int32]
    weather: Floats32
    weather_known_from: npt.NDArray[np.int32]
    runs: WeatherRuns
    neighbours: Ints
    latitude_deg: Floats32
    longitude_deg: Floats32
    timezones: tuple[str, ...]
    targets: Ints | None = None

    @property
    def forecast_stations(self) -> Ints:
        """Indices of the stations to forecast."""
        return np.arange(len(self.stations)) if self.targets is None else self.targets

    @property
    def n_hours(self) -> int:
        """Hours between the first and the last observation."""
        return int(self.concentration_ugm3.shape[2])

    def hour_of(self, moment: datetime) -> int:
        """Index of the hour that starts at `moment`; may lie outside the panel.

        Raises:
            ValueError: `moment` has no time zone or is not the start of an hour.
        """
        if moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat()} has no time zone")
        hours, rest = divmod(moment - self.start, HOUR)
        if rest:
            raise ValueError(f"{moment.isoformat()} is not the start of an hour")
        return hours

    def truth(self, pollutant: str, station: Ints, hour: Ints) -> tuple[Floats32, Ints]:
        """Concentration flagged ok [µg/m³] and the hour from which it was known; NaN and NEVER where there is none."""
        at = self.pollutants.index(pollutant), station, np.clip(hour, 0, self.n_hours - 1)
        there = self.is_truth[at] & (hour >= 0) & (hour < self.n_hours)
        value = np.where(there, self.concentration_ugm3[at], np.float32(np.nan))
        return value, np.where(there, self.known_from[at], NEVER).astype(np.int64)

    def truth_by(self, hour: int) -> Bools:
        """(pollutant, station, hour): which concentrations are usable as truth by then: flagged ok, and available."""
        return np.asarray(self.is_truth & (self.known_from <= hour))

    def by_station(self, hour: int, statistic: Callable[[Floats32], float]) -> dict[str, dict[str, float]]:
        """A statistic of the values usable as truth by then, per pollutant and station id; left out where it is 0."""
        known = self.truth_by(hour)
        found: dict[str, dict[str, float]] = {}
        for k, pollutant in enumerate(self.pollutants):
            for station, values, mine in zip(self.stations, self.concentration_ugm3[k], known[k], strict=True):
                value = statistic(values[mine])
                if value:
                    found.setdefault(pollutant, {})[station] = value
        return found

    def times(self, hours: Ints) -> pl.Series:
        """The UTC times of panel hours."""
        first = np.datetime64(self.start.astimezone(UTC).replace(tzinfo=None), "us")
        return pl.Series(first + hours.astype("timedelta64[h]")).dt.replace_time_zone("UTC")


def build_panel(
    observations: pl.DataFrame, weather: pl.DataFrame, stations: pl.DataFrame, *, targets: Collection[str] | None = None
) -> Panel:
    """Convert the tables to arrays.

    Values flagged invalid are left out; suspicious ones are kept as input but are never truth.

    Args:
        observations: `air.tables.Observations` (station_id, pollutant, observed_at, concentration_ugm3, flag and
            available_at are read), not empty.
        weather: `air.tables.Weather`; may be empty.
        stations: `air.tables.Stations` (station_id, latitude, longitude, timezone are read).
        targets: ids of the stations to forecast; None: all.

    Raises:
        ValueError: there are no observations.
    """
    valid = observations.filter(pl.col("flag") != "invalid")
    if valid.is_empty():
        raise ValueError("no valid observations: nothing to build a panel from")
    sites = stations.select("station_id", "latitude", "longitude", "timezone").sort("station_id")
    ids = tuple(sites["station_id"])
    observed = _with_weather_channels(weather.filter(pl.col("issued_at").is_null()))
    first = min(_hours(frame[column]).min() for frame, column in _timed(valid, observed))
    last = max(_hours(frame[column]).max() for frame, column in _timed(valid, observed))
    n_hours = int(last - first + 1)
    concentration, is_truth, known_from = _observation_arrays(valid, ids, int(first), n_hours)
    observed_weather, weather_known_from = _weather_arrays(observed, ids, int(first), n_hours)
    coordinates = sites.select(pl.col("latitude", "longitude").cast(pl.Float32).fill_null(np.nan)).to_numpy()
    return Panel(
        stations=ids,
        pollutants=_observed_pollutants(valid),
        start=datetime.fromtimestamp(int(first) * 3600, UTC),
        concentration_ugm3=concentration,
        is_truth=is_truth,
        known_from=known_from,
        weather=observed_weather,
        weather_known_from=weather_known_from,
        runs=_weather_runs(weather.filter(pl.col("issued_at").is_not_null()), ids, int(first)),
        neighbours=nearest_stations(coordinates[:, 0], coordinates[:, 1]),
        latitude_deg=coordinates[:, 0],
        longitude_deg=coordinates[:, 1],
        timezones=tuple(sites["timezone"]),
        targets=None if targets is None else np.flatnonzero(np.isin(ids, list(targets))),
    )


def _observed_pollutants(observations: pl.DataFrame) -> tuple[str, ...]:
    seen = set(observations["pollutant"].unique())
    return tuple(pollutant for pollutant in POLLUTANTS if pollutant in seen)


def _timed(observations: pl.DataFrame, weather: pl.DataFrame) -> list[tuple[pl.DataFrame, str]]:
    both = [(observations, "observed_at"), (weather, "valid_at")]
    return [(frame, column) for frame, column in both if not frame.is_empty()]


def _hours(times: pl.Series) -> Ints:
    return times.dt.epoch("s").to_numpy() // 3600


def _next_hours(times: pl.Series) -> Ints:
    return -(-times.dt.epoch("s").to_numpy() // 3600)


def _positions(ids: pl.Series, known: tuple[str, ...]) -> Ints:
    """Position of each id among the known ones; -1 for an unknown one."""
    order = pl.Series(known, dtype=pl.String)
    return ids.replace_strict(order, pl.int_range(len(known), eager=True), default=-1, return_dtype=pl.Int64).to_numpy()


def _observation_arrays(
    observations: pl.DataFrame, ids: tuple[str, ...], first: int, n_hours: int
) -> tuple[Floats32, Bools, npt.NDArray[np.int32]]:
    names = _observed_pollutants(observations)
    shape = (len(names), len(ids), n_hours)
    concentration = np.full(shape, np.nan, np.float32)
    is_truth = np.zeros(shape, np.bool_)
    known_from = np.full(shape, NEVER, np.int32)
    rows = observations.filter(pl.col("station_id").is_in(ids))
    hour = _hours(rows["observed_at"])
    at = _positions(rows["pollutant"], names), _positions(rows["station_id"], ids), hour - first
    concentration[at] = rows["concentration_ugm3"].to_numpy()
    is_truth[at] = (rows["flag"] == "ok").to_numpy()
    known_from[at] = np.maximum(_next_hours(rows["available_at"]), hour + 1) - first
    return concentration, is_truth, known_from


def _with_weather_channels(weather: pl.DataFrame) -> pl.DataFrame:
    """Wind as a vector and dew point from humidity where it is not given (Magnus formula, WMO-No. 8)."""
    temperature, humidity = pl.col("temperature_c"), pl.col("relative_humidity_pct").clip(1, 100)
    gamma = (humidity / 100).log() + 17.62 * temperature / (243.12 + temperature)
    speed, towards = pl.col("wind_speed_ms"), (pl.col("wind_direction_deg") + 180).radians()
    calm = pl.when(speed < _CALM_MS).then(0.0)
    return weather.with_columns(
        pl.coalesce("dew_point_c", 243.12 * gamma / (17.62 - gamma)).alias("dew_point_c"),
        pl.coalesce(speed * towards.sin(), calm).alias("wind_u_ms"),
        pl.coalesce(speed * towards.cos(), calm).alias("wind_v_ms"),
    )


def _channels(weather: pl.DataFrame) -> Floats32:
    return weather.select(pl.col(WEATHER).cast(pl.Float32).fill_null(np.nan)).to_numpy()


def _weather_arrays(
    weather: pl.DataFrame, ids: tuple[str, ...], first: int, n_hours: int
) -> tuple[Floats32, npt.NDArray[np.int32]]:
    values = np.full((len(ids), n_hours, len(WEATHER)), np.nan, np.float32)
    known_from = np.full((len(ids), n_hours), NEVER, np.int32)
    rows = weather.filter(pl.col("station_id").is_in(ids))
    at = _positions(rows["station_id"], ids), _hours(rows["valid_at"]) - first
    values[at] = _channels(rows)
    known_from[at] = np.maximum(_next_hours(rows["available_at"]), _hours(rows["valid_at"]) + 1) - first
    return values, known_from


def _weather_runs(forecasts: pl.DataFrame, ids: tuple[str, ...], first: int) -> WeatherRuns:
    ahead = (pl.col("valid_at") - pl.col("issued_at").dt.truncate("1h")).dt.total_hours()
    rows = _with_weather_channels(
        forecasts.filter(ahead.is_between(0, MAX_RUN_HOURS - 1), pl.col("station_id").is_in(ids))
    )
    run = ["station_id", "issued_at"]
    heads = (
        rows.group_by(run)
        .agg(pl.col("available_at").max().alias("usable_at"))
        .sort("station_id", "usable_at", "issued_at")
    )
    rows = rows.with_columns(ahead.alias("ahead")).join(heads.with_row_index("run"), on=run)
    hours_ahead = rows["ahead"].to_numpy()
    values = np.full((len(heads), hours_ahead.max(initial=0) + 1, len(WEATHER)), np.nan, np.float32)
    values[rows["run"].to_numpy(), hours_ahead] = _channels(rows)
    return WeatherRuns(
        station=_positions(heads["station_id"], ids),
        usable_from=np.maximum(_next_hours(heads["usable_at"]) - first, 0),
        issued=_hours(heads["issued_at"]) - first,
        values=values,
    )
