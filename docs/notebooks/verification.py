# %% [markdown]
# # Verification
#
# Score any forecast, also one that Hazecast did not make: errors and skill by lead, calibration, exceedances.

# %%
from datetime import timedelta

import polars as pl

import hazecast as hz
from hazecast.evaluation.verification import verify

data = hz.simulate(days=45, n_stations=2)
since, until = data.until - timedelta(days=10), data.until - timedelta(days=3)
forecasts = hz.backtest(data, since=since, until=until, pollutants=["pm25"], kind="trees", light=True)
print(hz.score(forecasts, data).select("lead_block", "n", "mae", "rmse", "bias", "rmae", "crps"))

# %% [markdown]
# ## Calibration: 80 % of the observations should lie in the 80 % interval

# %%
print(hz.score(forecasts, data).select("lead_block", "coverage_50", "coverage_80", "coverage_90"))

# %% [markdown]
# ## The full verification: by season, station, concentration and limit

# %%
result = verify(forecasts, data.observations, timezone=data.timezone, trained_until=since)
print(result.by_level)
print(result.by_limit)

# %% [markdown]
# ## A forecast of your own: the mean of the last 24 hours
# It needs the key and `mean`; everything else follows.

# %%
observed = data.observations.filter(pl.col("flag") == "ok", pl.col("pollutant") == "pm25")
day = pl.col("observed_at").is_between(pl.col("issued_at") - pl.duration(hours=24), "issued_at", closed="left")
keys = forecasts.select("station_id", "pollutant", "issued_at", "valid_at")
means = (
    keys.select("station_id", "issued_at")
    .unique()
    .join(observed.select("station_id", "observed_at", "concentration_ugm3"), on="station_id")
    .filter(day)
    .group_by("station_id", "issued_at")
    .agg(mean=pl.col("concentration_ugm3").mean())
)
own = keys.join(means, on=["station_id", "issued_at"])
both = {"moving average": own, "hazecast": forecasts}
rows = [hz.score(rows, data).with_columns(model=pl.lit(name)) for name, rows in both.items()]
print(pl.concat(rows).pivot("model", index="lead_block", values="mae"))
