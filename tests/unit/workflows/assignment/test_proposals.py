"""What binds only with the consent of both: who may propose what and when, and what follows."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from typing import Any

import pytest

from servicekit.errors import FailedPrecondition, NotFound, PermissionDenied, Reason
from tests.unit.workflows.samples import (
    APPROVE,
    BRAND,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    REACHED,
    SUBMIT,
    begun,
    disputed,
    due,
    reworking,
    shipping,
    submitted,
)
from workflows.assignment.commands import AnswerProposal, CreateProposal, RequestChanges
from workflows.assignment.messages import assignment_message
from workflows.assignment.model import (
    Assignment,
    ClockKind,
    Event,
    ProposalKind,
    ProposalState,
    Requirement,
    State,
)
from workflows.assignment.rules import proposals, submissions
from workflows.dispute.model import Ground

AT_WORK = {State.IN_PROGRESS, State.CHANGES_REQUESTED}
UNDECIDED = AT_WORK | {State.IN_REVIEW}

EXTEND = CreateProposal(CREATOR, ProposalKind.EXTENSION, "I was ill", DEADLINE + 3 * DAY)
AMEND = CreateProposal(BRAND, ProposalKind.AMENDMENT, "New", None, ["Show it", "Sing it"])
CANCEL = CreateProposal(CREATOR, ProposalKind.CANCELLATION, "It cannot be done")
SHIP = CreateProposal(BRAND, ProposalKind.EARLY_SHIPMENT, "You need it", LATER + 2 * DAY)
FIRST = {side: AnswerProposal(side, 1) for side in (BRAND, CREATOR)}


def proposed(a: Assignment, command: CreateProposal, now: datetime = LATER) -> Assignment:
    proposals.create_proposal(a, command, now)
    return a


@pytest.mark.parametrize("reached", list(REACHED))
@pytest.mark.parametrize(
    ("command", "states"), [(EXTEND, AT_WORK), (AMEND, UNDECIDED), (CANCEL, UNDECIDED)]
)
def test_where_something_can_be_proposed(
    reached: State, command: CreateProposal, states: set[State]
) -> None:
    a = REACHED[reached]()
    before = deepcopy(a)
    if reached in states:
        transition = proposals.create_proposal(a, command, LATER)
        assert (transition.event, transition.to_state) == (Event.PROPOSAL_MADE, reached)
        assert a.proposals[-1].state is ProposalState.PENDING
        assert a.clock == before.clock
    else:
        with pytest.raises(FailedPrecondition) as refused:
            proposals.create_proposal(a, command, LATER)
        assert refused.value.reason == Reason.ILLEGAL_STATE
        assert a == before


@pytest.mark.parametrize(
    "command",
    [
        CreateProposal(BRAND, ProposalKind.EXTENSION, "Take your time", DEADLINE + DAY),
        CreateProposal(CREATOR, ProposalKind.AMENDMENT, "Easier", None, ["Less"]),
    ],
)
def test_some_things_are_one_sides_to_propose(command: CreateProposal) -> None:
    with pytest.raises(PermissionDenied) as refused:
        proposals.create_proposal(begun(), command, LATER)
    assert refused.value.reason == Reason.ROLE_NOT_ALLOWED


def test_one_proposal_of_a_kind_waits_at_a_time_r40() -> None:
    a = proposed(begun(), EXTEND)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(a, EXTEND, LATER)
    assert refused.value.reason == Reason.PROPOSAL_PENDING
    assert refused.value.metadata == {"proposal": "assignments/a1/proposals/1"}
    proposed(a, CANCEL)
    proposals.decline_proposal(a, FIRST[BRAND], LATER)
    proposed(a, EXTEND)
    assert [one.number for one in a.proposals] == [1, 2, 3]


@pytest.mark.parametrize("date", [DEADLINE, DEADLINE - DAY, None])
def test_a_deadline_moves_forward_only_r40(date: datetime | None) -> None:
    command = CreateProposal(CREATOR, ProposalKind.EXTENSION, "Earlier", date)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(begun(), command, LATER)
    assert refused.value.reason == Reason.DEADLINE_NOT_LATER


def test_an_extension_is_asked_for_before_the_deadline_r40() -> None:
    with pytest.raises(FailedPrecondition):
        proposals.create_proposal(begun(), EXTEND, DEADLINE)


def test_a_granted_extension_moves_the_deadline_r40() -> None:
    a = proposed(begun(), EXTEND)
    transition = proposals.accept_proposal(a, FIRST[BRAND], LATER + DAY)
    assert (transition.event, transition.actor) == (Event.PROPOSAL_ACCEPTED, BRAND)
    assert a.submission_deadline_time == due(a) == DEADLINE + 3 * DAY
    assert submissions.fire(a, DEADLINE) == (None, None)
    submissions.fire(a, DEADLINE + 3 * DAY)
    assert a.state is State.EXPIRED


def test_a_granted_extension_moves_the_rework_too() -> None:
    a = proposed(reworking(), EXTEND)
    proposals.accept_proposal(a, FIRST[BRAND], LATER)
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.REWORK, DEADLINE + 3 * DAY)


@pytest.mark.parametrize(
    ("answer", "actor", "result"),
    [
        (proposals.decline_proposal, BRAND, ProposalState.DECLINED),
        (proposals.withdraw_proposal, CREATOR, ProposalState.WITHDRAWN),
    ],
)
def test_an_extension_that_is_not_granted_changes_nothing_r40(
    answer: Callable[..., Any], actor: str, result: ProposalState
) -> None:
    a = proposed(begun(), EXTEND)
    answer(a, FIRST[actor], LATER)
    assert a.proposals[0].state is result
    assert a.proposals[0].answer_time == LATER
    assert due(a) == DEADLINE


def test_silence_lapses_a_proposal() -> None:
    a = proposed(proposed(begun(), EXTEND), CANCEL)
    submissions.fire(a, DEADLINE)
    assert a.state is State.EXPIRED
    assert [one.state for one in a.proposals] == [ProposalState.LAPSED] * 2
    assert a.proposals[0].answer_time == DEADLINE


def test_an_extension_lapses_with_the_submission_and_a_cancellation_does_not() -> None:
    a = proposed(proposed(begun(), EXTEND), CANCEL)
    submissions.submit_work(a, SUBMIT, LATER)
    assert [one.state for one in a.proposals] == [ProposalState.LAPSED, ProposalState.PENDING]
    submissions.approve_work(a, APPROVE, LATER)
    assert a.proposals[1].state is ProposalState.LAPSED


@pytest.mark.parametrize(
    ("answer", "actor"),
    [
        (proposals.accept_proposal, CREATOR),
        (proposals.decline_proposal, CREATOR),
        (proposals.withdraw_proposal, BRAND),
    ],
)
def test_nobody_answers_a_proposal_of_its_own(answer: Callable[..., Any], actor: str) -> None:
    a = proposed(begun(), EXTEND)
    with pytest.raises(PermissionDenied):
        answer(a, FIRST[actor], LATER)


def test_a_proposal_is_answered_once() -> None:
    a = proposed(begun(), EXTEND)
    proposals.decline_proposal(a, FIRST[BRAND], LATER)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.accept_proposal(a, FIRST[BRAND], LATER)
    assert refused.value.metadata["state"] == "DECLINED"


def test_a_proposal_that_was_never_made_is_not_found() -> None:
    with pytest.raises(NotFound):
        proposals.accept_proposal(begun(), FIRST[BRAND], LATER)


def test_nothing_is_proposed_or_answered_while_a_dispute_is_open() -> None:
    a = disputed(proposed(begun(), EXTEND), Ground.FRAUD)
    with pytest.raises(FailedPrecondition):
        proposals.create_proposal(a, CANCEL, LATER)
    with pytest.raises(FailedPrecondition):
        proposals.accept_proposal(a, FIRST[BRAND], LATER)


def test_changed_requirements_bind_once_accepted_r50() -> None:
    a = proposed(begun(), AMEND)
    assert a.requirements == a.terms.requirements
    proposals.accept_proposal(a, FIRST[CREATOR], LATER)
    assert a.requirements == [Requirement("req-1", "Show it"), Requirement("req-3", "Sing it")]
    submissions.submit_work(a, SUBMIT, LATER)
    with pytest.raises(FailedPrecondition) as refused:
        submissions.request_changes(a, RequestChanges(BRAND, "Say it", ["req-2"]), LATER)
    assert refused.value.reason == Reason.UNKNOWN_REQUIREMENT
    submissions.request_changes(a, RequestChanges(BRAND, "Sing it", ["req-3"]), LATER)


def test_a_declined_amendment_does_not_bind_and_its_ids_are_not_used_again_r50() -> None:
    a = proposed(submitted(), AMEND)
    proposals.decline_proposal(a, FIRST[CREATOR], LATER)
    assert a.requirements == a.terms.requirements
    proposed(a, CreateProposal(BRAND, ProposalKind.AMENDMENT, "Again", None, ["Dance", "Dance"]))
    assert [one.id for one in a.proposals[1].requirements] == ["req-4", "req-5"]


@pytest.mark.parametrize(("proposer", "other"), [(CREATOR, BRAND), (BRAND, CREATOR)])
def test_either_side_leaves_with_the_others_consent_r46(proposer: str, other: str) -> None:
    a = proposed(submitted(), CreateProposal(proposer, ProposalKind.CANCELLATION, "Sorry"))
    transition = proposals.accept_proposal(a, FIRST[other], LATER)
    assert (transition.event, transition.actor) == (Event.CANCELLED, other)
    assert (a.state, a.clock) == (State.CANCELLED, None)
    assert a.proposals[0].state is ProposalState.ACCEPTED


def test_a_product_is_agreed_on_before_the_deadline_r31() -> None:
    a = proposed(shipping(), SHIP)
    proposals.accept_proposal(a, FIRST[CREATOR], LATER)
    assert a.shipment_due_time == LATER + 2 * DAY
    too_late = CreateProposal(BRAND, ProposalKind.EARLY_SHIPMENT, "Later", DEADLINE)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(a, too_late, LATER)
    assert refused.value.reason == Reason.SHIPMENT_NOT_AGREED


def test_no_date_is_agreed_on_for_money() -> None:
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(begun(), SHIP, LATER)
    assert refused.value.reason == Reason.REWARD_KIND_MISMATCH


def test_each_sides_proposals_are_limited() -> None:
    a = begun()
    for number in range(1, 11):
        proposed(a, CANCEL)
        proposals.withdraw_proposal(a, AnswerProposal(CREATOR, number), LATER)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(a, CANCEL, LATER)
    assert (refused.value.reason, refused.value.metadata) == (Reason.LIMIT_REACHED, {"limit": "10"})
    proposed(a, AMEND)  # the other side has not


def test_an_amendments_texts_are_limited() -> None:
    command = CreateProposal(BRAND, ProposalKind.AMENDMENT, "Much", None, ["x" * 1000] * 11)
    with pytest.raises(FailedPrecondition) as refused:
        proposals.create_proposal(begun(), command, LATER)
    assert refused.value.reason == Reason.LIMIT_REACHED


def test_the_largest_assignment_fits_into_a_message() -> None:
    requirements = [Requirement(f"req-{number}", "\U0001f600" * 1000) for number in range(1, 51)]
    a = begun(requirements=requirements)
    texts = ["\U0001f600" * 1000] * 10
    for number in range(1, 11):
        proposed(a, CreateProposal(BRAND, ProposalKind.AMENDMENT, "\U0001f600" * 2000, None, texts))
        proposals.withdraw_proposal(a, AnswerProposal(BRAND, number), LATER)
    assert assignment_message(a).ByteSize() < 2**20
