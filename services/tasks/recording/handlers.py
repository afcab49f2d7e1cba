"""What workflows record: the book that reads and lists come from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from servicekit.clock import Clock
from services.tasks.domain import RecordedAssignment, State
from workflows.task.model import Transition


@dataclass(frozen=True)
class RecordedTask:
    """What a task's workflow has to record: where it stands, and what led there."""

    task_id: str
    sequence: int
    state: State
    selected_ids: list[str]
    transitions: Sequence[Transition]


class RecordStore(Protocol):
    async def record_task(self, recorded: RecordedTask) -> bool:
        """Whether applications wait that were not selected."""

    async def lapse(
        self, task_id: str, selected_ids: list[str], notified_creator_ids: list[str], limit: int
    ) -> list[str]:
        """Creators of the next batch who have not been told."""

    async def record_assignment(self, recorded: RecordedAssignment) -> None: ...


# What one SendNotifications takes.
_BATCH_SIZE = 500


class RecordHandlers:
    def __init__(self, store: RecordStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def record_task(self, recorded: RecordedTask) -> bool:
        return await self._store.record_task(recorded)

    async def lapse_applications(
        self, task_id: str, selected_ids: list[str], notified_creator_ids: list[str]
    ) -> list[str]:
        return await self._store.lapse(task_id, selected_ids, notified_creator_ids, _BATCH_SIZE)

    async def record_assignment(self, recorded: RecordedAssignment) -> None:
        await self._store.record_assignment(recorded)
