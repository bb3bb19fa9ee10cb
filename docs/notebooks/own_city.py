# %% [markdown]
# # Forecast your own city
#
# Open this file as a notebook (Jupyter with jupytext, VS Code or PyCharm), or run it: `python own_city.py air.csv`.
# `air.csv` has one row per station and hour: station_id, time (with zone) and a column per pollutant. Without a file,
# simulated data are used.

# %%
import sys
from datetime import timedelta

import polars as pl

import hazecast as hz

files = [name for name in sys.argv[1:] if name.endswith((".csv", ".parquet"))]
if files:
    frame = pl.read_csv(files[0]) if files[0].endswith(".csv") else pl.read_parquet(files[0])
    data = hz.read_dataset(frame)
else:
    data = hz.simulate(days=45, n_stations=2)
print(data.since, data.until, data.pollutants, data.stations["source"][0])

# %% [markdown]
# ## What the quality rules flagged

# %%
print(data.observations.group_by("pollutant", "flag", "flag_reasons").len().sort("pollutant", "flag"))

# %% [markdown]
# ## Train, and forecast from the last observation
# `light=True` trains small models; leave it out for the full ones.

# %%
pollutant = data.pollutants[0]
model = hz.fit(data, pollutants=[pollutant], kind="trees", light=True)
forecast = model.predict()
print(forecast.select("station_id", "valid_at", "q10", "q50", "q90", "status").head())

# %%
figure = hz.plot(forecast, data)
figure.savefig("forecast.png")

# %% [markdown]
# ## How good would it have been?
# The last week again, with a model trained on what came before.

# %%
week_ago = data.until - timedelta(days=7)
past = hz.backtest(data, since=week_ago, pollutants=[pollutant], kind="trees", light=True)
print(hz.score(past, data).select("lead_block", "n", "mae", "rmae", "coverage_80"))
