"""The job of bench_library.py with mlforecast: LightGBM on lags and the calendar, conformal intervals."""

import sys

import lightgbm as lgb
import pandas as pd
from mlforecast import MLForecast
from mlforecast.lag_transforms import RollingMean
from mlforecast.utils import PredictionIntervals

frame = pd.read_csv(sys.argv[1], parse_dates=["time"])
frame = frame.rename(columns={"station_id": "unique_id", "time": "ds", "pm25": "y"})
frame["ds"] = frame["ds"].dt.tz_localize(None)
observed = frame.dropna()
frame = frame.set_index("ds").groupby("unique_id")["y"].resample("1h").mean().groupby("unique_id").ffill()
model = MLForecast(
    models={"lgb": lgb.LGBMRegressor(verbosity=-1, random_state=0)},
    freq="h",
    lags=[1, 2, 3, 6, 12, 24, 48, 72, 168],
    lag_transforms={1: [RollingMean(6), RollingMean(24), RollingMean(72)]},
    date_features=["hour", "dayofweek", "month"],
)
forecasts = model.cross_validation(
    frame.dropna().reset_index(),
    n_windows=7,
    h=72,
    step_size=24,
    refit=False,
    static_features=[],
    prediction_intervals=PredictionIntervals(n_windows=8, h=72),
    level=[80],
)
scored = forecasts.drop(columns="y").merge(observed, on=["unique_id", "ds"])
inside = scored["y"].between(scored["lgb-lo-80"], scored["lgb-hi-80"])
print((scored["lgb"] - scored["y"]).abs().mean(), inside.mean())
