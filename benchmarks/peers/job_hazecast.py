"""The job of bench_library.py with Hazecast: a week of daily forecasts for every station, with intervals, scored."""

import sys

import polars as pl

import hazecast as hz

data = hz.read_dataset(pl.read_csv(sys.argv[1]))
forecasts = hz.backtest(data, since=sys.argv[2], until=sys.argv[3], kind=sys.argv[4])
scores = hz.score(forecasts, data).filter(lead_block="all")
print(scores.item(0, "mae"), scores.item(0, "coverage_80"))
