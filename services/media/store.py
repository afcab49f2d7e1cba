"""The media service's SQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from servicekit.database import Database
from services.media.domain import Accepted, Announced, MediaObject, State, StoredImage
from services.media.images import Code, Purpose, Rejection
from services.media.videos import Client


class PostgresMediaStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, media: MediaObject) -> MediaObject:
        await self._database.execute(
            """
            INSERT INTO media_object (id, owner, purpose, state, announced_size_bytes,
                                      announced_sha256, announced_content_type, client,
                                      create_time, expire_time, sweep_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT (id) DO NOTHING
            """,
            (
                media.id,
                media.owner,
                media.purpose,
                media.state,
                media.announced.size_bytes,
                media.announced.sha256,
                media.announced.content_type,
                media.announced.client,
                media.create_time,
                media.expire_time,
                media.expire_time,
            ),
        )
        return await self.get(media.id) or media

    async def get(self, media_id: str) -> MediaObject | None:
        found = await self.list_by_id([media_id])
        return found[0] if found else None

    async def list_by_id(self, media_ids: Sequence[str]) -> list[MediaObject]:
        rows = await self._database.fetch_all(
            "SELECT * FROM media_object WHERE id = ANY(%s) ORDER BY array_position(%s, id)",
            (list(media_ids), list(media_ids)),
        )
        return [_media_object(row) for row in rows]

    async def finish(self, media: MediaObject, now: datetime) -> bool:
        accepted = media.accepted
        finished = await self._database.execute(
            """
            UPDATE media_object
               SET state = %(state)s, rejections = %(rejections)s, finish_time = %(now)s,
                   size_bytes = %(size_bytes)s, sha256 = %(sha256)s,
                   content_type = %(content_type)s, width = %(width)s, height = %(height)s,
                   duration = %(duration)s, poster = %(poster)s
             WHERE id = %(id)s AND state = 'PENDING'
            """,
            {
                "id": media.id,
                "state": media.state,
                "rejections": Jsonb([asdict(rejection) for rejection in media.rejections]),
                "now": now,
                "size_bytes": accepted.size_bytes if accepted else None,
                "sha256": accepted.sha256 if accepted else None,
                "content_type": accepted.content_type if accepted else None,
                "width": accepted.width if accepted else None,
                "height": accepted.height if accepted else None,
                "duration": accepted.duration if accepted else None,
                "poster": Jsonb(asdict(accepted.poster)) if accepted and accepted.poster else None,
            },
        )
        return finished == 1

    async def hold(self, media_ids: Sequence[str], holder: str, brand_id: str | None) -> None:
        await self._database.execute(
            """
            INSERT INTO hold (media_object, holder, brand_id)
            SELECT id, %s, %s FROM unnest(%s::text[]) AS id ORDER BY id
            ON CONFLICT DO NOTHING
            """,
            (holder, brand_id, list(media_ids)),
        )

    async def is_held_for(self, media_id: str, brand_id: str) -> bool:
        row = await self._database.fetch_one(
            "SELECT FROM hold WHERE media_object = %s AND brand_id = %s LIMIT 1",
            (media_id, brand_id),
        )
        return row is not None

    async def list_to_sweep(self, now: datetime, size: int) -> list[MediaObject]:
        rows = await self._database.fetch_all(
            "SELECT * FROM media_object WHERE sweep_time <= %s ORDER BY sweep_time LIMIT %s",
            (now, size),
        )
        return [_media_object(row) for row in rows]

    async def set_swept(self, media_id: str) -> None:
        async with self._database.transaction():
            await self._database.execute(
                "DELETE FROM media_object WHERE id = %s AND state = 'PENDING'", (media_id,)
            )
            await self._database.execute(
                "UPDATE media_object SET sweep_time = NULL WHERE id = %s", (media_id,)
            )


def _media_object(row: DictRow) -> MediaObject:
    state = State(row["state"])
    return MediaObject(
        id=row["id"],
        owner=row["owner"],
        purpose=Purpose(row["purpose"]),
        announced=Announced(
            row["announced_size_bytes"],
            row["announced_sha256"],
            row["announced_content_type"],
            Client(row["client"]) if row["client"] else None,
        ),
        create_time=row["create_time"],
        expire_time=row["expire_time"],
        state=state,
        rejections=tuple(
            Rejection(Code(item["code"]), item["rule_id"], item["description"])
            for item in row["rejections"]
        ),
        accepted=_accepted(row) if state is State.ACCEPTED else None,
    )


def _accepted(row: DictRow) -> Accepted:
    return Accepted(
        row["size_bytes"],
        row["sha256"],
        row["content_type"],
        row["width"],
        row["height"],
        row["duration"],
        StoredImage(**row["poster"]) if row["poster"] else None,
    )
