"""Shadow forecasts: those of the challenger are archived and scored like the champion's, and not served."""

from datetime import datetime

from hazecast.air.tables import ShadowForecasts
from hazecast.registry import Registry
from hazecast.steps.forecast import predict
from hazecast.store import Store


def forecast_in_shadow(store: Store, registry: Registry, *, now: datetime) -> str | None:
    """Archive the challenger's forecast for the hour that contains `now` in the table of shadow forecasts.

    Returns:
        The challenger's version; None while there is no challenger.
    """
    version = registry.challenger_version()
    if version is not None:
        store.append(ShadowForecasts, predict(store, registry.load(version), model_version=version, now=now))
    return version
