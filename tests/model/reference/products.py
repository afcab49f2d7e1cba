"""Shipment and receipt of products."""

from datetime import datetime

from servicekit.errors import Reason
from tests.model.reference import clock_rules, transitions
from tests.model.reference.refusals import ILLEGAL
from tests.model.reference.state import CREATORS_OWN, UNCONFIRMED, AssignmentState
from workflows.assignment.commands import (
    AcknowledgeReceipt,
    RecordShipment,
)
from workflows.assignment.model import (
    Event,
    Holder,
    State,
)


def refuse_shipment(a: AssignmentState, _: RecordShipment) -> set[Reason]:
    reasons: set[Reason] = set()
    if not a.is_for_product:
        reasons.add(Reason.REWARD_KIND_MISMATCH)
    if a.product is not None or a.state not in UNCONFIRMED | {State.APPROVED}:
        reasons |= ILLEGAL
    if a.state is not State.APPROVED and a.agreed_shipment is None:
        reasons.add(Reason.SHIPMENT_NOT_AGREED)
    return reasons


def ship(a: AssignmentState, command: RecordShipment) -> None:
    missed = a.shipment_time()
    if missed is not None and missed <= a.now:
        hold_for_product(a, missed)  # the clock has not fired yet
    a.products.append([False, False])
    end_wait_for_product(a)
    transitions.add(a, Event.PRODUCT_SHIPPED, command.actor)


def refuse_receipt(a: AssignmentState, _: AcknowledgeReceipt) -> set[Reason]:
    reasons: set[Reason] = set()
    if not a.is_for_product:
        reasons.add(Reason.REWARD_KIND_MISMATCH)
    open_states = UNCONFIRMED | {State.APPROVED, State.REWARDED}
    if a.product is None or a.product[0] or a.state not in open_states:
        reasons |= ILLEGAL
    return reasons


def receive(a: AssignmentState, command: AcknowledgeReceipt) -> None:
    assert a.product is not None
    a.product[0] = True
    transitions.add(a, Event.PRODUCT_RECEIVED, command.actor)


def hold_for_product(a: AssignmentState, missed: datetime) -> None:
    if a.clock is not None and a.clock.kind in CREATORS_OWN:
        a.clock.hold(Holder.MISSED_SHIPMENT, max(missed, a.history[-1].time))


def end_wait_for_product(a: AssignmentState) -> None:
    a.is_missed = False
    clock_rules.release(a, Holder.MISSED_SHIPMENT)
