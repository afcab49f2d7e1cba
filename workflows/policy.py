"""Policies: the durations of every clock.

A policy is frozen into a task when it is published and copied into each assignment, so that a later
change never moves a running clock.
"""

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

DAY_SECONDS = 86_400.0


@dataclass(frozen=True)
class Span:
    """Calendar months first, then exact seconds; a day is 24 hours, in UTC."""

    months: int = 0
    seconds: float = 0.0

    def after(self, start: datetime) -> datetime:
        """The same day `months` later, clamped to that month's end, plus `seconds`."""
        start = start.astimezone(UTC)
        years, month = divmod(start.month - 1 + self.months, 12)
        year = start.year + years
        day = min(start.day, calendar.monthrange(year, month + 1)[1])
        moved = start.replace(year=year, month=month + 1, day=day)
        return moved + timedelta(seconds=self.seconds)


class ReviewSilence(StrEnum):
    """What happens when a review ends without an answer."""

    AUTO_APPROVE = "AUTO_APPROVE"
    ESCALATE = "ESCALATE"


def _days(days: float, day_seconds: float = DAY_SECONDS) -> Span:
    return Span(seconds=days * day_seconds)


REWARD_WINDOW = _days(5)  # R29
CLAIM_WINDOW = _days(5)


@dataclass(frozen=True)
class Policy:
    """Each field is explained in proto/liaison/tasks/v1/policies.proto."""

    name: str
    selection_window: Span
    review_window: Span
    review_reminders_seconds: list[float]
    review_silence: ReviewSilence
    max_revision_rounds: int
    rework_window: Span
    reward_window: Span
    completion_window: Span
    reopen_window: Span
    dispute_window: Span
    dispute_answer_window: Span
    dispute_resolution_window: Span
    payout_retry_interval: Span
    claim_window: Span = CLAIM_WINDOW


STANDARD = Policy(
    name="standard",
    selection_window=_days(3),
    review_window=_days(5),  # R27
    review_reminders_seconds=[hours * 3600.0 for hours in (48, 96, 114)],
    review_silence=ReviewSilence.AUTO_APPROVE,
    max_revision_rounds=2,  # R28
    rework_window=_days(3),
    reward_window=REWARD_WINDOW,
    completion_window=Span(months=1),  # R53
    reopen_window=_days(30),
    dispute_window=Span(months=1),
    dispute_answer_window=_days(5),
    dispute_resolution_window=Span(months=1),  # R52
    payout_retry_interval=_days(1),
    claim_window=CLAIM_WINDOW,
)

# One day takes four seconds: an assignment's whole course takes a minute, and between two clocks a
# killed process has time to restart. Windows after its end are shorter still.
_FAST = 4.0
ACCELERATED = Policy(
    name="accelerated",
    selection_window=_days(3, _FAST),
    review_window=_days(5, _FAST),
    review_reminders_seconds=[_FAST * days for days in (2, 4, 4.75)],
    review_silence=ReviewSilence.AUTO_APPROVE,
    max_revision_rounds=2,
    rework_window=_days(3, _FAST),
    reward_window=_days(5, _FAST),
    completion_window=_days(30, _FAST),
    reopen_window=_days(5, _FAST),
    dispute_window=_days(5, _FAST),
    dispute_answer_window=_days(5, _FAST),
    dispute_resolution_window=_days(30, _FAST),
    payout_retry_interval=_days(30, _FAST),
    claim_window=_days(5, _FAST),
)

POLICIES = {policy.name: policy for policy in (STANDARD, ACCELERATED)}
