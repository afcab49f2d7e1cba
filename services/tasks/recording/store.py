"""The histories of tasks and assignments: their SQL. What is new is announced by the transaction
that records it, and whoever watches reads on."""

from collections.abc import Sequence

from psycopg.rows import DictRow

from servicekit.postgres.changes import notify
from servicekit.postgres.database import Database
from workflows.assignment.model import Event, Transition
from workflows.assignment.model import State as AssignmentState
from workflows.task import model as task_model
from workflows.task.model import Transition as TaskTransition

# Of all tasks and assignments; the topic is the one that has more to tell, by its name.
CHANNEL = "histories"


class PostgresHistories:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def record_task(self, task_id: str, transitions: Sequence[TaskTransition]) -> None:
        """Inside the transaction that says where the task stands."""
        has_news = False
        for one in transitions:
            has_news |= await self._record_task_transition(task_id, one)
        if has_news:
            await notify(self._database, CHANNEL, f"tasks/{task_id}")

    async def record_assignment(
        self, assignment_id: str, transitions: Sequence[Transition]
    ) -> None:
        """Inside the transaction that says where the assignment stands."""
        has_news = False
        for one in transitions:
            has_news |= await self._record_transition(assignment_id, one)
        if has_news:
            await notify(self._database, CHANNEL, f"assignments/{assignment_id}")

    async def task_transitions(
        self, task_id: str, after_sequence: int, limit: int | None = None
    ) -> list[TaskTransition]:
        """In order; the first few at most, where there is a limit."""
        rows = await self._database.fetch_all(
            """
            SELECT sequence, event, from_state, to_state, actor, comment, time, application_ids
              FROM task_transition
             WHERE task_id = %s AND sequence > %s ORDER BY sequence LIMIT %s
            """,
            (task_id, after_sequence, limit),
        )
        return [_task_transition(row) for row in rows]

    async def transitions(
        self, assignment_id: str, after_sequence: int, limit: int | None = None
    ) -> list[Transition]:
        """An assignment's."""
        rows = await self._database.fetch_all(
            """
            SELECT sequence, event, from_state, to_state, actor, comment, time
              FROM assignment_transition
             WHERE assignment_id = %s AND sequence > %s ORDER BY sequence LIMIT %s
            """,
            (assignment_id, after_sequence, limit),
        )
        return [_transition(row) for row in rows]

    async def _record_task_transition(self, task_id: str, transition: TaskTransition) -> bool:
        """False when it is recorded already."""
        inserted = await self._database.execute(
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

    async def _record_transition(self, assignment_id: str, transition: Transition) -> bool:
        """False when it is recorded already.

        A worker that is killed between recording a decision and telling the server of it may decide
        anew, and otherwise when something else came first: the later decision is the one that
        holds.
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


def _task_transition(row: DictRow) -> TaskTransition:
    from_state = row["from_state"]
    return TaskTransition(
        **row
        | {
            "event": task_model.Event(row["event"]),
            "from_state": task_model.State(from_state) if from_state else None,
            "to_state": task_model.State(row["to_state"]),
        }
    )


def _transition(row: DictRow) -> Transition:
    from_state = row["from_state"]
    return Transition(
        **row
        | {
            "event": Event(row["event"]),
            "from_state": AssignmentState(from_state) if from_state else None,
            "to_state": AssignmentState(row["to_state"]),
        }
    )
