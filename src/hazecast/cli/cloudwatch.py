"""Lines of plain JSON that a CloudWatch log reads as metrics."""

import json
from collections.abc import Mapping
from datetime import datetime


def metric_line(
    values: Mapping[str, float],
    dimensions: Mapping[str, str],
    *,
    namespace: str,
    now: datetime,
    unit: str | None = None,
) -> str:
    """One line of JSON that a CloudWatch log takes apart into one metric for each value.

    Source: CloudWatch embedded metric format.
    """
    counted = {} if unit is None else {"Unit": unit}
    directive = {
        "Namespace": namespace,
        "Dimensions": [list(dimensions)],
        "Metrics": [{"Name": name, **counted} for name in values],
    }
    aws = {"Timestamp": int(now.timestamp() * 1000), "CloudWatchMetrics": [directive]}
    return json.dumps({**dimensions, **values, "_aws": aws})
