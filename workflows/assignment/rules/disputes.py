"""How a dispute holds an assignment's clocks, and what its decision does. Pure. The dispute itself
is in `workflows.dispute`."""

from datetime import datetime

from servicekit.errors import FailedPrecondition, Reason
from workflows.assignment.commands import OpenDispute
from workflows.assignment.model import (
    SYSTEM,
    Assignment,
    ClockKind,
    ConfirmedBy,
    Event,
    Holder,
    State,
    Transition,
)
from workflows.assignment.rules.transitions import (
    creator_clock,
    require_not_over,
    run_on,
    start_reward_clock,
    step,
)
from workflows.dispute.model import Decision, Dispute, Ground, Outcome

# Per side. Temporal allows a workflow 2,000 updates.
_MAXIMUM_DISPUTES = 10

# Clocks that an open dispute holds; the reward clock keeps running (R51).
_HELD_BY_DISPUTE = {ClockKind.SUBMISSION, ClockKind.REVIEW, ClockKind.REWORK}


def open_dispute(a: Assignment, command: OpenDispute, now: datetime) -> tuple[Dispute, Transition]:
    if a.open_dispute_id:
        raise FailedPrecondition(
            Reason.DISPUTE_ALREADY_OPEN,
            f"{a.name} has an open dispute already",
            metadata={"dispute": f"disputes/{a.open_dispute_id}"},
        )
    require_not_over(a, "OpenDispute")
    if a.dispute_counts.get(command.opener, 0) >= _MAXIMUM_DISPUTES:
        raise FailedPrecondition(
            Reason.LIMIT_REACHED,
            f"{_MAXIMUM_DISPUTES} disputes of yours were opened already: ask the platform's staff",
            metadata={"limit": str(_MAXIMUM_DISPUTES)},
        )
    if problem := _objection(a, command):
        raise FailedPrecondition(
            Reason.DISPUTE_NOT_ALLOWED,
            f"A dispute over {command.ground} is not possible: {problem}",
            metadata={"state": a.state, "ground": command.ground},
        )
    a.open_dispute_id = command.dispute_id
    a.open_dispute_actor = command.opener
    a.dispute_counts[command.opener] = a.dispute_counts.get(command.opener, 0) + 1
    if a.clock is not None and a.clock.kind in _HELD_BY_DISPUTE:
        a.clock.hold(Holder.DISPUTE, now)
    dispute = Dispute(
        id=command.dispute_id,
        assignment_id=a.id,
        brand_id=a.terms.brand_id,
        creator_id=a.creator_id,
        opener=command.opener,
        ground=command.ground,
        statement=command.statement,
        create_time=now,
        update_time=now,
        answer_due_time=a.policy.dispute_answer_window.after(now),
        resolution_due_time=a.policy.dispute_resolution_window.after(now),
        allowed_outcomes=_outcomes(a),
        reward_currency=a.terms.currency,
        reward_minor=a.payable_minor or a.terms.reward_minor,
    )
    return dispute, step(a, Event.DISPUTE_OPENED, a.state, command.opener, now, command.ground)


def close_dispute(
    a: Assignment,
    decision: Decision | None,
    mediator: str,
    now: datetime,
    ground: Ground | None = None,
    *,
    is_overtaken: bool = False,
) -> Transition:
    """Ends a dispute and applies its decision.

    `decision` is None when the dispute was withdrawn, or terminated by an operator: then `mediator`
    is the system. `ground` is the dispute's. An overtaken decision changes nothing; see
    `report_overtaken`.
    """
    opener, a.open_dispute_id, a.open_dispute_actor = a.open_dispute_actor, "", ""
    run_on(a, Holder.DISPUTE, now)
    if decision is None:
        if mediator == SYSTEM:
            return step(a, Event.DISPUTE_WITHDRAWN, a.state, SYSTEM, now, "Ended by force")
        return step(a, Event.DISPUTE_WITHDRAWN, a.state, opener, now)
    to_state = a.state if is_overtaken else _apply(a, decision, now, ground)
    return step(
        a,
        Event.DISPUTE_RESOLVED,
        to_state,
        mediator,
        now,
        f"{decision.outcome}: {decision.reasoning}",
    )


def settlement(a: Assignment, decision: Decision | None) -> int | None:
    """The amount that the decision leaves of a reward that is due, 0 for nothing; None if it does
    not change the reward. Whether that is still possible only the payouts service knows."""
    if decision is None or a.confirmed_by is None or not a.has_payout:
        return None
    if decision.outcome is Outcome.CANCEL_WITHOUT_PAY:
        return 0
    return decision.amount_minor if decision.outcome is Outcome.PAY_PARTIAL else None


def report_overtaken(a: Assignment, now: datetime) -> Transition:
    """The decision cannot be carried out: the reward was sent before the dispute held it, or was
    written off."""
    return step(a, Event.DECISION_OVERTAKEN, a.state, SYSTEM, now)


def _apply(a: Assignment, decision: Decision, now: datetime, ground: Ground | None) -> State:
    """Applies the decision and returns the state that it leads to."""
    if decision.outcome in (Outcome.PAY_IN_FULL, Outcome.PAY_PARTIAL):
        return _grant_reward(a, decision, now, ground)
    if decision.outcome is Outcome.REDO and decision.deadline_time is not None:
        _reject_wrong_product(a, ground)
        a.fault = a.expiry_comment = None
        a.clock = creator_clock(a, ClockKind.REWORK, decision.deadline_time, now)
        return State.CHANGES_REQUESTED
    if decision.outcome is Outcome.CANCEL_WITHOUT_PAY:
        a.clock = None
        return State.CANCELLED
    return a.state


def _grant_reward(a: Assignment, decision: Decision, now: datetime, ground: Ground | None) -> State:
    """Confirms unconfirmed work; a wrong product is due again."""
    _reject_wrong_product(a, ground)
    if a.confirmed_by is None:
        a.confirmed_by = ConfirmedBy.MEDIATOR
        a.payable_minor = decision.amount_minor or a.terms.reward_minor
    elif a.has_payout:
        a.payable_minor = decision.amount_minor or a.payable_minor
        return a.state  # the payout is under way
    elif a.shipment is not None:
        return a.state  # the product was shipped
    start_reward_clock(a, now)
    return State.APPROVED


def _reject_wrong_product(a: Assignment, ground: Ground | None) -> None:
    """Marks a wrong product as replaced: the brand owes another one."""
    if a.shipment is not None and ground is Ground.WRONG_PRODUCT:
        a.shipment.is_replaced = True


def _outcomes(a: Assignment) -> list[Outcome]:
    """The outcomes a mediator can choose. Confirmed work is paid in any case, except for money that
    the brand's dispute holds before it is sent. A product cannot be paid in part."""
    if a.confirmed_by is not None:
        is_unsent = a.has_payout and a.payout_is_held and a.state is State.APPROVED
        return [
            one
            for one in Outcome
            if one in (Outcome.PAY_IN_FULL, Outcome.DISMISS)
            or (is_unsent and one in (Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY))
        ]
    return [one for one in Outcome if one is not Outcome.PAY_PARTIAL or not a.is_for_product]


def _objection(a: Assignment, command: OpenDispute) -> str:
    """Why the ground is not allowed now; empty if it is."""
    sides = {
        Ground.LATE_REWARD: a.creator,
        Ground.WRONG_PRODUCT: a.creator,
        Ground.UNFAIR_CHANGE_REQUEST: a.creator,
        Ground.MATERIALS_NOT_PROVIDED: a.creator,
        Ground.WORK_DOES_NOT_CONFORM: a.brand,
        Ground.FRAUD: a.brand,
        Ground.REVIEW_SILENCE: SYSTEM,
    }
    rounds = len(a.change_requests)
    objections = {
        Ground.LATE_REWARD: (a.reward_is_overdue, "the reward is not overdue"),
        Ground.WRONG_PRODUCT: (
            a.is_for_product and (a.shipment is not None or a.shipment_is_missed),
            "no product was sent or missed",
        ),
        Ground.UNFAIR_CHANGE_REQUEST: (
            a.state is State.CHANGES_REQUESTED,
            "no change request is open",
        ),
        Ground.MATERIALS_NOT_PROVIDED: (
            a.state in (State.IN_PROGRESS, State.EXPIRED),
            "work has been submitted",
        ),
        Ground.WORK_DOES_NOT_CONFORM: (
            a.state is State.IN_REVIEW and rounds >= a.policy.max_revision_rounds,
            "ask for changes first",
        ),
        Ground.FRAUD: (True, ""),
        Ground.REVIEW_SILENCE: (True, ""),
    }
    if sides[command.ground] != command.opener:
        return "it belongs to the other side"
    holds, objection = objections[command.ground]
    return "" if holds else objection
