"""Shadow forecasts: those of the challenger are archived and scored like the champion's, and not served."""

from datetime import datetime

from hazecast.air.tables import ShadowForecasts
from hazecast.registry import Registry
from hazecast.steps.forecast import predict
from hazecast.steps.shards import IssueInputs
from hazecast.store import Store


def forecast_in_shadow(
    store: Store, registry: Registry, *, now: datetime, inputs: IssueInputs | None = None
) -> str | None:
    """Archive the challenger's forecast for the hour that contains `now` in the table of shadow forecasts.

    Args:
        store: of the place.
        registry: with the challenger.
        now: UTC.
        inputs: of this hour, if they are used by others too; None: they are read.

    Returns:
        The challenger's version; None while there is no challenger.
    """
    version = registry.challenger_version()
    if version is not None:
        challenger = registry.load(version)
        rows = predict(store, challenger, model_version=version, now=now, inputs=inputs)
        store.append(ShadowForecasts, rows)
    return version
