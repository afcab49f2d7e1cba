"""A published task: slots under claims, deadlines, cancelling and closing."""

from collections.abc import Callable
from copy import deepcopy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.lives import BEGIN, BRAND, published, selection
from workflows.task import state
from workflows.task.state import CancelTask, SelectApplications, State, Task

CANCEL = CancelTask(BRAND, "No budget")


def _choose(*numbers: int) -> SelectApplications:
    return SelectApplications([selection(number) for number in numbers])


def _task(slots: int = 2) -> Task:
    return Task(published(slots))


def _selecting(slots: int = 2) -> Task:
    task = _task(slots)
    state.pass_deadline(task)
    return task


def _select(task: Task, *numbers: int) -> None:
    state.claim(task, _choose(*numbers), BEGIN)
    state.select(task, _choose(*numbers), BEGIN)


def _in_progress() -> Task:
    task = _task()
    _select(task, 1, 2)
    return task


def _closed() -> Task:
    task = _in_progress()
    state.end_assignment(task)
    state.end_assignment(task)
    return task


def _cancelled() -> Task:
    task = _task()
    state.cancel(task, CANCEL)
    return task


def _unfilled() -> Task:
    task = _selecting()
    state.pass_deadline(task)
    return task


REACHED: dict[State, Callable[[], Task]] = {
    State.OPEN: _task,
    State.SELECTING: _selecting,
    State.IN_PROGRESS: _in_progress,
    State.CLOSED: _closed,
    State.CANCELLED: _cancelled,
    State.UNFILLED: _unfilled,
}
TAKING = [State.OPEN, State.SELECTING]


def _refusal(act: Callable[[], None], task: Task) -> FailedPrecondition:
    untouched = deepcopy(task)
    with pytest.raises(FailedPrecondition) as refused:
        act()
    assert task == untouched
    return refused.value


@pytest.mark.parametrize("reached", State)
def test_each_state_is_what_its_name_says(reached: State) -> None:
    assert REACHED[reached]().state is reached


@pytest.mark.parametrize("reached", State)
def test_selections_are_taken_while_open_or_selecting(reached: State) -> None:
    task = REACHED[reached]()
    if reached in TAKING:
        state.claim(task, _choose(7), BEGIN)
        assert (len(task.claimed), task.free_slots) == (1, 1)
    else:
        refusal = _refusal(lambda: state.claim(task, _choose(7), BEGIN), task)
        assert refusal.reason is Reason.ILLEGAL_STATE


@pytest.mark.parametrize("reached", State)
def test_a_task_is_cancelled_while_nobody_is_assigned(reached: State) -> None:
    task = REACHED[reached]()
    if reached in TAKING:
        state.cancel(task, CANCEL)
        assert (task.state, task.cancel_comment) == (State.CANCELLED, "No budget")
        assert state.is_over(task)
    else:
        refusal = _refusal(lambda: state.cancel(task, CANCEL), task)
        assert refusal.reason is Reason.ILLEGAL_STATE


def test_claims_and_selections_stand_in_the_way_of_cancelling() -> None:
    task = _task()
    state.claim(task, _choose(1), BEGIN)
    assert _refusal(lambda: state.cancel(task, CANCEL), task).reason is Reason.ILLEGAL_STATE
    state.select(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: state.cancel(task, CANCEL), task)
    assert "creators assigned" in refusal.metadata["state"]


def test_a_claim_takes_all_or_none() -> None:
    task = _task(2)
    state.claim(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: state.claim(task, _choose(2, 3), BEGIN), task)
    assert refusal.reason is Reason.SLOTS_EXHAUSTED
    assert refusal.metadata == {"free_slots": "1"}


def test_slots_that_are_given_back_can_be_claimed_again() -> None:
    task = _task(2)
    state.claim(task, _choose(1, 2), BEGIN)
    state.give_back(task, _choose(1, 2))
    state.claim(task, _choose(2, 3), BEGIN)
    state.select(task, _choose(2, 3), BEGIN)
    assert all(one.select_time == BEGIN for one in task.selected)
    assert (task.selected_ids, task.state) == (["app2", "app3"], State.IN_PROGRESS)


@pytest.mark.parametrize("is_selected", [True, False])
def test_nobody_is_selected_twice(is_selected: bool) -> None:
    task = _task(3)
    state.claim(task, _choose(1), BEGIN)
    if is_selected:
        state.select(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: state.claim(task, _choose(2, 1), BEGIN), task)
    assert refusal.reason is Reason.ILLEGAL_STATE


def test_a_claim_holds_the_selections_deadline_back() -> None:
    task = _selecting()
    assert state.next_deadline(task) == task.published.selection_deadline_time
    state.claim(task, _choose(1), BEGIN)
    assert state.next_deadline(task) is None
    state.give_back(task, _choose(1))
    assert state.next_deadline(task) == task.published.selection_deadline_time


def test_a_claim_does_not_hold_the_applications_deadline_back() -> None:
    task = _task()
    state.claim(task, _choose(1), BEGIN)
    assert state.next_deadline(task) == task.published.application_deadline_time
    state.pass_deadline(task)
    state.select(task, _choose(1), BEGIN)
    assert task.state is State.SELECTING


@pytest.mark.parametrize("reached", [State.IN_PROGRESS, State.CLOSED, State.CANCELLED])
def test_later_states_have_no_deadline(reached: State) -> None:
    assert state.next_deadline(REACHED[reached]()) is None


def test_the_selections_end_keeps_those_who_were_selected() -> None:
    task = _selecting(3)
    _select(task, 1)
    state.pass_deadline(task)
    assert task.state is State.IN_PROGRESS
    assert not state.is_over(task)


def test_the_last_assignment_closes_the_task() -> None:
    task = _in_progress()
    seen = []
    for _ in range(2):
        state.end_assignment(task)
        seen.append((task.state, state.is_over(task)))
    assert seen == [(State.IN_PROGRESS, False), (State.CLOSED, True)]


def test_assignments_that_end_early_do_not_close_what_still_selects() -> None:
    task = _task(2)
    seen = []
    for number in (1, 2):
        _select(task, number)
        seen.append(task.state)
        state.end_assignment(task)
        seen.append(task.state)
    assert seen == [State.OPEN, State.OPEN, State.IN_PROGRESS, State.CLOSED]


def test_assignments_that_all_ended_before_the_selection_did_close_with_it() -> None:
    task = _selecting(2)
    _select(task, 1)
    state.end_assignment(task)
    state.pass_deadline(task)
    assert task.state is State.CLOSED


def test_decisions_are_numbered_without_a_gap() -> None:
    task = _task(2)
    seen = [task.sequence]
    decisions: list[Callable[[], None]] = [
        lambda: _select(task, 1),
        lambda: state.pass_deadline(task),
        lambda: _select(task, 2),
        lambda: state.end_assignment(task),
        lambda: state.end_assignment(task),
    ]
    for decide in decisions:
        decide()
        seen.append(task.sequence)
    assert seen == [0, 1, 2, 3, 3, 4]


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
    task = _task(slots)
    claims: list[SelectApplications] = []
    for act, numbers in acts:
        if act == "claim":
            try:
                state.claim(task, _choose(*numbers), BEGIN)
            except FailedPrecondition:
                continue
            claims.append(_choose(*numbers))
        elif claims and act == "select":
            state.select(task, claims.pop(), BEGIN)
        elif claims:
            state.give_back(task, claims.pop())
        assert 0 <= task.free_slots <= slots
        assert len(task.selected_ids) == len(set(task.selected_ids)) <= slots
