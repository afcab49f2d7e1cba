"""Overrides: what operators can do so that no waiting assignment gets stuck, each with a reason in
the audit trail. Pure."""

from collections.abc import Callable
from datetime import datetime

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.commands import OverrideAssignment
from workflows.assignment.model import (
    Action,
    Assignment,
    ClockKind,
    ConfirmedBy,
    Event,
    State,
    Transition,
)
from workflows.assignment.rules import transitions
from workflows.assignment.rules.transitions import step
from workflows.formatting import to_the_minute

Override = Callable[[Assignment, OverrideAssignment, datetime], Transition]


def override_assignment(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: the action does not fit the state, a dispute is open, or the new time
            is not in the future.
    """
    states, act = _OVERRIDES[command.action]
    is_for_disputes_too = command.action is Action.RETRY_REWARD
    if (a.open_dispute_id and not is_for_disputes_too) or a.state not in states:
        raise _illegal(a, command, "with an open dispute" if a.open_dispute_id else "")
    return act(a, command, now)


def _move_clock(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    if a.clock is None:
        raise _illegal(a, command, "without a running clock")
    a.clock.move(_future(command, now), now)
    if a.clock.kind is ClockKind.SUBMISSION:
        a.submission_deadline_time = a.clock.due_time
    elif a.clock.kind is ClockKind.REWARD:
        a.reward_due_time = a.clock.due_time
    comment = f"{a.clock.kind} until {to_the_minute(a.clock.due_time)}: {command.reason}"
    return step(a, Event.CLOCK_MOVED, a.state, command.actor, now, comment)


def _approve(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    return transitions.approve(a, ConfirmedBy.OPERATOR, command.actor, now, command.reason)


def _return_to_review(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    if not a.submissions:
        raise _illegal(a, command, "without a submission")
    return transitions.return_to_review(a, command.actor, now, command.reason)


def _expire(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    if a.state is State.CHANGES_REQUESTED and a.submissions:
        raise _illegal(a, command, "with a submission")
    return transitions.expire(a, command.actor, now, command.reason)


def _reopen(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    transitions.require_not_over(a, f"OverrideAssignment {command.action}")
    return transitions.reopen(a, _future(command, now), command.actor, now, command.reason)


def _cancel(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    if a.state is State.APPROVED and (a.has_payout or a.shipment is not None):
        raise _illegal(a, command, "with a reward under way")
    return transitions.cancel(a, command.actor, now, command.reason)


def _retry_reward(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    if not a.has_payout:
        raise FailedPrecondition(Reason.REWARD_KIND_MISMATCH, "The reward is not money")
    return step(a, Event.REWARD_RETRIED, a.state, command.actor, now, command.reason)


def _complete(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    return transitions.complete(a, command.actor, now, command.reason)


def _close(a: Assignment, command: OverrideAssignment, now: datetime) -> Transition:
    transitions.require_not_over(a, f"OverrideAssignment {command.action}")
    a.clock = None
    return step(a, Event.CLOSED, a.state, command.actor, now, command.reason)


_OVERRIDES: dict[Action, tuple[tuple[State, ...], Override]] = {
    Action.MOVE_CLOCK: (tuple(State), _move_clock),
    Action.APPROVE: ((State.IN_REVIEW,), _approve),
    Action.RETURN_TO_REVIEW: ((State.CHANGES_REQUESTED,), _return_to_review),
    Action.EXPIRE: (transitions.WORKING, _expire),
    Action.REOPEN: ((State.EXPIRED,), _reopen),
    Action.CANCEL: ((*transitions.UNDECIDED, State.APPROVED), _cancel),
    Action.RETRY_REWARD: ((State.APPROVED,), _retry_reward),
    Action.COMPLETE: ((State.REWARDED,), _complete),
    Action.CLOSE: ((State.EXPIRED, State.COMPLETED), _close),
}


def _future(command: OverrideAssignment, now: datetime) -> datetime:
    if command.deadline_time is None or command.deadline_time <= now:
        raise FailedPrecondition(Reason.DEADLINE_NOT_LATER, "The new time must be in the future")
    return command.deadline_time


def _illegal(a: Assignment, command: OverrideAssignment, detail: str) -> FailedPrecondition:
    return illegal_state(a.name, a.state, f"OverrideAssignment {command.action}", detail=detail)
