"""What the payout reports to the assignment."""

from tests.model.reference import clock_rules, transitions
from tests.model.reference.clock import ReferenceClock
from tests.model.reference.state import SYSTEM, AssignmentState
from workflows.assignment.model import (
    ClockKind,
    Event,
    State,
)


def report(a: AssignmentState, reported: str) -> None:
    """SENT, UNCLAIMED, PAID, FAILED, WRITTEN_OFF, or ESCALATED: operators must act."""
    if reported == "ESCALATED":
        transitions.add(a, Event.PAYOUT_ESCALATED, SYSTEM)
        return
    if reported == "WRITTEN_OFF":
        a.state, was, a.clock = State.CANCELLED, a.state, None
        transitions.add(a, Event.REWARD_WRITTEN_OFF, SYSTEM, was)
        return
    if reported == "FAILED":
        was = a.state
        if a.state in (State.REWARDED, State.COMPLETED):
            a.state = State.APPROVED
            if a.is_overdue:
                a.clock = None  # it was overdue and stays so
            elif a.first_reward_due > a.now:
                # A late failure does not postpone the reward.
                a.clock = ReferenceClock(ClockKind.REWARD, a.now, a.first_reward_due)
            else:
                clock_rules.start_reward(a)
        transitions.add(a, Event.PAYOUT_FAILED, SYSTEM, was)
        return
    if a.state is State.APPROVED:
        transitions.send_reward(a)
    if reported == "UNCLAIMED":
        transitions.add(a, Event.REWARD_UNCLAIMED, SYSTEM)
    if reported == "PAID" and a.state is State.REWARDED:
        transitions.complete(a, SYSTEM)
