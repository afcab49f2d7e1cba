"""Starting and releasing the clocks of an assignment."""

from datetime import datetime, timedelta

from tests.model.reference.clock import ReferenceClock
from tests.model.reference.state import (
    AssignmentState,
)
from workflows.assignment.model import (
    ClockKind,
    Holder,
)


def release(a: AssignmentState, holder: Holder) -> None:
    """Releases the clock; the deadline follows the submission clock."""
    if a.clock is None or not a.clock.release(holder, a.now):
        return
    if a.clock.kind is ClockKind.SUBMISSION:
        a.deadline = a.clock.due


def start_review(a: AssignmentState) -> None:
    policy = a.terms.policy
    reminders = [a.now + timedelta(seconds=one) for one in policy.review_reminders_seconds]
    due = policy.review_window.after(a.now)
    a.clock = ReferenceClock(ClockKind.REVIEW, a.now, due, reminders)


def start_creator_clock(a: AssignmentState, kind: ClockKind, due: datetime) -> None:
    """Starts the creator's clock, held while an agreed shipment is missed."""
    a.clock = ReferenceClock(kind, a.now, due)
    if a.is_missed:
        a.clock.hold(Holder.MISSED_SHIPMENT, a.now)


def start_reward(a: AssignmentState) -> None:
    due = a.terms.policy.reward_window.after(a.now)
    if a.agreed_shipment is not None and not a.products:
        due = a.agreed_shipment if a.agreed_shipment > a.now else due
    await_reward(a, due)


def await_reward(a: AssignmentState, due: datetime) -> None:
    a.is_overdue = False
    a.first_reward_due = due
    a.clock = ReferenceClock(ClockKind.REWARD, a.now, due)
