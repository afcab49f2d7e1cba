"""Transitions of tasks and assignments, for everyone who may read the task or assignment itself."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from servicekit.auth import Principal, Role
from services.tasks.assignments.commands import GetAssignment
from services.tasks.assignments.domain import AssignmentRecord
from services.tasks.commands import GetTask
from services.tasks.domain import Task
from services.tasks.watching.commands import (
    ListTaskTransitions,
    ListTransitions,
    WatchAssignment,
    WatchTask,
)
from workflows.assignment.model import Transition
from workflows.task.model import Transition as TaskTransition

# Transitions read at a time, so that a slow watcher of a long history does not fill the memory.
_BATCH_SIZE = 100


class Tasks(Protocol):
    async def get_task(self, who: Principal, command: GetTask) -> Task: ...


class Assignments(Protocol):
    async def get_assignment(self, who: Principal, command: GetAssignment) -> AssignmentRecord: ...


class Transitions(Protocol):
    """Reads transitions in order; the first `limit` of them if it is given."""

    async def task_transitions(
        self, task_id: str, after_sequence: int, limit: int | None = None
    ) -> list[TaskTransition]: ...

    async def transitions(
        self, assignment_id: str, after_sequence: int, limit: int | None = None
    ) -> list[Transition]: ...


class Sequenced(Protocol):
    @property
    def sequence(self) -> int: ...


S = TypeVar("S", bound=Sequenced)


class Changes(Protocol):
    """Notifies of changes; see `servicekit.postgres.changes.ChangeListener`."""

    def follow(
        self, topic: str, read_after: Callable[[int], Awaitable[Sequence[S]]], after: int
    ) -> AsyncGenerator[S, None]: ...


class WatchHandlers:
    def __init__(
        self,
        tasks: Tasks,
        assignments: Assignments,
        transitions: Transitions,
        changes: Changes,
    ) -> None:
        self._tasks = tasks
        self._assignments = assignments
        self._transitions = transitions
        self._changes = changes

    async def list_task_transitions(
        self, who: Principal, command: ListTaskTransitions
    ) -> list[TaskTransition]:
        task = await self._tasks.get_task(who, GetTask(name=f"tasks/{command.task_id}"))
        read = await self._transitions.task_transitions(task.id, command.after_sequence)
        return [_visible_to(who, one) for one in read]

    async def watch_task(
        self, who: Principal, command: WatchTask
    ) -> AsyncGenerator[TaskTransition, None]:
        """Recorded transitions, then new ones as they are recorded. Endless: the caller closes."""
        task = await self._tasks.get_task(who, command)

        async def read_after(sequence: int) -> list[TaskTransition]:
            read = await self._transitions.task_transitions(task.id, sequence, _BATCH_SIZE)
            return [_visible_to(who, one) for one in read]

        return self._changes.follow(task.name, read_after, command.after_sequence)

    async def list_transitions(self, who: Principal, command: ListTransitions) -> list[Transition]:
        get = GetAssignment(name=f"assignments/{command.assignment_id}")
        record = await self._assignments.get_assignment(who, get)
        return await self._transitions.transitions(record.id, command.after_sequence)

    async def watch_assignment(
        self, who: Principal, command: WatchAssignment
    ) -> AsyncGenerator[Transition, None]:
        """Recorded transitions, then new ones as they are recorded. Endless: the caller closes."""
        record = await self._assignments.get_assignment(who, command)

        async def read_after(sequence: int) -> list[Transition]:
            return await self._transitions.transitions(record.id, sequence, _BATCH_SIZE)

        return self._changes.follow(f"assignments/{record.id}", read_after, command.after_sequence)


def _visible_to(who: Principal, transition: TaskTransition) -> TaskTransition:
    """Without the selected applications for creators, who must not learn who else applied."""
    return replace(transition, application_ids=[]) if who.role is Role.CREATOR else transition
