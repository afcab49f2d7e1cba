"""The SQL of tasks. That of ListTasks is in `listing.store`."""

from typing import LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from servicekit.postgres.database import Database
from services.tasks.domain import Content, State, Task
from services.tasks.listing.domain import facets_of
from services.tasks.recording.store import record_task_transitions
from workflows.policy import Policy
from workflows.task.model import Transition

_CONTENT = TypeAdapter(Content)
_POLICY = TypeAdapter(Policy | None)

# Without the columns that are only for ListTasks.
SELECT_TASK: LiteralString = """
    SELECT id, brand_id, content, state, version, frozen_policy, selected_count, create_time,
           update_time, publish_time, publish_request_id
      FROM task
"""


class TaskStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_task(self, task: Task) -> None:
        await self._database.execute(
            """
            INSERT INTO task (id, brand_id, state, content, application_deadline_time,
                              submission_deadline_time, facets, create_time, update_time)
            VALUES (%(id)s, %(brand)s, %(state)s, %(content)s, %(application_deadline_time)s,
                    %(submission_deadline_time)s, %(facets)s::smallint[], %(create_time)s,
                    %(update_time)s)
            """,
            {
                "id": task.id,
                "brand": task.brand_id,
                "state": task.state,
                **_content(task),
                "create_time": task.create_time,
                "update_time": task.update_time,
            },
        )

    async def task(self, task_id: str, *, for_update: bool = False) -> Task | None:
        select: LiteralString = f"{SELECT_TASK} WHERE id = %s"
        row = await self._database.fetch_one(
            f"{select} FOR UPDATE" if for_update else select, (task_id,)
        )
        return task_from_row(row) if row else None

    async def save_draft(self, task: Task) -> None:
        await self._database.execute(
            """
            UPDATE task SET content = %(content)s,
                            application_deadline_time = %(application_deadline_time)s,
                            submission_deadline_time = %(submission_deadline_time)s,
                            facets = %(facets)s::smallint[],
                            version = %(version)s, update_time = %(update_time)s
             WHERE id = %(id)s AND state = 'DRAFT'
            """,
            {
                **_content(task),
                "version": task.version,
                "update_time": task.update_time,
                "id": task.id,
            },
        )

    async def delete_draft(self, task_id: str) -> None:
        await self._database.execute(
            "DELETE FROM task WHERE id = %s AND state = 'DRAFT'", (task_id,)
        )

    async def publish(self, task: Task, draft_version: int, first: Transition) -> bool:
        async with self._database.transaction():
            published = await self._database.execute(
                """
                UPDATE task SET state = 'OPEN', version = %s, frozen_policy = %s, sequence = %s,
                                publish_time = %s, publish_request_id = %s, update_time = %s
                 WHERE id = %s AND state = 'DRAFT' AND version = %s
                """,
                (
                    task.version,
                    Jsonb(_POLICY.dump_python(task.frozen_policy, mode="json")),
                    first.sequence,
                    task.publish_time,
                    task.publish_request_id,
                    task.update_time,
                    task.id,
                    draft_version,
                ),
            )
            if published:
                await record_task_transitions(self._database, task.id, [first])
        return published == 1

    async def mark_workflow_started(self, task_id: str) -> None:
        await self._database.execute(
            "UPDATE task SET has_workflow = true WHERE id = %s", (task_id,)
        )

    async def tasks_without_workflow(self) -> list[Task]:
        rows = await self._database.fetch_all(
            f"{SELECT_TASK} WHERE state = 'OPEN' AND NOT has_workflow LIMIT 100"
        )
        return [task_from_row(row) for row in rows]


def _content(task: Task) -> dict[str, object]:
    """The columns that hold a draft's content, those for ListTasks included."""
    return {
        "content": Jsonb(_CONTENT.dump_python(task.content, mode="json")),
        "application_deadline_time": task.content.application_deadline_time,
        "submission_deadline_time": task.content.submission_deadline_time,
        "facets": [int(facet) for facet in facets_of(task.content)],
    }


def task_from_row(row: DictRow) -> Task:
    return Task(
        id=row["id"],
        brand_id=row["brand_id"],
        content=_CONTENT.validate_python(row["content"]),
        state=State(row["state"]),
        version=row["version"],
        frozen_policy=_POLICY.validate_python(row["frozen_policy"]),
        selected_count=row["selected_count"],
        create_time=row["create_time"],
        update_time=row["update_time"],
        publish_time=row["publish_time"],
        publish_request_id=row["publish_request_id"] or "",
    )
