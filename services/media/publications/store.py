"""SQL of publications."""

from collections.abc import Sequence
from datetime import datetime
from typing import LiteralString

from psycopg.rows import DictRow

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.media.publications.domain import Channel, Publication, PublicationFilter, State
from services.media.publications.placements.store import PlacementStore

_SELECT: LiteralString = "SELECT * FROM publication WHERE true"
_LATEST_FIRST: LiteralString = " ORDER BY request_time DESC, id DESC LIMIT %(size)s"
_WITHDRAW: LiteralString = """
    UPDATE publication
       SET state = 'WITHDRAWN', withdraw_reason = %(reason)s, withdraw_command = %(command)s
     WHERE (state = 'PENDING' OR state = 'PUBLISHED' AND channel = 'FEED') AND
"""


class PublicationStore:
    def __init__(self, database: Database) -> None:
        self._database = database
        self._placements = PlacementStore(database)

    async def add(self, publications: Sequence[Publication]) -> None:
        async with self._database.transaction():
            # In the order of their ids, so that concurrent calls do not deadlock.
            for one in sorted(publications, key=lambda publication: publication.id):
                await self._database.execute(
                    """
                    INSERT INTO publication (id, article_id, revision_id, channel, creator_id,
                                             brand_id, assignment_id, request_time, due_time)
                    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)
                    ON CONFLICT DO NOTHING
                    """,
                    (
                        one.id,
                        one.article_id,
                        one.revision_id,
                        one.channel,
                        one.creator_id,
                        one.brand_id,
                        one.assignment_id,
                        one.request_time,
                        one.due_time,
                    ),
                )

    async def add_posts(self, source_id: str, posts: Sequence[Publication]) -> bool:
        async with self._database.transaction():
            source = await self.lock(source_id)
            if source is None or source.state is not State.PUBLISHED:
                return False
            await self.add(posts)
        return True

    async def get(self, publication_id: str) -> Publication | None:
        row = await self._database.fetch_one(
            "SELECT * FROM publication WHERE id = %s", (publication_id,)
        )
        return _publication(row) if row else None

    async def lock(self, publication_id: str) -> Publication | None:
        row = await self._database.fetch_one(
            "SELECT * FROM publication WHERE id = %s FOR SHARE", (publication_id,)
        )
        return _publication(row) if row else None

    async def list_publications(self, wanted: PublicationFilter, page: Page) -> list[Publication]:
        """Only conditions in use are in the SQL, so that each common filter uses its index."""
        conditions: list[tuple[bool, LiteralString]] = [
            (wanted.creator_id is not None, " AND creator_id = %(creator)s"),
            (wanted.brand_id is not None, " AND brand_id = %(brand)s"),
            (wanted.article_id is not None, " AND article_id = %(article)s"),
            (wanted.state is not None, " AND state = %(state)s"),
            (wanted.is_overdue, " AND is_overdue"),
            (page.after is not None, " AND (request_time, id) < (%(time)s, %(id)s)"),
        ]
        where: LiteralString = "".join(condition for is_set, condition in conditions if is_set)
        rows = await self._database.fetch_all(
            _SELECT + where + _LATEST_FIRST,
            {
                "creator": wanted.creator_id,
                "brand": wanted.brand_id,
                "article": wanted.article_id,
                "state": wanted.state,
                **page.keyset,
            },
        )
        return [_publication(row) for row in rows]

    async def publish(self, publication_id: str, url: str, now: datetime) -> bool:
        published = await self._database.fetch_one(
            """
            UPDATE publication
               SET state = CASE state WHEN 'PENDING' THEN 'PUBLISHED' ELSE state END,
                   url = %(url)s, publish_time = %(now)s
             WHERE id = %(id)s AND url = '' AND (state = 'PENDING' OR channel <> 'FEED')
            RETURNING state
            """,
            {"id": publication_id, "url": url, "now": now},
        )
        return published is not None and published["state"] == State.PUBLISHED

    async def mark_overdue(self, publication_id: str) -> bool:
        marked = await self._database.execute(
            "UPDATE publication SET is_overdue = true"
            " WHERE id = %s AND state = 'PENDING' AND NOT is_overdue",
            (publication_id,),
        )
        return marked == 1

    async def withdraw(
        self, publication_id: str, reason: str, command: str, now: datetime
    ) -> list[Publication]:
        async with self._database.transaction():
            first = await self._withdraw("id = %(id)s", publication_id, reason, command)
            if not first or first[0].channel is not Channel.FEED:
                return first
            posts = await self._withdraw(
                "article_id = (SELECT article_id FROM publication WHERE id = %(id)s)"
                " AND state = 'PENDING'",
                publication_id,
                reason,
                command,
            )
            await self._placements.cancel_all_of(publication_id, now)
            return first + posts

    async def mark_workflow_started(self, publication: Publication) -> None:
        await self._database.execute(
            """
            UPDATE publication
               SET has_delivery_workflow = has_delivery_workflow OR %(state)s = 'PENDING',
                   has_withdrawal_workflow = has_withdrawal_workflow OR %(state)s = 'WITHDRAWN'
             WHERE id = %(id)s
            """,
            {"id": publication.id, "state": publication.state},
        )

    async def without_workflow(self) -> list[Publication]:
        rows = await self._database.fetch_all(
            """
            SELECT * FROM publication
             WHERE state = 'PENDING' AND NOT has_delivery_workflow
                OR state = 'WITHDRAWN' AND NOT has_withdrawal_workflow
             ORDER BY id LIMIT 100
            """
        )
        return [_publication(row) for row in rows]

    async def pending(self) -> dict[Channel, tuple[int, datetime]]:
        """The number of pending publications and the oldest request time, by channel."""
        rows = await self._database.fetch_all(
            """
            SELECT channel, count(*) AS count, min(request_time) AS since
              FROM publication WHERE state = 'PENDING' GROUP BY channel
            """
        )
        return {Channel(row["channel"]): (row["count"], row["since"]) for row in rows}

    async def _withdraw(
        self, which: LiteralString, publication_id: str, reason: str, command: str
    ) -> list[Publication]:
        rows = await self._database.fetch_all(
            _WITHDRAW + which + " RETURNING *",
            {"id": publication_id, "reason": reason, "command": command},
        )
        return [_publication(row) for row in rows]


def _publication(row: DictRow) -> Publication:
    return Publication(
        article_id=row["article_id"],
        revision_id=row["revision_id"],
        channel=Channel(row["channel"]),
        creator_id=row["creator_id"],
        request_time=row["request_time"],
        due_time=row["due_time"],
        brand_id=row["brand_id"],
        assignment_id=row["assignment_id"],
        state=State(row["state"]),
        url=row["url"],
        publish_time=row["publish_time"],
        is_overdue=row["is_overdue"],
        withdraw_reason=row["withdraw_reason"],
        withdraw_command=row["withdraw_command"],
    )
