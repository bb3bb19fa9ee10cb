"""The tables of a verification as people read them: titles, notes, headings and rounded numbers."""

from dataclasses import dataclass

import polars as pl

from hazecast.air.pollutants import Pollutant
from hazecast.steps.report.probabilities import ENOUGH_EVENTS
from hazecast.steps.report.verify import Verification

_ABSENT = "–"
_HEADINGS = {
    "pollutant": "pollutant",
    "lead_block": "lead [h]",
    "season": "season",
    "station_id": "station",
    "observed": "observed [µg/m³]",
    "limit": "limit",
    "lead_day": "lead day",
    "status": "status",
    "n": "hours",
    "n_events": "above",
    "mae": "MAE",
    "mae_persistence": "MAE pers.",
    "mae_seasonal_naive": "MAE naive",
    "rmae": "ratio",
    "rmse": "RMSE",
    "bias": "bias",
    "crps": "CRPS",
    "brier": "Brier",
    "brier_climatology": "Brier clim.",
    "brier_skill": "skill",
    "share": "share",
}
_ERRORS = ("n", "mae", "mae_persistence", "mae_seasonal_naive", "rmae", "rmse", "bias", "crps")
_COVERAGES = ("coverage_50", "coverage_80", "coverage_90")
_WORDS = ("pollutant", "lead_block", "season", "station_id", "observed", "limit", "status")


@dataclass(frozen=True)
class Section:
    """One table: `rows` carry `pollutant` first and then text ready to print; `n_words` columns are words."""

    title: str
    note: str
    rows: pl.DataFrame

    @property
    def n_words(self) -> int:
        """How many of the leading columns are words; the others are numbers."""
        return sum(heading in _WORD_HEADINGS for heading in self.rows.columns)


_WORD_HEADINGS = {_HEADINGS[name] for name in _WORDS}


def sections(found: Verification) -> list[Section]:
    """Everything a reader should see, in order of importance."""
    season = found.by_season.filter(pl.col("lead_block") == "all")
    return [
        Section(
            "Error by lead time",
            "µg/m³. MAE judges the median, RMSE and bias the mean. On the same hours, pers. is persistence and naive "
            "the seasonal naive (same hour of the latest complete day); ratio: MAE / MAE naive, below 1 is better.",
            _printed(found.by_lead, "lead_block", *_ERRORS),
        ),
        Section(
            "The same with suspicious observations",
            "As above, but observations that the quality check doubts count as truth too; some may be real extremes.",
            _printed(found.by_lead_doubted, "lead_block", *_ERRORS),
        ),
        Section(
            "Coverage of the 50 / 80 / 90 % intervals",
            "Percent of observations inside; calibrated would be 50 / 80 / 90. Leads in hours.",
            _coverage(found),
        ),
        Section("Error by season", "µg/m³, all leads; local month of issue.", _printed(season, "season", *_ERRORS)),
        Section(
            "Error by observed concentration",
            "µg/m³, all leads; quarters of what was observed, the highest split at its 95th percentile. Sorted by what "
            "came true, so even perfect probabilities look too high in the low classes and too low in the high ones: "
            "compare the columns, not the rows.",
            _printed(found.by_level, "observed", *_ERRORS),
        ),
        Section("Error by station", "µg/m³, all leads.", _printed(found.by_station, "station_id", *_ERRORS)),
        Section(
            "Exceedance probabilities",
            "Skill: 1 − Brier / Brier of the climatology (clim.: how often that station was above in that month before "
            f"the training ended); above 0 is better, – with fewer than {ENOUGH_EVENTS} hours above or not above. The "
            "hour's mean is compared with the value, also where the rule averages over the hours in brackets.",
            _printed(found.by_limit, "limit", "lead_day", "n", "n_events", "brier", "brier_climatology", "brier_skill"),
        ),
        Section(
            "Status of the forecasts",
            "degraded: promised weather was absent for that hour; baseline: the station's climatology spoke.",
            _printed(found.by_status, "status", "n", "share"),
        ),
    ]


def label_of(pollutant: str) -> str:
    """A pollutant as people write it."""
    return Pollutant(pollutant).label


def _printed(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    chosen = rows.select("pollutant", *columns)
    texts = [pl.Series(_HEADINGS[name], [_text(name, value) for value in chosen[name]]) for name in chosen.columns]
    return pl.DataFrame(texts)


def _text(name: str, value: object) -> str:
    if name == "pollutant":
        return label_of(str(value))
    if isinstance(value, float):
        return _number(name, value)
    return _ABSENT if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _number(name: str, value: float) -> str:
    if value != value:
        return _ABSENT
    if name == "share":
        return f"{value:.1%}"
    if name in ("rmae", "brier_skill"):
        return f"{value:.2f}"
    return f"{value:.3f}" if name.startswith("brier") else f"{value:,.1f}"


def _coverage(found: Verification) -> pl.DataFrame:
    whole_year = found.by_lead.with_columns(season=pl.lit("all seasons"))
    rows = pl.concat([found.by_season.with_columns(pl.col("season").cast(pl.String)), whole_year], how="diagonal")
    percent = [(pl.col(name) * 100).round(0).cast(pl.Int64) for name in _COVERAGES]
    cells = rows.with_columns(cell=pl.format("{}/{}/{}", *percent)).pivot(
        "lead_block", index=["pollutant", "season"], values="cell"
    )
    blocks = [name for name in found.by_lead["lead_block"].unique().sort() if name in cells.columns]
    order = {pollutant: k for k, pollutant in enumerate(found.by_lead["pollutant"].unique(maintain_order=True))}
    ordered = cells.sort(pl.col("pollutant").replace_strict(order), maintain_order=True)
    return ordered.select(
        pl.col("pollutant").map_elements(label_of, return_dtype=pl.String),
        pl.col("season").alias(_HEADINGS["season"]),
        *(pl.col(block).fill_null(_ABSENT) for block in blocks),
    )
