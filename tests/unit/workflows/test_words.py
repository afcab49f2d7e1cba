"""What operators read in the Temporal UI, and what people are told."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    BRAND,
    CHANGE,
    COMMENT,
    CREATOR,
    DEADLINE,
    LATER,
    REACHED,
    SUBMIT,
    approved,
    begun,
    disputed,
    due,
    expired,
    overdue,
    published,
    shipping,
    submitted,
)
from workflows.assignment import ui_details
from workflows.assignment.messages import (
    assignment_message,
    transition_from_message,
    transition_message,
)
from workflows.assignment.model import SYSTEM, Assignment, Event, State, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import submissions
from workflows.dispute.model import Ground
from workflows.notices import MEDIATORS, OPERATORS
from workflows.policy import STANDARD, ReviewSilence
from workflows.task.model import Selected, Task
from workflows.task.model import State as TaskState
from workflows.task.ui_details import describe as describe_task


@pytest.mark.parametrize("reached", State)
def test_every_state_says_who_must_act_until_when(reached: State) -> None:
    a = REACHED[reached]()
    text = ui_details.describe(a)
    assert text.startswith("**")
    if a.clock is not None:
        assert f"{a.clock.due_time:%Y-%m-%d %H:%M:%S} UTC" in text
    assert f"transition {a.sequence}" in text


def test_a_held_clock_tells_what_is_left_of_it() -> None:
    text = ui_details.describe(disputed(begun(), Ground.FRAUD))
    assert "A mediator must decide `disputes/d1`." in text
    assert f"held by the dispute with {DEADLINE - LATER} left" in text


def test_silence_is_told_as_the_policy_has_it() -> None:
    escalating = replace(STANDARD, review_silence=ReviewSilence.ESCALATE)
    assert "approved in the brand's name" in ui_details.describe(submitted())
    assert "a mediator is asked" in ui_details.describe(submitted(escalating))


def test_an_overdue_reward_and_an_owed_comment_stand_out() -> None:
    assert "OVERDUE" in ui_details.describe(overdue())
    assert "must say why" in ui_details.describe(expired())
    commented = expired()
    submissions.comment_on_expiry(commented, COMMENT, DEADLINE)
    assert "nobody must act" in ui_details.describe(commented)
    closed = expired()
    submissions.fire(closed, due(closed))
    assert "nobody must act" in ui_details.describe(closed)


def test_an_overdue_reward_says_what_goes_on_without_a_clock() -> None:
    text = ui_details.describe(overdue())
    assert "No clock runs. The platform goes on trying to pay" in text
    assert "an operator can retry it (RETRY_REWARD); the creator may open a dispute." in text
    product = shipping()
    submissions.submit_work(product, SUBMIT, LATER)
    submissions.approve_work(product, APPROVE, LATER)
    submissions.fire(product, due(product))
    assert "The brand must still ship the product; the creator may" in ui_details.describe(product)


def test_a_payout_that_a_dispute_holds_is_told() -> None:
    held = ui_details.describe(disputed(approved(), Ground.FRAUD))
    assert "a mediator must decide before its reward is paid" in held
    assert "The payout is held by the brand's dispute" in held
    text = ui_details.describe(disputed(overdue(), Ground.FRAUD))
    assert "No clock runs. The platform pays once the dispute is over." in text
    assert "held" not in ui_details.describe(disputed(overdue(), Ground.LATE_REWARD))


@pytest.mark.parametrize("reached", TaskState)
def test_every_state_of_a_task_is_described(reached: TaskState) -> None:
    task = Task(published(), state=reached, selected=[Selected("app1", "creator1", BEGIN)])
    text = describe_task(task)
    assert "`assignment/app1`" in text
    assert "1 of 2 creators selected" in text


def _told(a: Assignment, transition: Transition) -> dict[str, str]:
    told = list(notices(a, transition))
    assert all(notice.event == transition.event and notice.subject == a.name for notice in told)
    ids = {notice.deduplication_id for notice in told}
    assert ids == {f"assignment/a1/{transition.sequence}/{one.recipient}" for one in told}
    return {notice.recipient: notice.text for notice in told}


def _step(event: Event, actor: str) -> Transition:
    return Transition(3, event, State.IN_REVIEW, State.APPROVED, actor, "because", LATER)


@pytest.mark.parametrize(
    ("event", "actor", "told"),
    [
        (Event.CREATOR_SELECTED, BRAND, {CREATOR}),
        (Event.WORK_SUBMITTED, CREATOR, {BRAND}),
        (Event.REVIEW_REMINDED, SYSTEM, {BRAND}),
        (Event.CHANGES_REQUESTED, BRAND, {CREATOR}),
        (Event.REWORK_LAPSED, SYSTEM, {BRAND, CREATOR}),
        (Event.WORK_APPROVED, BRAND, {CREATOR}),
        (Event.WORK_APPROVED, SYSTEM, {BRAND, CREATOR}),
        (Event.REWARD_OVERDUE, SYSTEM, {BRAND, CREATOR, OPERATORS}),
        (Event.PAYOUT_FAILED, SYSTEM, {CREATOR, OPERATORS}),
        (Event.PAYOUT_ESCALATED, SYSTEM, {OPERATORS}),
        (Event.REWARD_SENT, SYSTEM, {CREATOR}),
        (Event.REWARD_UNCLAIMED, SYSTEM, {CREATOR}),
        (Event.REWARD_WRITTEN_OFF, SYSTEM, {BRAND, CREATOR}),
        (Event.COMPLETED, SYSTEM, {BRAND, CREATOR}),
        (Event.EXPIRED, SYSTEM, {BRAND, CREATOR}),
        (Event.EXPIRY_COMMENTED, CREATOR, {BRAND}),
        (Event.DISPUTE_OPENED, BRAND, set()),  # the dispute's own workflow tells
        (Event.DISPUTE_RESOLVED, "staff/mia", set()),
        (Event.DISPUTE_WITHDRAWN, BRAND, set()),
        (Event.DECISION_OVERTAKEN, SYSTEM, {BRAND, CREATOR, MEDIATORS}),
    ],
)
def test_everyone_concerned_is_told_but_who_acted(event: Event, actor: str, told: set[str]) -> None:
    assert set(_told(begun(), _step(event, actor))) == told


def test_every_event_was_thought_of() -> None:
    for event in Event:
        assert all(one.text for one in notices(begun(), _step(event, SYSTEM)))


def test_words_of_people_and_deadlines_reach_the_other_side() -> None:
    a, first = submissions.start("a1", "bea", begun().terms, BEGIN)
    assert f"{DEADLINE:%Y-%m-%d %H:%M} UTC" in _told(a, first)[CREATOR]
    submissions.submit_work(a, SUBMIT, LATER)
    asked = submissions.request_changes(a, replace(CHANGE, comment="{deadline} {0}"), LATER)
    assert _told(a, asked)[CREATOR].startswith("The brand asks for changes: {deadline} {0}. ")


@pytest.mark.parametrize("reached", State)
def test_every_state_goes_over_the_wire(reached: State) -> None:
    a = REACHED[reached]()
    message = assignment_message(a)
    assert message.DESCRIPTOR.enum_types_by_name["State"].values_by_number[message.state].name == (
        f"STATE_{reached}"
    )
    assert (message.sequence, message.payout) == (
        a.sequence,
        "payouts/a1" if a.has_payout else "",
    )
    assert message.HasField("clock") is (a.clock is not None)


@pytest.mark.parametrize("reached", [begun, approved, expired])
def test_a_held_clock_goes_as_what_is_left(reached: Callable[[], Assignment]) -> None:
    a = disputed(reached(), Ground.FRAUD)
    assert a.clock is not None
    clock = assignment_message(a).clock
    if a.clock.held_time is None:
        assert clock.HasField("due_time")
    else:
        assert clock.remaining.ToTimedelta() == DEADLINE - LATER
        assert not clock.HasField("due_time")


@pytest.mark.parametrize("event", Event)
def test_a_transition_comes_back_from_the_wire_as_it_was(event: Event) -> None:
    transition = _step(event, BRAND)
    assert transition_from_message(transition_message(transition)) == transition
    first = replace(transition, from_state=None)
    assert transition_from_message(transition_message(first)) == first
