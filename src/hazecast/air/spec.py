"""What a forecast is: how far ahead it reaches, in which blocks of leads, at which quantiles.

Tables, schemas, models, scoring and charts derive from here. A place chooses its horizon; the blocks and quantiles are
the same everywhere, so that scores of different places and horizons compare.
"""

from dataclasses import dataclass

LeadBlock = tuple[int, int]

HORIZONS_HOURS: tuple[int, ...] = (48, 72, 96, 120)
DEFAULT_HORIZON_HOURS = 72
MAX_HORIZON_HOURS = max(HORIZONS_HOURS)
# The first hours, the rest of the first day, then whole days: the error grows fastest at the start.
LEAD_BLOCKS: tuple[LeadBlock, ...] = ((1, 6), (7, 24), (25, 48), (49, 72), (73, 96), (97, 120))
QUANTILE_LEVELS: tuple[float, ...] = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
QUANTILES: tuple[str, ...] = tuple(f"q{100 * level:02.0f}" for level in QUANTILE_LEVELS)
# Central intervals: per cent between two quantiles.
INTERVALS: dict[int, tuple[str, str]] = {50: ("q25", "q75"), 80: ("q10", "q90"), 90: ("q05", "q95")}
DAY_HOURS = 24
# A forecast is issued once a day; two more hours allow for a late run.
STALE_AFTER_HOURS = 26.0


def block_name(block: LeadBlock) -> str:
    """A lead block as tables and metrics name it: "25-48"."""
    return f"{block[0]}-{block[1]}"


@dataclass(frozen=True)
class ForecastSpec:
    """The forecast of one place.

    Attributes:
        horizon_hours: longest lead [h], one of HORIZONS_HOURS.

    Raises:
        ValueError: the horizon is not one of HORIZONS_HOURS.
    """

    horizon_hours: int = DEFAULT_HORIZON_HOURS

    def __post_init__(self) -> None:
        if self.horizon_hours not in HORIZONS_HOURS:
            known = ", ".join(map(str, HORIZONS_HOURS))
            raise ValueError(f"a horizon of {self.horizon_hours} h is not supported; choose one of {known}")

    @property
    def lead_blocks(self) -> tuple[LeadBlock, ...]:
        """The blocks up to the horizon, (first, last) lead [h]."""
        return tuple(block for block in LEAD_BLOCKS if block[1] <= self.horizon_hours)

    @property
    def lead_days(self) -> int:
        """Days up to the horizon."""
        return self.horizon_hours // DAY_HOURS

    @property
    def sample_leads(self) -> tuple[int, ...]:
        """One lead in the middle of each block [h]: where drivers are computed."""
        return tuple((first + last) // 2 for first, last in self.lead_blocks)

    @property
    def shown_leads(self) -> tuple[int, ...]:
        """The leads that summaries show: 1 h and the last of each block."""
        return (1, *(last for _, last in self.lead_blocks))
