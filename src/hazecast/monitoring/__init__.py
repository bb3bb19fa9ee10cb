"""Monitoring: checks of model, inputs, sensors and pipeline, each with a verdict and a reason."""

from hazecast.monitoring.drift import drift, drift_findings, reference_windows
from hazecast.monitoring.findings import Finding, Subject, as_health, findings_in, worst
from hazecast.monitoring.incidents import Incident, expire, transition
from hazecast.monitoring.model import COVERAGE_DAYS, model_health
from hazecast.monitoring.neighbours import BASELINE_DAYS, neighbour_findings
from hazecast.monitoring.pipeline import (
    fallback_findings,
    forecast_findings,
    horizon_findings,
    release_findings,
    run_findings,
)
from hazecast.monitoring.retrain import COOL_DOWN, RetrainDecision, decide
from hazecast.monitoring.rules import ExceedanceRule, HealthRule, Rules
from hazecast.monitoring.sensors import CLOSED_AFTER, sensor_findings
from hazecast.monitoring.signals import (
    DayExceedance,
    Signal,
    Wording,
    day_exceedance_signals,
    day_exceedances,
    exceedance_signals,
    health_signals,
    incident_subject,
)

__all__ = [
    "BASELINE_DAYS",
    "CLOSED_AFTER",
    "COOL_DOWN",
    "COVERAGE_DAYS",
    "DayExceedance",
    "ExceedanceRule",
    "Finding",
    "HealthRule",
    "Incident",
    "RetrainDecision",
    "Rules",
    "Signal",
    "Subject",
    "Wording",
    "as_health",
    "day_exceedance_signals",
    "day_exceedances",
    "decide",
    "drift",
    "drift_findings",
    "exceedance_signals",
    "expire",
    "fallback_findings",
    "findings_in",
    "forecast_findings",
    "health_signals",
    "horizon_findings",
    "incident_subject",
    "model_health",
    "neighbour_findings",
    "reference_windows",
    "release_findings",
    "run_findings",
    "sensor_findings",
    "transition",
    "worst",
]
