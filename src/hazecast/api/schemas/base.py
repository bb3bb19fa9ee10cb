"""What all schemas share: immutable models, units in names and descriptions, times in UTC."""

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    create_model,
    field_validator,
)

from hazecast.air.clock import parse_utc
from hazecast.air.spec import QUANTILES
from hazecast.air.status import Status as Status  # part of the schemas

# No station measured before 1900, and four-digit years keep every ISO 8601 parser on the same path.
FIRST_YEAR, LAST_YEAR = 1900, 2200

Model = TypeVar("Model", bound=BaseModel)


def parse_time(value: object) -> datetime:
    """Parse an ISO 8601 time with its zone and convert it to UTC.

    Raises:
        ValueError: not ISO 8601, without a zone, or outside 1900…2200.
    """
    if isinstance(value, datetime):
        return parse_utc(value.isoformat())
    year = value[:4] if isinstance(value, str) else ""
    if not (isinstance(value, str) and year.isdecimal() and FIRST_YEAR <= int(year) <= LAST_YEAR):
        raise ValueError(f"{value!r} is not an ISO 8601 time in the years {FIRST_YEAR} to {LAST_YEAR}")
    # A + that is not percent-encoded arrives as a space.
    return parse_utc(value.replace(" ", "+"))


def is_absent(value: object) -> bool:
    """Whether an optional part was not requested; it is then left out of the response."""
    return value is None


UtcTime = Annotated[AwareDatetime, BeforeValidator(parse_time)]
Concentration = Annotated[float, Field(description="Concentration [µg/m³]", examples=[18.4])]
Probability = Annotated[float | None, Field(description="Probability 0…1; null where there is no such limit")]
Distance = Annotated[
    float | None,
    Field(description="To the requested coordinate [km]; absent without one", exclude_if=is_absent),
]
NextCursor = Annotated[str | None, Field(description="Pass it as `cursor` for the next page; null: last page")]
Flag = Literal["ok", "suspicious", "invalid"]
Unit = Literal["µg/m³"]


def digits_of(name: str) -> int:
    """Decimals of a number in responses, by the name of its field or column.

    Concentrations, hours and distances have two: instruments resolve 0.1 to 1 µg/m³. Others have four (probabilities,
    scores, mixing ratios in ppm), coordinates six.
    """
    if name in ("latitude", "longitude"):
        return 6
    is_quantity = name in ("mean", *QUANTILES) or name.endswith(("_ugm3", "_hours", "_km"))
    return 2 if is_quantity else 4


class ApiModel(BaseModel):
    """Base of all responses: immutable; numbers have meaningful digits (`digits_of`)."""

    model_config = ConfigDict(frozen=True)

    @field_validator("*")
    @classmethod
    def _round(cls, value: Any, info: ValidationInfo) -> Any:
        # + 0.0 turns -0.0 into 0.0
        return round(value, digits_of(info.field_name or "")) + 0.0 if isinstance(value, float) else value


class RequestModel(BaseModel):
    """Base of all request bodies: immutable; unknown fields are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(BaseModel):
    """Why a request failed (RFC 9457, media type application/problem+json)."""

    type: str = Field(examples=["urn:hazecast:problem:not-known"])
    title: str = Field(examples=["Not found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["unknown station 'dongsi'"])
    known: list[str] | None = Field(default=None, description="Valid values, at most 100")


def with_fields(base: type[Model], names: Iterable[str], kind: Any, *, default: Any = ...) -> type[Model]:
    """Derive a model with one more field for each name.

    Args:
        base: the model to extend; its fields come first.
        names: the new fields, in this order.
        kind: their type annotation.
        default: their default; `...` makes them required.
    """
    fields: dict[str, Any] = dict.fromkeys(names, (kind, default))
    return create_model(base.__name__, __base__=base, **fields)
