"""Placements and their rules. Pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from servicekit.errors import Violation

LONGEST_PLACEMENT = timedelta(days=90)
# A start time of "now" is in the past when it arrives, and clocks differ.
_GRACE = timedelta(minutes=1)


@dataclass(frozen=True)
class Placement:
    """Shows `publication_id` in `slot` from `start_time` until `end_time`, exclusive.

    A placement that is cancelled before it begins keeps its times and is never shown; one that is
    cancelled later ends with `cancel_time`.
    """

    id: str
    slot: str
    publication_id: str
    start_time: datetime
    end_time: datetime
    granted_by: str
    create_time: datetime
    cancel_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"placements/{self.id}"


def period_violations(start: datetime, end: datetime, now: datetime) -> list[Violation]:
    """All violations of the period requested for a placement."""
    found = []
    if start < now - _GRACE:
        found.append(Violation("placement.start_time", "PAST", "Must not lie in the past"))
    if end <= start:
        found.append(Violation("placement.end_time", "ORDER", "Must be after start_time"))
    elif end - start > LONGEST_PLACEMENT:
        longest = f"Must be at most {LONGEST_PLACEMENT.days} days after start_time"
        found.append(Violation("placement.end_time", "RANGE", longest))
    return found
