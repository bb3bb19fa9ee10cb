"""The stored tables: Delta Lake in a local folder or in S3, with the same code."""

from hazecast.store.layout import RETENTION
from hazecast.store.store import Store
from hazecast.store.upkeep import Compacted

__all__ = ["RETENTION", "Compacted", "Store"]
