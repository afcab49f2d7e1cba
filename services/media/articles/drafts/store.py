"""SQL of drafts and of the changes that requests made to them."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.media.articles.domain import Article, Change
from services.media.articles.quotas.store import CheckQuota, quota_transaction
from services.media.articles.stored_content import (
    dump_assignment_context,
    dump_blocks,
    dump_head,
    load_assignment_context,
    load_content,
)

_SELECT: LiteralString = """
    SELECT id, creator_id, assignment_context, version, content, blocks, latest_revision_id,
           create_time, update_time
      FROM article
"""


class _VersionChanged(Exception):
    """The article was changed or deleted since it was read: rolls the transaction back."""


class DraftStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, change: Change, check: CheckQuota) -> bool:
        article = change.article
        context = article.assignment_context
        async with quota_transaction(
            self._database, article.creator_id, article.update_time, check
        ):
            added = await self._database.execute(
                """
                INSERT INTO article (id, creator_id, assignment_id, assignment_context, version,
                                     content, blocks, create_time, update_time)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT DO NOTHING
                """,
                (
                    article.id,
                    article.creator_id,
                    context.assignment_id if context else None,
                    Jsonb(dump_assignment_context(context)) if context else None,
                    article.version,
                    Jsonb(dump_head(article.content)),
                    Jsonb(dump_blocks(article.content)),
                    article.create_time,
                    article.update_time,
                ),
            )
            if added:
                await self._add_change(change)
        return added == 1

    async def get(self, article_id: str) -> Article | None:
        found = await self.list_by_id([article_id])
        return found[0] if found else None

    async def list_by_id(self, article_ids: Sequence[str]) -> list[Article]:
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE id = ANY(%s) AND content IS NOT NULL ORDER BY array_position(%s, id)",
            (list(article_ids), list(article_ids)),
        )
        return [_article(row) for row in rows]

    async def get_change(self, change_id: str) -> Change | None:
        row = await self._database.fetch_one(
            """
            SELECT article.id, creator_id, assignment_context, change.version,
                   change.latest_revision_id, create_time, change_time AS update_time,
                   request_sha256
              FROM article_change AS change JOIN article ON article.id = article_id
             WHERE change.id = %s
            """,
            (change_id,),
        )
        if row is None:
            return None
        return Change(
            change_id, row["request_sha256"], _article({**row, "content": {}, "blocks": []})
        )

    async def list_drafts(
        self, creator_id: str | None, assignment_id: str | None, page: Page
    ) -> list[Article]:
        rows = await self._database.fetch_all(
            """
            SELECT id, creator_id, assignment_context, version, content, '[]'::jsonb AS blocks,
                   latest_revision_id, create_time, update_time
              FROM article
             WHERE content IS NOT NULL
               AND (%(creator)s::text IS NULL OR creator_id = %(creator)s)
               AND (%(assignment)s::text IS NULL OR assignment_id = %(assignment)s)
               AND (%(time)s::timestamptz IS NULL
                    OR (create_time, id) < (%(time)s::timestamptz, %(id)s::text))
             ORDER BY create_time DESC, id DESC
             LIMIT %(size)s
            """,
            {"creator": creator_id, "assignment": assignment_id, **page.keyset},
            generic_plan=False,
        )
        return [_article(row) for row in rows]

    async def save(self, change: Change, check: CheckQuota) -> bool:
        article = change.article
        try:
            async with quota_transaction(
                self._database, article.creator_id, article.update_time, check
            ):
                if not await self._add_change(change):
                    return False
                await self._replace(article)
        except _VersionChanged:
            return False
        return True

    async def is_in_use(self, article: Article) -> bool:
        row = await self._database.fetch_one(
            "SELECT FROM article_in_use WHERE article_id = %s LIMIT 1", (article.id,)
        )
        return row is not None

    async def delete(self, article: Article) -> bool:
        # A concurrent hold or publication needs only the revision, which is not deleted.
        deleted = await self._database.execute(
            """
            UPDATE article SET content = NULL, blocks = NULL, latest_revision_id = NULL
             WHERE id = %s AND version = %s AND content IS NOT NULL
               AND NOT EXISTS (SELECT FROM article_in_use WHERE article_id = article.id)
            """,
            (article.id, article.version),
        )
        return deleted == 1

    async def delete_changes(self, before: datetime, size: int) -> int:
        return await self._database.execute(
            """
            DELETE FROM article_change WHERE id IN (
                SELECT id FROM article_change WHERE change_time < %s ORDER BY change_time LIMIT %s
                   FOR UPDATE SKIP LOCKED
            )
            """,
            (before, size),
        )

    async def _replace(self, article: Article) -> None:
        saved = await self._database.execute(
            """
            UPDATE article SET content = %s, blocks = %s, version = %s, update_time = %s
             WHERE id = %s AND version = %s AND content IS NOT NULL
            """,
            (
                Jsonb(dump_head(article.content)),
                Jsonb(dump_blocks(article.content)),
                article.version,
                article.update_time,
                article.id,
                article.version - 1,
            ),
        )
        if not saved:
            raise _VersionChanged

    async def _add_change(self, change: Change) -> bool:
        article = change.article
        added = await self._database.execute(
            """
            INSERT INTO article_change (id, request_sha256, article_id, version,
                                        latest_revision_id, change_time)
            VALUES (%s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            (
                change.id,
                change.request_sha256,
                article.id,
                article.version,
                article.latest_revision_id or None,
                article.update_time,
            ),
        )
        return added == 1


def _article(row: DictRow) -> Article:
    return Article(
        id=row["id"],
        creator_id=row["creator_id"],
        content=load_content(row),
        create_time=row["create_time"],
        update_time=row["update_time"],
        assignment_context=load_assignment_context(row),
        version=row["version"],
        latest_revision_id=row["latest_revision_id"] or "",
    )
