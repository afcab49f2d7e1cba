"""A clock of the reference model: its remaining time, and who holds it.

Written from the specification, not from the workflow's code.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from workflows.assignment.model import ClockKind, Holder


@dataclass
class ReferenceClock:
    kind: ClockKind
    start: datetime
    # Of a running clock.
    due: datetime
    reminders: list[datetime] = field(default_factory=list)
    holders: set[Holder] = field(default_factory=set)
    # Of a held clock.
    left: timedelta | None = None
    reminders_left: list[timedelta] = field(default_factory=list)

    @property
    def next_time(self) -> datetime | None:
        if self.holders:
            return None
        return self.reminders[0] if self.reminders else self.due

    def is_due(self, now: datetime) -> bool:
        return not self.holders and self.due <= now

    def deadline(self, now: datetime) -> datetime:
        """When it is due if it is released now."""
        return self.due if self.left is None else now + self.left

    def hold(self, holder: Holder, since: datetime) -> None:
        if not self.holders:
            self.left = self.due - since
            self.reminders_left = [time - since for time in self.reminders]
        self.holders.add(holder)

    def release(self, holder: Holder, now: datetime) -> bool:
        """Returns whether it runs again."""
        was_held = bool(self.holders)
        self.holders.discard(holder)
        if not was_held or self.holders or self.left is None:
            return False
        self.due = now + self.left
        self.reminders = [now + left for left in self.reminders_left]
        self.left = None
        return True

    def move(self, due: datetime, now: datetime) -> None:
        if self.left is None:
            self.due = due
            self.reminders = [time for time in self.reminders if time < due]
        else:
            self.left = due - now
            self.reminders_left = [left for left in self.reminders_left if left < self.left]
