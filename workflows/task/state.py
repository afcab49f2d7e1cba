"""Every rule of a published task's life: pure. No SDK, no clock, no I/O.

The applications themselves are the tasks service's, since there may be tens of thousands; here is
only who was selected, so that no more than `creator_slots` ever are.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.model import Terms


class State(StrEnum):
    OPEN = "OPEN"
    SELECTING = "SELECTING"
    IN_PROGRESS = "IN_PROGRESS"
    CLOSED = "CLOSED"
    CANCELLED = "CANCELLED"
    UNFILLED = "UNFILLED"


_TAKES_SELECTIONS = (State.OPEN, State.SELECTING)


@dataclass(frozen=True)
class Selection:
    """One selected application; the assignment gets the application's id."""

    application_id: str
    creator_id: str


@dataclass(frozen=True)
class Selected(Selection):
    select_time: datetime


@dataclass(frozen=True)
class SelectApplications:
    selections: list[Selection]


@dataclass(frozen=True)
class CancelTask:
    actor: str
    comment: str


@dataclass(frozen=True)
class PublishedTask:
    """A task as it was frozen."""

    id: str
    terms: Terms
    creator_slots: int
    application_deadline_time: datetime
    selection_deadline_time: datetime


@dataclass
class Task:
    published: PublishedTask
    state: State = State.OPEN
    # Slots are claimed while their rewards are being set aside, and selected after that.
    claimed: list[Selection] = field(default_factory=list)
    selected: list[Selected] = field(default_factory=list)
    ended_count: int = 0
    sequence: int = 0
    cancel_comment: str = ""

    @property
    def name(self) -> str:
        return f"tasks/{self.published.id}"

    @property
    def selected_ids(self) -> list[str]:
        return [selection.application_id for selection in self.selected]

    @property
    def free_slots(self) -> int:
        return self.published.creator_slots - len(self.selected) - len(self.claimed)


def claim(task: Task, command: SelectApplications, now: datetime) -> None:
    """Takes slots for all of the selections or for none.

    Raises:
        FailedPrecondition: the task takes no selections, too few slots are free, or an application
            is selected already.
    """
    if task.state not in _TAKES_SELECTIONS:
        raise illegal_state(task.name, task.state, "SelectApplications")
    if now >= task.published.selection_deadline_time:
        raise illegal_state(task.name, "past its selection deadline", "SelectApplications")
    known = {selection.application_id for selection in [*task.selected, *task.claimed]}
    if any(selection.application_id in known for selection in command.selections):
        raise illegal_state(task.name, "selected already for one of them", "SelectApplications")
    if len(command.selections) > task.free_slots:
        raise FailedPrecondition(
            Reason.SLOTS_EXHAUSTED,
            f"{len(command.selections)} creators for {task.free_slots} free slots",
            metadata={"free_slots": str(task.free_slots)},
        )
    task.claimed.extend(command.selections)


def give_back(task: Task, command: SelectApplications) -> None:
    """The rewards could not be set aside."""
    task.claimed = [one for one in task.claimed if one not in command.selections]


def select(task: Task, command: SelectApplications, now: datetime) -> None:
    """The claimed slots are taken for good; the last one ends the selection."""
    give_back(task, command)
    task.selected.extend(
        Selected(one.application_id, one.creator_id, now) for one in command.selections
    )
    task.sequence += 1
    if task.state in _TAKES_SELECTIONS and task.free_slots == 0 and not task.claimed:
        task.state = State.IN_PROGRESS


def cancel(task: Task, command: CancelTask) -> None:
    """
    Raises:
        FailedPrecondition: somebody is assigned, or the task is over.
    """
    if task.state not in _TAKES_SELECTIONS or task.selected or task.claimed:
        state = f"{task.state} with creators assigned" if task.selected else task.state
        raise illegal_state(task.name, state, "CancelTask")
    task.state = State.CANCELLED
    task.cancel_comment = command.comment
    task.sequence += 1


def next_deadline(task: Task) -> datetime | None:
    """When the clock changes the state next."""
    if task.state is State.OPEN:
        return task.published.application_deadline_time
    if task.state is State.SELECTING and not task.claimed:
        return task.published.selection_deadline_time
    return None


def pass_deadline(task: Task) -> None:
    """Applications close, then selection does."""
    if task.state is State.OPEN:
        task.state = State.SELECTING
    elif not task.selected:
        task.state = State.UNFILLED
    else:
        has_ended = task.ended_count == len(task.selected)
        task.state = State.CLOSED if has_ended else State.IN_PROGRESS
    task.sequence += 1


def end_assignment(task: Task) -> None:
    """One of the assignments is over; with the last one the task is closed."""
    task.ended_count += 1
    if task.state is State.IN_PROGRESS and task.ended_count == len(task.selected):
        task.state = State.CLOSED
        task.sequence += 1


def is_over(task: Task) -> bool:
    return task.state in (State.CLOSED, State.CANCELLED, State.UNFILLED)
