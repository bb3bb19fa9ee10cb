"""Shadow: the challenger forecasts what the champion forecasts, is archived and scored, and never served."""

from datetime import datetime

import polars as pl

from hazecast.air.tables import Forecasts, ShadowForecasts
from hazecast.registry import Registry
from hazecast.scoring import score
from hazecast.steps.forecast import predict
from hazecast.store import Store


def forecast_in_shadow(store: Store, registry: Registry, *, now: datetime) -> str | None:
    """Archive the challenger's forecast for the hour that contains `now` in the table of shadow forecasts.

    Returns:
        The challenger's version; None while nobody challenges.
    """
    version = registry.challenger_version()
    if version is not None:
        store.append(ShadowForecasts, predict(store, registry.load(version), model_version=version, now=now))
    return version


def compare_with_shadow(store: Store, observations: pl.DataFrame, *, challenger: str) -> pl.DataFrame:
    """How the challenger and what was served fared on the same issues.

    Args:
        store: holds both archives.
        observations: Observations; those flagged ok are truth.
        challenger: its version.

    Returns:
        One row per model ("served", "challenger"), pollutant and lead_block with the columns of `scoring.score`; empty
        while no hour of a shadow forecast has been observed.
    """
    shadow = store.read(ShadowForecasts, pl.col("model_version") == challenger)
    served = store.read(Forecasts, pl.col("issued_at").is_in(shadow["issued_at"].unique().to_list()))
    key = ["station_id", "pollutant", "issued_at", "valid_at"]
    both = {"served": served.join(shadow, on=key, how="semi"), "challenger": shadow.join(served, on=key, how="semi")}
    return pl.concat(
        score(rows, observations).select(pl.lit(name).alias("model"), pl.all()) for name, rows in both.items()
    )
