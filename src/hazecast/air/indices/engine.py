"""Computation shared by all indices: from readings to an index value with its sub-indices."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import isfinite

import numpy as np
import polars as pl

from hazecast.air.advice import advise
from hazecast.air.averages import Hours, Window
from hazecast.air.indices.result import (
    COLOUR_BLIND_SAFE,
    INSUFFICIENT,
    OK,
    SUB_INDEX,
    Band,
    IndexResult,
    Reading,
    SubIndex,
)
from hazecast.air.indices.scales import Scale
from hazecast.air.pollutants import Pollutant
from hazecast.air.units import EU_REFERENCE_C, Unit, convert
from hazecast.errors import ContractError, NotKnown

WINDOW_HOURS = 338  # the ozone NowCast looks back two weeks from up to two hours ago

PARTICLES = frozenset({Pollutant.PM25, Pollutant.PM10})


def _worst(ranks: Sequence[float]) -> int:
    return int(max(ranks))


@dataclass(frozen=True, kw_only=True)
class Index:
    """One country's index.

    Args:
        name: as on the command line; `version` names the table in force.
        authority: link to the official advice.
        bands: from best to worst.
        scales: by pollutant and averaging time; the first averaging time of a pollutant is its default.
        hourly: how the value of one hour is averaged from hourly means, by pollutant and averaging time.
        reference_c: temperature [°C] at which mixing ratios and µg/m³ are converted.
        has_value: False where the index has only bands.
        least_pollutants: fewer make no index; `needs_particles`: one of them must be PM2.5 or PM10.
        combine: sub-indices to the index value; by default the highest.
        primary_above: no dominant pollutant is reported up to this value.
        notes: attached to every result.
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
        """The scale for `pollutant` at `averaging`.

        Raises:
            NotKnown: the index has none; the message lists what it has.
        """
        scales = self._scales_of(pollutant)
        if averaging not in scales:
            raise NotKnown(f"averaging of {pollutant} in {self.name}", averaging, list(scales))
        return scales[averaging]

    def usual_averaging(self, pollutant: Pollutant) -> str:
        """The default averaging time of the index.

        Raises:
            NotKnown: the index does not cover the pollutant.
        """
        return next(iter(self._scales_of(pollutant)))

    def evaluate(self, readings: Sequence[Reading]) -> IndexResult:
        """The index of these readings.

        Raises:
            NotKnown: a pollutant or averaging time the index does not have.
            ContractError: a concentration that is negative or not a number.
        """
        return self._combined([self._sub_index(reading) for reading in readings], self.notes)

    def from_hourly(self, hourly: pl.DataFrame, at: datetime, *, reference_c: float = EU_REFERENCE_C) -> IndexResult:
        """The index of the hour that starts at `at`, averaged from valid hourly means of ONE station.

        Args:
            hourly: pollutant, observed_at, concentration_ugm3; missing hours are absent. Only the 338 hours up to and
                including `at` are used.
            at: start of the hour, UTC.
            reference_c: temperature [°C] the gases' µg/m³ are stated at.

        Raises:
            ContractError: an hour of a pollutant repeats (more than one station?).
        """
        return self.from_hours(windows_until(hourly, at), reference_c=reference_c)

    def from_hours(self, hours: Mapping[str, Hours], *, reference_c: float = EU_REFERENCE_C) -> IndexResult:
        """The index of the last of these hours: as `from_hourly`, from series instead of rows.

        Args:
            hours: by pollutant its hourly means [µg/m³], oldest first, NaN missing, all ending with the same hour.
            reference_c: temperature [°C] the gases' µg/m³ are stated at.
        """
        coarse = [pollutant for pollutant in self.scales if pollutant in hours and pollutant not in self.hourly]
        lacking = [f"{pollutant.label}: hourly means are too coarse" for pollutant in coarse]
        readings = []
        for pollutant, windows in self.hourly.items():
            for averaging, window in windows.items() if pollutant in hours else ():
                unit = self.scale(pollutant, averaging).unit
                mean = window(convert(hours[pollutant], pollutant, unit=Unit.UGM3, to=unit, reference_c=reference_c))
                if mean is None:
                    lacking.append(f"{pollutant.label} {averaging}: too few hours")
                else:
                    readings.append(Reading(pollutant, averaging, max(0.0, mean)))
        return self._combined([self._sub_index(reading) for reading in readings], (*self.notes, *lacking))

    def severity(self, hours_ugm3: Mapping[str, Hours], *, reference_c: float = EU_REFERENCE_C) -> Hours:
        """How bad single hours are, to rank the hours of one band: the highest unrounded sub-index (hour,).

        Averages over several hours would hide which hour is bad, so the means of the hours are taken as they are.

        Args:
            hours_ugm3: by pollutant its hourly means [µg/m³], all for the same hours, NaN missing.
            reference_c: temperature [°C] the gases' µg/m³ are stated at.

        Returns:
            0 at zero concentration; NaN where no pollutant of the index has a value.
        """
        severities = [np.full(len(next(iter(hours_ugm3.values()), ())), np.nan)]
        for pollutant in self.scales:
            if pollutant in hours_ugm3:
                scale = self.scale(pollutant, self.usual_averaging(pollutant))
                hours = hours_ugm3[pollutant]
                severities.append(
                    scale.severity(convert(hours, pollutant, unit=Unit.UGM3, to=scale.unit, reference_c=reference_c))
                )
        return np.asarray(np.fmax.reduce(severities))

    def band_of(self, value: int) -> Band:
        """The band that contains an index value."""
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
        whole = rank if isinstance(rank, int) else None
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

    def _combined(self, subs: Sequence[SubIndex], notes: tuple[str, ...]) -> IndexResult:
        ranked = [sub for sub in subs if sub.rank is not None]
        usable = {sub.pollutant for sub in ranked}
        remarkable = [sub for sub in subs if sub.remark and (sub.rank is not None or sub.pollutant not in usable)]
        remarks = [f"{sub.pollutant.label} {sub.averaging}: {sub.remark}" for sub in remarkable]
        shortage = self._shortage(usable)
        alone = len({sub.pollutant for sub in subs}) == 1 and all(sub.band for sub in ranked)
        notes = (*notes, *remarks, *([shortage] if shortage else []))
        result = IndexResult(self.name, self.title, self.version, INSUFFICIENT, notes=notes, sub_indices=tuple(subs))
        if not ranked or (shortage and not alone):
            return result
        return self._valued(result, ranked, SUB_INDEX if shortage else OK)

    def _shortage(self, pollutants: set[Pollutant]) -> str:
        if not pollutants:
            return "no usable concentration"
        if len(pollutants) < self.least_pollutants or (self.needs_particles and not pollutants & PARTICLES):
            particles = ", one of them PM2.5 or PM10" if self.needs_particles else ""
            return f"the index needs {self.least_pollutants} pollutants{particles}; usable here: {len(pollutants)}"
        return ""

    def _valued(self, result: IndexResult, ranked: Sequence[SubIndex], status: str) -> IndexResult:
        deciding = max(ranked, key=lambda sub: sub.rank or 0)
        value = self.combine([sub.rank for sub in ranked if sub.rank is not None])
        band = self.band_of(value)
        named = self.primary_above is None or value > self.primary_above
        return replace(
            result,
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


def windows_until(hourly: pl.DataFrame, at: datetime) -> dict[str, Hours]:
    """By pollutant the 338 hourly means [µg/m³] that end with the hour `at`, oldest first, NaN missing.

    Pollutants without any hour among them are absent.

    Raises:
        ContractError: an hour of a pollutant repeats.
    """
    oldest = at - timedelta(hours=WINDOW_HOURS - 1)
    place = (pl.col("observed_at") - oldest).dt.total_hours()
    recent = hourly.filter(pl.col("observed_at").is_between(oldest, at)).with_columns(place=place)
    if recent.select("pollutant", "place").is_duplicated().any():
        raise ContractError("an hour of a pollutant repeats; an index is of one station")
    windows = {}
    for (pollutant,), rows in recent.group_by("pollutant"):
        windows[str(pollutant)] = np.full(WINDOW_HOURS, np.nan)
        windows[str(pollutant)][rows["place"].to_numpy()] = rows["concentration_ugm3"].to_numpy()
    return windows
