"""The SQL of applications."""

from psycopg.rows import DictRow

from servicekit.batching import Batcher
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.applications.domain import Application, ApplicationState


class ApplicationStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._inserts = Batcher(self._add_all, bypass=database.is_in_transaction)

    async def add(self, application: Application) -> bool:
        """The inserting statement checks the task's state and deadline and locks its row, so that
        none is added after the deadline or after the end of the selection."""
        return await self._inserts.submit(application)

    async def _add_all(self, applications: list[Application]) -> list[bool]:
        """Returns for each whether it was inserted."""
        # Of a request that was sent twice, with whatever body, the first one counts.
        distinct = {one.id: one for one in reversed(applications)}
        rows = await self._database.fetch_all(
            # Ordered, so that the batches of two servers cannot deadlock.
            """
            INSERT INTO application (id, task_id, creator_id, state, message,
                                     create_time, update_time)
            SELECT new.id, task.id, new.creator_id, 'APPLIED', new.message, new.now, new.now
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS new (id, task_id, creator_id, message, now)
              JOIN task ON task.id = new.task_id
             WHERE task.state = 'OPEN' AND new.now < task.application_deadline_time
             ORDER BY new.task_id, new.creator_id, new.id
               FOR SHARE OF task
            ON CONFLICT DO NOTHING RETURNING id
            """,
            (
                list(distinct),
                [one.task_id for one in distinct.values()],
                [one.creator_id for one in distinct.values()],
                [one.message for one in distinct.values()],
                [one.create_time for one in distinct.values()],
            ),
        )
        inserted = {row["id"] for row in rows}
        return [one.id in inserted and one is distinct[one.id] for one in applications]

    async def application_by_id(self, application_id: str) -> Application | None:
        row = await self._database.fetch_one(
            "SELECT * FROM application WHERE id = %s", (application_id,)
        )
        return _application(row) if row else None

    async def application(self, task_id: str, application_id: str) -> Application | None:
        found = await self.applications(task_id, [application_id])
        return found[0] if found else None

    async def applications(self, task_id: str, ids: list[str]) -> list[Application]:
        """In the order of `ids`; unknown ones are left out."""
        rows = await self._database.fetch_all(
            """
            SELECT * FROM application WHERE task_id = %s AND id = ANY(%s)
             ORDER BY array_position(%s, id)
            """,
            (task_id, ids, ids),
        )
        return [_application(row) for row in rows]

    async def live_application(self, task_id: str, creator_id: str) -> Application | None:
        row = await self._database.fetch_one(
            """
            SELECT * FROM application
             WHERE task_id = %s AND creator_id = %s AND state <> 'WITHDRAWN'
            """,
            (task_id, creator_id),
        )
        return _application(row) if row else None

    async def list_applications(
        self, task_id: str | None, creator_id: str | None, page: Page
    ) -> list[Application]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM application
             WHERE (%(task)s::text IS NULL OR task_id = %(task)s)
               AND (%(creator)s::text IS NULL OR creator_id = %(creator)s)
               AND (%(time)s::timestamptz IS NULL OR (create_time, id) > (%(time)s, %(id)s))
             ORDER BY create_time, id LIMIT %(size)s
            """,
            {"task": task_id, "creator": creator_id, **page.keyset},
        )
        return [_application(row) for row in rows]

    async def withdraw(self, application: Application) -> bool:
        withdrawn = await self._database.execute(
            """
            UPDATE application SET state = 'WITHDRAWN', update_time = %(now)s
              FROM task
             WHERE application.id = %(id)s AND application.state = 'APPLIED' AND claims IS NULL
               AND task.id = application.task_id AND %(now)s < application_deadline_time
            """,
            {"id": application.id, "now": application.update_time},
        )
        return withdrawn == 1


def _application(row: DictRow) -> Application:
    return Application(
        id=row["id"],
        task_id=row["task_id"],
        creator_id=row["creator_id"],
        message=row["message"],
        state=ApplicationState(row["state"]),
        create_time=row["create_time"],
        update_time=row["update_time"],
    )
