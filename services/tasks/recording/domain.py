"""What workflow activities record. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.tasks.assignments.domain import AssignmentRecord
from services.tasks.domain import State
from workflows.assignment.model import Transition
from workflows.task.model import Transition as TaskTransition


@dataclass(frozen=True)
class RecordedTask:
    """A task's present state, and the transitions that led to it."""

    task_id: str
    sequence: int
    state: State
    selected_ids: list[str]
    transitions: Sequence[TaskTransition]


@dataclass(frozen=True)
class RecordedAssignment:
    """An assignment's present state, and the transitions that led to it."""

    record: AssignmentRecord
    transitions: Sequence[Transition]
