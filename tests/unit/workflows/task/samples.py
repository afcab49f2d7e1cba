"""Tasks in each state, reached through their own rules."""

from collections.abc import Callable

from tests.unit.workflows.samples import BEGIN, BRAND, published, selection
from workflows.task import rules
from workflows.task.model import (
    CancelTask,
    EndSelection,
    SelectApplications,
    State,
    Task,
)

CANCEL = CancelTask(BRAND, "No budget")
END = EndSelection("staff/olga", "They asked by mail")


def select_command(*numbers: int) -> SelectApplications:
    return SelectApplications(BRAND, [selection(number) for number in numbers])


def open_task(slots: int = 2) -> Task:
    return Task(published(slots))


def selecting_task(slots: int = 2) -> Task:
    task = open_task(slots)
    rules.pass_deadline(task, BEGIN)
    return task


def select(task: Task, *numbers: int) -> None:
    rules.claim(task, select_command(*numbers), BEGIN)
    rules.select(task, select_command(*numbers), BEGIN)


def task_in_progress() -> Task:
    task = open_task()
    select(task, 1, 2)
    return task


def closed_task() -> Task:
    task = task_in_progress()
    rules.end_assignment(task, BEGIN)
    rules.end_assignment(task, BEGIN)
    return task


def cancelled_task() -> Task:
    task = open_task()
    rules.cancel(task, CANCEL, BEGIN)
    return task


def unfilled_task() -> Task:
    task = selecting_task()
    rules.pass_deadline(task, BEGIN)
    return task


REACHED: dict[State, Callable[[], Task]] = {
    State.OPEN: open_task,
    State.SELECTING: selecting_task,
    State.IN_PROGRESS: task_in_progress,
    State.CLOSED: closed_task,
    State.CANCELLED: cancelled_task,
    State.UNFILLED: unfilled_task,
}
