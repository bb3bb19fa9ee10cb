"""What is kept of a training: parameters, metrics against every baseline, plots, and a card for people."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hazecast.air.spec import QUANTILES
from hazecast.models.promotion import Judgement
from hazecast.plots import calibration_by_pollutant, mae_by_lead_block
from hazecast.registry import Training
from hazecast.steps.train import Candidate

CANDIDATE = "candidate"
Parameters = Mapping[str, str | int | float]
_MEASURES = ("mae", "rmse", "bias", "rmae", "crps", "coverage_80")
_FEATURES_ON_CARD = 5


@dataclass(frozen=True)
class Evidence:
    """What the validation found: Scores of all, the candidate's paired rows, the judgement."""

    scores: pl.DataFrame
    paired: pl.DataFrame
    judgement: Judgement


def describe(candidate: Candidate, evidence: Evidence, parameters: Parameters) -> Training:
    """Everything a registered model is kept with.

    Metrics are named `mae.pm25.1-6` for the candidate and `mae.pm25.1-6.persistence` for a rival.
    """
    known = _parameters(candidate, parameters)
    importance = candidate.forecaster.feature_importance()
    tests = evidence.judgement.tests
    return Training(
        forecaster=candidate.forecaster,
        parameters=known,
        metrics=_metrics(evidence.scores) | _test_metrics(tests),
        figures=mae_by_lead_block(evidence.scores) | calibration_by_pollutant(evidence.paired),
        tables={"scores": evidence.scores, "feature_importance": importance, "promotion_tests": tests},
        documents={"model_card": _card(known, evidence, importance)},
        notes={
            "judged": evidence.judgement.reason,
            "trained_until": str(known["trained_until"]),
            "observations_version": str(known["observations_version"]),
            "promotion_tests": tests.write_json(),
        },
    )


def _parameters(candidate: Candidate, parameters: Parameters) -> dict[str, str | int | float]:
    forecaster = candidate.forecaster
    return {
        **parameters,
        **forecaster.metadata,
        "observations_version": candidate.inputs.observations_version,
        "trained_until": forecaster.trained_until.isoformat(),
        "judged_until": candidate.judged_until.isoformat(),
        "future_weather": forecaster.weather.value,
        "pollutants": ",".join(forecaster.pollutants),
        "n_stations": candidate.inputs.stations.height,
    }


def _metrics(scores: pl.DataFrame) -> dict[str, float]:
    return {
        f"{measure}.{row['pollutant']}.{row['lead_block']}"
        + ("" if row["model"] == CANDIDATE else f".{row['model']}"): row[measure]
        for row in scores.iter_rows(named=True)
        for measure in _MEASURES
        if row[measure] is not None
    }


def _test_metrics(tests: pl.DataFrame) -> dict[str, float]:
    compared = tests.drop_nulls("p_value")
    return {f"p_value.better_than.{row['rival']}": row["p_value"] for row in compared.iter_rows(named=True)}


def _card(known: Parameters, evidence: Evidence, importance: pl.DataFrame) -> str:
    """A model card after Mitchell et al. (2019), as short as it can be."""
    overall = evidence.scores.filter(pl.col("lead_block") == "all")
    errors = overall.select("model", "pollutant", "n", *_MEASURES).sort("pollutant", "model")
    top = importance.group_by("pollutant", "feature").agg(pl.col("share").mean()).sort("share", descending=True)
    leading = (
        top.group_by("pollutant", maintain_order=True).head(_FEATURES_ON_CARD).sort("pollutant", maintain_order=True)
    )
    facts = "\n".join(f"- {name}: {value}" for name, value in known.items())
    return f"""# Model card

## What it is
Hourly forecasts of {known["pollutants"]} for the next 72 hours at every station of the place: {", ".join(QUANTILES)}
and the mean [µg/m³]. One model for all stations; gradient-boosted trees and recurrent nets, recalibrated
on recent errors.

## What it is not for
Places, pollutants or instruments it was not trained on; legal reporting; hours beyond 72.

## Training
{facts}

## How it was judged
On days it had not seen, at the same issues and rows as every rival: {evidence.judgement.reason}.

{_markdown(evidence.judgement.tests)}

## Errors on those days, all lead times [µg/m³]
rmae is relative to the seasonal naive; below 1 is better. By lead time: `tables/scores.csv`.

{_markdown(errors)}

## What it looks at most
{_markdown(leading)}
"""


def _markdown(frame: pl.DataFrame) -> str:
    head = f"| {' | '.join(frame.columns)} |\n|{'---|' * frame.width}"
    lines = [" | ".join(_cell(value) for value in row) for row in frame.iter_rows()]
    return "\n".join([head, *(f"| {line} |" for line in lines)])


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
