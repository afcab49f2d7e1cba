"""SQL of quotas: transactions that check what a creator uses before and after a change."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime

from servicekit.postgres.database import Database
from services.media.articles.quotas.rules import MONTH, Usage

CheckQuota = Callable[[Usage, Usage], None]


@asynccontextmanager
async def quota_transaction(
    database: Database, creator_id: str, now: datetime, check: CheckQuota
) -> AsyncIterator[None]:
    """Runs the block in a transaction that holds the creator's lock, then calls `check` with the
    usage before and after. What `check` raises rolls the transaction back."""
    async with database.transaction():
        # A request that is sent twice at once waits here for the result of the first.
        await database.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('articles of ' || %s, 0))",
            (creator_id,),
        )
        before = await _usage(database, creator_id, now)
        yield
        check(before, await _usage(database, creator_id, now))


async def _usage(database: Database, creator_id: str, now: datetime) -> Usage:
    row = await database.fetch_one(
        """
        WITH drafts AS (
            SELECT count(*) FILTER (
                       WHERE NOT EXISTS (SELECT FROM article_in_use
                                          WHERE article_id = article.id)
                   ) AS drafts_kept,
                   coalesce(sum(size_bytes), 0)::bigint AS draft_bytes
              FROM article
             WHERE creator_id = %(creator)s AND content IS NOT NULL
        ), sealed AS (
            SELECT coalesce(sum(size_bytes), 0)::bigint AS sealed_bytes,
                   min(seal_time) AS month_begin_time
              FROM article_revision
             WHERE creator_id = %(creator)s AND seal_time > %(recent)s
        )
        SELECT * FROM drafts, sealed
        """,
        {"creator": creator_id, "recent": now - MONTH},
    )
    if row is None:
        raise AssertionError("an aggregate without GROUP BY returns one row")
    return Usage(**row)
