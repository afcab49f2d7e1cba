"""The SQL that reads transitions."""

from psycopg.rows import DictRow

from servicekit.postgres.database import Database
from workflows.assignment.model import Event, State, Transition
from workflows.task import model as task_model
from workflows.task.model import Transition as TaskTransition


class TransitionStore:
    """Reads transitions in order; the first `limit` of them if it is given."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def task_transitions(
        self, task_id: str, after_sequence: int, limit: int | None = None
    ) -> list[TaskTransition]:
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
        rows = await self._database.fetch_all(
            """
            SELECT sequence, event, from_state, to_state, actor, comment, time
              FROM assignment_transition
             WHERE assignment_id = %s AND sequence > %s ORDER BY sequence LIMIT %s
            """,
            (assignment_id, after_sequence, limit),
        )
        return [_transition(row) for row in rows]


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
            "from_state": State(from_state) if from_state else None,
            "to_state": State(row["to_state"]),
        }
    )
