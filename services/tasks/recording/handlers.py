"""Use cases of workflow activities: keep the read model in step with what workflows decide."""

from typing import Protocol

from services.tasks.recording.domain import RecordedAssignment, RecordedTask

# SendNotifications takes at most this many.
_LAPSE_BATCH_SIZE = 500


class Records(Protocol):
    async def record_task(self, recorded: RecordedTask) -> bool:
        """Returns whether applications are left that were not selected."""

    async def lapse(
        self, task_id: str, selected_ids: list[str], notified_creator_ids: list[str], limit: int
    ) -> list[str]:
        """Lapses all applications but the selected ones. Returns up to `limit` creators who are not
        yet notified that theirs lapsed."""

    async def record_assignment(self, recorded: RecordedAssignment) -> None: ...


class RecordHandlers:
    def __init__(self, records: Records) -> None:
        self._records = records

    async def record_task(self, recorded: RecordedTask) -> bool:
        return await self._records.record_task(recorded)

    async def lapse_applications(
        self, task_id: str, selected_ids: list[str], notified_creator_ids: list[str]
    ) -> list[str]:
        return await self._records.lapse(
            task_id, selected_ids, notified_creator_ids, _LAPSE_BATCH_SIZE
        )

    async def record_assignment(self, recorded: RecordedAssignment) -> None:
        await self._records.record_assignment(recorded)
