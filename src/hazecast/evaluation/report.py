"""The report of a backtest: its verification as tables with titles and notes, and as a record for MLflow."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.errors import SettingsError
from hazecast.evaluation.checkpoints import read_metadata
from hazecast.evaluation.dataset import Dataset, read_dataset
from hazecast.evaluation.days import DayVerification, verify_days
from hazecast.evaluation.verification import MIN_EVENTS, Verification, verify

if TYPE_CHECKING:
    from hazecast.registry import Record

_ABSENT = "–"
_HEADINGS = {
    "pollutant": "pollutant",
    "lead_block": "lead [h]",
    "season": "season",
    "station_id": "station",
    "observed": "observed [µg/m³]",
    "limit": "limit",
    "lead_day": "lead day",
    "status": "status",
    "n": "hours",
    "n_events": "above",
    "mae": "MAE",
    "mae_persistence": "MAE pers.",
    "mae_seasonal_naive": "MAE naive",
    "rmae": "ratio",
    "rmse": "RMSE",
    "bias": "bias",
    "crps": "CRPS",
    "brier": "Brier",
    "brier_climatology": "Brier clim.",
    "brier_skill": "skill",
    "share": "share",
    "statistic": "statistic",
    "day_ahead": "day ahead",
    "limit_key": "key",
    "limit_ugm3": "above [µg/m³]",
    "bias_mean": "bias of mean",
    "coverage_80": "in 80 %",
    "coverage_90": "in 90 %",
    "reliability_gap": "gap",
    "roc_area": "ROC area",
    "pod": "POD",
    "far": "FAR",
    "csi": "CSI",
    "value": "value",
}
_DECISIONS = ("brier", "brier_climatology", "brier_skill", "reliability_gap", "roc_area", "pod", "far", "csi", "value")
_ERRORS = ("n", "mae", "mae_persistence", "mae_seasonal_naive", "rmae", "rmse", "bias", "crps")
_COVERAGES = ("coverage_50", "coverage_80", "coverage_90")
_TEXT_COLUMNS = (
    "pollutant",
    "lead_block",
    "season",
    "station_id",
    "observed",
    "limit",
    "status",
    "statistic",
    "limit_key",
)
_MEASURES = ("mae", "rmse", "bias", "rmae", "crps", "coverage_80")
_PARAMETERS = (
    "dataset",
    "weather",
    "first_issue",
    "last_issue",
    "n_issues",
    "retrain_every_hours",
    "unseen_groups",
    "seed",
    "code",
    "hazecast",
    "fingerprint",
)


@dataclass(frozen=True)
class Report:
    """The content of the report, for a terminal or a page.

    Attributes:
        dataset: its name.
        weather: which weather after the issue the forecasts used, in words.
        perfect_prog: they used the observed weather.
        warnings: changed data, pollutants without scores.
        facts: terms and values for the top of the report.
        verification: the numbers.
        days: those of the days, if their file is given.
    """

    dataset: str
    weather: str
    perfect_prog: bool
    warnings: tuple[str, ...]
    facts: dict[str, str]
    verification: Verification
    days: DayVerification | None = None


def report_on(predictions: Path, *, data: Path | None = None, days: Path | None = None) -> Report:
    """Verify the forecasts of a backtest's file against the observations of its dataset.

    Args:
        predictions: a file written by `hazecast backtest`.
        data: the dataset folder; None: its location relative to the file at the run.
        days: the file of days of the same run.

    Raises:
        SettingsError: the file does not exist or is not of a backtest, or the dataset is missing.
        SourceRefused: the dataset cannot be read.
        TooLittleHistory: nothing can be scored.
    """
    metadata = read_metadata(predictions)
    if not metadata:
        raise SettingsError(f"{predictions} is not a file written by `hazecast backtest`")
    folder = data or predictions.parent / metadata["data"]
    if not folder.is_dir():
        raise SettingsError(f"the dataset {metadata['dataset']} is not at {folder}; give its folder with --data DIR")
    if days and read_metadata(days).get("fingerprint") != metadata["fingerprint"]:
        raise SettingsError(f"--days {days} is not the file of days of the run that wrote {predictions}")
    dataset = read_dataset(folder)
    verification = verify(
        pl.read_parquet(predictions),
        dataset.observations,
        timezone=metadata["timezone"],
        trained_until=datetime.fromisoformat(metadata["trained_until"][0]),
    )
    return Report(
        dataset=metadata["dataset"],
        weather=metadata["weather_in_words"],
        perfect_prog=metadata["perfect_prog"],
        warnings=_warnings(metadata, dataset, verification),
        facts=_facts(metadata, dataset, verification),
        verification=verification,
        days=_days(days, metadata, dataset) if days else None,
    )


def _days(days: Path, metadata: dict[str, Any], dataset: Dataset) -> DayVerification:
    zone = ZoneInfo(metadata["timezone"])
    return verify_days(
        pl.read_parquet(days),
        dataset.observations,
        dict(dataset.stations.select("station_id", "timezone").iter_rows()),
        trained_until=datetime.fromisoformat(metadata["trained_until"][0]).astimezone(zone).date(),
    )


def _warnings(metadata: dict[str, Any], dataset: Dataset, verification: Verification) -> tuple[str, ...]:
    warnings = []
    if metadata["dataset_fingerprint"] != dataset.fingerprint:
        warnings.append(
            "The dataset has changed since the forecasts were made; they are verified against its present content."
        )
    unscored = sorted(set(metadata["pollutants"]) - set(verification.by_lead["pollutant"]))
    if unscored:
        warnings.append(f"Nothing of {', '.join(map(label_of, unscored))} could be scored.")
    return tuple(warnings)


def _facts(metadata: dict[str, Any], dataset: Dataset, verification: Verification) -> dict[str, str]:
    zone = ZoneInfo(metadata["timezone"])
    first, last = (datetime.fromisoformat(metadata[name]) for name in ("first_issue", "last_issue"))
    trained = [datetime.fromisoformat(text).astimezone(zone) for text in metadata["trained_until"]]
    retrained = (
        f", retrained every {metadata['retrain_every_hours']:g} h; {len(trained)} trainings" if len(trained) > 1 else ""
    )
    unscored = verification.n_forecast - verification.n_scored
    return {
        "Training ends": f"{trained[0]:%Y-%m-%d %H:%M}{retrained}",
        "Forecasts issued": f"{metadata['n_issues']}, every {metadata['every_hours']:g} h from "
        f"{first.astimezone(zone):%Y-%m-%d %H:%M} to {last.astimezone(zone):%Y-%m-%d %H:%M}",
        "Stations": f"none was in the training: left out in {metadata['unseen_groups']} groups"
        if metadata["unseen_groups"]
        else "all were in the training",
        "Time zone": metadata["timezone"],
        "Hours forecast": f"{verification.n_forecast:,}; {dataset.stations.height} stations, "
        f"lead 1–{metadata['horizon_hours']} h",
        "Hours scored": f"{verification.n_scored:,}; {unscored:,} lack a valid observation or a naive forecast",
        "Status": ", ".join(f"{status} {share:.1%}" for status, share in _status_shares(verification.by_status)),
        "Attribution": ", ".join(dataset.stations["attribution"].unique(maintain_order=True).head(3)),
        "Made by": f"hazecast {metadata['hazecast']}, run {metadata['fingerprint']}",
    }


def _status_shares(by_status: pl.DataFrame) -> list[tuple[str, float]]:
    counted = by_status.group_by("status").agg(pl.col("n").sum()).sort("n", descending=True)
    return [(status, n / by_status["n"].sum()) for status, n in counted.iter_rows()]


def record_of(report: Report, predictions: Path) -> "Record":
    """Parameters and scores by pollutant and lead block; `code` is the fingerprint of the model code."""
    from hazecast.registry import Record  # imports MLflow, which a report does not need

    metadata = read_metadata(predictions)
    parameters = {name: str(metadata[name]) for name in _PARAMETERS}
    parameters |= {"trained_until": metadata["trained_until"][0], "pollutants": ",".join(metadata["pollutants"])}
    scores = report.verification.by_lead
    metrics = {
        f"{measure}.{row['pollutant']}.{row['lead_block']}": row[measure]
        for row in scores.iter_rows(named=True)
        for measure in _MEASURES
        if row[measure] is not None
    }
    return Record(parameters=parameters, metrics=metrics, tables={"scores": scores})


@dataclass(frozen=True)
class Section:
    """One table: `rows` carry `pollutant` first and then text ready to print; `n_text` columns are text."""

    title: str
    note: str
    rows: pl.DataFrame

    @property
    def n_text(self) -> int:
        """How many of the leading columns are text; the others are numbers."""
        return sum(heading in _TEXT_HEADINGS for heading in self.rows.columns)


_TEXT_HEADINGS = {_HEADINGS[name] for name in _TEXT_COLUMNS}


def sections(verification: Verification) -> list[Section]:
    """All tables of the report, most important first."""
    season = verification.by_season.filter(pl.col("lead_block") == "all")
    return [
        Section(
            "Error by lead time",
            "µg/m³. MAE is of the median, RMSE and bias of the mean. On the same hours, pers. is persistence and naive "
            "the seasonal naive (same hour of the latest complete day); ratio: MAE / MAE naive, below 1 is better.",
            _printed(verification.by_lead, "lead_block", *_ERRORS),
        ),
        Section(
            "The same with suspicious observations",
            "As above, but observations flagged suspicious count as truth too; some may be real extremes.",
            _printed(verification.by_lead_flagged, "lead_block", *_ERRORS),
        ),
        Section(
            "Coverage of the 50 / 80 / 90 % intervals",
            "Percent of observations inside; calibrated would be 50 / 80 / 90. Leads in hours.",
            _coverage(verification),
        ),
        Section("Error by season", "µg/m³, all leads; local month of issue.", _printed(season, "season", *_ERRORS)),
        Section(
            "Error by observed concentration",
            "µg/m³, all leads; quartiles of the observations, the highest split at the 95th percentile. Classes depend "
            "on the observation, so even perfect probabilities look too high in the low classes and too low in the "
            "high ones: compare the columns, not the rows.",
            _printed(verification.by_level, "observed", *_ERRORS),
        ),
        Section("Error by station", "µg/m³, all leads.", _printed(verification.by_station, "station_id", *_ERRORS)),
        Section(
            "Exceedance probabilities",
            "Skill: 1 − Brier / Brier of the climatology (clim.: how often the station was above it in that month "
            f"before the end of the training); above 0 is better, – with fewer than {MIN_EVENTS} hours above or not "
            "above. The hourly mean is compared with the limit, also if the limit is for the hours in brackets.",
            _printed(
                verification.by_limit, "limit", "lead_day", "n", "n_events", "brier", "brier_climatology", "brier_skill"
            ),
        ),
        Section(
            "Status of the forecasts",
            "degraded: the weather forecast was missing for that hour; baseline: from the station's climatology.",
            _printed(verification.by_status, "status", "n", "share"),
        ),
    ]


def day_sections(days: DayVerification) -> list[Section]:
    """The tables of the days."""
    found = [
        Section(
            "Statistics of local days",
            "µg/m³; MAE and bias of the median. Day 0 is the day of issue: hours observed before it are facts.",
            _printed(
                days.by_statistic,
                *("statistic", "day_ahead", "n", "mae", "bias", "bias_mean", "coverage_80", "coverage_90"),
            ),
        )
    ]
    if days.by_limit.height:
        keys = ("statistic", "limit_key", "limit_ugm3", "day_ahead", "n", "n_events")
        note = (
            "Probability that the statistic is above the value. Skill against how often it was at the station within "
            "45 days of the calendar day before the end of the training. Gap: mean difference between probability and "
            "frequency. POD, FAR, CSI and relative economic value of acting at a probability of one half."
        )
        found.append(Section("Decisions by day", note, _printed(days.by_limit, *keys, *_DECISIONS)))
    return found


def label_of(pollutant: str) -> str:
    """The label of a pollutant: PM2.5."""
    return Pollutant(pollutant).label


def _printed(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    chosen = rows.select("pollutant", *columns)
    texts = [pl.Series(_HEADINGS[name], [_text(name, value) for value in chosen[name]]) for name in chosen.columns]
    return pl.DataFrame(texts)


def _text(name: str, value: object) -> str:
    if name == "pollutant":
        return label_of(str(value))
    if isinstance(value, float):
        return _number(name, value)
    return _ABSENT if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _number(name: str, value: float) -> str:
    if value != value:
        return _ABSENT
    if name == "share":
        return f"{value:.1%}"
    if name in ("rmae", "brier_skill", "reliability_gap", "roc_area", "pod", "far", "csi", "value"):
        return f"{value:.2f}"
    if name.startswith("coverage"):
        return f"{value:.0%}"
    return f"{value:.3f}" if name.startswith("brier") else f"{value:,.1f}"


def _coverage(verification: Verification) -> pl.DataFrame:
    whole_year = verification.by_lead.with_columns(season=pl.lit("all seasons"))
    rows = pl.concat(
        [verification.by_season.with_columns(pl.col("season").cast(pl.String)), whole_year], how="diagonal"
    )
    percent = [(pl.col(name) * 100).round(0).cast(pl.Int64) for name in _COVERAGES]
    cells = rows.with_columns(cell=pl.format("{}/{}/{}", *percent)).pivot(
        "lead_block", index=["pollutant", "season"], values="cell"
    )
    blocks = [name for name in verification.by_lead["lead_block"].unique().sort() if name in cells.columns]
    order = {pollutant: k for k, pollutant in enumerate(verification.by_lead["pollutant"].unique(maintain_order=True))}
    ordered = cells.sort(pl.col("pollutant").replace_strict(order), maintain_order=True)
    return ordered.select(
        pl.col("pollutant").map_elements(label_of, return_dtype=pl.String),
        pl.col("season").alias(_HEADINGS["season"]),
        *(pl.col(block).fill_null(_ABSENT) for block in blocks),
    )
