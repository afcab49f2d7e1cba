"""Rules of a published task: slots and claims, deadlines, cancelling and closing."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import BEGIN, BRAND, LATER
from tests.unit.workflows.task.samples import (
    CANCEL,
    END,
    REACHED,
    open_task,
    select,
    select_command,
    selecting_task,
    task_in_progress,
)
from workflows.assignment.model import SYSTEM
from workflows.task import rules
from workflows.task.model import (
    Event,
    SelectApplications,
    State,
    Task,
    Transition,
)

TAKING = [State.OPEN, State.SELECTING]


def _refusal(act: Callable[[], None], task: Task) -> FailedPrecondition:
    untouched = deepcopy(task)
    with pytest.raises(FailedPrecondition) as refused:
        act()
    assert task == untouched
    return refused.value


@pytest.mark.parametrize("reached", State)
def test_each_sample_is_in_its_state(reached: State) -> None:
    assert REACHED[reached]().state is reached


@pytest.mark.parametrize("reached", State)
def test_selections_are_accepted_while_open_or_selecting(reached: State) -> None:
    task = REACHED[reached]()
    if reached in TAKING:
        rules.claim(task, select_command(7), BEGIN)
        assert (len(task.claimed), task.free_slots) == (1, 1)
    else:
        refusal = _refusal(lambda: rules.claim(task, select_command(7), BEGIN), task)
        assert refusal.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize("reached", State)
def test_a_task_is_cancelled_while_nobody_is_assigned(reached: State) -> None:
    task = REACHED[reached]()
    if reached in TAKING:
        rules.cancel(task, CANCEL, BEGIN)
        assert task.cancellation is not None
        assert (task.cancellation.actor, task.cancellation.comment) == (BRAND, "No budget")
        assert rules.is_over(task)
    else:
        refusal = _refusal(lambda: rules.cancel(task, CANCEL, BEGIN), task)
        assert refusal.reason is Reason.ILLEGAL_STATE


def test_claims_and_selections_prevent_cancelling() -> None:
    task = open_task()
    rules.claim(task, select_command(1), BEGIN)
    assert _refusal(lambda: rules.cancel(task, CANCEL, BEGIN), task).reason is Reason.ILLEGAL_STATE
    rules.select(task, select_command(1), BEGIN)
    refusal = _refusal(lambda: rules.cancel(task, CANCEL, BEGIN), task)
    assert refusal.metadata["state"] == State.OPEN
    assert "creators assigned" in refusal.message


def test_a_claim_takes_all_or_none() -> None:
    task = open_task(2)
    rules.claim(task, select_command(1), BEGIN)
    refusal = _refusal(lambda: rules.claim(task, select_command(2, 3), BEGIN), task)
    assert refusal.reason is Reason.SLOTS_EXHAUSTED
    assert refusal.metadata == {"free_slots": "1"}


def test_returned_slots_can_be_claimed_again() -> None:
    task = open_task(2)
    rules.claim(task, select_command(1, 2), BEGIN)
    rules.give_back(task, select_command(1, 2))
    rules.claim(task, select_command(2, 3), BEGIN)
    rules.select(task, select_command(2, 3), BEGIN)
    assert all(one.select_time == BEGIN for one in task.selected)
    assert (task.selected_ids, task.state) == (["app2", "app3"], State.IN_PROGRESS)


@pytest.mark.parametrize("is_selected", [True, False])
def test_nobody_is_selected_twice(is_selected: bool) -> None:
    task = open_task(3)
    rules.claim(task, select_command(1), BEGIN)
    if is_selected:
        rules.select(task, select_command(1), BEGIN)
    refusal = _refusal(lambda: rules.claim(task, select_command(2, 1), BEGIN), task)
    assert refusal.reason is Reason.ILLEGAL_STATE


def test_no_selection_is_accepted_at_the_deadline_itself() -> None:
    task = selecting_task()
    deadline = task.published.selection_deadline_time
    refusal = _refusal(lambda: rules.claim(task, select_command(1), deadline), task)
    assert refusal.reason is Reason.ILLEGAL_STATE
    rules.claim(task, select_command(1), deadline - timedelta(microseconds=1))


def test_a_claim_delays_the_selection_deadline() -> None:
    task = selecting_task()
    assert rules.next_deadline(task) == task.published.selection_deadline_time
    rules.claim(task, select_command(1), BEGIN)
    assert rules.next_deadline(task) is None
    rules.give_back(task, select_command(1))
    assert rules.next_deadline(task) == task.published.selection_deadline_time


def test_a_claim_does_not_delay_the_application_deadline() -> None:
    task = open_task()
    rules.claim(task, select_command(1), BEGIN)
    assert rules.next_deadline(task) == task.published.application_deadline_time
    rules.pass_deadline(task, BEGIN)
    rules.select(task, select_command(1), BEGIN)
    assert task.state is State.SELECTING


@pytest.mark.parametrize("reached", [State.IN_PROGRESS, State.CLOSED, State.CANCELLED])
def test_later_states_have_no_deadline(reached: State) -> None:
    assert rules.next_deadline(REACHED[reached]()) is None


def test_selected_creators_remain_when_the_selection_ends() -> None:
    task = selecting_task(3)
    select(task, 1)
    rules.pass_deadline(task, BEGIN)
    assert task.state is State.IN_PROGRESS
    assert not rules.is_over(task)


def test_the_last_assignment_closes_the_task() -> None:
    task = task_in_progress()
    seen = []
    for _ in range(2):
        rules.end_assignment(task, BEGIN)
        seen.append((task.state, rules.is_over(task)))
    assert seen == [(State.IN_PROGRESS, False), (State.CLOSED, True)]


def test_assignments_that_end_early_do_not_close_a_selecting_task() -> None:
    task = open_task(2)
    seen = []
    for number in (1, 2):
        select(task, number)
        seen.append(task.state)
        rules.end_assignment(task, BEGIN)
        seen.append(task.state)
    assert seen == [State.OPEN, State.OPEN, State.IN_PROGRESS, State.CLOSED]


def test_assignments_that_all_ended_before_the_selection_did_close_with_it() -> None:
    task = selecting_task(2)
    select(task, 1)
    rules.end_assignment(task, BEGIN)
    rules.pass_deadline(task, BEGIN)
    assert task.state is State.CLOSED


@pytest.mark.parametrize("reached", State)
def test_a_selection_is_ended_while_somebody_is_selected(reached: State) -> None:
    task = REACHED[reached]()
    refusal = _refusal(lambda: rules.end_selection(task, END, BEGIN), task)
    if reached in TAKING:
        assert refusal.reason is Reason.NOBODY_SELECTED
        select(task, 1)
        rules.end_selection(task, END, BEGIN)
        assert task.state is State.IN_PROGRESS
        assert rules.next_deadline(task) is None
    else:
        assert refusal.reason is Reason.ILLEGAL_STATE


def test_a_claim_prevents_ending_the_selection() -> None:
    task = open_task(3)
    select(task, 1)
    rules.claim(task, select_command(2), BEGIN)
    refusal = _refusal(lambda: rules.end_selection(task, END, BEGIN), task)
    assert (refusal.reason, refusal.metadata["state"]) == (Reason.ILLEGAL_STATE, State.OPEN)
    assert "being selected for" in refusal.message
    rules.give_back(task, select_command(2))
    rules.end_selection(task, END, BEGIN)
    assert task.selected_ids == ["app1"]


def test_a_selection_that_ends_after_all_its_assignments_closes_the_task() -> None:
    task = open_task(2)
    select(task, 1)
    rules.end_assignment(task, BEGIN)
    rules.end_selection(task, END, LATER)
    assert task.transitions[-2:] == [
        Transition(
            3,
            Event.SELECTION_ENDED,
            State.OPEN,
            State.IN_PROGRESS,
            "staff/olga",
            "They asked by mail",
            LATER,
        ),
        Transition(4, Event.CLOSED, State.IN_PROGRESS, State.CLOSED, SYSTEM, "", LATER),
    ]


@given(
    slots=st.integers(1, 4),
    acts=st.lists(
        st.tuples(
            st.sampled_from(["claim", "select", "give_back"]),
            st.lists(st.integers(0, 6), min_size=1, max_size=3, unique=True),
        ),
        max_size=20,
    ),
)
def test_there_are_never_more_creators_than_slots(
    slots: int, acts: list[tuple[str, list[int]]]
) -> None:
    task = open_task(slots)
    claims: list[SelectApplications] = []
    for act, numbers in acts:
        if act == "claim":
            try:
                rules.claim(task, select_command(*numbers), BEGIN)
            except FailedPrecondition:
                continue
            claims.append(select_command(*numbers))
        elif claims and act == "select":
            rules.select(task, claims.pop(), BEGIN)
        elif claims:
            rules.give_back(task, claims.pop())
        assert 0 <= task.free_slots <= slots
        assert len(task.selected_ids) == len(set(task.selected_ids)) <= slots
