"""SQL of sealed revisions and of the holds on them."""

from collections.abc import Sequence

from psycopg.types.json import Jsonb

from servicekit.postgres.database import Database
from services.media.articles.domain import Revision, RevisionHead
from services.media.articles.quotas.store import CheckQuota, quota_transaction
from services.media.articles.stored_content import (
    dump_blocks,
    dump_head,
    dump_products,
    load_assignment_context,
    load_content,
    load_products,
)


class RevisionStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def seal(self, revisions: Sequence[Revision], check: CheckQuota) -> bool:
        article_ids = [revision.article_id for revision in revisions]
        first = revisions[0]
        async with quota_transaction(self._database, first.creator_id, first.seal_time, check):
            # Locked in the order of their ids, so that concurrent calls do not deadlock.
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

    async def get(self, article_id: str, revision_id: str) -> Revision | None:
        row = await self._database.fetch_one(
            """
            SELECT revision.creator_id, assignment_context, revision.content, revision.blocks,
                   products, seal_time
              FROM article_revision AS revision JOIN article ON article.id = article_id
             WHERE article_id = %s AND revision.id = %s
            """,
            (article_id, revision_id),
        )
        if row is None:
            return None
        return Revision(
            article_id=article_id,
            id=revision_id,
            creator_id=row["creator_id"],
            content=load_content(row),
            products=load_products(row),
            seal_time=row["seal_time"],
            assignment_context=load_assignment_context(row),
        )

    async def list_heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        rows = await self._database.fetch_all(
            """
            SELECT article_id, revision.id, revision.creator_id, assignment_context
              FROM unnest(%s::text[], %s::text[]) WITH ORDINALITY
                   AS requested (article_id, id, number)
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
                assignment_context=load_assignment_context(row),
            )
            for row in rows
        ]

    async def hold(self, revisions: Sequence[RevisionHead], holder: str, brand_id: str) -> None:
        # The revision itself has held its media since it was sealed: that is where they are found.
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
                Jsonb(dump_head(revision.content)),
                Jsonb(dump_blocks(revision.content)),
                Jsonb(dump_products(revision.products)),
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
