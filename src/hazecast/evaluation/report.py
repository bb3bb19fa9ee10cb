"""The report of a backtest: its verification as tables with titles, notes and rounded numbers, and as a record."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.errors import SettingsError
from hazecast.evaluation.checkpoints import read_facts
from hazecast.evaluation.dataset import Dataset, read_dataset
from hazecast.evaluation.verification import MIN_EVENTS, Verification, verify
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
}
_ERRORS = ("n", "mae", "mae_persistence", "mae_seasonal_naive", "rmae", "rmse", "bias", "crps")
_COVERAGES = ("coverage_50", "coverage_80", "coverage_90")
_TEXT_COLUMNS = ("pollutant", "lead_block", "season", "station_id", "observed", "limit", "status")
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
    """What a reader sees, on a screen or a page.

    Attributes:
        dataset: its name.
        weather: what the forecasts knew of the weather ahead, in words.
        perfect_prog: they knew the weather that came true.
        warnings: what must not be overlooked.
        facts: words and values for the top of the report.
        verification: the numbers.
    """

    dataset: str
    weather: str
    perfect_prog: bool
    warnings: tuple[str, ...]
    facts: dict[str, str]
    verification: Verification


def report_on(predictions: Path, *, data: Path | None = None) -> Report:
    """Judge the forecasts of a backtest's file by the observations of its dataset.

    Args:
        predictions: what `hazecast backtest` wrote.
        data: the dataset folder; None: where it was, seen from the file.

    Raises:
        SettingsError: there is no such file, no backtest wrote it, or the dataset is not there.
        SourceRefused: the dataset cannot be read.
        TooLittleHistory: nothing in it can be scored.
    """
    told = read_facts(predictions)
    if not told:
        raise SettingsError(f"{predictions} is not a file that `hazecast backtest` wrote")
    folder = data or predictions.parent / told["data"]
    if not folder.is_dir():
        raise SettingsError(f"the dataset {told['dataset']} is not at {folder}; say where it is with --data DIR")
    dataset = read_dataset(folder)
    verification = verify(
        pl.read_parquet(predictions),
        dataset.observations,
        timezone=told["timezone"],
        trained_until=datetime.fromisoformat(told["trained_until"][0]),
    )
    return Report(
        dataset=told["dataset"],
        weather=told["weather_in_words"],
        perfect_prog=told["perfect_prog"],
        warnings=_warnings(told, dataset, verification),
        facts=_facts(told, dataset, verification),
        verification=verification,
    )


def _warnings(told: dict[str, Any], dataset: Dataset, found: Verification) -> tuple[str, ...]:
    warnings = []
    if told["dataset_fingerprint"] != dataset.fingerprint:
        warnings.append("The dataset has changed since the forecasts were made; they are judged by what it says now.")
    unscored = sorted(set(told["pollutants"]) - set(found.by_lead["pollutant"]))
    if unscored:
        warnings.append(f"Nothing of {', '.join(map(label_of, unscored))} could be scored.")
    return tuple(warnings)


def _facts(told: dict[str, Any], dataset: Dataset, found: Verification) -> dict[str, str]:
    zone = ZoneInfo(told["timezone"])
    first, last = (datetime.fromisoformat(told[name]) for name in ("first_issue", "last_issue"))
    trained = [datetime.fromisoformat(text).astimezone(zone) for text in told["trained_until"]]
    anew = f", then anew every {told['retrain_every_hours']:g} h; {len(trained)} trainings" if len(trained) > 1 else ""
    unscored = found.n_forecast - found.n_scored
    return {
        "Training ends": f"{trained[0]:%Y-%m-%d %H:%M}{anew}",
        "Forecasts issued": f"{told['n_issues']}, every {told['every_hours']:g} h from "
        f"{first.astimezone(zone):%Y-%m-%d %H:%M} to {last.astimezone(zone):%Y-%m-%d %H:%M}",
        "Stations": f"none was seen in training: left out in {told['unseen_groups']} groups"
        if told["unseen_groups"]
        else "all were seen in training",
        "Clock": told["timezone"],
        "Hours forecast": f"{found.n_forecast:,}; {dataset.stations.height} stations, lead 1–{told['horizon_hours']} h",
        "Hours scored": f"{found.n_scored:,}; {unscored:,} lack a trusted observation or a naive forecast",
        "Status": ", ".join(f"{status} {share:.1%}" for status, share in _status_shares(found.by_status)),
        "Attribution": ", ".join(dataset.stations["attribution"].unique(maintain_order=True).head(3)),
        "Made by": f"hazecast {told['hazecast']}, run {told['fingerprint']}",
    }


def _status_shares(by_status: pl.DataFrame) -> list[tuple[str, float]]:
    counted = by_status.group_by("status").agg(pl.col("n").sum()).sort("n", descending=True)
    return [(status, n / by_status["n"].sum()) for status, n in counted.iter_rows()]


def record_of(report: Report, predictions: Path) -> Record:
    """Facts and scores by pollutant and lead block of one backtest; `code` is the fingerprint of the model's."""
    told = read_facts(predictions)
    parameters = {name: str(told[name]) for name in _PARAMETERS}
    parameters |= {"trained_until": told["trained_until"][0], "pollutants": ",".join(told["pollutants"])}
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


def sections(found: Verification) -> list[Section]:
    """Everything a reader should see, in order of importance."""
    season = found.by_season.filter(pl.col("lead_block") == "all")
    return [
        Section(
            "Error by lead time",
            "µg/m³. MAE judges the median, RMSE and bias the mean. On the same hours, pers. is persistence and naive "
            "the seasonal naive (same hour of the latest complete day); ratio: MAE / MAE naive, below 1 is better.",
            _printed(found.by_lead, "lead_block", *_ERRORS),
        ),
        Section(
            "The same with suspicious observations",
            "As above, but observations that the quality check doubts count as truth too; some may be real extremes.",
            _printed(found.by_lead_doubted, "lead_block", *_ERRORS),
        ),
        Section(
            "Coverage of the 50 / 80 / 90 % intervals",
            "Percent of observations inside; calibrated would be 50 / 80 / 90. Leads in hours.",
            _coverage(found),
        ),
        Section("Error by season", "µg/m³, all leads; local month of issue.", _printed(season, "season", *_ERRORS)),
        Section(
            "Error by observed concentration",
            "µg/m³, all leads; quarters of what was observed, the highest split at its 95th percentile. Sorted by what "
            "came true, so even perfect probabilities look too high in the low classes and too low in the high ones: "
            "compare the columns, not the rows.",
            _printed(found.by_level, "observed", *_ERRORS),
        ),
        Section("Error by station", "µg/m³, all leads.", _printed(found.by_station, "station_id", *_ERRORS)),
        Section(
            "Exceedance probabilities",
            "Skill: 1 − Brier / Brier of the climatology (clim.: how often that station was above in that month before "
            f"the training ended); above 0 is better, – with fewer than {MIN_EVENTS} hours above or not above. The "
            "hour's mean is compared with the value, also where the rule averages over the hours in brackets.",
            _printed(found.by_limit, "limit", "lead_day", "n", "n_events", "brier", "brier_climatology", "brier_skill"),
        ),
        Section(
            "Status of the forecasts",
            "degraded: promised weather was absent for that hour; baseline: the station's climatology spoke.",
            _printed(found.by_status, "status", "n", "share"),
        ),
    ]


def label_of(pollutant: str) -> str:
    """A pollutant as people write it."""
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
    if name in ("rmae", "brier_skill"):
        return f"{value:.2f}"
    return f"{value:.3f}" if name.startswith("brier") else f"{value:,.1f}"


def _coverage(found: Verification) -> pl.DataFrame:
    whole_year = found.by_lead.with_columns(season=pl.lit("all seasons"))
    rows = pl.concat([found.by_season.with_columns(pl.col("season").cast(pl.String)), whole_year], how="diagonal")
    percent = [(pl.col(name) * 100).round(0).cast(pl.Int64) for name in _COVERAGES]
    cells = rows.with_columns(cell=pl.format("{}/{}/{}", *percent)).pivot(
        "lead_block", index=["pollutant", "season"], values="cell"
    )
    blocks = [name for name in found.by_lead["lead_block"].unique().sort() if name in cells.columns]
    order = {pollutant: k for k, pollutant in enumerate(found.by_lead["pollutant"].unique(maintain_order=True))}
    ordered = cells.sort(pl.col("pollutant").replace_strict(order), maintain_order=True)
    return ordered.select(
        pl.col("pollutant").map_elements(label_of, return_dtype=pl.String),
        pl.col("season").alias(_HEADINGS["season"]),
        *(pl.col(block).fill_null(_ABSENT) for block in blocks),
    )
