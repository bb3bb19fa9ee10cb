"""Tables of verification, monitoring and alerting.

Like `air.tables`: one class per table, its primary key is its grain.
"""

import dataframely as dy

from hazecast.air.columns import amount, count, one_of, utc
from hazecast.air.limits import LIMIT_KEYS
from hazecast.air.pollutants import POLLUTANTS
from hazecast.air.spec import DAY_HOURS, INTERVALS, MAX_HORIZON_HOURS, QUANTILES

VERDICTS: tuple[str, ...] = ("ok", "unknown", "warning", "critical")
CHECKS: tuple[str, ...] = (
    "skill",
    "coverage",
    "champion",
    "drift",
    "forecast_age",
    "fallback",
    "source",
    "freshness",
    "completeness",
    "silent",
    "stuck",
    "neighbours",
    "pipeline",
)
AUDIENCES: tuple[str, ...] = ("operators", "public")
INCIDENT_STATES: tuple[str, ...] = ("pending", "open", "resolved")


def _contingency() -> dict[str, dy.Column]:
    """Per limit: hours observed above, hours forecast above, hours of both, and the summed Brier score."""
    columns: dict[str, dy.Column] = {}
    for key in LIMIT_KEYS:
        columns |= {f"{key}_{part}": count(nullable=True) for part in ("observed", "forecast", "hits")}
        columns[f"{key}_brier"] = amount(nullable=True)
    return columns


class Verification(dy.Schema):
    """Verification of issued forecasts: sums over the hours of one issue day, station, pollutant and lead block.

    Sums [µg/m³ times hours], not means, so that any larger group is exact (`scoring.summarize`). `issued_on` is the
    start of the UTC day of issue. `n_forecast` hours were forecast, `n` of them could be scored: their observation is
    flagged ok and both naive forecasts exist. All sums run over these `n` hours but the background's, which runs over
    `n_background`, as does `error_beside_background`. `absolute_error` is of q50, `squared_error` and `error` are of
    the mean. `inside_80` counts hours in q10…q90, `below_q10` hours below q10. Per limit: hours observed above it,
    forecast above it (probability ≥ ½), both, and the sum of squared errors of the probability; null where the
    pollutant has no such limit. `ingested_at`: observations stored by then are in it.
    """

    issued_on = utc(primary_key=True)
    station_id = dy.String(primary_key=True)
    pollutant = one_of(POLLUTANTS, primary_key=True)
    lead_block = dy.String(primary_key=True)
    model_version = dy.String(primary_key=True)
    n_forecast = count()
    n = count()
    absolute_error = amount()
    squared_error = amount()
    error = dy.Float64(allow_nan=False, allow_inf=False)
    crps = amount()
    persistence_error = amount()
    seasonal_naive_error = amount()
    n_background = count()
    background_error = amount()
    error_beside_background = amount()
    locals().update({f"inside_{percent}": count() for percent in INTERVALS})
    locals().update({f"below_{quantile}": count() for quantile in QUANTILES})
    locals().update(_contingency())
    ingested_at = utc()


class ModelQuality(dy.Schema):
    """Sums for FAIRMODE's modelling quality indicator, one row per issue day, station, pollutant and lead day (from 1).

    Values are hourly for NO2, 24 h means for particles and the highest 8 h mean for O3, as FAIRMODE defines it; other
    pollutants have none. `squared_uncertainty` is the sum of U(O)² [µg²/m⁶].
    """

    issued_on = utc(primary_key=True)
    station_id = dy.String(primary_key=True)
    pollutant = one_of(POLLUTANTS, primary_key=True)
    lead_day = dy.Int32(primary_key=True, min=1, max=MAX_HORIZON_HOURS // DAY_HOURS)
    model_version = dy.String(primary_key=True)
    n = count()
    squared_error = amount()
    squared_uncertainty = amount()
    ingested_at = utc()


class Health(dy.Schema):
    """One verdict of one monitoring run: a check of a subject, and the reason.

    `subject` is the text for people ("pm25 25-48", a station, a step) and, with `check`, the key. The same identity
    is in `station_id`, `pollutant` and `lead_block`, each null where it does not apply. `value` was measured,
    `expected` is its reference; both in the unit named in the reason. Unknown means too little data to judge.
    """

    checked_at = utc(primary_key=True)
    check = one_of(CHECKS, primary_key=True)
    subject = dy.String(primary_key=True)
    verdict = one_of(VERDICTS)
    value = dy.Float64(nullable=True)
    expected = dy.Float64(nullable=True)
    reason = dy.String()
    station_id = dy.String(nullable=True)
    pollutant = dy.String(nullable=True)
    lead_block = dy.String(nullable=True)


class Drift(dy.Schema):
    """How far the distribution of one series is from that of the same season before, per monitoring run.

    `variable` is a pollutant or a weather variable. `psi` is the population stability index, `ks` the largest gap
    between both distribution functions, `wasserstein` the mean shift of quantiles in standard deviations of the
    reference; `usual_psi` is the largest index among parts of the reference as long as the recent one.
    """

    checked_at = utc(primary_key=True)
    station_id = dy.String(primary_key=True)
    variable = dy.String(primary_key=True)
    n = count()
    n_reference = count()
    psi = amount(nullable=True)
    usual_psi = amount(nullable=True)
    ks = amount(nullable=True)
    wasserstein = amount(nullable=True)
    verdict = one_of(VERDICTS)
    reason = dy.String()


class Retrains(dy.Schema):
    """One decision whether to retrain, per monitoring run; `reasons` are lines, `evidence` is JSON."""

    checked_at = utc(primary_key=True)
    justified = dy.Bool()
    reasons = dy.String()
    evidence = dy.String()


class Alerts(dy.Schema):
    """One incident, from its first detection to its end; later evaluations update its row.

    `event` counts the notifications: 0 none yet, 1 opened, then updates, then resolved. `bad_since` and `clear_since`
    time the hysteresis, `told_at` (of the last notification) the cool-down.
    """

    incident_id = dy.String(primary_key=True)
    rule = dy.String()
    subject = dy.String()
    audience = one_of(AUDIENCES)
    state = one_of(INCIDENT_STATES)
    severity = one_of(("warning", "critical"))
    event = dy.Int64(min=0)
    summary = dy.String()
    reason = dy.String()
    bad_since = utc()
    clear_since = utc(nullable=True)
    opened_at = utc(nullable=True)
    told_at = utc(nullable=True)
    resolved_at = utc(nullable=True)
    seen_at = utc()


class Deliveries(dy.Schema):
    """One event of one incident and one channel: delivered, or pending and why. Channels never contain secrets."""

    incident_id = dy.String(primary_key=True)
    event = dy.Int64(primary_key=True, min=1)
    channel = dy.String(primary_key=True)
    outcome = one_of(("delivered", "failed"))
    attempts = dy.Int64(min=1)
    tried_at = utc()
    reason = dy.String()
