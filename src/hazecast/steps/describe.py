"""The record of a training: parameters, metrics against every baseline, plots, and a model card."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from hazecast.air.spec import QUANTILES
from hazecast.models import Explainable, Model
from hazecast.models.promotion import PromotionDecision
from hazecast.plots import calibration_by_pollutant, mae_by_lead_block
from hazecast.registry import Training
from hazecast.steps.train import Candidate

CANDIDATE = "candidate"
FIRST = "first model, trained in seconds"
Parameters = Mapping[str, str | int | float]
_MEASURES = ("mae", "rmse", "bias", "rmae", "crps", "coverage_80")
_FEATURES_ON_CARD = 5


@dataclass(frozen=True)
class Evidence:
    """The results of a validation: Scores of all, the candidate's paired rows, the decision."""

    scores: pl.DataFrame
    paired: pl.DataFrame
    decision: PromotionDecision


def describe(candidate: Candidate, evidence: Evidence, parameters: Parameters) -> Training:
    """Everything that is logged with a registered model.

    Metrics are named `mae.pm25.1-6` for the candidate and `mae.pm25.1-6.persistence` for a rival.
    """
    facts = _parameters(candidate, parameters)
    importance = _importance(candidate.forecaster)
    tests = evidence.decision.tests
    return Training(
        forecaster=candidate.forecaster,
        parameters=facts,
        metrics=_metrics(evidence.scores) | _test_metrics(tests),
        figures=mae_by_lead_block(evidence.scores) | calibration_by_pollutant(evidence.paired),
        tables={"scores": evidence.scores, "feature_importance": importance, "promotion_tests": tests},
        documents={"model_card": _card(candidate.forecaster, facts, evidence, importance)},
        notes={
            "judged": evidence.decision.reason,
            "trained_until": str(facts["trained_until"]),
            "observations_version": str(facts["observations_version"]),
            "promotion_tests": tests.write_json(),
            "is_first": str(candidate.is_first).lower(),
        },
    )


def _parameters(candidate: Candidate, parameters: Parameters) -> dict[str, str | int | float]:
    forecaster = candidate.forecaster
    return {
        **parameters,
        **forecaster.parameters,
        "kind": forecaster.kind,
        "horizon_hours": forecaster.spec.horizon_hours,
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


def _importance(model: Model) -> pl.DataFrame:
    if isinstance(model, Explainable):
        return model.feature_importance()
    return pl.DataFrame(schema={"pollutant": pl.String, "lead_block": pl.String, "feature": pl.String, "share": float})


def _card(model: Model, facts: Parameters, evidence: Evidence, importance: pl.DataFrame) -> str:
    """A short model card after Mitchell et al. (2019)."""
    overall = evidence.scores.filter(pl.col("lead_block") == "all")
    errors = overall.select("model", "pollutant", "n", *_MEASURES).sort("pollutant", "model")
    top = importance.group_by("pollutant", "feature").agg(pl.col("share").mean()).sort("share", descending=True)
    leading = (
        top.group_by("pollutant", maintain_order=True).head(_FEATURES_ON_CARD).sort("pollutant", maintain_order=True)
    )
    listed = "\n".join(f"- {name}: {value}" for name, value in facts.items())
    horizon_hours = model.spec.horizon_hours
    return f"""# Model card

## What it is
Hourly forecasts of {facts["pollutants"]} for the next {horizon_hours} hours at every station of the place:
{", ".join(QUANTILES)} and the mean [µg/m³]. One model for all stations. {model.summary}

## What it is not for
Places, pollutants or instruments it was not trained on; legal reporting; hours beyond {horizon_hours}.

## Training
{listed}

## How it was validated
On held-out days, at the same issues and rows as every rival: {evidence.decision.reason}.

{_markdown(evidence.decision.tests)}

## Errors on those days, all lead times [µg/m³]
rmae is relative to the seasonal naive; below 1 is better. By lead time: `tables/scores.csv`.

{_markdown(errors)}

## Most important features
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
