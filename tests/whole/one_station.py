"""A dataset folder with one simulated station."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from hazecast.sources.simulated import SimulatedSource

UNTIL = datetime(2026, 3, 1, tzinfo=UTC)


def write_station(folder: Path, *, days: int = 40) -> None:
    """PM2.5 of the days until UNTIL at one simulated station, without weather."""
    folder.mkdir()
    source = SimulatedSource(n_stations=1)
    rows = source.fetch_observations(since=UNTIL - timedelta(days=days), until=UNTIL).filter(pollutant="pm25")
    source.fetch_stations().select("station_id", "name", "latitude", "longitude").write_csv(folder / "stations.csv")
    rows.select("station_id", "observed_at", pm25="concentration_ugm3").write_parquet(folder / "observations.parquet")
