"""The rules of a published task. Pure: no SDK, no clock, no I/O.

Each decision appends the transitions that say what happened. The applications themselves are kept
by the tasks service, since there may be tens of thousands; here is only who was selected, so that
no more than `creator_slots` ever are.
"""

from datetime import datetime

from servicekit.errors import FailedPrecondition, Reason, illegal_state
from workflows.assignment.model import SYSTEM
from workflows.task.model import (
    PUBLISHED_SEQUENCE,
    CancelTask,
    EndSelection,
    Event,
    SelectApplications,
    Selected,
    State,
    Task,
    Transition,
)

_TAKES_SELECTIONS = (State.OPEN, State.SELECTING)


def publish(actor: str, now: datetime) -> Transition:
    """The first transition of a task."""
    return Transition(PUBLISHED_SEQUENCE, Event.PUBLISHED, None, State.OPEN, actor, "", now)


def transitions_after(task: Task, sequence: int) -> list[Transition]:
    return [transition for transition in task.transitions if transition.sequence > sequence]


def claim(task: Task, command: SelectApplications, now: datetime) -> None:
    """Claims slots for all selections or for none.

    Raises:
        FailedPrecondition: the task takes no selections, too few slots are free, or an application
            is selected already.
    """
    if task.state not in _TAKES_SELECTIONS:
        raise illegal_state(task.name, task.state, "SelectApplications")
    if now >= task.published.selection_deadline_time:
        raise illegal_state(
            task.name, task.state, "SelectApplications", detail="past its selection deadline"
        )
    known = {selection.application_id for selection in [*task.selected, *task.claimed]}
    if any(selection.application_id in known for selection in command.selections):
        raise illegal_state(
            task.name, task.state, "SelectApplications", detail="with one of them selected already"
        )
    if len(command.selections) > task.free_slots:
        raise FailedPrecondition(
            Reason.SLOTS_EXHAUSTED,
            f"{len(command.selections)} creators for {task.free_slots} free slots",
            metadata={"free_slots": str(task.free_slots)},
        )
    task.claimed.extend(command.selections)


def give_back(task: Task, command: SelectApplications) -> None:
    """Returns claimed slots whose rewards could not be reserved."""
    task.claimed = [one for one in task.claimed if one not in command.selections]


def select(task: Task, command: SelectApplications, now: datetime) -> None:
    """Turns claims into selections; filling the last slot ends the selection."""
    give_back(task, command)
    task.selected.extend(
        Selected(one.application_id, one.creator_id, now) for one in command.selections
    )
    is_full = task.free_slots == 0 and not task.claimed
    _enter(
        task,
        Event.CREATORS_SELECTED,
        State.IN_PROGRESS if is_full else task.state,
        now,
        actor=command.actor,
        application_ids=[one.application_id for one in command.selections],
    )


def cancel(task: Task, command: CancelTask, now: datetime) -> None:
    """
    Raises:
        FailedPrecondition: somebody is assigned, or the task is over.
    """
    if task.state not in _TAKES_SELECTIONS or task.selected or task.claimed:
        detail = "with creators assigned" if task.selected else ""
        raise illegal_state(task.name, task.state, "CancelTask", detail=detail)
    _enter(
        task, Event.CANCELLED, State.CANCELLED, now, actor=command.actor, comment=command.comment
    )


def end_selection(task: Task, command: EndSelection, now: datetime) -> None:
    """Ends applications and selection before their deadlines.

    Raises:
        FailedPrecondition: the selection is over or one is under way, or nobody is selected.
    """
    if task.state not in _TAKES_SELECTIONS:
        raise illegal_state(task.name, task.state, "EndSelection")
    if task.claimed:
        raise illegal_state(task.name, task.state, "EndSelection", detail="and being selected for")
    if not task.selected:
        raise FailedPrecondition(
            Reason.NOBODY_SELECTED, f"Nobody is selected for {task.name}: cancel it instead"
        )
    _go_on_with_the_selected(task, now, actor=command.actor, comment=command.comment)


def next_deadline(task: Task) -> datetime | None:
    """The next deadline that changes the state."""
    if task.state is State.OPEN:
        return task.published.application_deadline_time
    if task.state is State.SELECTING and not task.claimed:
        return task.published.selection_deadline_time
    return None


def pass_deadline(task: Task, now: datetime) -> None:
    """Applications close, then selection does."""
    if task.state is State.OPEN:
        _enter(task, Event.APPLICATIONS_CLOSED, State.SELECTING, now)
    elif not task.selected:
        _enter(task, Event.UNFILLED, State.UNFILLED, now)
    else:
        _go_on_with_the_selected(task, now)


def elapse(task: Task, now: datetime) -> None:
    """Passes all due deadlines. Commands call it first, since timers fire late after the worker was
    down."""
    while (deadline := next_deadline(task)) is not None and deadline <= now:
        pass_deadline(task, now)


def end_assignment(task: Task, now: datetime) -> None:
    """Counts an ended assignment; the last one closes the task."""
    task.ended_count += 1
    _close_if_all_ended(task, now)


def is_over(task: Task) -> bool:
    return task.state in (State.CLOSED, State.CANCELLED, State.UNFILLED)


def _go_on_with_the_selected(
    task: Task, now: datetime, *, actor: str = SYSTEM, comment: str = ""
) -> None:
    _enter(task, Event.SELECTION_ENDED, State.IN_PROGRESS, now, actor=actor, comment=comment)
    _close_if_all_ended(task, now)


def _close_if_all_ended(task: Task, now: datetime) -> None:
    if task.state is State.IN_PROGRESS and task.ended_count == len(task.selected):
        _enter(task, Event.CLOSED, State.CLOSED, now)


def _enter(
    task: Task,
    event: Event,
    to_state: State,
    now: datetime,
    *,
    actor: str = SYSTEM,
    comment: str = "",
    application_ids: list[str] | None = None,
) -> None:
    transition = Transition(
        task.sequence + 1, event, task.state, to_state, actor, comment, now, application_ids or []
    )
    task.transitions.append(transition)
    task.state = to_state
