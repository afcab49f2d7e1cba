"""Clocks that were held, and clocks that run out late because no worker was up."""

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    BEGIN,
    BRAND,
    COMMENT,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    MEDIATOR,
    begun,
    disputed,
    due,
    expired,
    shipping,
)
from workflows.assignment.commands import (
    AnswerProposal,
    CreateProposal,
    OpenDispute,
    RecordShipment,
)
from workflows.assignment.model import Assignment, ClockKind, Event, ProposalKind, State
from workflows.assignment.rules import disputes, proposals, rewards, submissions
from workflows.dispute.model import Decision, Ground, Outcome

SHIP = RecordShipment(BRAND, "DHL", "123")
AGREED = LATER + 2 * DAY


def promised() -> Assignment:
    a = shipping()
    proposal = CreateProposal(BRAND, ProposalKind.EARLY_SHIPMENT, "You need it", AGREED)
    proposals.create_proposal(a, proposal, LATER)
    proposals.accept_proposal(a, AnswerProposal(CREATOR, 1), LATER)
    return a


def missed() -> Assignment:
    a = promised()
    submissions.fire(a, AGREED)
    return a


def test_a_dispute_moves_the_deadline_that_is_shown_along_with_the_clock() -> None:
    a = disputed(begun(), Ground.FRAUD)
    disputes.close_dispute(a, None, "", LATER + 3 * DAY)
    assert a.submission_deadline_time == due(a) == DEADLINE + 3 * DAY


def test_a_missed_shipment_moves_the_deadline_that_is_shown_along_with_the_clock() -> None:
    a = missed()
    rewards.record_shipment(a, SHIP, AGREED + 4 * DAY)
    assert a.submission_deadline_time == due(a) == DEADLINE + 4 * DAY


def test_a_missed_shipment_counts_from_its_date_however_late_its_clock_fires_r31() -> None:
    a = promised()
    late = DEADLINE + DAY
    transition, _ = submissions.fire(a, late)
    assert transition is not None
    assert (transition.event, transition.time) == (Event.SHIPMENT_MISSED, late)
    rewards.record_shipment(a, SHIP, late + DAY)
    assert due(a) == DEADLINE + (late + DAY - AGREED)


def test_a_late_shipment_that_is_faster_than_its_late_clock_moves_the_deadline_too_r31() -> None:
    a = promised()
    rewards.record_shipment(a, SHIP, DEADLINE + DAY)
    assert due(a) == DEADLINE + (DEADLINE + DAY - AGREED)


def test_an_extension_of_a_held_deadline_is_later_than_its_remaining_time_r40() -> None:
    a, now = missed(), DEADLINE + 2 * DAY
    left = DEADLINE - AGREED
    for date in (DEADLINE + DAY, now + left):
        with pytest.raises(FailedPrecondition) as refused:
            proposals.create_proposal(
                a, CreateProposal(CREATOR, ProposalKind.EXTENSION, "More", date), now
            )
        assert refused.value.reason == Reason.DEADLINE_NOT_LATER
    date = now + left + DAY
    proposals.create_proposal(a, CreateProposal(CREATOR, ProposalKind.EXTENSION, "More", date), now)


def test_a_new_shipment_date_can_be_agreed_on_however_long_the_first_is_missed_r31() -> None:
    a, now = missed(), DEADLINE + 2 * DAY
    again = CreateProposal(BRAND, ProposalKind.EARLY_SHIPMENT, "At last", now + DAY)
    proposals.create_proposal(a, again, now)
    proposals.accept_proposal(a, AnswerProposal(CREATOR, 2), now)
    assert due(a) == DEADLINE + (now - AGREED)


def test_work_to_be_redone_after_expiry_can_expire_and_be_commented_on_again_r45() -> None:
    a = expired()
    submissions.comment_on_expiry(a, COMMENT, DEADLINE + DAY)
    disputes.open_dispute(a, OpenDispute("d1", Ground.FRAUD, "x", BRAND), DEADLINE + DAY)
    deadline = DEADLINE + 9 * DAY
    decision = Decision(Outcome.REDO, "Once more", deadline_time=deadline)
    disputes.close_dispute(a, decision, MEDIATOR, DEADLINE + 2 * DAY)
    assert (a.state, a.fault, a.expiry_comment) == (State.CHANGES_REQUESTED, None, None)
    submissions.fire(a, deadline)
    assert a.state is State.EXPIRED
    submissions.comment_on_expiry(a, COMMENT, deadline + DAY)


def test_a_wrong_early_product_is_no_reward_when_a_mediator_grants_it() -> None:
    a = promised()
    rewards.record_shipment(a, SHIP, LATER)
    disputes.open_dispute(a, OpenDispute("d1", Ground.WRONG_PRODUCT, "A shoe", CREATOR), LATER)
    decision = Decision(Outcome.PAY_IN_FULL, "Send the lamp")
    disputes.close_dispute(a, decision, MEDIATOR, LATER, Ground.WRONG_PRODUCT)
    assert rewards.follow_up(a, LATER) is None
    assert (a.state, a.shipments[0].is_replaced) == (State.APPROVED, True)
    assert a.clock is not None
    assert a.clock.kind is ClockKind.REWARD
    assert due(a) > BEGIN
