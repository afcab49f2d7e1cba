"""The SQL of selections in progress."""

from dataclasses import asdict
from datetime import datetime

from servicekit.postgres.database import Database
from services.tasks.selection.domain import PendingSelection


class SelectionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def claim(self, selection: PendingSelection) -> bool:
        parameters = asdict(selection)
        async with self._database.transaction():
            claimable = await self._database.fetch_all(
                # Ordered, so that two selections cannot deadlock.
                """
                SELECT FROM application
                 WHERE task_id = %(task_id)s AND id = ANY(%(application_ids)s)
                   AND state = 'APPLIED'
                 ORDER BY id FOR UPDATE
                """,
                parameters,
            )
            if len(claimable) < len(selection.application_ids):
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

    async def end(self, selection: PendingSelection) -> None:
        await self._database.execute(
            "DELETE FROM selection WHERE task_id = %(task_id)s AND claim = %(claim)s",
            asdict(selection),
        )

    async def disclaim(self, selection: PendingSelection) -> None:
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

    async def take_stale(self, sent_before: datetime, now: datetime) -> PendingSelection | None:
        row = await self._database.fetch_one(
            """
            UPDATE selection SET attempt_time = %s
             WHERE (task_id, claim) = (
                SELECT task_id, claim FROM selection WHERE attempt_time < %s
                 ORDER BY attempt_time LIMIT 1 FOR UPDATE SKIP LOCKED)
            RETURNING task_id, claim, actor, application_ids, attempt_time
            """,
            (now, sent_before),
        )
        return PendingSelection(**row) if row else None
