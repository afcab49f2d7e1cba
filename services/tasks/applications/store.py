"""The applications' SQL."""

from dataclasses import asdict
from datetime import datetime

from psycopg.rows import DictRow

from servicekit.batching import Batcher
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.tasks.applications.handlers import BegunSelection
from services.tasks.domain import Application, ApplicationState


class PostgresApplicationStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._wishes = Batcher(self._apply_all, bypass=database.is_in_transaction)

    async def apply(self, application: Application) -> bool:
        """State and deadline are checked by the statement that writes, on a task row that nobody
        changes meanwhile: none slips in after the deadline or past the end of the selection."""
        return await self._wishes.submit(application)

    async def _apply_all(self, wishes: list[Application]) -> list[bool]:
        """Which of them are written."""
        # The same request twice, with whatever body: the first of them.
        distinct = {wish.id: wish for wish in reversed(wishes)}
        rows = await self._database.fetch_all(
            # In an order, so that two servers' batches never wait for each other in a circle.
            """
            INSERT INTO application (id, task_id, creator_id, state, message,
                                     create_time, update_time)
            SELECT wish.id, task.id, wish.creator_id, 'APPLIED', wish.message, wish.now, wish.now
              FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::timestamptz[])
                AS wish (id, task_id, creator_id, message, now)
              JOIN task ON task.id = wish.task_id
             WHERE task.state = 'OPEN' AND wish.now < task.application_deadline_time
             ORDER BY wish.task_id, wish.creator_id, wish.id
               FOR SHARE OF task
            ON CONFLICT DO NOTHING RETURNING id
            """,
            (
                list(distinct),
                [wish.task_id for wish in distinct.values()],
                [wish.creator_id for wish in distinct.values()],
                [wish.message for wish in distinct.values()],
                [wish.create_time for wish in distinct.values()],
            ),
        )
        written = {row["id"] for row in rows}
        return [wish.id in written and wish is distinct[wish.id] for wish in wishes]

    async def made(self, application_id: str) -> Application | None:
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

    async def claim(self, selection: BegunSelection) -> bool:
        parameters = asdict(selection)
        async with self._database.transaction():
            waiting = await self._database.fetch_all(
                # In an order, so that two selections never wait for each other in a circle.
                """
                SELECT FROM application
                 WHERE task_id = %(task_id)s AND id = ANY(%(application_ids)s)
                   AND state = 'APPLIED'
                 ORDER BY id FOR UPDATE
                """,
                parameters,
            )
            if len(waiting) < len(selection.application_ids):
                return False
            await self._database.execute(
                """
                UPDATE application
                   SET claims = array_append(array_remove(claims, %(claim)s), %(claim)s)
                 WHERE task_id = %(task_id)s AND id = ANY(%(application_ids)s)
                """,
                parameters,
            )
            await self._database.execute(
                """
                INSERT INTO selection (task_id, claim, actor, application_ids, attempt_time)
                VALUES (%(task_id)s, %(claim)s, %(actor)s, %(application_ids)s, %(attempt_time)s)
                ON CONFLICT (task_id, claim) DO UPDATE
                   SET actor = excluded.actor, application_ids = excluded.application_ids,
                       attempt_time = excluded.attempt_time
                """,
                parameters,
            )
        return True

    async def end_selection(self, selection: BegunSelection) -> None:
        await self._database.execute(
            "DELETE FROM selection WHERE task_id = %(task_id)s AND claim = %(claim)s",
            asdict(selection),
        )

    async def disclaim(self, selection: BegunSelection) -> None:
        await self._database.execute(
            """
            WITH ended AS (
                DELETE FROM selection
                 WHERE task_id = %(task_id)s AND claim = %(claim)s
                   AND attempt_time = %(attempt_time)s
                RETURNING task_id, claim
            )
            UPDATE application SET claims = nullif(array_remove(claims, ended.claim), '{}')
              FROM ended
             WHERE application.task_id = ended.task_id AND ended.claim = ANY(claims)
            """,
            asdict(selection),
        )

    async def take_selection(self, tried_before: datetime, now: datetime) -> BegunSelection | None:
        row = await self._database.fetch_one(
            """
            UPDATE selection SET attempt_time = %s
             WHERE (task_id, claim) = (
                SELECT task_id, claim FROM selection WHERE attempt_time < %s
                 ORDER BY attempt_time LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING task_id, claim, actor, application_ids, attempt_time
            """,
            (now, tried_before),
        )
        return BegunSelection(**row) if row else None


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
