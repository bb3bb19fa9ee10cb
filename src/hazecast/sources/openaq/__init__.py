"""Anywhere: what public networks measured, as OpenAQ gathers it (API v3 and the public archive)."""

from hazecast.sources.openaq.source import OpenAQSource

__all__ = ["OpenAQSource"]
