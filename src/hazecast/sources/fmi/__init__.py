"""Finland: hourly air quality and weather from the open data service of the Finnish Meteorological Institute."""

from hazecast.sources.fmi.source import FmiSource

__all__ = ["FmiSource"]
