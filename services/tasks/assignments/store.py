"""The book that workflows write, and that assignments are read from: its SQL."""

from servicekit.batching import Batcher
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.assignments.listing import AssignmentFilter, listing
from services.tasks.domain import AssignmentRecord, RecordedAssignment
from services.tasks.recording.handlers import RecordedTask
from services.tasks.recording.store import PostgresHistories


class PostgresBook:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._reads = Batcher(self._assignments, bypass=database.is_in_transaction)
        self._histories = PostgresHistories(database)

    async def assignment(self, assignment_id: str) -> AssignmentRecord | None:
        return await self._reads.submit(assignment_id)

    async def _assignments(self, ids: list[str]) -> list[AssignmentRecord | None]:
        rows = await self._database.fetch_all("SELECT * FROM assignment WHERE id = ANY(%s)", (ids,))
        found = {row["id"]: AssignmentRecord(**row) for row in rows}
        return [found.get(id_) for id_ in ids]

    async def list_assignments(
        self, wanted: AssignmentFilter, page: Page
    ) -> list[AssignmentRecord]:
        rows = await self._database.fetch_all(*listing(wanted, page))
        return [AssignmentRecord(**row) for row in rows]

    async def record_task(self, recorded: RecordedTask) -> bool:
        task_id, selected_ids = recorded.task_id, recorded.selected_ids
        async with self._database.transaction():
            await self._database.execute(
                """
                UPDATE task SET state = %s, sequence = %s, selected_count = %s,
                                version = version + 1, update_time = now()
                 WHERE id = %s AND sequence < %s
                """,
                (
                    recorded.state,
                    recorded.sequence,
                    len(selected_ids),
                    task_id,
                    recorded.sequence,
                ),
            )
            await self._histories.record_task(task_id, recorded.transitions)
            await self._database.execute(
                """
                UPDATE application SET state = 'SELECTED', claims = NULL, update_time = now()
                 WHERE task_id = %s AND id = ANY(%s) AND state <> 'SELECTED'
                """,
                (task_id, selected_ids),
            )
            waiting = await self._database.fetch_one(
                "SELECT FROM application WHERE task_id = %s AND state = 'APPLIED' LIMIT 1",
                (task_id,),
            )
        return waiting is not None

    async def lapse(
        self, task_id: str, selected_ids: list[str], notified_creator_ids: list[str], limit: int
    ) -> list[str]:
        async with self._database.transaction():
            await self._database.execute(
                """
                UPDATE application SET is_notified = true
                 WHERE task_id = %s AND creator_id = ANY(%s) AND state = 'LAPSED'
                """,
                (task_id, notified_creator_ids),
            )
            await self._database.execute(
                """
                UPDATE application SET state = 'LAPSED', claims = NULL, update_time = now()
                 WHERE task_id = %s AND state = 'APPLIED' AND id <> ALL(%s)
                """,
                (task_id, selected_ids),
            )
            rows = await self._database.fetch_all(
                """
                SELECT creator_id FROM application
                 WHERE task_id = %s AND state = 'LAPSED' AND NOT is_notified
                 ORDER BY create_time, id LIMIT %s
                """,
                (task_id, limit),
            )
        return [row["creator_id"] for row in rows]

    async def record_assignment(self, recorded: RecordedAssignment) -> None:
        record = recorded.record
        async with self._database.transaction():
            await self._database.execute(
                """
                INSERT INTO assignment (id, task_id, brand_id, creator_id, state, sequence,
                                        message, create_time, reward_is_overdue)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (id) DO UPDATE
                   SET state = excluded.state, sequence = excluded.sequence,
                       message = excluded.message,
                       reward_is_overdue = excluded.reward_is_overdue
                 WHERE assignment.sequence <= excluded.sequence
                """,
                (
                    record.id,
                    record.task_id,
                    record.brand_id,
                    record.creator_id,
                    record.state,
                    record.sequence,
                    record.message,
                    record.create_time,
                    record.reward_is_overdue,
                ),
            )
            await self._histories.record_assignment(record.id, recorded.transitions)
