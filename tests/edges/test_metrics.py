"""Metrics are read from the tables, parse as Prometheus text, and never invent a value."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from deltalake import write_deltalake
from prometheus_client.parser import text_string_to_metric_families

from hazecast.air.tables import Forecasts, Observations
from hazecast.air.verdicts import Alerts, Drift, Health, Retrains
from hazecast.errors import SourceUnavailable, StoreError
from hazecast.metrics import exposition
from hazecast.monitoring import Finding, Subject, as_health
from hazecast.steps.record import recorded
from hazecast.store import Store

NOW = datetime(2026, 6, 1, 6, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "tables"))


def samples(store: Store) -> dict[tuple, float]:
    families = text_string_to_metric_families(exposition(store, place="town", now=NOW))
    found = {}
    for sample in (sample for family in families for sample in family.samples):
        assert sample.labels.pop("place") == "town"
        found[sample.name.removeprefix("hazecast_"), *(sample.labels[name] for name in sorted(sample.labels))] = (
            sample.value
        )
    return found


def checked(store: Store, *rows: tuple[str, Subject, str, float | None], at: datetime = NOW) -> None:
    found = [Finding(check, subject, verdict, "a reason", value) for check, subject, verdict, value in rows]
    store.upsert(Health, as_health(found, checked_at=at))


def test_nothing_stored_is_no_sample(store: Store):
    assert samples(store) == {}


def test_verdicts_become_gauges_of_the_newest_look_only(store: Store):
    first, second = (Subject(pollutant="pm25", lead_block=block) for block in ("1-6", "7-24"))
    checked(store, ("skill", first, "ok", 0.1), at=NOW - 6 * HOUR)
    checked(
        store,
        ("skill", first, "warning", 0.92),
        ("skill", second, "unknown", None),
        ("coverage", first, "ok", 0.78),
        ("completeness", Subject("harbour"), "ok", 0.98),
        ("fallback", Subject(name="forecast"), "ok", 0.0),
    )
    found = samples(store)
    assert found["rolling_rmae", "1-6", "pm25"] == 0.92
    assert ("rolling_rmae", "7-24", "pm25") not in found
    assert found["rolling_coverage_80", "1-6", "pm25"] == 0.78
    assert found["completeness_ratio", "harbour"] == 0.98
    assert found["fallback_ratio",] == 0.0
    assert found["verdicts", "skill", "warning"] == 1
    assert found["verdicts", "skill", "unknown"] == 1


def test_drift_decisions_runs_and_incidents(store: Store):
    row = {"checked_at": NOW, "station_id": "harbour", "variable": "pm25", "n": 9, "n_reference": 9, "psi": 0.4}
    row |= {"usual_psi": 0.1, "ks": 0.2, "wasserstein": 0.3, "verdict": "warning", "reason": ""}
    unknown = row | {"variable": "no2", "psi": None, "verdict": "unknown"}
    store.upsert(Drift, pl.DataFrame([row, unknown], schema=Drift.create_empty().schema))
    decisions = [(NOW - k * HOUR, k == 2, "because", "{}") for k in range(3)]
    store.upsert(Retrains, pl.DataFrame(decisions, schema=Retrains.create_empty().schema, orient="row"))
    with recorded("collect", store, as_of=NOW - HOUR):
        pass
    with pytest.raises(SourceUnavailable), recorded("collect", store, as_of=NOW - 2 * HOUR):
        raise SourceUnavailable("gone")
    with recorded("collect", store, as_of=NOW - timedelta(days=9)):
        pass
    incidents = [incident("a", "open"), incident("b", "open"), incident("c", "resolved"), incident("d", "pending")]
    store.upsert(Alerts, pl.DataFrame(incidents, schema=Alerts.create_empty().schema))
    found = samples(store)
    assert found["drift_psi", "harbour", "pm25"] == 0.4
    assert ("drift_psi", "harbour", "no2") not in found
    assert found["retrain_justified",] == 0
    assert (found["retrain_decisions", "yes"], found["retrain_decisions", "no"]) == (1, 2)
    assert (found["runs", "ok", "collect"], found["runs", "failed", "collect"]) == (1, 1)
    assert found["open_incidents", "operators", "data"] == 2


def incident(name: str, state: str) -> dict[str, object]:
    times = dict.fromkeys(("clear_since", "opened_at", "told_at", "resolved_at"))
    words = {
        "rule": "data",
        "subject": name,
        "audience": "operators",
        "severity": "warning",
        "summary": "",
        "reason": "",
    }
    return {"incident_id": name, "state": state, "event": 1, "bad_since": NOW, "seen_at": NOW, **words, **times}


def test_the_age_of_the_forecast_counts_to_now(store: Store):
    issued_at = NOW - 3 * HOUR - timedelta(minutes=30)
    hour = {name: 1.0 for name in Forecasts.create_empty().columns if name.startswith(("q", "mean"))}
    row = {
        "station_id": "a",
        "pollutant": "pm25",
        "issued_at": issued_at,
        "valid_at": issued_at,
        "lead_hours": 1,
        **hour,
    }
    row |= {"p_exceed_who": 0.1, "p_exceed_eu": 0.1, "status": "ok", "model_version": "1"}
    row |= {"observations_version": 1, "data_age_hours": 0.0, "source": "files"}
    store.append(Forecasts, pl.DataFrame([row], schema=Forecasts.create_empty().schema))
    assert samples(store)["forecast_age_hours",] == pytest.approx(3.5)


def observed(store: Store, *hours: tuple[str, datetime]) -> None:
    rows = [
        {"station_id": station, "pollutant": "pm25", "observed_at": at, "concentration_ugm3": 5.0, "flag": "ok"}
        | {"flag_reasons": "", "source": "files", "available_at": at + HOUR, "ingested_at": at + HOUR}
        for station, at in hours
    ]
    store.upsert(Observations, pl.DataFrame(rows, schema=Observations.create_empty().schema))


def test_ages_of_observations_and_verdicts_count_to_the_scrape(store: Store):
    hour = datetime(2026, 6, 1, 4, tzinfo=UTC)
    checked(store, ("source", Subject(name="source"), "ok", 0.4), at=hour)
    observed(store, ("harbour", hour), ("harbour", hour - HOUR), ("hill", hour - 20 * HOUR))
    closed, ahead = hour - timedelta(days=40), NOW + timedelta(days=1000)
    observed(store, ("closed", closed), ("ahead", ahead))
    found = samples(store)
    assert found["source_age_hours",] == 1.5
    assert {name[1]: age for name, age in found.items() if name[0] == "observation_age_hours"} == {
        "harbour": 1.5,
        "hill": 21.5,
    }
    assert found["monitoring_age_hours",] == 2.5


def test_names_with_quotes_and_newlines_are_escaped(store: Store):
    checked(store, ("completeness", Subject('the"odd\\one'), "ok", 1.0))
    assert samples(store)["completeness_ratio", 'the"odd\\one'] == 1.0


def test_station_ids_with_blanks_are_separate_series(store: Store):
    towns = ("Old Town", 1.0), ("Old Port", 30.0)
    checked(store, *(("completeness", Subject(name), "ok", age) for name, age in towns))
    found = samples(store)
    assert [found["completeness_ratio", name] for name, _ in towns] == [1.0, 30.0]


def test_verdicts_stored_before_the_identity_columns_give_no_labelled_sample(store: Store):
    before = NOW - HOUR
    harbour, forecast = Subject("harbour"), Subject(name="forecast")
    checked(store, ("completeness", harbour, "ok", 1.0), ("fallback", forecast, "ok", 2.0), at=before)
    newer = ["station_id", "pollutant", "lead_block"]
    old = store.read(Health).drop(newer)
    shutil.rmtree(f"{store.root}/health")
    write_deltalake(f"{store.root}/health", old.to_arrow())
    found = samples(store)
    assert found["fallback_ratio",] == 2.0
    assert ("completeness_ratio", "harbour") not in found
    later = NOW + timedelta(minutes=-10)
    checked(store, ("completeness", Subject("harbour"), "ok", 3.0), at=later)
    checked(store, ("completeness", Subject("harbour"), "ok", 4.0), at=later)
    assert samples(store)["completeness_ratio", "harbour"] == 4.0
    assert store.read(Health, pl.col("station_id").is_null()).height == old.height


def test_a_broken_table_is_said_not_hidden(store: Store, tmp_path: Path):
    checked(store, ("source", Subject(name="source"), "ok", 1.0))
    for part in (tmp_path / "tables" / "health").rglob("*.parquet"):
        part.write_bytes(b"not parquet")
    with pytest.raises(StoreError, match="health"):
        exposition(store, place="town", now=NOW)
