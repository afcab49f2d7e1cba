"""A product as a reward: after approval within five days, or before on a date that both accept."""

from collections.abc import Callable
from datetime import datetime

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    APPROVE,
    BRAND,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    MEDIATOR,
    OPERATOR,
    SUBMIT,
    approved,
    due,
    shipping,
)
from workflows.assignment.commands import (
    AcknowledgeReceipt,
    AnswerProposal,
    CreateProposal,
    OpenDispute,
    OverrideAssignment,
    RecordShipment,
)
from workflows.assignment.model import (
    Action,
    Assignment,
    ClockKind,
    Event,
    Fault,
    Holder,
    ProposalKind,
    State,
    Transition,
)
from workflows.assignment.rules import disputes, overrides, proposals, rewards, submissions
from workflows.dispute.model import Decision, Ground, Outcome

SHIP = RecordShipment(BRAND, "DHL", "123")
RECEIVE = AcknowledgeReceipt(CREATOR)
AGREED = LATER + 2 * DAY


def agreed(date: datetime = AGREED) -> Assignment:
    a = shipping()
    proposal = CreateProposal(BRAND, ProposalKind.EARLY_SHIPMENT, "You need it", date)
    proposals.create_proposal(a, proposal, LATER)
    proposals.accept_proposal(a, AnswerProposal(CREATOR, 1), LATER)
    return a


def confirmed(a: Assignment, now: datetime = LATER) -> Assignment:
    submissions.submit_work(a, SUBMIT, now)
    submissions.approve_work(a, APPROVE, now)
    return a


def followed(a: Assignment, now: datetime) -> list[Event]:
    events = []
    while (transition := rewards.follow_up(a, now)) is not None:
        events.append(transition.event)
    return events


def fired(a: Assignment, now: datetime) -> Transition:
    transition, _ = submissions.fire(a, now)
    assert transition is not None
    return transition


def test_a_product_is_shipped_after_approval_and_completes_when_received() -> None:
    a = confirmed(shipping())
    assert (a.has_payout, due(a)) == (False, LATER + 5 * DAY)
    assert rewards.record_shipment(a, SHIP, LATER + DAY).event is Event.PRODUCT_SHIPPED
    assert followed(a, LATER + DAY) == [Event.REWARD_SENT]
    assert (a.state, due(a)) == (State.REWARDED, (LATER + DAY).replace(month=4))
    rewards.acknowledge_receipt(a, RECEIVE, LATER + 2 * DAY)
    assert followed(a, LATER + 2 * DAY) == [Event.COMPLETED]


def test_a_product_that_nobody_acknowledges_completes_after_a_month_r53() -> None:
    a = confirmed(shipping())
    rewards.record_shipment(a, SHIP, LATER)
    followed(a, LATER)
    assert fired(a, due(a)).event is Event.COMPLETED


def test_an_unshipped_product_is_overdue_after_five_days_and_still_welcome_r29() -> None:
    a = confirmed(shipping())
    assert fired(a, LATER + 5 * DAY).event is Event.REWARD_OVERDUE
    rewards.record_shipment(a, SHIP, LATER + 9 * DAY)
    assert followed(a, LATER + 9 * DAY) == [Event.REWARD_SENT]


def test_nothing_is_shipped_before_completion_without_a_date_that_both_accepted_r31() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        rewards.record_shipment(shipping(), SHIP, LATER)
    assert refused.value.reason == Reason.SHIPMENT_NOT_AGREED


def test_an_early_product_is_a_reward_sent_at_approval_r31() -> None:
    a = agreed()
    rewards.record_shipment(a, SHIP, LATER + DAY)
    assert followed(a, LATER + DAY) == []
    assert (a.state, due(a)) == (State.IN_PROGRESS, DEADLINE)
    rewards.acknowledge_receipt(a, RECEIVE, LATER + DAY)
    confirmed(a, LATER + 3 * DAY)
    assert followed(a, LATER + 3 * DAY) == [Event.REWARD_SENT, Event.COMPLETED]


def test_the_date_that_both_accepted_replaces_the_five_days_r31() -> None:
    a = confirmed(agreed(LATER + 8 * DAY))
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.REWARD, LATER + 8 * DAY)


def test_a_missed_date_moves_the_deadline_by_the_delay_r31() -> None:
    a = agreed()
    assert submissions.next_time(a) == AGREED
    assert fired(a, AGREED).event is Event.SHIPMENT_MISSED
    assert submissions.next_time(a) is None
    rewards.record_shipment(a, SHIP, AGREED + 4 * DAY)
    assert due(a) == DEADLINE + 4 * DAY
    submissions.submit_work(a, SUBMIT, DEADLINE + 3 * DAY)
    assert a.state is State.IN_REVIEW


def test_work_after_the_deadline_counts_while_the_product_is_missing() -> None:
    a = agreed()
    fired(a, AGREED)
    submissions.submit_work(a, SUBMIT, DEADLINE + 30 * DAY)
    assert fired(a, due(a) - DAY).event is Event.REVIEW_REMINDED


def test_a_new_date_lets_the_deadline_run_on() -> None:
    a = agreed()
    fired(a, AGREED)
    again = CreateProposal(CREATOR, ProposalKind.EARLY_SHIPMENT, "At last", AGREED + 3 * DAY)
    proposals.create_proposal(a, again, AGREED + DAY)
    proposals.accept_proposal(a, AnswerProposal(BRAND, 2), AGREED + DAY)
    assert due(a) == DEADLINE + DAY
    assert fired(a, AGREED + 3 * DAY).event is Event.SHIPMENT_MISSED


def test_a_dispute_and_a_missing_product_hold_a_clock_together() -> None:
    a = agreed()
    fired(a, AGREED)
    disputes.open_dispute(
        a, OpenDispute("d1", Ground.WRONG_PRODUCT, "It never came", CREATOR), AGREED + DAY
    )
    rewards.record_shipment(a, SHIP, AGREED + 2 * DAY)
    assert a.clock is not None
    assert a.clock.holders == [Holder.DISPUTE]
    disputes.close_dispute(a, None, "", AGREED + 5 * DAY)
    assert due(a) == DEADLINE + 5 * DAY


def test_a_wrong_product_is_sent_again_when_a_mediator_says_so() -> None:
    a = confirmed(shipping())
    rewards.record_shipment(a, SHIP, LATER)
    followed(a, LATER)
    dispute, _ = disputes.open_dispute(
        a, OpenDispute("d1", Ground.WRONG_PRODUCT, "It is a shoe", CREATOR), LATER
    )
    assert dispute.allowed_outcomes == [Outcome.PAY_IN_FULL, Outcome.DISMISS]
    decision = Decision(Outcome.PAY_IN_FULL, "Send it")
    disputes.close_dispute(a, decision, MEDIATOR, LATER + DAY, Ground.WRONG_PRODUCT)
    assert followed(a, LATER + DAY) == []
    assert (a.state, due(a)) == (State.APPROVED, LATER + 6 * DAY)
    rewards.record_shipment(a, RecordShipment(OPERATOR, "DHL", "124"), LATER + 2 * DAY)
    assert followed(a, LATER + 2 * DAY) == [Event.REWARD_SENT]
    assert [one.is_replaced for one in a.shipments] == [True, False]


def test_a_product_is_not_paid_in_part() -> None:
    dispute, _ = disputes.open_dispute(
        shipping(), OpenDispute("d1", Ground.FRAUD, "x", BRAND), LATER
    )
    assert Outcome.PAY_PARTIAL not in dispute.allowed_outcomes


def test_no_product_no_dispute_over_it() -> None:
    for a in (approved(), shipping()):
        with pytest.raises(FailedPrecondition) as refused:
            disputes.open_dispute(a, OpenDispute("d1", Ground.WRONG_PRODUCT, "x", CREATOR), LATER)
        assert refused.value.reason == Reason.DISPUTE_NOT_ALLOWED


@pytest.mark.parametrize(
    "attempt",
    [
        lambda a: rewards.record_shipment(a, SHIP, LATER),
        lambda a: rewards.acknowledge_receipt(a, RECEIVE, LATER),
    ],
)
def test_money_is_not_shipped(attempt: Callable[[Assignment], object]) -> None:
    with pytest.raises(FailedPrecondition) as refused:
        attempt(approved())
    assert refused.value.reason == Reason.REWARD_KIND_MISMATCH


def test_a_product_is_shipped_and_received_once() -> None:
    a = confirmed(shipping())
    with pytest.raises(FailedPrecondition):
        rewards.acknowledge_receipt(a, RECEIVE, LATER)
    rewards.record_shipment(a, SHIP, LATER)
    with pytest.raises(FailedPrecondition):
        rewards.record_shipment(a, SHIP, LATER)
    rewards.acknowledge_receipt(a, RECEIVE, LATER)
    with pytest.raises(FailedPrecondition):
        rewards.acknowledge_receipt(a, RECEIVE, LATER)


def test_a_wrong_early_product_is_sent_again_while_the_work_goes_on() -> None:
    a = agreed()
    rewards.record_shipment(a, SHIP, LATER)
    disputes.open_dispute(
        a, OpenDispute("d1", Ground.WRONG_PRODUCT, "It is a shoe", CREATOR), LATER
    )
    decision = Decision(Outcome.REDO, "Send a lamp", deadline_time=LATER + 9 * DAY)
    disputes.close_dispute(a, decision, MEDIATOR, LATER + DAY, Ground.WRONG_PRODUCT)
    assert (a.state, a.shipment) == (State.CHANGES_REQUESTED, None)
    rewards.record_shipment(a, RecordShipment(BRAND, "DHL", "124"), LATER + 2 * DAY)
    assert [one.is_replaced for one in a.shipments] == [True, False]


def test_who_misses_a_product_is_not_at_fault() -> None:
    a = agreed()
    fired(a, AGREED)
    command = OverrideAssignment(OPERATOR, Action.EXPIRE, "They gave up")
    overrides.override_assignment(a, command, AGREED)
    assert a.fault is Fault.BRAND
