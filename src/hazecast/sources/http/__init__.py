"""The one HTTP client of all sources: timeouts, retries, rate budgets, conditional requests, plain errors."""

from hazecast.sources.http.client import HttpClient
from hazecast.sources.http.service import (
    Answer,
    BrokenAnswer,
    Budget,
    Patience,
    Request,
    Service,
    read_json,
    retry_after,
)

__all__ = [
    "Answer",
    "BrokenAnswer",
    "Budget",
    "HttpClient",
    "Patience",
    "Request",
    "Service",
    "read_json",
    "retry_after",
]
