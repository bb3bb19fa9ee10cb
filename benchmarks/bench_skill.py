"""Skill of the forecasts on a real dataset, compared with naive forecasts and mlforecast with LightGBM, in one run.

Trains on what was known before --from and issues daily at 06:00 until --to: without weather ahead, with noisy weather,
and with the weather that came true (perfect prog: an upper bound). The peer learns from the same past, knows no weather
and issues on every eighth day; it is compared on those days, in the last table. rMAE is the error relative to the
seasonal naive on the same hours. A year of Beijing takes about an hour; with --keep, a run started again goes on.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path

import measured
import polars as pl
from bench_training import PEERS, as_peers_read, peer_environment

from hazecast.evaluation.backtest import WEATHER_DESCRIPTIONS, Backtest, issue_times, run
from hazecast.evaluation.dataset import Dataset, read_dataset
from hazecast.evaluation.verification import BLOCKS
from hazecast.features import FutureWeather
from hazecast.scoring import score

KEY = ("station_id", "pollutant", "issued_at", "valid_at")
HOUR, PEER_EVERY = 6, 8
WEATHER_NAMES = {
    FutureWeather.NONE: "no weather ahead",
    FutureWeather.NOISY: "noisy weather",
    FutureWeather.OBSERVED: "perfect prog",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", nargs="?", type=Path, help="dataset folder (docs/data.md)")
    parser.add_argument("--from", dest="since", default="2016-03-01", help="first day (default: %(default)s)")
    parser.add_argument("--to", dest="until", default="2017-03-01", help="day after the last (default: %(default)s)")
    parser.add_argument("--pollutants", default="", help="comma-separated (default: all)")
    parser.add_argument("--record", action="store_true", help="write docs/measurements/skill.csv")
    parser.add_argument("--keep", type=Path, help="folder for the forecasts (default: deleted)")
    options = parser.parse_args()
    if options.data is None:
        print("no dataset folder given: python benchmarks/bench_skill.py DIR --from DAY --to DAY")
        return
    dataset = read_dataset(options.data)
    since, until = (dataset.moment(text, option="a day") for text in (options.since, options.until))
    pollutants = tuple(options.pollutants.split(",")) if options.pollutants else tuple(dataset.pollutants)
    with nullcontext(options.keep) if options.keep else tempfile.TemporaryDirectory() as folder:
        Path(folder).mkdir(exist_ok=True)
        rows = evaluate(dataset, since, until, pollutants, Path(folder))
    if options.record:
        measured.write("skill.csv", rows)


def evaluate(
    dataset: Dataset, since: datetime, until: datetime, pollutants: tuple[str, ...], folder: Path
) -> list[dict[str, object]]:
    """Print the tables; returns their rows."""
    rows = []
    for weather in (FutureWeather.NONE, FutureWeather.NOISY, FutureWeather.OBSERVED):
        backtest = Backtest(since, since, until, HOUR, weather=weather, pollutants=pollutants)
        run(backtest, dataset, folder / f"{weather}.parquet", training=report, issuing=report)
        forecasts = pl.read_parquet(folder / f"{weather}.parquet")
        print(f"\nHazecast, {weather}. {WEATHER_DESCRIPTIONS[weather]}")
        rows += table(f"Hazecast, {WEATHER_NAMES[weather]}", score(forecasts, dataset.observations, by=("pollutant",)))
    issues = issue_times(since, until, every=Backtest.every, hour=HOUR, timezone=dataset.timezone)[::PEER_EVERY]
    peer = peer_forecasts(dataset, since, issues, pollutants, folder)
    ours = pl.read_parquet(folder / "none.parquet").join(peer.select(KEY), on=KEY, how="semi")
    print(f"\nmlforecast, one direct model per lead hour, {len(issues)} issues")
    every = f"every {PEER_EVERY}th day"
    rows += table(f"mlforecast, no weather ahead, {every}", score(peer, dataset.observations, by=("pollutant",)))
    print("\nHazecast, none, the same issues")
    rows += table(f"Hazecast, no weather ahead, {every}", score(ours, dataset.observations, by=("pollutant",)))
    return rows


def table(title: str, scores: pl.DataFrame) -> list[dict[str, object]]:
    """Print rMAE by lead block and of persistence; CRPS [µg/m³] and coverage of all leads. Returns the rows."""
    found: list[dict[str, object]] = []
    print(
        f"{'rMAE by lead [h]':18}"
        + "".join(f"{block:>8}" for block in BLOCKS.categories)
        + "  persistence    CRPS  80 % covers"
    )
    for (pollutant,), rows in scores.group_by("pollutant", maintain_order=True):
        whole = rows.filter(pl.col("lead_block") == "all").row(0, named=True)
        rmae = dict(rows.select("lead_block", "rmae").iter_rows())
        by_block = "".join(f"{rmae[block]:8.3f}" if block in rmae else f"{'-':>8}" for block in BLOCKS.categories)
        quantiles = f"{whole['crps']:8.2f}{whole['coverage_80']:13.3f}" if whole["crps"] is not None else ""
        persistence = whole["rmae"] / whole["rmae_persistence"]
        print(f"{pollutant:18}{by_block}{persistence:13.3f}{quantiles}")
        shown = {f"rMAE, {block} h": f"{rmae[block]:.3f}" for block in BLOCKS.categories if block in rmae}
        crps, coverage = (whole[name] for name in ("crps", "coverage_80"))
        sharp = {"CRPS [µg/m³]": f"{crps:.1f}", "80 % interval covers": f"{coverage:.0%}"} if crps is not None else {}
        found.append({"forecast": title, "pollutant": pollutant, "hours": whole["n"], **shown, **sharp})
        found[-1].setdefault("CRPS [µg/m³]", "-")
        found[-1].setdefault("80 % interval covers", "-")
    return found


def peer_forecasts(
    dataset: Dataset, trained_until: datetime, issues: list[datetime], pollutants: tuple[str, ...], folder: Path
) -> pl.DataFrame:
    """Forecasts of the peer: key, lead_hours, mean and q50 [µg/m³]; the point forecast is used for both."""
    key = dataset.fingerprint, f"{trained_until:%Y%m%d}", f"{issues[-1]:%Y%m%d}", *pollutants
    path = folder / f"mlforecast-{'-'.join(key)}.parquet"
    if not path.exists():
        with tempfile.TemporaryDirectory() as scratch:
            write_inputs(dataset, issues, pollutants, Path(scratch))
            python = peer_environment(Path(scratch))
            until = trained_until.replace(tzinfo=None).isoformat()
            subprocess.run([python, str(PEERS / "rolling.py"), scratch, until, str(path)], check=True)
    hours = pl.col("issued_at", "valid_at").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    lead = ((pl.col("valid_at") - pl.col("issued_at")).dt.total_hours() + 1).cast(pl.Int32)
    return pl.read_parquet(path).with_columns(hours).with_columns(lead_hours=lead, q50="mean")


def write_inputs(dataset: Dataset, issues: list[datetime], pollutants: tuple[str, ...], folder: Path) -> None:
    valid = dataset.observations.filter(pl.col("flag") == "ok", pl.col("pollutant").is_in(pollutants))
    as_peers_read(valid).write_parquet(folder / "history.parquet")
    pl.DataFrame({"issued_at": issues}).with_columns(pl.col("issued_at").dt.replace_time_zone(None)).write_parquet(
        folder / "issues.parquet"
    )


def report(line: str, share: float) -> None:
    if sys.stderr.isatty():
        print(f"\r{share:4.0%} {line:60}", end="", file=sys.stderr)


if __name__ == "__main__":
    main()
