"""A backtest's file, judged: what it says of itself, and how good its forecasts were."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl

from hazecast.errors import SettingsError
from hazecast.steps.dataset import Dataset, read_dataset
from hazecast.steps.report.sections import label_of
from hazecast.steps.report.verify import Verification, verify
from hazecast.steps.workbench import read_facts


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
