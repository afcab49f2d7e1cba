"""The SQL of notifications."""

from datetime import datetime
from uuid import uuid4

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.notifications.domain import Notification, OutgoingNotification


class NotificationStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, outgoing: list[OutgoingNotification], now: datetime) -> None:
        await self._database.execute(
            """
            INSERT INTO notification (id, deduplication_id, recipient, event, subject, text,
                                      create_time)
            SELECT *, %s FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[], %s::text[],
                                     %s::text[])
            ON CONFLICT (deduplication_id) DO NOTHING
            """,
            (
                now,
                [str(uuid4()) for _ in outgoing],
                [one.deduplication_id for one in outgoing],
                [one.recipient for one in outgoing],
                [one.event for one in outgoing],
                [one.subject for one in outgoing],
                [one.text for one in outgoing],
            ),
        )

    async def list(self, recipient: str, page: Page) -> list[Notification]:
        rows = await self._database.fetch_all(
            """
            SELECT id, recipient, event, subject, text, create_time FROM notification
             WHERE recipient = %(recipient)s
               AND (%(time)s::timestamptz IS NULL OR (create_time, id) < (%(time)s, %(id)s))
             ORDER BY create_time DESC, id DESC LIMIT %(size)s
            """,
            {
                "recipient": recipient,
                **page.keyset,
            },
        )
        return [Notification(**row) for row in rows]
