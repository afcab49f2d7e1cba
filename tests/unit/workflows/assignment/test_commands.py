"""Which command is legal in which state, and what a legal one does."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    BRAND,
    CHANGE,
    COMMENT,
    CREATOR,
    DAY,
    DEADLINE,
    LATER,
    MEDIATOR,
    REACHED,
    SUBMIT,
    after_rounds,
    begun,
    disputed,
    due,
    expired,
    reworking,
    submitted,
)
from workflows.assignment.commands import (
    ApproveWork,
    CommentOnExpiry,
    OpenDispute,
    RequestChanges,
    SubmitWork,
)
from workflows.assignment.model import ClockKind, ConfirmedBy, Event, State
from workflows.assignment.rules import disputes, rewards, submissions
from workflows.assignment.rules.transitions import is_over
from workflows.dispute.model import Decision, Ground, Outcome

# Command -> its rule, what is said, and where from and where to it leads.
COMMANDS: dict[str, tuple[Callable[..., Any], object, dict[State, State]]] = {
    "SubmitWork": (
        submissions.submit_work,
        SUBMIT,
        {State.IN_PROGRESS: State.IN_REVIEW, State.CHANGES_REQUESTED: State.IN_REVIEW},
    ),
    "RequestChanges": (
        submissions.request_changes,
        CHANGE,
        {State.IN_REVIEW: State.CHANGES_REQUESTED},
    ),
    "ApproveWork": (submissions.approve_work, APPROVE, {State.IN_REVIEW: State.APPROVED}),
    "CommentOnExpiry": (submissions.comment_on_expiry, COMMENT, {State.EXPIRED: State.EXPIRED}),
}
LEGAL = [
    (command, before, after)
    for command, (_, _, legal) in COMMANDS.items()
    for before, after in legal.items()
]
ILLEGAL = [
    (command, before)
    for command, (_, _, legal) in COMMANDS.items()
    for before in State
    if before not in legal
]


@pytest.mark.parametrize(("command", "before", "after"), LEGAL)
def test_a_legal_command_says_what_changed(command: str, before: State, after: State) -> None:
    rule, said, _ = COMMANDS[command]
    a = REACHED[before]()
    sequence = a.sequence
    transition = rule(a, said, LATER)
    assert (transition.from_state, transition.to_state) == (before, after)
    assert a.state is after
    assert transition.sequence == a.sequence == sequence + 1
    assert transition.time == a.update_time == LATER
    assert transition.actor == said.actor  # type: ignore[attr-defined]  # each command has one


@pytest.mark.parametrize(("command", "before"), ILLEGAL)
def test_an_illegal_command_changes_nothing(command: str, before: State) -> None:
    rule, said, _ = COMMANDS[command]
    a = REACHED[before]()
    untouched = deepcopy(a)
    with pytest.raises(FailedPrecondition) as refused:
        rule(a, said, LATER)
    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert refused.value.metadata["command"] == command
    assert a == untouched


def test_what_is_owed_can_be_said_in_a_dispute() -> None:
    a = disputed(expired(), Ground.FRAUD)
    submissions.fire(a, due(a))  # the last window closes meanwhile
    assert (
        submissions.comment_on_expiry(a, COMMENT, LATER + 100 * DAY).event is Event.EXPIRY_COMMENTED
    )


@pytest.mark.parametrize(
    ("command", "before", "after"), [one for one in LEGAL if one[0] != "CommentOnExpiry"]
)
def test_an_open_dispute_stops_every_other_command(
    command: str, before: State, after: State
) -> None:
    rule, said, _ = COMMANDS[command]
    a = disputed(REACHED[before](), Ground.FRAUD)
    untouched = deepcopy(a)
    with pytest.raises(FailedPrecondition) as refused:
        rule(a, said, LATER)
    assert refused.value.reason is Reason.ILLEGAL_STATE
    assert "open dispute" in refused.value.message
    assert a == untouched


def test_an_assignment_begins_with_the_selection() -> None:
    a, transition = submissions.start("a1", "bea", begun().terms, BEGIN)
    assert (transition.sequence, transition.event) == (1, Event.CREATOR_SELECTED)
    assert (transition.from_state, transition.to_state) == (None, State.IN_PROGRESS)
    assert transition.actor == BRAND
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.SUBMISSION, DEADLINE)


def test_each_submission_is_a_version_of_its_own() -> None:
    a = after_rounds(2)
    assert [one.version for one in a.submissions] == [1, 2, 3]
    assert [one.round for one in a.change_requests] == [1, 2]


def test_a_third_change_request_is_refused_r28() -> None:
    a = after_rounds(2)
    with pytest.raises(FailedPrecondition) as refused:
        submissions.request_changes(a, CHANGE, LATER)
    assert refused.value.reason is Reason.REVISION_LIMIT_REACHED
    assert refused.value.metadata == {"rounds": "2"}
    assert submissions.approve_work(a, APPROVE, LATER).to_state is State.APPROVED


def test_a_change_request_cites_requirements_of_the_task() -> None:
    a = submitted()
    untouched = deepcopy(a)
    with pytest.raises(FailedPrecondition) as refused:
        submissions.request_changes(a, replace(CHANGE, requirement_ids=["req-1", "req-9"]), LATER)
    assert refused.value.reason is Reason.UNKNOWN_REQUIREMENT
    assert refused.value.metadata == {"requirement_ids": "req-9"}
    assert a == untouched


def test_a_brand_confirms_and_the_whole_reward_is_due() -> None:
    a = submitted()
    submissions.approve_work(a, ApproveWork(BRAND), LATER)
    assert (a.confirmed_by, a.payable_minor, a.has_payout) == (ConfirmedBy.BRAND, 10_000, True)
    assert a.clock is not None
    assert (a.clock.kind, a.clock.due_time) == (ClockKind.REWARD, LATER + 5 * DAY)  # R29


def test_an_expiry_is_commented_on_once_r44() -> None:
    a = expired()
    submissions.comment_on_expiry(a, COMMENT, DEADLINE)
    assert a.expiry_comment is not None
    assert a.expiry_comment.reason == COMMENT.reason
    with pytest.raises(FailedPrecondition) as refused:
        submissions.comment_on_expiry(a, COMMENT, DEADLINE)
    assert refused.value.reason is Reason.ILLEGAL_STATE


def test_what_is_over_takes_no_comment() -> None:
    a = expired()
    submissions.fire(a, DEADLINE + 30 * DAY)
    assert is_over(a)
    with pytest.raises(FailedPrecondition) as refused:
        submissions.comment_on_expiry(a, COMMENT, DEADLINE + 31 * DAY)
    assert refused.value.reason is Reason.ILLEGAL_STATE


def test_transitions_are_numbered_without_a_gap() -> None:
    a, first = submissions.start("a1", "bea", begun().terms, BEGIN)
    transitions = [
        first,
        submissions.submit_work(a, SubmitWork(CREATOR, "", [], []), LATER),
        submissions.request_changes(a, RequestChanges(BRAND, "More", ["req-2"]), LATER),
        disputes.open_dispute(a, _unfair(), LATER)[1],
        disputes.close_dispute(a, Decision(Outcome.DISMISS, "Fair"), MEDIATOR, LATER),
        submissions.submit_work(a, SUBMIT, LATER),
        submissions.approve_work(a, APPROVE, LATER),
        rewards.report_payout_failed(a, LATER),
        *rewards.report_reward_received(a, LATER),
    ]
    assert [one.sequence for one in transitions] == list(range(1, len(transitions) + 1))
    states = [one.from_state for one in transitions[1:]]
    assert states == [one.to_state for one in transitions[:-1]]
    assert a.sequence == len(transitions)


def _unfair() -> OpenDispute:
    return OpenDispute("d1", Ground.UNFAIR_CHANGE_REQUEST, "Not asked for", CREATOR)


def test_an_expiry_comment_records_its_author_and_reason() -> None:
    a = expired()
    said = CommentOnExpiry(CREATOR, "MATERIALS_NOT_PROVIDED", "Nothing came")
    transition = submissions.comment_on_expiry(a, said, DEADLINE)
    assert (transition.actor, transition.comment) == (CREATOR, "MATERIALS_NOT_PROVIDED")  # R45
    assert reworking().change_requests[0].comment == CHANGE.comment
