"""The SQL of tasks; that of their listings is in `listing_store`."""

from typing import LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.domain import Content, State, Task
from services.tasks.listing import Listing, facets_of
from services.tasks.listing_store import statement
from services.tasks.recording.store import PostgresHistories
from workflows.policy import Policy
from workflows.task.model import Transition

_CONTENT = TypeAdapter(Content)
_POLICY = TypeAdapter(Policy | None)

# All but what tasks are listed by.
_SELECT: LiteralString = """
    SELECT id, brand_id, content, state, version, frozen_policy, selected_count, create_time,
           update_time, publish_time, publish_request_id
      FROM task
"""


class PostgresTaskStore:
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
        select: LiteralString = f"{_SELECT} WHERE id = %s"
        row = await self._database.fetch_one(
            f"{select} FOR UPDATE" if for_update else select, (task_id,)
        )
        return _task(row) if row else None

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
                await PostgresHistories(self._database).record_task(task.id, [first])
        return published == 1

    async def mark_workflow_started(self, task_id: str) -> None:
        await self._database.execute(
            "UPDATE task SET has_workflow = true WHERE id = %s", (task_id,)
        )

    async def tasks_without_workflow(self) -> list[Task]:
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE state = 'OPEN' AND NOT has_workflow LIMIT 100"
        )
        return [_task(row) for row in rows]

    async def list_tasks(self, listing: Listing, page: Page) -> list[Task]:
        sql, parameters = statement(_SELECT, listing, page)
        rows = await self._database.fetch_all(sql, parameters, generic_plan=False)
        return [_task(row) for row in rows]


def _content(task: Task) -> dict[str, object]:
    """What is written of a draft's content: all of it, and what tasks are listed by beside."""
    return {
        "content": Jsonb(_CONTENT.dump_python(task.content, mode="json")),
        "application_deadline_time": task.content.application_deadline_time,
        "submission_deadline_time": task.content.submission_deadline_time,
        "facets": [int(facet) for facet in facets_of(task.content)],
    }


def _task(row: DictRow) -> Task:
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
