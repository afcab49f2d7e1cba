"""The book that workflows write, and that assignments are read from: its SQL."""

from servicekit.database import Database
from servicekit.pagination import Page
from services.tasks.domain import AssignmentRecord, RecordedAssignment, State
from workflows.assignment.model import Event, Transition
from workflows.assignment.model import State as AssignmentState


class PostgresBook:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def assignment(self, assignment_id: str) -> AssignmentRecord | None:
        row = await self._database.fetch_one(
            "SELECT * FROM assignment WHERE id = %s", (assignment_id,)
        )
        return AssignmentRecord(**row) if row else None

    async def list_assignments(
        self,
        *,
        brand_id: str | None,
        creator_id: str | None,
        task_id: str | None,
        states: list[str],
        page: Page,
    ) -> list[AssignmentRecord]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM assignment
             WHERE (%(brand)s::text IS NULL OR brand_id = %(brand)s)
               AND (%(creator)s::text IS NULL OR creator_id = %(creator)s)
               AND (%(task)s::text IS NULL OR task_id = %(task)s)
               AND (%(states)s::text[] = '{}' OR state = ANY(%(states)s))
               AND (%(time)s::timestamptz IS NULL OR (create_time, id) < (%(time)s, %(id)s))
             ORDER BY create_time DESC, id DESC LIMIT %(size)s
            """,
            {
                "brand": brand_id,
                "creator": creator_id,
                "task": task_id,
                "states": states,
                **page.keyset,
            },
        )
        return [AssignmentRecord(**row) for row in rows]

    async def transitions(self, assignment_id: str, after_sequence: int) -> list[Transition]:
        rows = await self._database.fetch_all(
            """
            SELECT sequence, event, from_state, to_state, actor, comment, time FROM transition
             WHERE assignment_id = %s AND sequence > %s ORDER BY sequence
            """,
            (assignment_id, after_sequence),
        )
        return [
            Transition(
                **row
                | {
                    "event": Event(row["event"]),
                    "from_state": AssignmentState(row["from_state"]) if row["from_state"] else None,
                    "to_state": AssignmentState(row["to_state"]),
                }
            )
            for row in rows
        ]

    async def record_task(
        self, task_id: str, sequence: int, state: State, selected_ids: list[str]
    ) -> bool:
        async with self._database.transaction():
            await self._database.execute(
                """
                UPDATE task SET state = %s, sequence = %s, selected_count = %s,
                                version = version + 1, update_time = now()
                 WHERE id = %s AND sequence < %s
                """,
                (state, sequence, len(selected_ids), task_id, sequence),
            )
            await self._database.execute(
                """
                UPDATE application SET state = 'SELECTED', claim = NULL, update_time = now()
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
        self, task_id: str, selected_ids: list[str], told_creator_ids: list[str], limit: int
    ) -> list[str]:
        async with self._database.transaction():
            await self._database.execute(
                """
                UPDATE application SET is_told = true
                 WHERE task_id = %s AND creator_id = ANY(%s) AND state = 'LAPSED'
                """,
                (task_id, told_creator_ids),
            )
            await self._database.execute(
                """
                UPDATE application SET state = 'LAPSED', claim = NULL, update_time = now()
                 WHERE task_id = %s AND state = 'APPLIED' AND id <> ALL(%s)
                """,
                (task_id, selected_ids),
            )
            rows = await self._database.fetch_all(
                """
                SELECT creator_id FROM application
                 WHERE task_id = %s AND state = 'LAPSED' AND NOT is_told
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
                                        message, create_time)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT (id) DO UPDATE
                   SET state = excluded.state, sequence = excluded.sequence,
                       message = excluded.message
                 WHERE assignment.sequence < excluded.sequence
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
                ),
            )
            for transition in recorded.transitions:
                await self._record_transition(record.id, transition)

    async def _record_transition(self, assignment_id: str, transition: Transition) -> None:
        await self._database.execute(
            """
            INSERT INTO transition (assignment_id, sequence, event, from_state, to_state,
                                    actor, comment, time)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
            """,
            (
                assignment_id,
                transition.sequence,
                transition.event,
                transition.from_state,
                transition.to_state,
                transition.actor,
                transition.comment,
                transition.time,
            ),
        )
