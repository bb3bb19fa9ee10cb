"""A small store with known contents for the tests of API, client and dashboard; run as a script it serves them.

python small_store.py FOLDER PORT
"""

import math
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from hazecast.air.limits import LIMIT_KEYS, limit_values
from hazecast.air.spec import DEFAULT_HORIZON_HOURS, ForecastSpec
from hazecast.air.tables import DayForecasts, Forecasts, Observations, Quality, Scores, Stations, Weather
from hazecast.features import build_panel
from hazecast.models.climatology import Climatology
from hazecast.models.config import TrajectoriesConfig
from hazecast.models.days import DayModel
from hazecast.store import Store

NOW = datetime(2026, 3, 29, 9, 30, tzinfo=UTC)  # the day Europe's clocks change
ISSUED = datetime(2026, 3, 29, 6, tzinfo=UTC)
HOUR = timedelta(hours=1)
HARBOUR, DONGSI, EMPTY = "sim/harbour", "dongsi", "unused"
# Spread of the logarithm at each quantile.
STEPS = {"q05": -1.6, "q10": -1.3, "q25": -0.7, "q50": 0.0, "q75": 0.7, "q90": 1.3, "q95": 1.6}


def stations() -> pl.DataFrame:
    rows = [
        (
            HARBOUR,
            "Simulated Harbour",
            60.16,
            24.95,
            "Europe/Helsinki",
            "simulated",
            "Simulated; not real",
            "Apache-2.0",
        ),
        (DONGSI, "Dongsi", None, None, "Asia/Shanghai", "files", "City of Beijing, CC BY 4.0", "CC BY 4.0"),
        (EMPTY, "Nothing yet", 1.0, 2.0, "UTC", "files", "None", "not stated"),
    ]
    return Stations.validate(pl.DataFrame(rows, schema=Stations.create_empty().schema, orient="row"))


def concentration(pollutant: str, hour: datetime) -> float:
    base = {"pm25": 14.0, "no2": 30.0}[pollutant]
    daily = math.sin((hour.hour - 4) / 24 * 2 * math.pi) + 0.6 * math.sin((hour.hour - 1) / 12 * 2 * math.pi)
    wander = 0.5 * math.sin(hour.timestamp() / 3600 / 37) + 0.12 * math.sin(hour.timestamp() / 3600 * 1.7)
    return base * math.exp(0.3 * daily + wander)


def observations(station_id: str, pollutant: str, *, until: datetime = NOW, n_hours: int = 220) -> pl.DataFrame:
    hours = [until.replace(minute=0) - k * HOUR for k in range(1, n_hours + 1)]
    flags = {hours[30]: ("suspicious", "spike"), hours[31]: ("invalid", "range,spike")}
    gap = set(hours[60:66])
    rows = []
    for hour in sorted(set(hours) - gap):
        flag, reasons = flags.get(hour, ("ok", ""))
        value = concentration(pollutant, hour) * (1 if flag == "ok" else 3)
        source = "simulated" if station_id == HARBOUR else "files"
        rows.append((station_id, pollutant, hour, value, flag, reasons, source, hour + HOUR, hour + HOUR))
    return pl.DataFrame(rows, schema=Observations.create_empty().schema, orient="row")


def forecast(
    station_id: str,
    pollutant: str,
    *,
    issued_at: datetime = ISSUED,
    status: str = "ok",
    horizon_hours: int = DEFAULT_HORIZON_HOURS,
) -> pl.DataFrame:
    leads = range(1, horizon_hours + 1)
    return pl.DataFrame(
        [_forecast_hour(station_id, pollutant, issued_at, lead) | {"status": status} for lead in leads],
        schema=Forecasts.create_empty().schema,
    )


def _forecast_hour(station_id: str, pollutant: str, issued_at: datetime, lead: int) -> dict[str, object]:
    valid_at = issued_at + (lead - 1) * HOUR
    spread = 0.18 + 0.004 * lead
    median = concentration(pollutant, valid_at) * (1 - 0.001 * lead)
    quantiles = {name: median * math.exp(step * spread) for name, step in STEPS.items()}
    above = {f"p_exceed_{key}": _above(median, spread, limit_values(key)[pollutant]) for key in LIMIT_KEYS}
    return {
        "station_id": station_id,
        "pollutant": pollutant,
        "issued_at": issued_at,
        "valid_at": valid_at,
        "lead_hours": lead,
        "mean": median * 1.02,
        **quantiles,
        **above,
        "model_version": "7",
        "observations_version": 3,
        "data_age_hours": 1.0,
        "source": "simulated" if station_id == HARBOUR else "files",
    }


def _above(median: float, spread: float, value: float) -> float:
    return 0.5 * math.erfc(math.log(value / median) / spread / math.sqrt(2))


def quality() -> pl.DataFrame:
    rows = [
        (NOW, HARBOUR, "pm25", NOW - 24 * HOUR, NOW, 24, 24, 1.0, 1, 0, 0, ""),
        (NOW, DONGSI, "pm25", NOW - 24 * HOUR, NOW, 24, 16, 16 / 24, 0, 2, 0, "range"),
        (NOW - HOUR, DONGSI, "pm25", NOW - 24 * HOUR, NOW, 24, 0, 0.0, 0, 0, 0, ""),
    ]
    return pl.DataFrame(rows, schema=Quality.create_empty().schema, orient="row")


def scores() -> pl.DataFrame:
    start = NOW - timedelta(days=30)
    rows = [
        ("version-7", "pm25", "all", start, NOW, 900, 4.2, 6.5, 0.3, 0.61, 3.1, 0.79, NOW),
        ("version-7", "pm25", "1-6", start, NOW, 90, 2.2, 3.5, 0.1, 0.51, 2.1, 0.80, NOW),
        ("version-7", "pm25", "all", start - HOUR, NOW - HOUR, 900, 9.9, 9.9, 9.9, 0.99, 9.9, 0.5, NOW - HOUR),
        ("seasonal_naive", "pm25", "all", start, NOW, 900, 6.9, 9.5, 0.0, 1.0, None, None, NOW),
    ]
    return pl.DataFrame(rows, schema=Scores.create_empty().schema, orient="row")


def day_forecasts(store: Store, rows: pl.DataFrame) -> pl.DataFrame:
    """The days of one issue, with the dependence of hours that is assumed without hindcasts."""
    panel = build_panel(store.read(Observations), Weather.create_empty(), store.read(Stations))
    days = DayModel.assumed(("no2", "pm25"), ForecastSpec(), TrajectoriesConfig()).forecast(rows, panel)
    return days.with_columns(model_version=pl.lit("7")).select(DayForecasts.create_empty().columns)


def fill(folder: Path) -> Store:
    """Two stations with observations and two issues (hours and days), one without anything."""
    store = Store(str(folder))
    store.upsert(Stations, stations())
    series = [(HARBOUR, "pm25"), (HARBOUR, "no2"), (DONGSI, "pm25")]
    store.upsert(Observations, pl.concat([observations(*one) for one in series]))
    for issued_at in (ISSUED - 24 * HOUR, ISSUED):
        rows = pl.concat([forecast(*one, issued_at=issued_at) for one in series])
        store.append(DayForecasts, day_forecasts(store, rows))
        store.append(Forecasts, rows)
    store.upsert(Quality, quality())
    store.upsert(Scores, scores())
    return store


class OneModel:
    """A registry whose champion is the climatology; the alias can be moved."""

    version = "3"

    def __call__(self) -> "OneModel":
        return self

    def champion_version(self) -> str:
        return self.version

    def champion(self) -> tuple[Climatology, str]:
        return Climatology(ISSUED), self.version


def _serve(folder: Path, port: int) -> None:
    import uvicorn

    from hazecast.api.app import Options, create_app

    options = Options(registry=OneModel(), predict_per_minute=0)
    app = create_app(store=fill(folder), clock=lambda: NOW, clock_replayed=True, options=options)
    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    _serve(Path(sys.argv[1]), int(sys.argv[2]))
