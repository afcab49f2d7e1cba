"""Disputes and their decisions."""

from servicekit.errors import Reason
from tests.model.reference import clock_rules, submissions, transitions
from tests.model.reference.refusals import ILLEGAL, LEGAL
from tests.model.reference.state import (
    BRAND,
    CREATOR,
    FREEZABLE,
    MAXIMUM_PER_SIDE,
    SYSTEM,
    AssignmentState,
    ReferenceDispute,
)
from workflows.assignment.commands import (
    OpenDispute,
)
from workflows.assignment.model import (
    ClockKind,
    ConfirmedBy,
    Event,
    Holder,
    State,
)
from workflows.dispute.model import Decision, Ground, Outcome


def refuse_dispute(a: AssignmentState, command: OpenDispute) -> set[Reason]:
    reasons: set[Reason] = set()
    if a.dispute is not None:
        reasons.add(Reason.DISPUTE_ALREADY_OPEN)
    if a.is_over:
        reasons |= ILLEGAL
    if (
        sum((one.event, one.actor) == (Event.DISPUTE_OPENED, command.opener) for one in a.history)
        >= MAXIMUM_PER_SIDE
    ):
        reasons.add(Reason.LIMIT_REACHED)
    side, holds = {
        Ground.LATE_REWARD: (CREATOR, a.is_overdue),
        Ground.WRONG_PRODUCT: (CREATOR, a.product is not None or a.is_missed),
        Ground.UNFAIR_CHANGE_REQUEST: (CREATOR, a.state is State.CHANGES_REQUESTED),
        Ground.MATERIALS_NOT_PROVIDED: (
            CREATOR,
            a.state in (State.IN_PROGRESS, State.EXPIRED),
        ),
        Ground.WORK_DOES_NOT_CONFORM: (
            BRAND,
            a.state is State.IN_REVIEW and a.rounds >= a.terms.policy.max_revision_rounds,
        ),
        Ground.FRAUD: (BRAND, True),
        Ground.REVIEW_SILENCE: (SYSTEM, True),
    }[command.ground]
    if command.opener != side or not holds:
        reasons.add(Reason.DISPUTE_NOT_ALLOWED)
    return reasons


def open_dispute(a: AssignmentState, ground: Ground, opener: str) -> None:
    if a.confirmed_by is not None:
        outcomes = {Outcome.PAY_IN_FULL, Outcome.DISMISS}
        is_held = opener == BRAND and a.state is State.APPROVED
        if is_held and not a.is_for_product:  # the money may not have been sent yet
            outcomes |= {Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY}
    else:
        outcomes = set(Outcome) - ({Outcome.PAY_PARTIAL} if a.is_for_product else set())
    reward_minor = a.payable_minor or a.terms.reward_minor
    a.dispute = ReferenceDispute(ground, opener, outcomes, reward_minor)
    if a.clock is not None and a.clock.kind in FREEZABLE:
        a.clock.hold(Holder.DISPUTE, a.now)
    transitions.add(a, Event.DISPUTE_OPENED, opener)


def refuse_claim(a: AssignmentState) -> set[Reason]:
    return LEGAL if a.dispute and not a.dispute.mediator else ILLEGAL


def refuse_withdrawal(a: AssignmentState, actor: str) -> set[Reason]:
    assert a.dispute is not None
    return LEGAL if actor == a.dispute.opener else {Reason.NOT_YOURS}


def refuse_decision(a: AssignmentState, mediator: str, decision: Decision) -> set[Reason]:
    assert a.dispute is not None
    if not a.dispute.mediator:
        return ILLEGAL
    reasons: set[Reason] = set()
    if mediator != a.dispute.mediator:
        reasons.add(Reason.NOT_YOURS)
    if decision.outcome not in a.dispute.outcomes:
        reasons.add(Reason.OUTCOME_NOT_ALLOWED)
    amount, date = decision.amount_minor, decision.deadline_time
    fits_amount = amount is None
    if decision.outcome is Outcome.PAY_PARTIAL:
        fits_amount = amount is not None and 0 < amount < a.dispute.reward_minor
    fits_date = date is None
    if decision.outcome is Outcome.REDO:
        fits_date = date is not None and date > a.now
    return reasons if fits_amount and fits_date else reasons | {Reason.INVALID_FIELDS}


def withdraw(a: AssignmentState) -> None:
    assert a.dispute is not None
    opener, a.dispute = a.dispute.opener, None
    clock_rules.release(a, Holder.DISPUTE)
    transitions.add(a, Event.DISPUTE_WITHDRAWN, opener)


def decide(a: AssignmentState, decision: Decision, *, is_sent: bool) -> None:
    """`is_sent`: the money has been sent, so a lower amount comes too late."""
    assert a.dispute is not None
    dispute, a.dispute = a.dispute, None
    clock_rules.release(a, Holder.DISPUTE)
    was = a.state
    lowers = decision.outcome in (Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY)
    if a.payable_minor and lowers and is_sent:
        transitions.add(a, Event.DISPUTE_RESOLVED, dispute.mediator)
        transitions.add(a, Event.DECISION_OVERTAKEN, SYSTEM)
        return
    match decision.outcome:
        case Outcome.PAY_IN_FULL | Outcome.PAY_PARTIAL:
            grant(a, dispute.ground, decision.amount_minor)
        case Outcome.REDO:
            if a.product is not None and dispute.ground is Ground.WRONG_PRODUCT:
                a.product[1] = True
            a.state = State.CHANGES_REQUESTED
            submissions.reset_expiry(a)
            clock_rules.start_creator_clock(a, ClockKind.REWORK, decision.deadline_time or a.now)
        case Outcome.CANCEL_WITHOUT_PAY:
            a.state, a.clock = State.CANCELLED, None
    transitions.add(a, Event.DISPUTE_RESOLVED, dispute.mediator, was)


def grant(a: AssignmentState, ground: Ground, amount_minor: int | None) -> None:
    """The creator is paid, or is sent the right product."""
    is_confirmed = a.confirmed_by is not None
    if is_confirmed and not a.is_for_product:
        a.payable_minor = amount_minor or a.payable_minor
        return  # the payout is already running
    if a.product is not None and ground is Ground.WRONG_PRODUCT:
        a.product[1] = True
    elif a.product is not None and is_confirmed:
        return  # the right product is already on its way
    if not is_confirmed:
        a.confirmed_by = ConfirmedBy.MEDIATOR
        a.payable_minor = amount_minor or a.terms.reward_minor
    a.state = State.APPROVED
    clock_rules.start_reward(a)
