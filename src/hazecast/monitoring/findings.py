"""A finding: the verdict of one check on one subject, with its reason."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from hazecast.air.tables import conform
from hazecast.air.verdicts import VERDICTS, Health


@dataclass(frozen=True)
class Subject:
    """What a check examined. Fields that do not apply are None.

    Attributes:
        station_id: one station.
        pollutant: one pollutant; with `station_id`, one sensor.
        lead_block: hours ahead, "25-48".
        name: of a subject that is none of these: a pipeline step, the source, the forecast.
    """

    station_id: str | None = None
    pollutant: str | None = None
    lead_block: str | None = None
    name: str | None = None

    def __str__(self) -> str:
        """The subject for people, and the key of its verdict: "pm25 25-48"."""
        return " ".join(part for part in (self.name, self.station_id, self.pollutant, self.lead_block) if part)


@dataclass(frozen=True)
class Finding:
    """The verdict of one check.

    Attributes:
        check: one of `air.verdicts.CHECKS`.
        subject: what was examined.
        verdict: ok, unknown (too little data to judge), warning or critical.
        reason: one line for people, with numbers and units.
        value: the measured value.
        expected: the value or threshold it is compared with.
    """

    check: str
    subject: Subject
    verdict: str
    reason: str
    value: float | None = None
    expected: float | None = None

    @property
    def is_bad(self) -> bool:
        """Whether the verdict is a warning or critical."""
        return self.verdict in ("warning", "critical")


def as_health(findings: Iterable[Finding], *, checked_at: datetime) -> pl.DataFrame:
    """The findings as rows of `air.verdicts.Health`.

    Raises:
        ContractError: two findings have the same check and subject.
    """
    schema = {name: kind for name, kind in Health.create_empty().schema.items() if name != "checked_at"}
    rows = pl.DataFrame([_as_row(finding) for finding in findings], schema=schema)
    return conform(Health, rows.with_columns(checked_at=pl.lit(checked_at).cast(pl.Datetime("us", "UTC"))))


def findings_in(health: pl.DataFrame) -> list[Finding]:
    """The findings stored in rows of `air.verdicts.Health`."""
    return [_as_finding(row) for row in health.sort("check", "subject").iter_rows(named=True)]


def worst(verdicts: Iterable[str]) -> str:
    """The most severe of some verdicts; "ok" if there are none."""
    return max(verdicts, key=VERDICTS.index, default="ok")


def _as_finding(row: dict[str, Any]) -> Finding:
    identity = {name: row[name] for name in ("station_id", "pollutant", "lead_block")}
    subject = Subject(**identity) if any(identity.values()) else Subject(name=row["subject"])
    return Finding(row["check"], subject, row["verdict"], row["reason"], row["value"], row["expected"])


def _as_row(finding: Finding) -> dict[str, object]:
    subject = finding.subject
    identity = {"station_id": subject.station_id, "pollutant": subject.pollutant, "lead_block": subject.lead_block}
    return {**vars(finding), "subject": str(subject), **identity}
