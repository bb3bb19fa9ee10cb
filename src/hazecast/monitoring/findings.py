"""A finding: one check of one subject, its verdict and why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from hazecast.air.tables import conform
from hazecast.air.verdicts import VERDICTS, Health


@dataclass(frozen=True)
class Finding:
    """What one check says of one subject.

    Attributes:
        check: one of `air.verdicts.CHECKS`.
        subject: what was looked at: "pm25 25-48", a station, "station pm25", a step.
        verdict: ok, unknown (too little to judge by), warning or critical.
        reason: one line for people, with numbers and units.
        value: what was measured.
        expected: what it is held against.
    """

    check: str
    subject: str
    verdict: str
    reason: str
    value: float | None = None
    expected: float | None = None

    @property
    def is_bad(self) -> bool:
        """Whether somebody should act."""
        return self.verdict in ("warning", "critical")


def as_health(findings: Iterable[Finding], *, checked_at: datetime) -> pl.DataFrame:
    """The findings as rows of `air.verdicts.Health`.

    Raises:
        ContractError: two findings speak of the same check and subject.
    """
    schema = {name: kind for name, kind in Health.create_empty().schema.items() if name != "checked_at"}
    rows = pl.DataFrame([vars(finding) for finding in findings], schema=schema)
    return conform(Health, rows.with_columns(checked_at=pl.lit(checked_at).cast(pl.Datetime("us", "UTC"))))


def worst(verdicts: Iterable[str]) -> str:
    """The gravest of some verdicts; "ok" of none."""
    return max(verdicts, key=VERDICTS.index, default="ok")
