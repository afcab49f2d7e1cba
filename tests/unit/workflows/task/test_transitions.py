"""The transitions that a task's rules record."""

from collections.abc import Callable

from tests.unit.workflows.samples import BEGIN, BRAND, LATER
from tests.unit.workflows.task.samples import (
    open_task,
    select,
    selecting_task,
    unfilled_task,
)
from workflows.assignment.model import SYSTEM
from workflows.task import rules
from workflows.task.model import (
    Event,
    State,
    Transition,
)


def test_decisions_are_numbered_without_a_gap() -> None:
    task = open_task(2)
    seen = [task.sequence]
    decisions: list[Callable[[], None]] = [
        lambda: select(task, 1),
        lambda: rules.pass_deadline(task, BEGIN),
        lambda: select(task, 2),
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


def test_publishing_is_the_first_transition() -> None:
    assert rules.publish(BRAND, BEGIN) == Transition(
        1, Event.PUBLISHED, None, State.OPEN, BRAND, "", BEGIN
    )


def _without_texts(transition: Transition) -> tuple[Event, State | None, State, str]:
    return transition.event, transition.from_state, transition.to_state, transition.actor


def test_transitions_record_the_actor_and_the_applications() -> None:
    task = open_task(2)
    select(task, 1)
    rules.pass_deadline(task, BEGIN)
    select(task, 2)
    assert [_without_texts(one) for one in task.transitions] == [
        (Event.CREATORS_SELECTED, State.OPEN, State.OPEN, BRAND),
        (Event.APPLICATIONS_CLOSED, State.OPEN, State.SELECTING, SYSTEM),
        (Event.CREATORS_SELECTED, State.SELECTING, State.IN_PROGRESS, BRAND),
    ]
    assert [one.application_ids for one in task.transitions] == [["app1"], [], ["app2"]]


def test_deadlines_are_recorded_with_the_system_as_actor() -> None:
    task = selecting_task(3)
    select(task, 1)
    rules.end_assignment(task, BEGIN)
    rules.pass_deadline(task, LATER)
    unfilled = unfilled_task()
    assert [_without_texts(one) for one in task.transitions[-2:]] == [
        (Event.SELECTION_ENDED, State.SELECTING, State.IN_PROGRESS, SYSTEM),
        (Event.CLOSED, State.IN_PROGRESS, State.CLOSED, SYSTEM),
    ]
    assert _without_texts(unfilled.transitions[-1]) == (
        Event.UNFILLED,
        State.SELECTING,
        State.UNFILLED,
        SYSTEM,
    )
