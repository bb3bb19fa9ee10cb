"""The peer's side of bench_training.py, in an environment of its own: mlforecast with LightGBM as documented.

One direct model per lead hour (`max_horizon`), lags and rolling means of lags, calendar features, logarithms by a
target transform, gaps filled forward (the library wants none), conformal intervals from two windows.
"""

import json
import resource
import sys
import time

import lightgbm as lgb
import numpy as np
import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.target_transforms import GlobalSklearnTransformer
from mlforecast.utils import PredictionIntervals
from sklearn.preprocessing import FunctionTransformer

HORIZON_HOURS = 72


def main(history: str) -> None:
    wide = pd.read_parquet(history)
    frame = wide.set_index("ds").groupby("unique_id")["y"].resample("1h").mean().groupby("unique_id").ffill()
    frame = frame.dropna().reset_index()
    forecast = model()
    wall, cpu = time.perf_counter(), time.process_time()
    intervals = PredictionIntervals(n_windows=2, h=HORIZON_HOURS)
    forecast.fit(frame, max_horizon=HORIZON_HOURS, prediction_intervals=intervals, static_features=[])
    trained = {"fit_seconds": time.perf_counter() - wall, "fit_cpu_seconds": time.process_time() - cpu}
    wall, cpu = time.perf_counter(), time.process_time()
    forecast.predict(HORIZON_HOURS, level=[50, 80, 90])
    passed = {"pass_seconds": time.perf_counter() - wall, "pass_cpu_seconds": time.process_time() - cpu}
    print(json.dumps(trained | passed | {"gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2}))


def log_level(concentration: pd.DataFrame) -> pd.DataFrame:
    """Small negatives of the instrument count as zero, as they do for us."""
    return np.log1p(np.maximum(concentration, 0))


def model() -> MLForecast:
    """Direct models on lags and the calendar, as the documentation shows them."""
    return MLForecast(
        models={"direct": lgb.LGBMRegressor(verbosity=-1, random_state=0)},
        freq="h",
        lags=[1, 2, 3, 6, 12, 24, 48, 72, 168],
        lag_transforms={1: [RollingMean(6), RollingMean(24), RollingMean(72)]},
        date_features=["hour", "dayofweek", "month"],
        target_transforms=[GlobalSklearnTransformer(FunctionTransformer(func=log_level, inverse_func=np.expm1))],
        num_threads=2,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
