"""What all answers share: immutable, units in the names and descriptions, times UTC with Z."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from hazecast.air.clock import parse_utc

FIRST_YEAR, LAST_YEAR = 1900, 2200


def read_time(given: object) -> datetime:
    """An ISO 8601 time with its zone, as UTC, in a year somebody may have measured.

    Raises:
        ValueError: not ISO 8601, without a zone, or outside 1900…2200.
    """
    if isinstance(given, datetime):
        return parse_utc(given.isoformat())
    year = given[:4] if isinstance(given, str) else ""
    if not (isinstance(given, str) and year.isdecimal() and FIRST_YEAR <= int(year) <= LAST_YEAR):
        raise ValueError(f"{given!r} is not an ISO 8601 time in the years {FIRST_YEAR} to {LAST_YEAR}")
    # A bare + in an address arrives as a space.
    return parse_utc(given.replace(" ", "+"))


UtcTime = Annotated[AwareDatetime, BeforeValidator(read_time)]
Concentration = Annotated[float, Field(description="Concentration [µg/m³]", examples=[18.4])]
Probability = Annotated[float | None, Field(description="Probability 0…1; null where there is no such limit")]
Status = Literal["ok", "degraded", "stale", "baseline"]
Flag = Literal["ok", "suspicious", "invalid"]
Unit = Literal["µg/m³"]


def is_absent(value: object) -> bool:
    """Whether a part was not asked for; it is then left out of the answer."""
    return value is None


Distance = Annotated[
    float | None, Field(description="From the coordinate asked for [km]; absent without one", exclude_if=is_absent)
]
Cursor = Annotated[str | None, Field(description="Pass it as `cursor` to go on; null: this was the last page")]


class Answer(BaseModel):
    """Base of all answers: immutable."""

    model_config = ConfigDict(frozen=True)


class Problem(BaseModel):
    """Why there is no answer (RFC 9457, media type application/problem+json)."""

    type: str = Field(examples=["urn:hazecast:problem:not-known"])
    title: str = Field(examples=["Not known"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["unknown station 'dongsi'"])
    known: list[str] | None = Field(default=None, description="What may be asked for instead, at most 100")
