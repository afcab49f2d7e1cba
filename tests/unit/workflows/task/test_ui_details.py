"""What operators read of a task in the Temporal UI."""

import pytest

from tests.unit.workflows.samples import BEGIN, BRAND, published
from tests.unit.workflows.task.samples import (
    REACHED,
    open_task,
    select_command,
)
from workflows.task import rules
from workflows.task.model import EndSelection, Selected, State, Task
from workflows.task.ui_details import describe


@pytest.mark.parametrize("reached", State)
def test_every_state_of_a_task_is_described(reached: State) -> None:
    task = Task(published(), state=reached, selected=[Selected("app1", "creator1", BEGIN)])
    text = describe(task)
    assert "`assignment/app1`" in text
    assert "1 of 2 creators selected" in text


@pytest.mark.parametrize("reached", State)
def test_details_show_who_must_act_and_the_history(reached: State) -> None:
    task = REACHED[reached]()
    text = describe(task)
    headline = text.splitlines()[0]
    is_waiting = reached in (State.OPEN, State.SELECTING, State.IN_PROGRESS)
    assert ("nobody must act" in headline) is not is_waiting
    for transition in task.transitions:
        assert f"| {transition.sequence} |" in text
        assert transition.event in text


def test_details_name_the_commands_that_are_possible() -> None:
    task = open_task(3)
    assert "CancelTask" in describe(task)
    rules.claim(task, select_command(1), BEGIN)
    assert "1 are being selected now" in describe(task)
    rules.select(task, select_command(1), BEGIN)
    assert "EndSelection" in describe(task)
    rules.end_selection(task, EndSelection(BRAND, "Enough|of\nthem"), BEGIN)
    assert "| `brands/acme` | Enough\\|of them |" in describe(task)
