"""A published task: slots under claims, deadlines, cancelling and closing."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.errors import FailedPrecondition, Reason
from tests.unit.workflows.samples import BEGIN, BRAND, LATER, published, selection
from workflows.assignment.model import SYSTEM
from workflows.task import rules
from workflows.task.model import (
    CancelTask,
    EndSelection,
    Event,
    SelectApplications,
    State,
    Task,
    Transition,
)
from workflows.task.notices import notices
from workflows.task.ui_details import describe

CANCEL = CancelTask(BRAND, "No budget")
END = EndSelection("staff/olga", "They asked by mail")


def _choose(*numbers: int) -> SelectApplications:
    return SelectApplications(BRAND, [selection(number) for number in numbers])


def _task(slots: int = 2) -> Task:
    return Task(published(slots))


def _selecting(slots: int = 2) -> Task:
    task = _task(slots)
    rules.pass_deadline(task, BEGIN)
    return task


def _select(task: Task, *numbers: int) -> None:
    rules.claim(task, _choose(*numbers), BEGIN)
    rules.select(task, _choose(*numbers), BEGIN)


def _in_progress() -> Task:
    task = _task()
    _select(task, 1, 2)
    return task


def _closed() -> Task:
    task = _in_progress()
    rules.end_assignment(task, BEGIN)
    rules.end_assignment(task, BEGIN)
    return task


def _cancelled() -> Task:
    task = _task()
    rules.cancel(task, CANCEL, BEGIN)
    return task


def _unfilled() -> Task:
    task = _selecting()
    rules.pass_deadline(task, BEGIN)
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
        rules.claim(task, _choose(7), BEGIN)
        assert (len(task.claimed), task.free_slots) == (1, 1)
    else:
        refusal = _refusal(lambda: rules.claim(task, _choose(7), BEGIN), task)
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


def test_claims_and_selections_stand_in_the_way_of_cancelling() -> None:
    task = _task()
    rules.claim(task, _choose(1), BEGIN)
    assert _refusal(lambda: rules.cancel(task, CANCEL, BEGIN), task).reason is Reason.ILLEGAL_STATE
    rules.select(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: rules.cancel(task, CANCEL, BEGIN), task)
    assert refusal.metadata["state"] == State.OPEN
    assert "creators assigned" in refusal.message


def test_a_claim_takes_all_or_none() -> None:
    task = _task(2)
    rules.claim(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: rules.claim(task, _choose(2, 3), BEGIN), task)
    assert refusal.reason is Reason.SLOTS_EXHAUSTED
    assert refusal.metadata == {"free_slots": "1"}


def test_slots_that_are_given_back_can_be_claimed_again() -> None:
    task = _task(2)
    rules.claim(task, _choose(1, 2), BEGIN)
    rules.give_back(task, _choose(1, 2))
    rules.claim(task, _choose(2, 3), BEGIN)
    rules.select(task, _choose(2, 3), BEGIN)
    assert all(one.select_time == BEGIN for one in task.selected)
    assert (task.selected_ids, task.state) == (["app2", "app3"], State.IN_PROGRESS)


@pytest.mark.parametrize("is_selected", [True, False])
def test_nobody_is_selected_twice(is_selected: bool) -> None:
    task = _task(3)
    rules.claim(task, _choose(1), BEGIN)
    if is_selected:
        rules.select(task, _choose(1), BEGIN)
    refusal = _refusal(lambda: rules.claim(task, _choose(2, 1), BEGIN), task)
    assert refusal.reason is Reason.ILLEGAL_STATE


def test_at_the_very_instant_of_the_deadline_no_selection_is_taken() -> None:
    task = _selecting()
    deadline = task.published.selection_deadline_time
    refusal = _refusal(lambda: rules.claim(task, _choose(1), deadline), task)
    assert refusal.reason is Reason.ILLEGAL_STATE
    rules.claim(task, _choose(1), deadline - timedelta(microseconds=1))


def test_a_claim_holds_the_selections_deadline_back() -> None:
    task = _selecting()
    assert rules.next_deadline(task) == task.published.selection_deadline_time
    rules.claim(task, _choose(1), BEGIN)
    assert rules.next_deadline(task) is None
    rules.give_back(task, _choose(1))
    assert rules.next_deadline(task) == task.published.selection_deadline_time


def test_a_claim_does_not_hold_the_applications_deadline_back() -> None:
    task = _task()
    rules.claim(task, _choose(1), BEGIN)
    assert rules.next_deadline(task) == task.published.application_deadline_time
    rules.pass_deadline(task, BEGIN)
    rules.select(task, _choose(1), BEGIN)
    assert task.state is State.SELECTING


@pytest.mark.parametrize("reached", [State.IN_PROGRESS, State.CLOSED, State.CANCELLED])
def test_later_states_have_no_deadline(reached: State) -> None:
    assert rules.next_deadline(REACHED[reached]()) is None


def test_the_selections_end_keeps_those_who_were_selected() -> None:
    task = _selecting(3)
    _select(task, 1)
    rules.pass_deadline(task, BEGIN)
    assert task.state is State.IN_PROGRESS
    assert not rules.is_over(task)


def test_the_last_assignment_closes_the_task() -> None:
    task = _in_progress()
    seen = []
    for _ in range(2):
        rules.end_assignment(task, BEGIN)
        seen.append((task.state, rules.is_over(task)))
    assert seen == [(State.IN_PROGRESS, False), (State.CLOSED, True)]


def test_assignments_that_end_early_do_not_close_what_still_selects() -> None:
    task = _task(2)
    seen = []
    for number in (1, 2):
        _select(task, number)
        seen.append(task.state)
        rules.end_assignment(task, BEGIN)
        seen.append(task.state)
    assert seen == [State.OPEN, State.OPEN, State.IN_PROGRESS, State.CLOSED]


def test_assignments_that_all_ended_before_the_selection_did_close_with_it() -> None:
    task = _selecting(2)
    _select(task, 1)
    rules.end_assignment(task, BEGIN)
    rules.pass_deadline(task, BEGIN)
    assert task.state is State.CLOSED


def test_the_brand_is_told_what_others_did_in_its_stead() -> None:
    ended, cancelled, own = _task(), _task(), _task()
    _select(ended, 1)
    rules.end_selection(ended, END, BEGIN)
    rules.cancel(cancelled, CancelTask("staff/olga", "Forbidden goods"), BEGIN)
    rules.cancel(own, CANCEL, BEGIN)
    told = [
        notice
        for task in (ended, cancelled, own)
        for transition in task.transitions
        for notice in notices(task, transition)
    ]
    assert [(one.recipient, one.event) for one in told] == [
        (BRAND, "TASK_SELECTION_ENDED"),
        (BRAND, "TASK_CANCELLED"),
    ]
    assert "They asked by mail" in told[0].text
    assert "Forbidden goods" in told[1].text
    assert len({one.deduplication_id for one in told}) == 2


@pytest.mark.parametrize("reached", State)
def test_operators_read_who_must_act_and_what_happened(reached: State) -> None:
    task = REACHED[reached]()
    text = describe(task)
    headline = text.splitlines()[0]
    is_waiting = reached in (State.OPEN, State.SELECTING, State.IN_PROGRESS)
    assert ("nobody must act" in headline) is not is_waiting
    for transition in task.transitions:
        assert f"| {transition.sequence} |" in text
        assert transition.event in text


def test_operators_read_what_they_can_do() -> None:
    task = _task(3)
    assert "CancelTask" in describe(task)
    rules.claim(task, _choose(1), BEGIN)
    assert "1 are being selected now" in describe(task)
    rules.select(task, _choose(1), BEGIN)
    assert "EndSelection" in describe(task)
    rules.end_selection(task, EndSelection(BRAND, "Enough|of\nthem"), BEGIN)
    assert "| `brands/acme` | Enough\\|of them |" in describe(task)


def test_decisions_are_numbered_without_a_gap() -> None:
    task = _task(2)
    seen = [task.sequence]
    decisions: list[Callable[[], None]] = [
        lambda: _select(task, 1),
        lambda: rules.pass_deadline(task, BEGIN),
        lambda: _select(task, 2),
        lambda: rules.end_assignment(task, BEGIN),
        lambda: rules.end_assignment(task, BEGIN),
    ]
    for decide in decisions:
        decide()
        seen.append(task.sequence)
    # Publishing was the first.
    assert seen == [1, 2, 3, 4, 4, 5]
    assert [transition.sequence for transition in task.transitions] == [2, 3, 4, 5]
    assert rules.transitions_after(task, 4) == task.transitions[-1:]


@pytest.mark.parametrize("reached", State)
def test_a_selection_is_ended_while_somebody_is_selected(reached: State) -> None:
    task = REACHED[reached]()
    refusal = _refusal(lambda: rules.end_selection(task, END, BEGIN), task)
    if reached in TAKING:
        assert refusal.reason is Reason.NOBODY_SELECTED
        _select(task, 1)
        rules.end_selection(task, END, BEGIN)
        assert task.state is State.IN_PROGRESS
        assert rules.next_deadline(task) is None
    else:
        assert refusal.reason is Reason.ILLEGAL_STATE


def test_a_claim_stands_in_the_way_of_ending_the_selection() -> None:
    task = _task(3)
    _select(task, 1)
    rules.claim(task, _choose(2), BEGIN)
    refusal = _refusal(lambda: rules.end_selection(task, END, BEGIN), task)
    assert (refusal.reason, refusal.metadata["state"]) == (Reason.ILLEGAL_STATE, State.OPEN)
    assert "being selected for" in refusal.message
    rules.give_back(task, _choose(2))
    rules.end_selection(task, END, BEGIN)
    assert task.selected_ids == ["app1"]


def test_a_selection_that_ends_after_all_its_assignments_closes_the_task() -> None:
    task = _task(2)
    _select(task, 1)
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


def test_publishing_is_the_first_of_a_history() -> None:
    assert rules.publish(BRAND, BEGIN) == Transition(
        1, Event.PUBLISHED, None, State.OPEN, BRAND, "", BEGIN
    )


def _wordless(transition: Transition) -> tuple[Event, State | None, State, str]:
    return transition.event, transition.from_state, transition.to_state, transition.actor


def test_a_history_says_who_did_what() -> None:
    task = _task(2)
    _select(task, 1)
    rules.pass_deadline(task, BEGIN)
    _select(task, 2)
    assert [_wordless(one) for one in task.transitions] == [
        (Event.CREATORS_SELECTED, State.OPEN, State.OPEN, BRAND),
        (Event.APPLICATIONS_CLOSED, State.OPEN, State.SELECTING, SYSTEM),
        (Event.CREATORS_SELECTED, State.SELECTING, State.IN_PROGRESS, BRAND),
    ]
    assert [one.application_ids for one in task.transitions] == [["app1"], [], ["app2"]]


def test_clocks_act_in_the_systems_name() -> None:
    task = _selecting(3)
    _select(task, 1)
    rules.end_assignment(task, BEGIN)
    rules.pass_deadline(task, LATER)
    unfilled = _unfilled()
    assert [_wordless(one) for one in task.transitions[-2:]] == [
        (Event.SELECTION_ENDED, State.SELECTING, State.IN_PROGRESS, SYSTEM),
        (Event.CLOSED, State.IN_PROGRESS, State.CLOSED, SYSTEM),
    ]
    assert _wordless(unfilled.transitions[-1]) == (
        Event.UNFILLED,
        State.SELECTING,
        State.UNFILLED,
        SYSTEM,
    )


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
                rules.claim(task, _choose(*numbers), BEGIN)
            except FailedPrecondition:
                continue
            claims.append(_choose(*numbers))
        elif claims and act == "select":
            rules.select(task, claims.pop(), BEGIN)
        elif claims:
            rules.give_back(task, claims.pop())
        assert 0 <= task.free_slots <= slots
        assert len(task.selected_ids) == len(set(task.selected_ids)) <= slots
