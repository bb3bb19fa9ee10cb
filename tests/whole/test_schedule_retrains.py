"""A year of the shipped schedules with the product's own retraining decision: it fires when skill is lost, not before.

Only the verification rows are synthetic, because a year of forecasts takes hours to make. The year runs the decision on
frames; ten days of it run again through the stored tables and must give the same decisions.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from hazecast.air.spec import ForecastSpec, block_name
from hazecast.air.tables import Runs, Scores
from hazecast.air.verdicts import Retrains, Verification
from hazecast.monitoring import COVERAGE_DAYS, RetrainDecision, decide, model_health
from hazecast.schedule import FULL, MONITORING, TRAINING
from hazecast.settings import Settings
from hazecast.steps.monitor import check_model, decide_retraining
from hazecast.store import Store

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + 365 * DAY
LOST = datetime(2025, 3, 1, tzinfo=UTC)
# Observations of the whole horizon are there, and scored, four days after an issue.
SCORED_AFTER = 4 * DAY
COOL_DOWN = timedelta(hours=Settings().retrain_cooldown_hours)
SPEC = ForecastSpec()
# Two of the blocks: a warning needs two, and more only take time.
BLOCKS = [block_name(block) for block in SPEC.lead_blocks[:2]]
HOURS_A_DAY = 24.0


def verified(issued_on: datetime, rng: np.random.Generator) -> pl.DataFrame:
    """One issue day: 0.6 of the seasonal naive's error as at validation, 1.3 of it once skill is lost."""
    rmae = 1.3 if issued_on >= LOST else 0.6
    rows = []
    for block in BLOCKS:
        naive = HOURS_A_DAY * rng.uniform(8, 12)
        sums = {"absolute_error": rmae * naive * rng.uniform(0.9, 1.1), "seasonal_naive_error": naive}
        rows.append({"lead_block": block, "n": 24, "n_forecast": 24, "inside_80": 19, **sums})
    empty = Verification.create_empty().schema
    frame = pl.DataFrame(rows, schema={name: empty[name] for name in rows[0]})
    frame = frame.with_columns(
        issued_on=pl.lit(issued_on),
        station_id=pl.lit("Old Town"),
        pollutant=pl.lit("pm25"),
        model_version=pl.lit("1"),
        ingested_at=pl.lit(issued_on + SCORED_AFTER),
    )
    absent = [name for name in empty if name not in frame.columns]
    zeros = [pl.lit(0 if empty[name].is_integer() else 0.0).cast(empty[name]).alias(name) for name in absent]
    return frame.with_columns(zeros).select(empty.names()).cast(dict(empty))


def validated() -> pl.DataFrame:
    schema = Scores.create_empty().schema
    key = {"model": "version-1", "pollutant": "pm25", "n": 1000, "rmae": 0.6, "coverage_80": 0.8}
    times = {"window_start": START - 30 * DAY, "window_end": START, "scored_at": START}
    rows = [{**dict.fromkeys(schema), **key, **times, "lead_block": block} for block in BLOCKS]
    return pl.DataFrame(rows, schema=schema)


def trained(at: datetime) -> dict[str, object]:
    times = {"started_at": at, "finished_at": at, "as_of": at}
    return {"run_id": at.isoformat(), "step": "train", "outcome": "ok", "summary": "", **times}


HOURS = [START + k * HOUR for k in range(int((END - START) / HOUR))]
LOOKS = [at for at in HOURS if MONITORING.is_due(at)]
TRAININGS = [at for at in HOURS if TRAINING.is_due(at) or FULL.is_due(at)]


@pytest.fixture(scope="module")
def verification() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.concat([verified(START + k * DAY, rng) for k in range(-30, 365)])


@pytest.fixture(scope="module")
def year(verification: pl.DataFrame) -> dict[datetime, RetrainDecision]:
    """The decision of every monitoring run of the year."""
    decisions: dict[datetime, RetrainDecision] = {}
    scores, last_justified_at = validated(), None
    for now in LOOKS:
        since = now - (COVERAGE_DAYS + SPEC.lead_days + 1) * DAY
        scored = verification.filter(pl.col("issued_on").is_between(since, now - SCORED_AFTER))
        findings = model_health(scored, scores, now=now, horizon_days=SPEC.lead_days)
        decisions[now] = decide(
            findings, champion="1", last_justified_at=last_justified_at, now=now, cool_down=COOL_DOWN
        )
        if decisions[now].justified:
            last_justified_at = now
    return decisions


def first_with_cause(year: dict[datetime, RetrainDecision]) -> datetime:
    return next(at for at, decision in year.items() if any("has lost skill" in line for line in decision.reasons))


def test_retraining_fires_within_a_day_of_lost_skill_and_at_most_once_per_cool_down(year):
    justified = [at for at, decision in year.items() if decision.justified]
    noticed_at = first_with_cause(year)
    assert LOST < noticed_at <= LOST + 14 * DAY
    assert noticed_at <= justified[0] <= noticed_at + DAY
    gaps = np.diff(justified)
    assert gaps.min() >= COOL_DOWN
    # Nothing improves in this year, so retraining is justified again as soon as the cool-down has passed.
    assert gaps.max() == COOL_DOWN
    assert len(justified) > 100
    assert "pm25 has lost skill at 2 of 2 lead blocks" in year[justified[-1]].reasons[0]


def test_the_stored_tables_give_the_same_decisions(year, verification: pl.DataFrame, tmp_path: Path):
    """Weekly trainings lie in these ten days too; none of them starts the cool-down."""
    store = Store(str(tmp_path))
    since = first_with_cause(year) - 3 * DAY
    until = since + 10 * DAY
    rows = [trained(at) for at in TRAININGS if since - 14 * DAY <= at < until]
    store.append(Runs, pl.DataFrame(rows, schema=Runs.create_empty().schema))
    store.upsert(Scores, validated())
    for now in (at for at in LOOKS if since <= at < until):
        store.append(Verification, verification.filter(pl.col("issued_on") <= now - SCORED_AFTER))
        check_model(store, "1", sensors=(), now=now)
        decide_retraining(store, "1", now=now, cool_down=COOL_DOWN)
    stored = store.read(Retrains).sort("checked_at")
    assert stored.height == 40
    assert stored["justified"].sum() == 4
    assert dict(stored.select("checked_at", "justified").iter_rows()) == {
        at: decision.justified for at, decision in year.items() if since <= at < until
    }
    assert max(np.diff(TRAININGS)) <= 6 * DAY
