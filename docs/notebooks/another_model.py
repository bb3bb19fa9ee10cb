# %% [markdown]
# # Another model
#
# Compare kinds of models, and one of your own, on the same issues. `damped_persistence.py` is a complete model in one
# file; [Add a model](../tutorials/add-a-model.md) explains it.

# %%
import sys
from datetime import timedelta
from pathlib import Path

import polars as pl

import hazecast as hz

sys.path.append(str(Path(__file__).parents[1] / "examples"))
from damped_persistence import DampedPersistence

data = hz.simulate(days=45, n_stations=2)
kinds = {"climatology": "climatology", "trees": "trees", "damped persistence": DampedPersistence}

# %%
scores = []
for name, kind in kinds.items():
    issues = {"since": data.until - timedelta(days=8), "until": data.until - timedelta(days=3)}
    forecasts = hz.backtest(data, **issues, pollutants=["pm25"], kind=kind, weather="none", light=True)
    scores.append(hz.score(forecasts, data).with_columns(model=pl.lit(name)))
print(pl.concat(scores).pivot("model", index="lead_block", values="rmae"))

# %% [markdown]
# rmae is the error relative to the seasonal naive on the same hours: below 1 is better than "as yesterday".
