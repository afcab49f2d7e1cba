"""The SQL of articles and their sealed revisions."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import TypeAdapter

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.media.articles.domain import (
    Article,
    Block,
    CatalogueProduct,
    Change,
    Commission,
    Content,
    Coupon,
    Image,
    Kind,
    Product,
    Revision,
    RevisionHead,
    Text,
    Video,
)
from services.media.articles.quotas import MONTH, Usage

Check = Callable[[Usage, Usage], None]

_COMMISSION = TypeAdapter(Commission)
_PRODUCTS = TypeAdapter(tuple[CatalogueProduct, ...])
# By the word that is kept beside each block.
_BLOCKS: dict[str, TypeAdapter[Any]] = {
    kind.__name__: TypeAdapter(kind) for kind in (Text, Image, Product, Video, Coupon)
}

_SELECT: LiteralString = """
    SELECT id, creator_id, commission, version, content, blocks, latest_revision_id, create_time,
           update_time
      FROM article
"""


class _ChangedMeanwhile(Exception):
    """The article is not as it was read: what the transaction did so far must not stay."""


class PostgresArticleStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, change: Change, check: Check) -> bool:
        article = change.article
        commission = article.commission
        async with self._checked(article.creator_id, article.update_time, check):
            added = await self._database.execute(
                """
                INSERT INTO article (id, creator_id, assignment_id, commission, version, content,
                                     blocks, create_time, update_time)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                ON CONFLICT DO NOTHING
                """,
                (
                    article.id,
                    article.creator_id,
                    commission.assignment_id if commission else None,
                    Jsonb(_COMMISSION.dump_python(commission, mode="json")) if commission else None,
                    article.version,
                    *_content_json(article.content),
                    article.create_time,
                    article.update_time,
                ),
            )
            if added:
                await self._keep_change(change)
        return added == 1

    async def article(self, article_id: str) -> Article | None:
        """None once it was thrown away."""
        found = await self.articles([article_id])
        return found[0] if found else None

    async def articles(self, article_ids: Sequence[str]) -> list[Article]:
        rows = await self._database.fetch_all(
            f"{_SELECT} WHERE id = ANY(%s) AND content IS NOT NULL ORDER BY array_position(%s, id)",
            (list(article_ids), list(article_ids)),
        )
        return [_article(row) for row in rows]

    async def change(self, change_id: str) -> Change | None:
        row = await self._database.fetch_one(
            """
            SELECT article.id, creator_id, commission, change.version, change.latest_revision_id,
                   create_time, change_time AS update_time, request_sha256
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

    async def list_articles(
        self, creator_id: str | None, assignment_id: str | None, page: Page
    ) -> list[Article]:
        rows = await self._database.fetch_all(
            """
            SELECT id, creator_id, commission, version, content, '[]'::jsonb AS blocks,
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

    async def save(self, change: Change, check: Check) -> bool:
        article = change.article
        try:
            async with self._checked(article.creator_id, article.update_time, check):
                if not await self._keep_change(change):
                    return False
                await self._replace(article)
        except _ChangedMeanwhile:
            return False
        return True

    async def _replace(self, article: Article) -> None:
        saved = await self._database.execute(
            """
            UPDATE article SET content = %s, blocks = %s, version = %s, update_time = %s
             WHERE id = %s AND version = %s AND content IS NOT NULL
            """,
            (
                *_content_json(article.content),
                article.version,
                article.update_time,
                article.id,
                article.version - 1,
            ),
        )
        if not saved:
            raise _ChangedMeanwhile

    async def is_in_use(self, article: Article) -> bool:
        row = await self._database.fetch_one(
            "SELECT FROM article_in_use WHERE article_id = %s LIMIT 1", (article.id,)
        )
        return row is not None

    async def delete(self, article: Article) -> bool:
        # A hold or a publication that comes at the same time needs the revision alone, which stays.
        deleted = await self._database.execute(
            """
            UPDATE article SET content = NULL, blocks = NULL, latest_revision_id = NULL
             WHERE id = %s AND version = %s AND content IS NOT NULL
               AND NOT EXISTS (SELECT FROM article_in_use WHERE article_id = article.id)
            """,
            (article.id, article.version),
        )
        return deleted == 1

    async def seal(self, revisions: Sequence[Revision], check: Check) -> bool:
        article_ids = [revision.article_id for revision in revisions]
        first = revisions[0]
        async with self._checked(first.creator_id, first.seal_time, check):
            # In an order, so that two callers never wait for each other in a circle.
            found = await self._database.fetch_all(
                """
                SELECT FROM article WHERE id = ANY(%s) AND content IS NOT NULL
                 ORDER BY id FOR UPDATE
                """,
                (article_ids,),
            )
            if len(found) < len(article_ids):
                return False
            for revision in revisions:
                await self._seal(revision)
        return True

    async def revision(self, article_id: str, revision_id: str) -> Revision | None:
        row = await self._database.fetch_one(
            """
            SELECT revision.article_id, revision.id, revision.creator_id, commission,
                   revision.content, revision.blocks, products, seal_time
              FROM article_revision AS revision JOIN article ON article.id = article_id
             WHERE article_id = %s AND revision.id = %s
            """,
            (article_id, revision_id),
        )
        return _revision(row) if row else None

    async def revision_heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        """In this order; unknown ones are left out."""
        rows = await self._database.fetch_all(
            """
            SELECT article_id, revision.id, revision.creator_id, commission
              FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY AS asked (article_id, id, number)
              JOIN article_revision AS revision USING (article_id, id)
              JOIN article ON article.id = article_id
             ORDER BY number
            """,
            ([article_id for article_id, _ in ids], [id_ for _, id_ in ids]),
        )
        return [
            RevisionHead(
                article_id=row["article_id"],
                id=row["id"],
                creator_id=row["creator_id"],
                commission=_commission(row),
            )
            for row in rows
        ]

    async def hold(self, revisions: Sequence[RevisionHead], holder: str, brand_id: str) -> None:
        """What is in them is held by the revisions themselves, since they were sealed."""
        values = {
            "holder": holder,
            "brand": brand_id,
            "names": [revision.name for revision in revisions],
            "articles": [revision.article_id for revision in revisions],
            "ids": [revision.id for revision in revisions],
        }
        async with self._database.transaction():
            await self._database.execute(
                """
                INSERT INTO hold (media_object, holder, brand_id)
                SELECT DISTINCT media_object, %(holder)s, %(brand)s
                  FROM hold WHERE holder = ANY(%(names)s)
                 ORDER BY media_object
                ON CONFLICT DO NOTHING
                """,
                values,
            )
            await self._database.execute(
                """
                INSERT INTO article_revision_hold (article_id, revision_id, holder, brand_id)
                SELECT article_id, revision_id, %(holder)s, %(brand)s
                  FROM unnest(%(articles)s::text[], %(ids)s::text[])
                       AS held (article_id, revision_id)
                 ORDER BY 1, 2
                ON CONFLICT DO NOTHING
                """,
                values,
            )

    async def is_held_for(self, revision: Revision, brand_id: str) -> bool:
        row = await self._database.fetch_one(
            """
            SELECT FROM article_revision_hold
             WHERE article_id = %s AND revision_id = %s AND brand_id = %s LIMIT 1
            """,
            (revision.article_id, revision.id, brand_id),
        )
        return row is not None

    async def forget_changes(self, before: datetime, size: int) -> int:
        return await self._database.execute(
            """
            DELETE FROM article_change WHERE id IN (
                SELECT id FROM article_change WHERE change_time < %s ORDER BY change_time LIMIT %s
                   FOR UPDATE SKIP LOCKED
            )
            """,
            (before, size),
        )

    @asynccontextmanager
    async def _checked(self, creator_id: str, now: datetime, check: Check) -> AsyncIterator[None]:
        """A transaction that nobody else writes in for the same creator, and that stays only if
        `check` takes what the creator used before and uses after."""
        async with self._database.transaction():
            # Who sends a request twice waits here, too, for what becomes of it.
            await self._database.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('articles of ' || %s, 0))",
                (creator_id,),
            )
            before = await self._usage(creator_id, now)
            yield
            check(before, await self._usage(creator_id, now))

    async def _usage(self, creator_id: str, now: datetime) -> Usage:
        row = await self._database.fetch_one(
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
            raise AssertionError("an aggregate is one row")
        return Usage(**row)

    async def _seal(self, revision: Revision) -> None:
        await self._database.execute(
            """
            INSERT INTO article_revision (article_id, id, creator_id, content, blocks, products,
                                          seal_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            (
                revision.article_id,
                revision.id,
                revision.creator_id,
                *_content_json(revision.content),
                Jsonb(_PRODUCTS.dump_python(revision.products, mode="json")),
                revision.seal_time,
            ),
        )
        await self._database.execute(
            """
            INSERT INTO hold (media_object, holder)
            SELECT DISTINCT media_object, %s FROM unnest(%s::text[]) AS media_object
             ORDER BY media_object
            ON CONFLICT DO NOTHING
            """,
            (revision.name, list(revision.content.media_object_ids())),
        )
        await self._database.execute(
            "UPDATE article SET latest_revision_id = %s WHERE id = %s",
            (revision.id, revision.article_id),
        )

    async def _keep_change(self, change: Change) -> bool:
        article = change.article
        kept = await self._database.execute(
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
        return kept == 1


def _content_json(content: Content) -> tuple[Jsonb, Jsonb]:
    """What is kept of a content: its blocks apart."""
    head = {
        "kind": content.kind,
        "banner_id": content.banner_id,
        "title": content.title,
        "introduction": content.introduction,
        "hashtags": content.hashtags,
    }
    return Jsonb(head), Jsonb([_block_json(block) for block in content.blocks])


def _block_json(block: Block) -> dict[str, Any]:
    word = type(block).__name__
    return {"block": word, **_BLOCKS[word].dump_python(block, mode="json")}


def _content(row: DictRow) -> Content:
    """Where only the blocks are left out, or all of it, that is empty."""
    head = row["content"]
    return Content(
        kind=Kind(head.get("kind", Kind.ARTICLE)),
        banner_id=head.get("banner_id", ""),
        title=head.get("title", ""),
        introduction=head.get("introduction", ""),
        hashtags=tuple(head.get("hashtags", ())),
        blocks=tuple(_BLOCKS[block.pop("block")].validate_python(block) for block in row["blocks"]),
    )


def _article(row: DictRow) -> Article:
    return Article(
        id=row["id"],
        creator_id=row["creator_id"],
        content=_content(row),
        create_time=row["create_time"],
        update_time=row["update_time"],
        commission=_commission(row),
        version=row["version"],
        latest_revision_id=row["latest_revision_id"] or "",
    )


def _revision(row: DictRow) -> Revision:
    return Revision(
        article_id=row["article_id"],
        id=row["id"],
        creator_id=row["creator_id"],
        content=_content(row),
        products=_PRODUCTS.validate_python(row["products"]),
        seal_time=row["seal_time"],
        commission=_commission(row),
    )


def _commission(row: DictRow) -> Commission | None:
    return _COMMISSION.validate_python(row["commission"]) if row["commission"] else None
