"""The SQL that writes the read model and the transitions. The transaction that records a new
transition also notifies CHANNEL, which the Watch RPCs listen on."""

from collections.abc import Sequence

from servicekit.postgres.changes import notify
from servicekit.postgres.database import Database
from services.tasks.recording.domain import RecordedAssignment, RecordedTask
from workflows.assignment.model import Transition
from workflows.task.model import Transition as TaskTransition

# One channel for all tasks and assignments; the topic is the resource name.
CHANNEL = "transitions"


class RecordStore:
    def __init__(self, database: Database) -> None:
        self._database = database

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
            await record_task_transitions(self._database, task_id, recorded.transitions)
            await self._database.execute(
                """
                UPDATE application SET state = 'SELECTED', claims = NULL, update_time = now()
                 WHERE task_id = %s AND id = ANY(%s) AND state <> 'SELECTED'
                """,
                (task_id, selected_ids),
            )
            left = await self._database.fetch_one(
                "SELECT FROM application WHERE task_id = %s AND state = 'APPLIED' LIMIT 1",
                (task_id,),
            )
        return left is not None

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
            await self._record_transitions(record.id, recorded.transitions)

    async def _record_transitions(
        self, assignment_id: str, transitions: Sequence[Transition]
    ) -> None:
        has_news = False
        for one in transitions:
            has_news |= await self._record_transition(assignment_id, one)
        if has_news:
            await notify(self._database, CHANNEL, f"assignments/{assignment_id}")

    async def _record_transition(self, assignment_id: str, transition: Transition) -> bool:
        """Returns False if it was recorded before.

        A worker that is killed after recording a decision, but before it reports the workflow task
        to Temporal, may replay and decide differently, because another event came first. The later
        decision holds.
        """
        inserted = await self._database.execute(
            """
            INSERT INTO assignment_transition (assignment_id, sequence, event, from_state,
                                               to_state, actor, comment, time)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (assignment_id, sequence) DO UPDATE
               SET event = excluded.event, from_state = excluded.from_state,
                   to_state = excluded.to_state, actor = excluded.actor,
                   comment = excluded.comment, time = excluded.time
             WHERE assignment_transition.time < excluded.time
               AND (assignment_transition.event, assignment_transition.actor)
                   IS DISTINCT FROM (excluded.event, excluded.actor)
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
        return inserted == 1


async def record_task_transitions(
    database: Database, task_id: str, transitions: Sequence[TaskTransition]
) -> None:
    """To be called in the transaction that updates the task."""
    has_news = False
    for one in transitions:
        has_news |= await _record_task_transition(database, task_id, one)
    if has_news:
        await notify(database, CHANNEL, f"tasks/{task_id}")


async def _record_task_transition(
    database: Database, task_id: str, transition: TaskTransition
) -> bool:
    """Returns False if it was recorded before."""
    inserted = await database.execute(
        """
        INSERT INTO task_transition (task_id, sequence, event, from_state, to_state,
                                     actor, comment, time, application_ids)
        VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
        """,
        (
            task_id,
            transition.sequence,
            transition.event,
            transition.from_state,
            transition.to_state,
            transition.actor,
            transition.comment,
            transition.time,
            transition.application_ids,
        ),
    )
    return inserted == 1
