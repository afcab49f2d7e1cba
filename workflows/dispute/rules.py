"""The rules of a dispute: transitions, refusals and clocks. Pure; callers pass the time.

A dispute is decided by a mediator and never by a timer (R52): its clocks only remind.
"""

from collections.abc import Collection
from datetime import datetime, timedelta

from servicekit.errors import (
    FailedPrecondition,
    PermissionDenied,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
)
from workflows.dispute.model import (
    BRAND_GROUNDS,
    CREATOR_GROUNDS,
    Clock,
    Decision,
    Dispute,
    Event,
    Ground,
    Outcome,
    State,
)

# Mediators are reminded after these percentages of the time to decide.
_REMINDER_PERCENT = {Clock.FIRST_REMINDER: 50, Clock.LAST_REMINDER: 80}


_EVENTS = {
    Clock.ANSWER_DUE: Event.ANSWER_DUE,
    Clock.FIRST_REMINDER: Event.REMINDED,
    Clock.LAST_REMINDER: Event.REMINDED,
    Clock.RESOLUTION_DUE: Event.OVERDUE,
}


def claim(dispute: Dispute, mediator: str, now: datetime) -> None:
    """A mediator claims the dispute, also from another mediator.

    Raises:
        FailedPrecondition: it is closed, or this mediator's already.
    """
    if dispute.is_closed or dispute.mediator == mediator:
        raise illegal_state(dispute.name, dispute.state, "ClaimDispute")
    dispute.mediator = mediator
    dispute.state = State.UNDER_REVIEW
    _changed(dispute, now)


def decide(dispute: Dispute, mediator: str, decision: Decision, now: datetime) -> None:
    """The mediator who claimed the dispute decides it.

    Raises:
        FailedPrecondition: nobody claimed it, it is closed, or the outcome is not allowed.
        PermissionDenied: another mediator claimed it.
        InvalidArgument: the amount or the deadline does not go with the outcome.
    """
    if dispute.state is not State.UNDER_REVIEW:
        raise illegal_state(dispute.name, dispute.state, "DecideDispute")
    if mediator != dispute.mediator:
        raise PermissionDenied(
            Reason.NOT_YOURS, f"{dispute.name} is decided by the mediator who claimed it"
        )
    check_decision(dispute, decision, now)
    decision.decide_time = now
    dispute.decision = decision
    dispute.state = State.RESOLVED
    _changed(dispute, now)


def check_decision(dispute: Dispute, decision: Decision, now: datetime) -> None:
    """Validates a decision against the dispute, whoever makes it.

    Raises:
        FailedPrecondition: the outcome is not allowed.
        InvalidArgument: the amount or the deadline does not go with the outcome.
    """
    if decision.outcome not in dispute.allowed_outcomes:
        allowed = ", ".join(dispute.allowed_outcomes)
        raise FailedPrecondition(
            Reason.OUTCOME_NOT_ALLOWED,
            f"{dispute.name} can be decided as {allowed}, not as {decision.outcome}",
            metadata={"outcome": decision.outcome, "allowed": allowed},
        )
    violations = [*_amount_violations(dispute, decision), *_deadline_violations(decision, now)]
    if violations:
        raise invalid_fields(*violations)


def _amount_violations(dispute: Dispute, decision: Decision) -> list[Violation]:
    path = "decision.amount"
    if decision.outcome is not Outcome.PAY_PARTIAL:
        if decision.amount_minor is None:
            return []
        return [Violation(path, "ONLY_WITH_PAY_PARTIAL", "Goes with PAY_PARTIAL only")]
    if decision.amount_minor is None:
        return [Violation(path, "REQUIRED", "PAY_PARTIAL needs an amount")]
    if decision.amount_currency != dispute.reward_currency:
        return [Violation(path, "CURRENCY", f"Must be in {dispute.reward_currency}")]
    if not 0 < decision.amount_minor < dispute.reward_minor:
        return [Violation(path, "RANGE", "Must be above zero and below the reward")]
    return []


def _deadline_violations(decision: Decision, now: datetime) -> list[Violation]:
    path = "decision.deadline_time"
    if decision.outcome is not Outcome.REDO:
        if decision.deadline_time is None:
            return []
        return [Violation(path, "ONLY_WITH_REDO", "Goes with REDO only")]
    if decision.deadline_time is None:
        return [Violation(path, "REQUIRED", "REDO needs a deadline")]
    if decision.deadline_time <= now:
        return [Violation(path, "FUTURE", "Must be in the future")]
    return []


def withdraw(dispute: Dispute, actor: str, now: datetime) -> None:
    """The side that opened the dispute withdraws it.

    Raises:
        PermissionDenied: the other side opened it.
        FailedPrecondition: it is closed.
    """
    if actor != dispute.opener:
        raise PermissionDenied(
            Reason.NOT_YOURS, f"{dispute.name} is withdrawn by the side that opened it"
        )
    if dispute.is_closed:
        raise illegal_state(dispute.name, dispute.state, "WithdrawDispute")
    dispute.state = State.WITHDRAWN
    _changed(dispute, now)


def next_clock(dispute: Dispute, fired: Collection[Clock]) -> tuple[Clock, datetime] | None:
    """The next clock and its time; None once the dispute is closed or all clocks have fired."""
    if dispute.is_closed:
        return None
    waiting = [
        (time, order, clock)
        for order, (clock, time) in enumerate(_clock_times(dispute))
        if clock not in fired
    ]
    if not waiting:
        return None
    time, _, clock = min(waiting)
    return clock, time


def _clock_times(dispute: Dispute) -> list[tuple[Clock, datetime]]:
    """Clocks of the same instant fire in this order."""
    window: timedelta = dispute.resolution_due_time - dispute.create_time
    return [
        (Clock.ANSWER_DUE, dispute.answer_due_time),
        *(
            (clock, dispute.create_time + window * percent / 100)
            for clock, percent in _REMINDER_PERCENT.items()
        ),
        (Clock.RESOLUTION_DUE, dispute.resolution_due_time),
    ]


def fire(dispute: Dispute, clock: Clock, now: datetime) -> Event:
    """Fires a clock and returns its event. After the last one the dispute is overdue and stays
    open."""
    if clock is Clock.RESOLUTION_DUE:
        dispute.is_overdue = True
    _changed(dispute, now)
    return _EVENTS[clock]


def _changed(dispute: Dispute, now: datetime) -> None:
    dispute.sequence += 1
    dispute.update_time = now


def check_ground(ground: Ground, opener: str) -> None:
    """Whether the side that is `opener`, such as `brands/acme`, may dispute on `ground` at all.

    Raises:
        FailedPrecondition: the ground is the other side's, or the platform's.
    """
    side, grounds = (
        ("brand", BRAND_GROUNDS) if opener.startswith("brands/") else ("creator", CREATOR_GROUNDS)
    )
    if ground not in grounds:
        raise FailedPrecondition(
            Reason.DISPUTE_NOT_ALLOWED,
            f"A {side} cannot dispute on the ground of {ground}",
            metadata={"ground": ground},
        )
