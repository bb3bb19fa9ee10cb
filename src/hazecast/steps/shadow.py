"""Shadow: the challenger forecasts what the champion forecasts, is archived and scored, and never served."""

from datetime import datetime

from hazecast.air.tables import ShadowForecasts
from hazecast.registry import Registry
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
