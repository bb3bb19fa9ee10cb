"""A dataset folder as a source: stations, observations and optional weather as Parquet, CSV, gzip or zip."""

from hazecast.sources.files.source import FilesSource

__all__ = ["FilesSource"]
