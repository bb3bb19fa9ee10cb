"""The small store with data for every part of the dashboard; as a script it serves them.

python dashboard_store.py FOLDER PORT
"""

import math
import sys
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import small_store
from small_store import HARBOUR, HOUR, ISSUED, NOW

from hazecast.air.spec import DEFAULT_HORIZON_HOURS, ForecastSpec
from hazecast.air.tables import DRIVERS, Background, Drivers, Forecasts, Observations, Runs, Stations
from hazecast.air.verdicts import Alerts, Drift, Health, Retrains, Verification
from hazecast.registry import Change, Version
from hazecast.scoring import tally
from hazecast.store import Store

TOWN = {"sim/market": ("Simulated Market", 60.1850, 24.9900), "sim/suburb": ("Simulated Suburb", 60.2300, 24.8800)}
FIRST_ISSUE = ISSUED - timedelta(days=5)


def _town() -> pl.DataFrame:
    rows = [
        (key, name, latitude, longitude, "Europe/Helsinki", "simulated", "Simulated; not real", "Apache-2.0")
        for key, (name, latitude, longitude) in TOWN.items()
    ]
    return pl.DataFrame(rows, schema=Stations.create_empty().schema, orient="row")


def _archive() -> pl.DataFrame:
    """Forecasts of the days before, with errors."""
    issues = [FIRST_ISSUE + timedelta(days=k) for k in range(4)]
    drawn = [small_store.forecast(HARBOUR, "pm25", issued_at=issue) for issue in issues]
    # The forecasts of the small store have no error.
    error = (pl.col("valid_at").dt.epoch("s").cast(pl.Float64) / 9_000).sin() * 0.25 + 1.0
    quantiles = [pl.col(name) * error for name in ("mean", "q05", "q10", "q25", "q50", "q75", "q90", "q95")]
    return pl.concat(drawn).with_columns(quantiles)


def _background() -> pl.DataFrame:
    hours = [ISSUED + k * HOUR for k in range(DEFAULT_HORIZON_HOURS)]
    rows = [
        (HARBOUR, "pm25", "cams", ISSUED - 6 * HOUR, at, 11 + 4 * math.sin(k / 7), ISSUED - HOUR)
        for k, at in enumerate(hours)
    ]
    return pl.DataFrame(rows, schema=Background.create_empty().schema, orient="row")


def _drivers() -> pl.DataFrame:
    rows = [
        (HARBOUR, "pm25", ISSUED, ISSUED + (lead - 1) * HOUR, driver, effect, "7")
        for lead in ForecastSpec().sample_leads
        for driver, effect in zip(DRIVERS, (2.4, 0.0, -0.1 * lead), strict=True)
    ]
    return pl.DataFrame(rows, schema=Drivers.create_empty().schema, orient="row")


def _health() -> pl.DataFrame:
    rows = [
        (NOW, "stuck", f"{HARBOUR} no2", "warning", 0.7, 0.5, "17 of 24 hours repeat one number", HARBOUR, "no2", None),
        (NOW, "skill", "pm25 1-6", "ok", 0.6, 1.0, "relative error 0.60 over 14 days", None, "pm25", "1-6"),
        (NOW, "skill", "pm25 25-48", "unknown", None, 1.0, "too few days to judge", None, "pm25", "25-48"),
        (NOW, "forecast_age", "forecast", "ok", 3.5, 26.0, "3.5 h old", None, None, None),
    ]
    return pl.DataFrame(rows, schema=Health.create_empty().schema, orient="row")


def _drift() -> pl.DataFrame:
    rows = [(NOW, HARBOUR, "pm25", 600, 2000, 0.12, 0.2, 0.1, 0.3, "ok", "index 0.12, usual up to 0.20")]
    return pl.DataFrame(rows, schema=Drift.create_empty().schema, orient="row")


def _retrains() -> pl.DataFrame:
    rows = [(NOW, False, "no reason", "{}"), (NOW - 24 * HOUR, True, "there is no champion", "{}")]
    return pl.DataFrame(rows, schema=Retrains.create_empty().schema, orient="row")


def _alerts() -> pl.DataFrame:
    row = {
        "incident_id": "one",
        "rule": "data",
        "subject": f"{HARBOUR} no2",
        "audience": "operators",
        "state": "open",
        "severity": "warning",
        "event": 1,
        "summary": "The NO₂ sensor of Simulated Harbour is stuck",
        "reason": "17 of its last 24 hours repeat one number",
        "bad_since": NOW - 8 * HOUR,
        "clear_since": None,
        "opened_at": NOW - 2 * HOUR,
        "told_at": NOW - 2 * HOUR,
        "resolved_at": None,
        "seen_at": NOW,
    }
    return pl.DataFrame([row], schema=Alerts.create_empty().schema)


def _runs() -> pl.DataFrame:
    rows = [
        ("a", "collect", NOW - HOUR, NOW - HOUR, NOW, "ok", "432 observations of 3 series"),
        ("b", "forecast", ISSUED, ISSUED, ISSUED, "ok", "216 hours of 3 series by version 7"),
        ("c", "train", ISSUED - 24 * HOUR, ISSUED - 23 * HOUR, ISSUED, "failed", "too few days to train on"),
    ]
    return pl.DataFrame(rows, schema=Runs.create_empty().schema, orient="row")


@dataclass
class Registry:
    """A registry of two versions."""

    trained: datetime = field(default=NOW - timedelta(days=9))

    def versions(self) -> list[Version]:
        """Newest first."""
        return [
            Version("8", ("challenger",), self.trained + timedelta(days=7), "run-of-8", {}),
            Version("7", ("champion",), self.trained, "run-of-7", {}),
        ]

    def history(self) -> list[Change]:
        """One promotion."""
        reason = "beats the seasonal naive by 39 %, p = 0.001"
        return [Change(self.trained + HOUR, "promote", "7", None, "validation", reason)]

    def champion_version(self) -> str:
        """Version of the champion."""
        return "7"

    def challenger_version(self) -> str:
        """Version of the challenger."""
        return "8"


def fill(folder: Path) -> Store:
    """Four stations, an archive of forecasts and its verification, verdicts, incidents and runs."""
    store = small_store.fill(folder)
    store.upsert(Stations, _town())
    series = [(key, pollutant) for key in TOWN for pollutant in ("pm25", "no2")]
    observed = [small_store.observations(*one) for one in series]
    simulated = pl.concat(observed).with_columns(source=pl.lit("simulated"))
    store.upsert(Observations, simulated)
    forecasts = [small_store.forecast(*one) for one in series]
    store.append(Forecasts, pl.concat(forecasts).with_columns(source=pl.lit("simulated")))
    archive = _archive()
    store.append(Forecasts, archive)
    observed_20_days = small_store.observations(HARBOUR, "pm25", n_hours=24 * 20)
    store.upsert(Verification, tally(archive, observed_20_days).with_columns(ingested_at=pl.lit(NOW)))
    store.upsert(Background, _background())
    store.append(Drivers, _drivers())
    for table, rows in ((Health, _health()), (Drift, _drift()), (Retrains, _retrains())):
        store.upsert(table, rows)
    store.upsert(Alerts, _alerts())
    store.upsert(Runs, _runs())
    return store


def _serve(folder: Path, port: int) -> None:
    import uvicorn

    from hazecast.api.app import Options, create_app

    options = Options(registry=Registry)  # type: ignore[arg-type]  # the four methods that the API calls
    app = create_app(store=fill(folder), clock=lambda: NOW, clock_replayed=True, options=options)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
