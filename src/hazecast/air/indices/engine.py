"""The one engine of all indices: readings in, an answer out that says what it rests on."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

import numpy as np
import polars as pl

from hazecast.air.advice import UNKNOWN, Advice, advise
from hazecast.air.averages import Hours, Window
from hazecast.air.indices.scales import Scale
from hazecast.air.pollutants import PLAUSIBLE, Pollutant
from hazecast.air.units import EU_REFERENCE_C, Unit, convert
from hazecast.errors import ContractError, NotKnown

OK, SUB_INDEX, INSUFFICIENT = "ok", "sub-index", "insufficient data"
WINDOW_HOURS = 338  # the ozone NowCast looks back two weeks from up to two hours ago

# The ColorVision Assist palette (South Coast AQMD for US EPA, 2024), by severity; used for every index.
COLOUR_BLIND_SAFE = ("#9DFF91", "#FFC907", "#FF8203", "#F12100", "#890997", "#640115")
NO_COLOUR = "#9E9E9E"
PARTICLES = frozenset({Pollutant.PM25, Pollutant.PM10})


@dataclass(frozen=True)
class Reading:
    """A concentration (≥ 0) of `unit`, averaged over `averaging` ("24h"); unit None: the index's own."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit | None = None


@dataclass(frozen=True)
class Band:
    """A category of an index: values up to `upto`, the last band's without end; `level` is its severity, 1 … 6."""

    name: str
    upto: int
    colour: str
    level: int
    label: str = ""


@dataclass(frozen=True)
class SubIndex:
    """What one reading says, in the unit the index is written in; `value` is null where an index has only bands."""

    pollutant: Pollutant
    averaging: str
    concentration: float
    unit: Unit
    rank: float | None
    value: int | None
    band: str | None
    remark: str


@dataclass(frozen=True)
class Answer:
    """An index value that says what it rests on.

    `status`: "ok"; "sub-index" when only one pollutant was given and the index asks for more (the value is that
    pollutant's alone); "insufficient data" with neither value nor band. `label` is what the authority would display.
    `pollutant`, `averaging`, `concentration` and `unit` are the reading that decided; `dominant_pollutant` is null
    where the index names none.
    """

    index: str
    title: str
    version: str
    status: str
    value: int | None = None
    label: str | None = None
    band: str | None = None
    pollutant: Pollutant | None = None
    averaging: str | None = None
    concentration: float | None = None
    unit: Unit | None = None
    dominant_pollutant: Pollutant | None = None
    colour: str = NO_COLOUR
    colour_blind_safe: str = NO_COLOUR
    advice: Advice = UNKNOWN
    notes: tuple[str, ...] = ()
    sub_indices: tuple[SubIndex, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ranks stay inside."""
        plain = asdict(self)
        for sub in plain["sub_indices"]:
            del sub["rank"], sub["remark"]
        return plain


def _worst(ranks: Sequence[float]) -> int:
    return int(max(ranks))


@dataclass(frozen=True, kw_only=True)
class Index:
    """One country's index.

    Args:
        name: as on the command line; `version` names the table in force.
        authority: link to the official advice.
        bands: from best to worst.
        scales: by pollutant and averaging time; the first averaging time of a pollutant is its usual one.
        hourly: how the value of one hour is averaged from hourly means, by pollutant and averaging time.
        reference_c: temperature [°C] at which mixing ratios and µg/m³ are converted.
        has_value: False where the index has only bands.
        least_pollutants: fewer make no index; `needs_particles`: one of them must be PM2.5 or PM10.
        combine: sub-indices to the index value; the worst counts unless the index says otherwise.
        primary_above: no dominant pollutant is named up to this value.
        notes: what every answer must say.
    """

    name: str
    title: str
    version: str
    authority: str
    bands: tuple[Band, ...]
    scales: Mapping[Pollutant, Mapping[str, Scale]]
    hourly: Mapping[Pollutant, Mapping[str, Window]]
    reference_c: float = EU_REFERENCE_C
    has_value: bool = True
    least_pollutants: int = 1
    needs_particles: bool = False
    combine: Callable[[Sequence[float]], int] = _worst
    primary_above: int | None = None
    notes: tuple[str, ...] = ()

    def scale(self, pollutant: Pollutant, averaging: str) -> Scale:
        """The rule for `pollutant` at `averaging`.

        Raises:
            NotKnown: the index has none; the message lists what it has.
        """
        scales = self._scales_of(pollutant)
        if averaging not in scales:
            raise NotKnown(f"averaging of {pollutant} in {self.name}", averaging, list(scales))
        return scales[averaging]

    def usual_averaging(self, pollutant: Pollutant) -> str:
        """The averaging time the index is first of all written for.

        Raises:
            NotKnown: the index does not know the pollutant.
        """
        return next(iter(self._scales_of(pollutant)))

    def answer(self, readings: Sequence[Reading]) -> Answer:
        """The index of these readings.

        Raises:
            NotKnown: a pollutant or averaging time the index does not have.
            ContractError: a concentration that is negative or not a number.
        """
        return self._combined([self._sub_index(reading) for reading in readings], self.notes)

    def from_hourly(self, hourly: pl.DataFrame, at: datetime, *, reference_c: float = EU_REFERENCE_C) -> Answer:
        """The index of the hour that starts at `at`, averaged from trustworthy hourly means of ONE station.

        Args:
            hourly: pollutant, observed_at, concentration_ugm3; missing hours are absent. Only the 338 hours up to and
                including `at` are looked at.
            at: start of the hour, UTC.
            reference_c: temperature [°C] the gases' µg/m³ are stated at.

        Raises:
            ContractError: an hour of a pollutant repeats (more than one station?).
        """
        measured = set(hourly["pollutant"].unique())
        coarse = [pollutant for pollutant in self.scales if pollutant in measured and pollutant not in self.hourly]
        lacking = [f"{PLAUSIBLE[pollutant].label}: hourly means are too coarse" for pollutant in coarse]
        readings = []
        for pollutant, windows in self.hourly.items():
            hours = hours_until(hourly, pollutant, at)
            for averaging, window in windows.items() if not np.isnan(hours).all() else ():
                unit = self.scale(pollutant, averaging).unit
                mean = window(convert(hours, pollutant, unit=Unit.UGM3, to=unit, reference_c=reference_c))
                if mean is None:
                    lacking.append(f"{PLAUSIBLE[pollutant].label} {averaging}: too few hours")
                else:
                    readings.append(Reading(pollutant, averaging, max(0.0, mean)))
        return self._combined([self._sub_index(reading) for reading in readings], (*self.notes, *lacking))

    def band_of(self, value: int) -> Band:
        """The band that an index value lies in."""
        return next((band for band in self.bands if value <= band.upto), self.bands[-1])

    def _scales_of(self, pollutant: Pollutant) -> Mapping[str, Scale]:
        if pollutant not in self.scales:
            raise NotKnown(f"pollutant of {self.name}", str(pollutant), [str(known) for known in self.scales])
        return self.scales[pollutant]

    def _sub_index(self, reading: Reading) -> SubIndex:
        if not isfinite(reading.concentration) or reading.concentration < 0:
            raise ContractError(f"a concentration must be a number ≥ 0, not {reading.concentration:g}")
        scale = self.scale(reading.pollutant, reading.averaging)
        concentration = convert(
            reading.concentration,
            reading.pollutant,
            unit=reading.unit or scale.unit,
            to=scale.unit,
            reference_c=self.reference_c,
        )
        rank = scale.rank(concentration)
        whole = int(rank) if isinstance(rank, int) else None
        return SubIndex(
            pollutant=reading.pollutant,
            averaging=reading.averaging,
            concentration=concentration,
            unit=scale.unit,
            rank=rank,
            value=whole if self.has_value else None,
            band=None if whole is None else self.band_of(whole).name,
            remark=scale.remark(concentration),
        )

    def _combined(self, subs: Sequence[SubIndex], notes: tuple[str, ...]) -> Answer:
        remarks = [f"{PLAUSIBLE[s.pollutant].label} {s.averaging}: {s.remark}" for s in subs if s.remark]
        ranked = [sub for sub in subs if sub.rank is not None]
        lack = self._lack({sub.pollutant for sub in ranked})
        alone = len(subs) == 1 and ranked and ranked[0].band
        notes = (*notes, *remarks, *([lack] if lack else []))
        known = Answer(self.name, self.title, self.version, INSUFFICIENT, notes=notes, sub_indices=tuple(subs))
        if not ranked or (lack and not alone):
            return known
        return self._valued(known, ranked, SUB_INDEX if lack else OK)

    def _lack(self, pollutants: set[Pollutant]) -> str:
        if not pollutants:
            return "no usable concentration"
        if len(pollutants) < self.least_pollutants or (self.needs_particles and not pollutants & PARTICLES):
            particles = ", one of them PM2.5 or PM10" if self.needs_particles else ""
            return f"the index needs {self.least_pollutants} pollutants{particles}; usable here: {len(pollutants)}"
        return ""

    def _valued(self, known: Answer, ranked: Sequence[SubIndex], status: str) -> Answer:
        deciding = max(ranked, key=lambda sub: sub.rank or 0)
        value = self.combine([sub.rank for sub in ranked if sub.rank is not None])
        band = self.band_of(value)
        named = self.primary_above is None or value > self.primary_above
        return replace(
            known,
            status=status,
            value=value if self.has_value else None,
            label=band.label or (str(value) if self.has_value else band.name),
            band=band.name,
            pollutant=deciding.pollutant,
            averaging=deciding.averaging,
            concentration=deciding.concentration,
            unit=deciding.unit,
            dominant_pollutant=deciding.pollutant if named else None,
            colour=band.colour,
            colour_blind_safe=COLOUR_BLIND_SAFE[band.level - 1],
            advice=advise(band.level, deciding.pollutant, self.authority),
        )


def hours_until(hourly: pl.DataFrame, pollutant: Pollutant, at: datetime) -> Hours:
    """The 338 hourly means [µg/m³] of `pollutant` that end with the hour `at`, oldest first, NaN missing.

    Raises:
        ContractError: an hour repeats.
    """
    oldest = at - timedelta(hours=WINDOW_HOURS - 1)
    rows = hourly.filter(pl.col("pollutant") == pollutant.value, pl.col("observed_at").is_between(oldest, at))
    if rows["observed_at"].is_duplicated().any():
        raise ContractError(f"an hour of {pollutant} repeats; an index is of one station")
    hours = np.full(WINDOW_HOURS, np.nan)
    places = rows.select((pl.col("observed_at") - oldest).dt.total_hours()).to_series().to_numpy()
    hours[places] = rows["concentration_ugm3"].to_numpy()
    return hours
