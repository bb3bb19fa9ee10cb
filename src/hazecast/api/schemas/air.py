"""Indices and rules: what concentrations mean."""

from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from hazecast.air.pollutants import Pollutant
from hazecast.air.units import Unit
from hazecast.api.schemas.base import Answer

MOST_READINGS = 50
LARGEST = 1e6


class Question(BaseModel):
    """Base of all questions: words that are not known are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class ReadingAsked(Question):
    """One concentration."""

    pollutant: Pollutant
    concentration: float = Field(ge=0, le=LARGEST, allow_inf_nan=False, examples=[35.9])
    averaging: str | None = Field(
        default=None, description="24h, 8h, 1h, nowcast …; null: the index's usual one", examples=["24h"]
    )
    unit: Unit | None = Field(default=None, description="null: the unit of the index's official table")


class AqiQuestion(Question):
    """Concentrations whose index is wanted."""

    index: str = Field(description="A name from /api/v1/indices", examples=["us-epa"])
    version: str | None = Field(default=None, description="null: the table in force")
    readings: list[ReadingAsked] = Field(min_length=1, max_length=MOST_READINGS)


class Advice(Answer):
    """What people can do; never medical advice."""

    everyone: str
    sensitive: str
    note: str


class SubIndex(Answer):
    """What one concentration alone says."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit
    value: int | None
    band: str | None


class Aqi(Answer):
    """An index value that says what it rests on."""

    index: str
    title: str
    version: str
    status: str = Field(description="ok, sub-index or insufficient data")
    value: int | None
    label: str | None
    band: str | None
    pollutant: Pollutant | None = Field(description="Of the reading that decided, with the next three")
    averaging: str | None
    concentration: float | None
    unit: Unit | None
    dominant_pollutant: Pollutant | None
    colour: str
    colour_blind_safe: str
    advice: Advice
    notes: list[str]
    sub_indices: list[SubIndex]


class IndexBand(Answer):
    """A category: index values up to `upto`."""

    name: str
    upto: int
    level: int = Field(description="Severity, 1 … 6")
    colour: str
    colour_blind_safe: str


class IndexPart(Answer):
    """A pollutant the index knows, at one averaging time, and the unit of its official table."""

    pollutant: Pollutant
    averaging: str
    unit: Unit


class IndexDescription(Answer):
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


class Indices(Answer):
    """Every index in force."""

    indices: list[IndexDescription]


class Rule(Answer):
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
    years: int = Field(description="Averaged over so many years")
    consecutive_hours: int
    applies_from: date | None = Field(description="First day in force; null: in force")


class Rules(Answer):
    """Air-quality law and guidelines."""

    rules: list[Rule]
