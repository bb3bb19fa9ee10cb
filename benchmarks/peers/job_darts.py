"""The job of bench_library.py with Darts: LightGBM with quantiles on lags and the calendar."""

import sys

import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.dataprocessing.transformers import MissingValuesFiller
from darts.models import LightGBMModel

frame = pd.read_csv(sys.argv[1], parse_dates=["time"])
frame["time"] = frame["time"].dt.tz_localize(None)
start = pd.Timestamp(sys.argv[2]).tz_localize(None)
raw = TimeSeries.from_group_dataframe(frame, "station_id", time_col="time", value_cols="pm25", freq="h")
series = MissingValuesFiller().transform(raw)
model = LightGBMModel(
    lags=[-1, -2, -3, -6, -12, -24, -48, -72, -168],
    output_chunk_length=72,
    likelihood="quantile",
    quantiles=[0.1, 0.5, 0.9],
    add_encoders={"datetime_attribute": {"future": ["hour", "dayofweek", "month"]}},
    lags_future_covariates=[0],
    use_static_covariates=False,
    verbosity=-1,
    random_state=0,
)
model.fit([one.drop_after(start) for one in series])
forecasts = model.historical_forecasts(
    series,
    start=start,
    forecast_horizon=72,
    stride=24,
    retrain=False,
    last_points_only=False,
    predict_likelihood_parameters=True,
)
errors, inside = [], []
for truth, issued in zip(raw, forecasts, strict=True):
    for forecast in issued:
        low, median, high = forecast.values().T
        observed = truth.slice_intersect(forecast).values()[:, 0]
        known = ~np.isnan(observed)
        errors += list(np.abs(median - observed)[known])
        inside += list(((low <= observed) & (observed <= high))[known])
print(np.mean(errors), np.mean(inside))
