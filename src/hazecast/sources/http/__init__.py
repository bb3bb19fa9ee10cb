"""The one HTTP client of all sources: timeouts, retries, rate budgets, conditional requests, plain errors."""

from hazecast.sources.http.client import HttpClient
from hazecast.sources.http.service import (
    Budget,
    MalformedResponse,
    Request,
    Response,
    RetryPolicy,
    Service,
    read_json,
    retry_after,
)

__all__ = [
    "Budget",
    "HttpClient",
    "MalformedResponse",
    "Request",
    "Response",
    "RetryPolicy",
    "Service",
    "read_json",
    "retry_after",
]
