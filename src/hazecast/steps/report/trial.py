"""A judged backtest as a record to keep beside the others that were tried."""

from pathlib import Path

from hazecast.registry import Record
from hazecast.steps.report.summary import Report
from hazecast.steps.workbench import read_facts

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


def trial_of(report: Report, predictions: Path) -> Record:
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
