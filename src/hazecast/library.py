"""The functions of `import hazecast as hz`: from a folder or a frame to forecasts, backtests, scores and plots.

They need neither a server nor a registry. Frames that come in may be pandas or Polars (or any other frame with an
Arrow interface); frames that go out are Polars, and `.to_pandas()` converts them. Times are UTC, concentrations µg/m³.

    import hazecast as hz

    data = hz.read_dataset("beijing")
    model = hz.fit(data, until="2016-12-20", light=True)
    forecast = model.predict("2016-12-20")
    hz.score(forecast, data)
    hz.plot(forecast, data, station="Dongsi", pollutant="pm25")
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import yaml

from hazecast.air.clock import floor_hour, hours_between
from hazecast.air.spec import DEFAULT_HORIZON_HOURS, QUANTILES, ForecastSpec
from hazecast.errors import NotKnown, SettingsError, SourceRefused, TooLittleHistory
from hazecast.evaluation import backtest as evaluation
from hazecast.evaluation.dataset import Dataset, simulate_dataset
from hazecast.evaluation.dataset import read_dataset as read_folder
from hazecast.features import FutureWeather
from hazecast.models import DEFAULT_KIND, Model, ModelConfig, load_model, model_class, register_model
from hazecast.models.base import Progress
from hazecast.models.config import Value
from hazecast.scoring import score as score_rows
from hazecast.sources.files.columns import understand, weak_field
from hazecast.sources.files.options import FILE
from hazecast.steps import silent
from hazecast.steps.inputs import weather_ahead
from hazecast.steps.train import MIN_HISTORY_DAYS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Frame = Any
"""A pandas or Polars DataFrame, or another frame with an Arrow interface."""

Moment = str | date | datetime
"""An ISO 8601 date or time, or a datetime; without a zone it is in the time zone of the first station."""

Kind = str | type[Model]
"""A kind of model by its name (`hazecast.models.KINDS`), or a class that implements `hazecast.models.Model`."""

_STATION_COLUMNS = ("station_id", "name", "latitude", "longitude", "timezone")
_FORECAST_KEY = ("station_id", "pollutant", "issued_at", "valid_at")


def read_dataset(
    source: str | Path | Frame, *, stations: Frame | None = None, weather: Frame | None = None, **options: Any
) -> Dataset:
    """Read and check observations, stations and weather; a frame is read by the same rules as a file (docs/data.md).

    Args:
        source: a dataset folder, or a frame with one row per station and hour: station_id, a time with zone, and one
            column per pollutant (pm25, pm10, no2, o3, so2, co) [µg/m³, or the unit in the header].
        stations: one row per station, for a frame. None: the stations of the observations, with the latitude,
            longitude and timezone that their rows carry.
        weather: one row per station and hour, for a frame; observed weather and forecasts (with issued_at).
        options: keys of `dataset.yaml`: columns, units, invalid, ignore_columns, aggregate.
            For a folder, only the last two.

    Raises:
        SourceRefused: something in it is not understood; the message has the table, column, row and remedy.
    """
    if isinstance(source, str | Path):
        if stations is not None or weather is not None:
            raise SettingsError("a dataset folder holds its own stations and weather; pass frames with a frame only")
        unknown = sorted(set(options) - {"ignore_columns", "aggregate"})
        if unknown:
            raise SettingsError(f"{', '.join(unknown)}: write it in {FILE} of the folder")
        return read_folder(Path(source), **options)
    observations = _as_polars(source, "observations")
    tables = {
        "observations": observations,
        "stations": _stations_of(observations) if stations is None else _as_polars(stations, "stations"),
        **({} if weather is None else {"weather": _as_polars(weather, "weather")}),
    }
    with TemporaryDirectory(prefix="hazecast-") as name:
        folder = Path(name) / "dataframe"
        folder.mkdir()
        for stem, table in tables.items():
            table.write_parquet(folder / f"{stem}.parquet")
        if options:
            (folder / FILE).write_text(yaml.safe_dump(options), encoding="utf-8")
        return replace(read_folder(folder), folder=Path("dataframe"))


def simulate(*, days: int = 60, n_stations: int = 3, since: date = date(2026, 1, 1)) -> Dataset:
    """Simulated observations, weather and weather forecasts of a fictitious city, to try things without data.

    Args:
        days: length [d].
        n_stations: number of stations.
        since: first day, UTC.

    Returns:
        A dataset of stations with the source "simulated". The same arguments give the same rows.
    """
    first = datetime.combine(since, time(), UTC)
    return simulate_dataset(n_stations=n_stations, since=first, until=first + timedelta(days=days))


@dataclass(frozen=True)
class FittedModel:
    """A model and the dataset that it was fitted on.

    Attributes:
        model: see `hazecast.models.Model`: `trained_until`, `pollutants`, `parameters`, `spec`.
        data: the dataset; the default of `predict`.
    """

    model: Model
    data: Dataset

    def predict(
        self, issued_at: Moment | Sequence[Moment] | None = None, *, data: Dataset | None = None
    ) -> pl.DataFrame:
        """Forecast every station, and every pollutant of the training, from what was known at issue.

        Args:
            issued_at: one or more times of issue, each the start of an hour; None: the end of the observations.
            data: newer observations than those of the training; None: the dataset of the training.

        Returns:
            One row per (station_id, pollutant, issued_at, valid_at): lead_hours [h], mean and q05 … q95 [µg/m³],
            status ("ok", "degraded" or "baseline", see `hazecast.models.Model.predict`).

        Raises:
            TooLittleHistory: nothing had been observed at a time of issue.
        """
        data = data or self.data
        if issued_at is None:
            issued_at = data.until
        issues: Sequence[Moment] = [issued_at] if isinstance(issued_at, str | date) else issued_at
        moments = [_moment(data, at, "issued_at") for at in issues]
        if moments and min(moments) <= data.since:
            raise TooLittleHistory(f"nothing was observed before {data.since.isoformat()}; issue later")
        rows = self.model.predict(data.panel, moments)
        return rows.filter(pl.col("pollutant").is_in(self.model.pollutants))

    def save(self, folder: str | Path) -> None:
        """Write the model, without the data; `hazecast.load` reads it."""
        self.model.save(Path(folder))


def fit(
    data: Dataset,
    *,
    until: Moment | None = None,
    kind: Kind = DEFAULT_KIND,
    pollutants: Sequence[str] = (),
    weather: str | None = None,
    horizon_hours: int = DEFAULT_HORIZON_HOURS,
    light: bool = False,
    parameters: Mapping[str, Value] | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> FittedModel:
    """Train one model for all stations on what was known by `until`.

    Args:
        data: see `read_dataset`.
        until: end of the training data; None: all of it.
        kind: of model: "stack", "trees", "gru", "climatology", "mlforecast", or a class of your own.
        pollutants: to forecast; empty: all observed ones.
        weather: the weather ahead that forecasts will have: "none", "forecast", "noisy" or "observed"
            (docs/backtest.md); None: "forecast" where the dataset has weather forecasts on most days, else "none".
        horizon_hours: longest lead [h]: 48, 72, 96 or 120.
        light: smaller models, trained in a fraction of the time; they forecast worse.
        parameters: hyper-parameters by dotted name: {"trees.rounds": 80}.
        seed: of every random draw.
        progress: called with a line for people and the share done, 0…1.

    Raises:
        TooLittleHistory: fewer than 21 days of observations by `until`.
        SettingsError: an unknown kind, parameter or weather.
        NotKnown: a pollutant that is not in the dataset.
    """
    end = data.until if until is None else _moment(data, until, "until")
    days = hours_between(data.since, min(end, data.until)) / 24
    if days < MIN_HISTORY_DAYS:
        raise TooLittleHistory(f"{days:.1f} days of observations by {end.isoformat()}; {MIN_HISTORY_DAYS} are needed")
    for pollutant in pollutants:
        if pollutant not in data.pollutants:
            raise NotKnown("pollutant", pollutant, data.pollutants)
    model = model_class(_kind_name(kind)).fit(
        data.panel,
        pollutants=tuple(pollutants) or tuple(data.pollutants),
        until=end,
        weather=_weather(data, weather),
        spec=ForecastSpec(horizon_hours),
        config=_config(light, parameters),
        seed=seed,
        progress=progress,
    )
    return FittedModel(model, data)


def load(folder: str | Path, data: Dataset) -> FittedModel:
    """Read a model that `FittedModel.save` wrote, to forecast from `data`.

    Raises:
        ModelOutdated: it was saved by a release with other inputs or files.
    """
    return FittedModel(load_model(Path(folder)), data)


def backtest(
    data: Dataset,
    *,
    since: Moment,
    until: Moment | None = None,
    train_until: Moment | None = None,
    every: timedelta = timedelta(hours=24),
    hour: int = 0,
    kind: Kind = DEFAULT_KIND,
    pollutants: Sequence[str] = (),
    weather: str | None = None,
    horizon_hours: int = DEFAULT_HORIZON_HOURS,
    retrain_every: timedelta | None = None,
    unseen_groups: int = 0,
    light: bool = False,
    parameters: Mapping[str, Value] | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Forecast the past as if every forecast had been issued then, with models trained on earlier data only.

    Args:
        data: see `read_dataset`.
        since: the first issue is at or after it.
        until: issues stop before it; None: the end of the observations.
        train_until: end of the training data; None: `since`.
        every: time between issues.
        hour: of issue, in the time zone of the first station.
        kind: as in `fit`.
        pollutants: as in `fit`.
        weather: as in `fit`.
        horizon_hours: longest lead [h], 1…120.
        retrain_every: time between trainings; None: trained once.
        unseen_groups: divide the stations into so many groups, and forecast each with a model trained without it.
        light: as in `fit`.
        parameters: as in `fit`.
        seed: as in `fit`.
        progress: as in `fit`.

    Returns:
        As `FittedModel.predict`, for all issues.

    Raises:
        SettingsError: the arguments contradict each other or the dataset.
        TooLittleHistory: the training data are too short.
    """
    first = _moment(data, since, "since")
    arguments = evaluation.Backtest(
        train_until=first if train_until is None else _moment(data, train_until, "train_until"),
        since=first,
        until=data.until if until is None else _moment(data, until, "until"),
        hour=hour,
        every=every,
        horizon_hours=horizon_hours,
        weather=_weather(data, weather),
        pollutants=tuple(pollutants),
        retrain_every=retrain_every,
        unseen_groups=unseen_groups,
        seed=seed,
        kind=_kind_name(kind),
        config=_config(light, parameters),
    )
    with TemporaryDirectory(prefix="hazecast-") as folder:
        out = Path(folder) / "forecasts.parquet"
        evaluation.run(arguments, data, out, training=progress, issuing=progress)
        return pl.read_parquet(out)


def score(forecasts: Frame, data: Dataset, *, by: Sequence[str] = ("pollutant",)) -> pl.DataFrame:
    """Errors and skill of forecasts, of Hazecast or of any other model, by group and lead block.

    Args:
        forecasts: one row per (station_id, pollutant, issued_at, valid_at), times with zone; `mean` or `q50` [µg/m³],
            or all quantiles q05 … q95. lead_hours follows from the times.
        data: the dataset with the observations.
        by: columns to group by, such as ("pollutant", "station_id").

    Returns:
        As `hazecast.scoring.score`: one row per group and lead block ("1-6" … and "all"), with n, mae, rmse, bias,
        rmae (MAE over that of the seasonal naive), rmae_persistence, pinball, crps [µg/m³], coverage_50/80/90 [0…1].

    Raises:
        SourceRefused: a column is missing, or a time has no zone.
        TooLittleHistory: nothing to compare with.
    """
    rows = _as_forecasts(forecasts)
    known = (*rows.columns, "lead_block")
    for column in by:
        if column not in known:
            raise NotKnown("column", column, rows.columns)
    scores = score_rows(rows, data.observations, by=tuple(by))
    if scores.is_empty():
        raise TooLittleHistory(
            "no forecast hour has a valid observation and both naive forecasts to compare with; check that station_id, "
            f"pollutant ({', '.join(data.pollutants)}) and times are those of the dataset"
        )
    return scores


def plot(
    forecasts: Frame,
    data: Dataset,
    *,
    station: str | None = None,
    pollutant: str | None = None,
    issued_at: Moment | None = None,
    history_hours: int = 72,
) -> "Figure":
    """A fan chart of one forecast: median, 50 % and 90 % intervals, and the observations before and after the issue.

    Args:
        forecasts: as for `score`, with quantiles.
        data: the dataset with the observations.
        station: its id; None: the first.
        pollutant: None: the first.
        issued_at: None: the newest issue.
        history_hours: observations shown before the issue [h].

    Returns:
        A Matplotlib figure; notebooks show it.

    Raises:
        NotKnown: no forecast of this station, pollutant or issue.
    """
    from hazecast.plots import forecast_fan

    rows = _as_forecasts(forecasts)
    missing = [name for name in QUANTILES if name not in rows.columns]
    if missing:
        raise SourceRefused(f"forecasts: the fan needs all quantiles; {', '.join(missing)} missing")
    issued = rows["issued_at"].sort()[-1] if issued_at is None else _moment(data, issued_at, "issued_at")
    station = str(rows["station_id"][0] if station is None else station)  # ids are often numbers in a frame
    pollutant = pollutant or rows["pollutant"][0]
    for column, value in {"station_id": station, "pollutant": pollutant, "issued_at": issued}.items():
        found = rows.filter(pl.col(column) == value)
        if found.is_empty():
            raise NotKnown(column, str(value), [str(known) for known in rows[column].unique().sort()])
        rows = found
    series = data.observations.filter(
        pl.col("station_id") == station,
        pl.col("pollutant") == pollutant,
        pl.col("flag") != "invalid",
        pl.col("observed_at") >= issued - timedelta(hours=history_hours),
        pl.col("observed_at") <= rows["valid_at"].max(),
    )
    return forecast_fan(rows.sort("valid_at"), series.sort("observed_at"))


def _as_polars(frame: Frame, table: str) -> pl.DataFrame:
    """A frame of any library as Polars. Of a pandas index, named levels and times become columns."""
    if isinstance(frame, pl.LazyFrame):
        return frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame
    if hasattr(frame, "reset_index"):
        is_time = hasattr(frame.index, "tz")
        is_named = any(name is not None for name in frame.index.names)
        frame = frame.rename_axis("time") if is_time and not is_named else frame
        frame = frame.reset_index(drop=not (is_time or is_named))
    try:
        # The Arrow interface: Polars' own conversion makes pandas warn about times with a zone.
        arrow = pa.RecordBatchReader.from_stream(frame) if hasattr(frame, "__arrow_c_stream__") else None
        return pl.DataFrame(frame if arrow is None else arrow.read_all())
    except (TypeError, ValueError, pa.ArrowException, pl.exceptions.PolarsError) as err:
        reason = str(err).splitlines()[0]
        raise SourceRefused(
            f"{table}: not a frame that Polars can read ({reason}); give each column one type, or pass a path"
        ) from err


def _stations_of(observations: pl.DataFrame) -> pl.DataFrame:
    """One row per station of the observations, with what their rows state about it."""
    fields = {header: understand(header, _STATION_COLUMNS).field for header in observations.columns}
    if "station_id" not in fields.values():
        weak = [header for header in observations.columns if weak_field(header, ("station_id",))]
        fields |= dict.fromkeys(weak[:1], "station_id")
    named = {field: header for header, field in fields.items() if field}
    if "station_id" not in named:
        found = ", ".join(observations.columns)
        raise SourceRefused(f"observations: column station_id is missing (found: {found}); add it")
    rows = observations.select(pl.col(header).alias(field) for field, header in named.items()).drop_nulls("station_id")
    return rows.group_by("station_id", maintain_order=True).agg(pl.all().drop_nulls().first())


def _as_forecasts(frame: Frame) -> pl.DataFrame:
    """Forecast rows with lead_hours, mean and q50.

    Raises:
        SourceRefused: a column is missing, or a time has no zone.
    """
    rows = _as_polars(frame, "forecasts")
    missing = [name for name in _FORECAST_KEY if name not in rows.columns]
    if missing:
        raise SourceRefused(f"forecasts: column {', '.join(missing)} is missing (found: {', '.join(rows.columns)})")
    if not {"mean", "q50"} & set(rows.columns):
        raise SourceRefused("forecasts: neither mean nor q50 is there; add one of them [µg/m³]")
    for name in ("issued_at", "valid_at"):
        kind = rows.schema[name]
        if not isinstance(kind, pl.Datetime) or kind.time_zone is None:
            raise SourceRefused(f"forecasts, column {name}: values are {kind}; store times with their zone, as UTC")
    rows = rows.with_columns(
        pl.col("issued_at", "valid_at").dt.convert_time_zone("UTC").dt.cast_time_unit("us"),
        pl.col("station_id").cast(pl.String),
        pl.col("pollutant").cast(pl.String),
    )
    value = "mean" if "mean" in rows.columns else "q50"
    lead = (pl.col("valid_at") - pl.col("issued_at")).dt.total_hours() + 1
    return rows.with_columns(
        lead_hours=lead.cast(pl.Int32),
        mean=pl.col(value).cast(pl.Float64),
        q50=pl.col("q50" if "q50" in rows.columns else value).cast(pl.Float64),
    )


def _moment(data: Dataset, moment: Moment, name: str) -> datetime:
    """The UTC hour of `moment`."""
    if isinstance(moment, datetime) and moment.tzinfo is not None:
        return floor_hour(moment)
    return data.moment(moment if isinstance(moment, str) else moment.isoformat(), option=name)


def _weather(data: Dataset, name: str | None) -> FutureWeather:
    if name is None:
        return weather_ahead(data.observations, data.weather)
    try:
        weather = FutureWeather(name)
    except ValueError as err:
        raise SettingsError(f"weather {name!r} is not one of {', '.join(FutureWeather)}") from err
    evaluation.require_weather(weather, data.weather["issued_at"])
    return weather


def _config(light: bool, parameters: Mapping[str, Value] | None) -> ModelConfig:
    config = ModelConfig.light() if light else ModelConfig()
    return config.changed(parameters or {}, source="parameters")


def _kind_name(kind: Kind) -> str:
    return kind if isinstance(kind, str) else register_model(kind)
