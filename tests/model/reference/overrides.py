"""Actions of operators."""

from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference import refusals, submissions, transitions
from tests.model.reference.refusals import ILLEGAL
from tests.model.reference.state import UNCONFIRMED, AssignmentState
from workflows.assignment.commands import (
    OverrideAssignment,
)
from workflows.assignment.model import (
    Action,
    ClockKind,
    ConfirmedBy,
    Event,
    State,
)


def refuse_override(a: AssignmentState, command: OverrideAssignment) -> set[Reason]:
    action, reasons = command.action, set()
    if action is Action.RETRY_REWARD:
        if a.state is not State.APPROVED:
            reasons |= ILLEGAL
        if a.is_for_product:
            reasons.add(Reason.REWARD_KIND_MISMATCH)
        return reasons
    if a.dispute is not None or not is_applicable(a, action):
        reasons |= ILLEGAL
    if action in (Action.MOVE_CLOCK, Action.REOPEN):
        reasons |= refusals.refuse_past(a, command.deadline_time)
    return reasons


def is_applicable(a: AssignmentState, action: Action) -> bool:
    state = a.state
    unsent = state is State.APPROVED and a.is_for_product and a.product is None
    return {
        Action.MOVE_CLOCK: a.clock is not None,
        Action.APPROVE: state is State.IN_REVIEW,
        Action.RETURN_TO_REVIEW: state is State.CHANGES_REQUESTED and a.versions > 0,
        Action.EXPIRE: state is State.IN_PROGRESS
        or (state is State.CHANGES_REQUESTED and a.versions == 0),
        Action.REOPEN: state is State.EXPIRED and not a.is_over,
        Action.CANCEL: state in UNCONFIRMED or unsent,
        Action.COMPLETE: state is State.REWARDED,
        Action.CLOSE: state in (State.EXPIRED, State.COMPLETED) and not a.is_over,
    }[action]


def override(a: AssignmentState, command: OverrideAssignment) -> None:
    actor, date = command.actor, command.deadline_time
    match command.action:
        case Action.MOVE_CLOCK:
            move_clock(a, date or a.now, actor)
        case Action.APPROVE:
            submissions.approve(a, ConfirmedBy.OPERATOR, actor)
        case Action.RETURN_TO_REVIEW:
            submissions.return_to_review(a, actor)
        case Action.EXPIRE:
            submissions.expire(a, actor)
        case Action.REOPEN:
            submissions.reopen(a, date or a.now, actor)
        case Action.CANCEL:
            submissions.cancel(a, actor)
        case Action.RETRY_REWARD:
            transitions.add(a, Event.REWARD_RETRIED, actor)
        case Action.COMPLETE:
            transitions.complete(a, actor)
        case Action.CLOSE:
            a.clock = None
            transitions.add(a, Event.CLOSED, actor)


def move_clock(a: AssignmentState, date: datetime, actor: str) -> None:
    assert a.clock is not None
    a.clock.move(date, a.now)
    if a.clock.kind is ClockKind.SUBMISSION:
        a.deadline = date
    elif a.clock.kind is ClockKind.REWARD:
        a.first_reward_due = date
    transitions.add(a, Event.CLOCK_MOVED, actor)
