"""What the runs show in the Prefect UI: tables, plots and links."""

import polars as pl
from prefect.artifacts import (
    create_image_artifact,
    create_link_artifact,
    create_markdown_artifact,
    create_table_artifact,
)

from hazecast.air.spec import MAX_HORIZON_HOURS, ForecastSpec
from hazecast.air.tables import Quality
from hazecast.pipeline import Pipeline
from hazecast.plots import mae_by_lead_block, png_address
from hazecast.steps.monitor import MonitoringReport, summary_of
from hazecast.steps.validate import ValidationResult

# Those within the horizon are shown.
_LEADS_SHOWN = ForecastSpec(MAX_HORIZON_HOURS).shown_leads


def show_quality(pipeline: Pipeline) -> None:
    """The report of the check made now, worst series first."""
    found = pipeline.parts.store.read(Quality, pl.col("checked_at") == pipeline.now)
    columns = ("station_id", "pollutant", "completeness", "n_observed", "n_suspicious", "n_invalid", "reasons")
    worst = found.sort("n_invalid", "n_suspicious", "completeness", descending=[True, True, False]).select(columns)
    create_table_artifact(worst.to_dicts(), key="quality-report", description="What the check found, worst first")


def show_validation(pipeline: Pipeline, verdict: ValidationResult) -> None:
    """How the candidate fared: the tests, an error plot per pollutant, and where its run is."""
    about = f"Version {verdict.version} {verdict.outcome}: {verdict.reason}"
    create_table_artifact(verdict.tests.to_dicts(), key="promotion-tests", description=about)
    for name, figure in mae_by_lead_block(verdict.scores).items():
        create_image_artifact(png_address(figure), key=name.replace("_", "-"), description=about)
    settings = pipeline.parts.settings
    if settings.has_mlflow_server:
        model = f"{settings.mlflow_tracking_uri}/#/models/hazecast-{settings.place_name}/versions/{verdict.version}"
        create_link_artifact(model, key="model-version", link_text=f"version {verdict.version} in MLflow")


def show_forecast(pipeline: Pipeline, rows: pl.DataFrame) -> None:
    """Medians at a few lead times per series, and where the whole forecast is served."""
    some = rows.filter(pl.col("lead_hours").is_in(_LEADS_SHOWN)).with_columns(pl.col("q50").round(1))
    key = ["station_id", "pollutant", "status"]
    wide = some.pivot("lead_hours", index=key, values="q50", aggregate_function="first").sort(key)
    about = f"Median [µg/m³] by lead time [h], issued {rows['issued_at'][0]:%Y-%m-%d %H:%M} UTC"
    create_table_artifact(wide.to_dicts(), key="forecast", description=about)
    settings = pipeline.parts.settings
    api = f"http://{settings.host}:{settings.api_port}/api/v1"
    create_link_artifact(f"{api}/openapi.json", key="forecast-api", link_text="what the API answers")


def show_report(_pipeline: Pipeline, report: MonitoringReport) -> None:
    """Every verdict of the monitoring that is not fine, the drift of every series, and what follows for training."""
    words = summary_of(report)
    create_table_artifact(report.findings.drop("checked_at").to_dicts(), key="health", description=words)
    create_table_artifact(report.drift.drop("checked_at").to_dicts(), key="drift", description=words)
    reasons = "\n".join(f"- {reason}" for reason in report.retrain.reasons)
    verdict = "justified" if report.retrain.justified else "not justified"
    create_markdown_artifact(f"# Retraining is {verdict}\n\n{reasons}\n", key="retraining", description=words)
