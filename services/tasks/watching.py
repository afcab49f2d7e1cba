"""What can be read of what happened to tasks and assignments: so far, or as it happens."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Protocol, TypeVar

from servicekit.auth import Principal, Role
from services.tasks.assignments.commands import GetAssignment, ListTransitions, WatchAssignment
from services.tasks.commands import GetTask
from services.tasks.domain import AssignmentRecord, Task
from services.tasks.published_commands import ListTaskTransitions, WatchTask
from workflows.assignment.model import Transition
from workflows.task.model import Transition as TaskTransition

# What a watcher who comes late is given at a time: a slow one must not fill the memory.
_BATCH_SIZE = 100


class Tasks(Protocol):
    """The tasks, to those who may see them."""

    async def get_task(self, who: Principal, command: GetTask) -> Task: ...


class Assignments(Protocol):
    """The assignments, to those who may see them."""

    async def get_assignment(self, who: Principal, command: GetAssignment) -> AssignmentRecord: ...


class Histories(Protocol):
    """Where what happened is kept, in order."""

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
    """Whoever may see a task or an assignment may see what happened to it."""

    def __init__(
        self, tasks: Tasks, assignments: Assignments, histories: Histories, changes: Changes
    ) -> None:
        self._tasks = tasks
        self._assignments = assignments
        self._histories = histories
        self._changes = changes

    async def list_task_transitions(
        self, who: Principal, command: ListTaskTransitions
    ) -> list[TaskTransition]:
        task = await self._tasks.get_task(who, GetTask(name=f"tasks/{command.task_id}"))
        found = await self._histories.task_transitions(task.id, command.after_sequence)
        return [_as_seen_by(who, one) for one in found]

    async def watch_task(
        self, who: Principal, command: WatchTask
    ) -> AsyncGenerator[TaskTransition, None]:
        """What happened and what happens, for ever: for the caller to close."""
        task = await self._tasks.get_task(who, command)

        async def read_after(sequence: int) -> list[TaskTransition]:
            found = await self._histories.task_transitions(task.id, sequence, _BATCH_SIZE)
            return [_as_seen_by(who, one) for one in found]

        return self._changes.follow(task.name, read_after, command.after_sequence)

    async def list_transitions(self, who: Principal, command: ListTransitions) -> list[Transition]:
        asked = GetAssignment(name=f"assignments/{command.assignment_id}")
        record = await self._assignments.get_assignment(who, asked)
        return await self._histories.transitions(record.id, command.after_sequence)

    async def watch_assignment(
        self, who: Principal, command: WatchAssignment
    ) -> AsyncGenerator[Transition, None]:
        """What happened and what happens, for ever: for the caller to close."""
        record = await self._assignments.get_assignment(who, command)

        async def read_after(sequence: int) -> list[Transition]:
            return await self._histories.transitions(record.id, sequence, _BATCH_SIZE)

        return self._changes.follow(f"assignments/{record.id}", read_after, command.after_sequence)


def _as_seen_by(who: Principal, transition: TaskTransition) -> TaskTransition:
    """Creators do not learn who else applied."""
    return replace(transition, application_ids=[]) if who.role is Role.CREATOR else transition
