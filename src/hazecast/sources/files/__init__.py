"""A dataset folder as a source: stations.csv, observations and optional weather as Parquet or CSV."""

from hazecast.sources.files.source import FilesSource

__all__ = ["FilesSource"]
