"""The peer of bench_skill.py: the model of direct.py, trained once per pollutant and used for every issue."""

import sys
from pathlib import Path

import pandas as pd
from direct import HORIZON_HOURS, model

LOOKBACK_HOURS = 24 * 14


def main(folder: str, trained_until: str, out: str) -> None:
    history = pd.read_parquet(Path(folder) / "history.parquet")
    issues = pd.read_parquet(Path(folder) / "issues.parquet")["issued_at"]
    parts = []
    for pollutant, rows in history.groupby("pollutant"):
        wide = rows.pivot(index="ds", columns="unique_id", values="y").resample("1h").mean().ffill()
        forecast = model()
        training = long(wide[wide.index < trained_until])
        forecast.fit(training, max_horizon=HORIZON_HOURS, static_features=[])
        for issue in issues:
            before = (wide.index < issue) & (wide.index >= issue - pd.Timedelta(hours=LOOKBACK_HOURS))
            predicted = forecast.predict(HORIZON_HOURS, new_df=long(wide[before]))
            parts.append(predicted.assign(pollutant=pollutant, issued_at=issue))
    names = {"unique_id": "station_id", "ds": "valid_at", "direct": "mean"}
    pd.concat(parts).rename(columns=names)[["station_id", "pollutant", "issued_at", "valid_at", "mean"]].to_parquet(
        out, index=False
    )


def long(wide: pd.DataFrame) -> pd.DataFrame:
    """Rows of unique_id, ds, y of the stations that have been heard of."""
    return wide.reset_index().melt(id_vars="ds", var_name="unique_id", value_name="y").dropna()


if __name__ == "__main__":
    main(*sys.argv[1:])
