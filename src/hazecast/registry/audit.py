"""Who made which model champion, when and why: kept as tags of the registered model, where the models live."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

_KEY = "audit."
_LONGEST_REASON = 2_000


@dataclass(frozen=True)
class Change:
    """One change of the champion.

    Attributes:
        at: when, UTC.
        action: what was done.
        version: the champion afterwards.
        replaced: the champion before; None: there was none.
        by: who did it: a person's login, or the step that decided.
        reason: why, in words.
    """

    at: datetime
    action: Literal["promote", "rollback"]
    version: str
    replaced: str | None
    by: str
    reason: str

    def as_tag(self) -> tuple[str, str]:
        """Key and value under which MLflow keeps it."""
        value = {**asdict(self), "at": self.at.isoformat(), "reason": self.reason[:_LONGEST_REASON]}
        return f"{_KEY}{datetime.now(UTC):%Y%m%dT%H%M%S%f}", json.dumps(value)  # noqa: TID251 - the name must be unique in real time


def read_changes(tags: Mapping[str, str]) -> list[Change]:
    """The changes among a registered model's tags, oldest first."""
    found = [json.loads(tags[key]) for key in sorted(tags) if key.startswith(_KEY)]
    return [Change(**{**change, "at": datetime.fromisoformat(change["at"])}) for change in found]


def carried_out(changes: Sequence[Change], champion: str | None) -> list[Change]:
    """The changes that took effect: the next one found their champion in office, or it is there now.

    A change is noted before it is made, so that none goes unnoted; a registry that dies in between leaves a note only.
    """
    in_office_next = [*(change.replaced for change in changes[1:]), champion]
    return [change for change, found in zip(changes, in_office_next, strict=False) if change.version == found]


def champions_in_turn(changes: Iterable[Change]) -> list[str]:
    """Versions that a rollback can still return to, the present champion last.

    A rollback takes the last one off, so rolling back twice goes two champions back.
    """
    turn: list[str] = []
    for change in changes:
        if change.action == "promote":
            turn.extend([change.version] if turn[-1:] != [change.version] else [])
        else:
            turn.pop()
    return turn
