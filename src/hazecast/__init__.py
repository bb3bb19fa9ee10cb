"""Hazecast: self-hosted air-pollution forecasting, calibrated and verified."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hazecast.client import Client

__version__ = "0.1.0"

__all__ = ["Client", "__version__"]


def __getattr__(name: str) -> Any:
    # The client brings httpx and pydantic, which the rest of the package should not wait for.
    if name == "Client":
        from hazecast.client import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
