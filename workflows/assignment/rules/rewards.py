"""Rewards: product shipments, and reports of payouts (R29–R31, R53). Pure."""

from datetime import datetime

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.commands import AcknowledgeReceipt, RecordShipment
from workflows.assignment.model import (
    SYSTEM,
    Assignment,
    Clock,
    ClockKind,
    Event,
    Holder,
    Shipment,
    State,
    Transition,
)
from workflows.assignment.rules.transitions import (
    UNDECIDED,
    complete,
    require_state,
    run_on,
    start_reward_clock,
    step,
)
from workflows.formatting import to_the_minute
from workflows.payout.model import PayoutReport
from workflows.payout.model import State as PayoutState


def record_shipment(a: Assignment, command: RecordShipment, now: datetime) -> Transition:
    """Legal after approval, or before it once both sides accepted a date (R31), even if late.

    Raises:
        FailedPrecondition: the reward is money, a product is under way already, or no date was
            accepted.
    """
    _require_product(a)
    require_state(a, "RecordShipment", *UNDECIDED, State.APPROVED)
    if a.shipment is not None:
        raise illegal_state(a.name, a.state, "RecordShipment", detail="and shipped already")
    if a.state is not State.APPROVED and a.shipment_due_time is None:
        raise FailedPrecondition(
            Reason.SHIPMENT_NOT_AGREED,
            "Before approval a product is sent on a date that both sides accepted",
        )
    if (missed_time := shipment_time(a)) is not None and missed_time <= now:
        _hold_for_shipment(a, missed_time)  # its timer has not fired yet
    a.shipments.append(Shipment(command.carrier, command.tracking_number, now))
    a.shipment_is_missed = False
    run_on(a, Holder.MISSED_SHIPMENT, now)
    comment = f"{command.carrier} {command.tracking_number}"
    return step(a, Event.PRODUCT_SHIPPED, a.state, command.actor, now, comment)


def acknowledge_receipt(a: Assignment, command: AcknowledgeReceipt, now: datetime) -> Transition:
    """
    Raises:
        FailedPrecondition: the reward is money, or no product is on its way.
    """
    _require_product(a)
    require_state(a, "AcknowledgeReceipt", *UNDECIDED, State.APPROVED, State.REWARDED)
    shipment = a.shipment
    if shipment is None or shipment.receive_time is not None:
        detail = "without a shipment" if shipment is None else "and received already"
        raise illegal_state(a.name, a.state, "AcknowledgeReceipt", detail=detail)
    shipment.receive_time = now
    return step(a, Event.PRODUCT_RECEIVED, a.state, command.actor, now)


def follow_up(a: Assignment, now: datetime) -> Transition | None:
    """The transition that follows from the product's shipment: shipped means reward sent, received
    completes the assignment."""
    if not a.is_for_product or a.shipment is None:
        return None
    if a.state is State.APPROVED:
        return report_reward_sent(a, now)
    if a.state is State.REWARDED and a.shipment.receive_time is not None:
        return complete(a, SYSTEM, now)
    return None


def miss_shipment(a: Assignment, now: datetime) -> Transition:
    """The accepted date has passed: holds the creator's clock until the product is shipped, so that
    the deadline moves by the delay."""
    a.shipment_is_missed = True
    _hold_for_shipment(a, a.shipment_due_time or now)
    return step(a, Event.SHIPMENT_MISSED, a.state, SYSTEM, now)


def _hold_for_shipment(a: Assignment, missed_time: datetime) -> None:
    """Holds from the missed date itself, since its timer may fire late; but not from before the
    latest transition, such as a reopening."""
    if a.clock is not None and a.clock.kind in (ClockKind.SUBMISSION, ClockKind.REWORK):
        a.clock.hold(Holder.MISSED_SHIPMENT, max(missed_time, a.update_time))


def shipment_time(a: Assignment) -> datetime | None:
    """When an agreed shipment counts as missed; None if it cannot be. After approval the reward
    clock runs instead."""
    if a.state in UNDECIDED and not a.shipments and not a.shipment_is_missed:
        return a.shipment_due_time
    return None


def report_reward_sent(a: Assignment, now: datetime) -> Transition | None:
    """The reward was sent; the assignment completes after a month, or when it is received (R53)."""
    if a.state is not State.APPROVED:
        return None
    a.clock = Clock(ClockKind.COMPLETION, a.policy.completion_window.after(now))
    return step(a, Event.REWARD_SENT, State.REWARDED, SYSTEM, now)


def report_reward_received(a: Assignment, now: datetime) -> list[Transition]:
    transitions = [report_reward_sent(a, now)]
    if a.state is State.REWARDED:
        transitions.append(complete(a, SYSTEM, now))
    return [transition for transition in transitions if transition is not None]


def report(a: Assignment, reported: PayoutReport, now: datetime) -> list[Transition]:
    """The transitions for a report of a payout that has not ended."""
    if reported.is_escalated:
        return [report_payout_escalated(a, reported.state, now)]
    match reported.state:
        case PayoutState.SENT:
            happened = [report_reward_sent(a, now)]
        case PayoutState.UNCLAIMED:
            # Sent and not received.
            happened = [report_reward_sent(a, now), _report_unclaimed(a, reported.recall_time, now)]
        case PayoutState.FAILED:
            happened = [report_payout_failed(a, now)]
        case _:
            happened = []
    return [transition for transition in happened if transition is not None]


def _report_unclaimed(a: Assignment, recall_time: datetime | None, now: datetime) -> Transition:
    comment = f"until {to_the_minute(recall_time)}" if recall_time else "for some days"
    return step(a, Event.REWARD_UNCLAIMED, a.state, SYSTEM, now, comment)


def report_payout_escalated(a: Assignment, payout_state: str, now: datetime) -> Transition:
    """The payout is stuck. The money stays reserved until an operator decides."""
    return step(a, Event.PAYOUT_ESCALATED, a.state, SYSTEM, now, payout_state)


def report_reward_written_off(a: Assignment, now: datetime) -> Transition:
    """An operator wrote the payout off: the assignment ends without a reward."""
    a.clock = None
    return step(a, Event.REWARD_WRITTEN_OFF, State.CANCELLED, SYSTEM, now)


def report_payout_failed(a: Assignment, now: datetime) -> Transition:
    """The payout failed. A reward that was sent and came back is due again, at its original time if
    that is in the future, so that late failures cannot postpone it for ever. One that was overdue
    stays overdue (R51)."""
    to_state = a.state
    if a.state in (State.REWARDED, State.COMPLETED):
        to_state = State.APPROVED
        if a.reward_is_overdue:
            a.clock = None
        elif a.reward_due_time is not None and a.reward_due_time > now:
            a.clock = Clock(ClockKind.REWARD, a.reward_due_time)
        else:
            start_reward_clock(a, now)
    return step(a, Event.PAYOUT_FAILED, to_state, SYSTEM, now)


def _require_product(a: Assignment) -> None:
    if not a.is_for_product:
        raise FailedPrecondition(Reason.REWARD_KIND_MISMATCH, "The reward is not a product")
