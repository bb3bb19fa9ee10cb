"""Air-quality indices, limits and guidelines."""

from datetime import date

from pydantic import Field

from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit
from hazecast.api.schemas.base import ApiModel, RequestModel

MAX_READINGS = 50
MAX_CONCENTRATION = 1e6


class ReadingIn(RequestModel):
    """One concentration."""

    pollutant: Pollutant
    concentration: float = Field(ge=0, le=MAX_CONCENTRATION, allow_inf_nan=False, strict=True, examples=[35.9])
    averaging: str | None = Field(
        default=None, description="24h, 8h, 1h, nowcast …; null: the index's usual one", examples=["24h"]
    )
    unit: Unit | None = Field(default=None, description="null: the unit of the index's official table")


class AqiRequest(RequestModel):
    """Concentrations to convert to an index."""

    index: str = Field(description="A name from /api/v1/indices", examples=["us-epa"])
    version: str | None = Field(default=None, description="null: the table in force")
    readings: list[ReadingIn] = Field(min_length=1, max_length=MAX_READINGS)


class Advice(ApiModel):
    """General advice; not medical advice."""

    everyone: str
    sensitive: str
    note: str


class SubIndex(ApiModel):
    """The index of one concentration alone."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit
    value: int | None
    band: str | None


class Aqi(ApiModel):
    """An index value with the reading that determines it."""

    index: str
    title: str
    version: str
    status: str = Field(description="ok, sub-index or insufficient data")
    value: int | None
    label: str | None
    band: str | None
    pollutant: Pollutant | None = Field(description="Of the reading that determines the index, with the next three")
    averaging: str | None
    concentration: float | None
    unit: Unit | None
    dominant_pollutant: Pollutant | None
    colour: str
    colour_blind_safe: str
    advice: Advice
    notes: list[str]
    sub_indices: list[SubIndex]


class IndexBand(ApiModel):
    """A category: index values up to `upto`."""

    name: str
    upto: int
    level: int = Field(description="Severity, 1 … 6")
    colour: str
    colour_blind_safe: str


class IndexPart(ApiModel):
    """A pollutant of the index at one averaging time, and the unit of its official table."""

    pollutant: Pollutant
    averaging: str
    unit: Unit


class IndexDescription(ApiModel):
    """One country's index."""

    index: str
    title: str
    version: str
    authority: str = Field(description="Link to the official advice")
    has_value: bool = Field(description="False: the index has only bands")
    is_default: bool = Field(description="The index of this place")
    bands: list[IndexBand]
    parts: list[IndexPart]
    notes: list[str]


class Indices(ApiModel):
    """Every index in force."""

    indices: list[IndexDescription]


class Rule(ApiModel):
    """A legal value or guideline as its authority writes it; exceeded means above."""

    authority: str = Field(examples=["eu-2024-2881"])
    kind: str = Field(examples=["limit value"])
    pollutant: Pollutant
    statistic: str = Field(description="What is compared with the value", examples=["mean of the local day"])
    value: float
    unit: Unit
    concentration_ugm3: float = Field(description="The same in µg/m³, as observations are: mixing ratios at 20 °C")
    allowed: int | None = Field(description="Exceedances permitted in a year")
    percentile: float | None = Field(description="Of the year's statistics")
    years: int = Field(description="Number of years averaged")
    consecutive_hours: int
    applies_from: date | None = Field(description="First day in force; null: in force")


class Rules(ApiModel):
    """Air-quality law and guidelines."""

    rules: list[Rule]
