"""SQL of uploads and media objects."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from servicekit.postgres.database import Database
from services.media.domain import Accepted, Announced, MediaObject, State, StoredImage
from services.media.images.rules import Code, Purpose, Rejection, RenditionKind
from services.media.uploads.quotas import HOUR, MONTH, Quota, Usage, enforce
from services.media.videos.rules import Client

# Of 64 bits, how many may differ between copies of one image that were scaled or encoded anew.
_NEAR_BITS = 10
_SELECT: LiteralString = """
SELECT media_object.*,
       (SELECT jsonb_object_agg(kind, to_jsonb(rendition) - 'media_object' - 'kind')
          FROM rendition WHERE media_object = id) AS renditions
  FROM media_object
"""


class MediaStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, media: MediaObject, quota: Quota) -> MediaObject:
        """Inserts the upload unless its id exists, and returns what has that id. Calls for the same
        owner are serialised by an advisory lock.

        Raises:
            ResourceExhausted: it exceeds the owner's quota.
        """
        async with self._database.transaction():
            await self._database.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('uploads of ' || %s, 0))",
                (media.owner,),
            )
            if (first := await self.get(media.id)) is not None:
                return first
            size_bytes = media.announced.size_bytes
            usage = await self._usage(media, quota.bytes_a_month - size_bytes)
            enforce(quota, usage, size_bytes, media.create_time)
            await self._insert(media)
        return media

    async def _usage(self, media: MediaObject, room_bytes: int) -> Usage:
        """The owner's usage before this upload, whose bytes fit once all others of the month are no
        more than `room_bytes`."""
        now = media.create_time
        row = await self._database.fetch_one(
            """
            SELECT count(*) FILTER (WHERE is_open) AS open_uploads,
                   min(expire_time) FILTER (WHERE is_open) AS next_expire_time,
                   count(*) FILTER (WHERE is_recent) AS uploads_an_hour,
                   min(create_time) FILTER (WHERE is_recent) AS hour_begin_time,
                   coalesce(sum(bytes), 0)::bigint AS bytes_a_month,
                   max(end_time) FILTER (WHERE bytes_until > %(room)s) AS bytes_end_time
              FROM (SELECT *, sum(bytes) OVER (ORDER BY end_time DESC) AS bytes_until
                      FROM media_object
                     CROSS JOIN LATERAL (
                           SELECT state = 'PENDING' AND expire_time > %(now)s AS is_open,
                                  create_time > %(now)s - %(hour)s AS is_recent) AS times
                     CROSS JOIN LATERAL (
                           SELECT CASE WHEN is_open THEN announced_size_bytes
                                       ELSE size_bytes END AS bytes,
                                  CASE WHEN is_open THEN expire_time
                                       ELSE create_time + %(month)s END AS end_time) AS shares
                     WHERE owner = %(owner)s AND create_time > %(now)s - %(month)s) AS uploads
            """,
            {"owner": media.owner, "now": now, "hour": HOUR, "month": MONTH, "room": room_bytes},
        )
        if row is None:
            raise AssertionError("an aggregate is one row")
        return Usage(**row)

    async def _insert(self, media: MediaObject) -> None:
        await self._database.execute(
            """
            INSERT INTO media_object (id, owner, purpose, state, announced_size_bytes,
                                      announced_sha256, announced_content_type, client,
                                      create_time, expire_time, sweep_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
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
                media.sweep_time,
            ),
        )

    async def get(self, media_id: str) -> MediaObject | None:
        found = await self.list_by_id([media_id])
        return found[0] if found else None

    async def list_by_id(self, media_ids: Sequence[str]) -> list[MediaObject]:
        """In the order of `media_ids`, without unknown ones."""
        rows = await self._database.fetch_all(
            _SELECT + "WHERE id = ANY(%s) ORDER BY array_position(%s, id)",
            (list(media_ids), list(media_ids)),
        )
        return [_media_object(row) for row in rows]

    async def finish(self, media: MediaObject, now: datetime) -> bool:
        """Writes the verdict; False if there is one already."""
        async with self._database.transaction():
            finished = await self._database.execute(
                """
                UPDATE media_object
                   SET state = %(state)s, rejections = %(rejections)s, finish_time = %(now)s,
                       size_bytes = %(size_bytes)s, sha256 = %(sha256)s,
                       content_type = %(content_type)s, width = %(width)s, height = %(height)s,
                       dhash = %(dhash)s, resembled = %(resembled)s, duration = %(duration)s
                 WHERE id = %(id)s AND state = 'PENDING'
                """,
                {
                    "id": media.id,
                    "state": media.state,
                    "rejections": Jsonb([asdict(rejection) for rejection in media.rejections]),
                    "now": now,
                    "resembled": media.resembled,
                    **_columns(media.accepted),
                },
            )
            if finished and media.accepted:
                await self._add_renditions(media.id, media.accepted.renditions)
        return finished == 1

    async def _add_renditions(
        self, media_id: str, renditions: Mapping[RenditionKind, StoredImage]
    ) -> None:
        await self._database.execute(
            """
            INSERT INTO rendition (media_object, kind, size_bytes, sha256, content_type,
                                   width, height)
            SELECT %s, kind, size_bytes, sha256, content_type, width, height
              FROM jsonb_to_recordset(%s) AS one (kind text, size_bytes bigint, sha256 text,
                                                  content_type text, width int, height int)
            """,
            (media_id, Jsonb([{"kind": kind, **asdict(renditions[kind])} for kind in renditions])),
        )

    async def find_resembled(self, dhash: int, owner: str) -> str | None:
        """The accepted image of another creator with the nearest hash, if one is near."""
        row = await self._database.fetch_one(
            # Scans every hash in a small index (0.1 s for a million), and reads rows for near ones.
            """
            WITH near AS MATERIALIZED (
                SELECT DISTINCT dhash, bit_count((dhash # %(dhash)s)::bit(64)) AS bits
                  FROM media_object
                 WHERE dhash IS NOT NULL
                   AND bit_count((dhash # %(dhash)s)::bit(64)) <= %(near)s
            )
            SELECT id FROM near CROSS JOIN LATERAL (
                SELECT id, finish_time FROM media_object
                 WHERE dhash = near.dhash AND owner <> %(owner)s
                 ORDER BY finish_time, id LIMIT 1
            ) AS first
             ORDER BY bits, finish_time, id
             LIMIT 1
            """,
            {"owner": owner, "dhash": _signed(dhash), "near": _NEAR_BITS},
        )
        return row["id"] if row else None

    async def set_has_text(self, media_id: str, has_text: bool) -> None:
        await self._database.execute(
            "UPDATE media_object SET has_text = %s WHERE id = %s", (has_text, media_id)
        )

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
            _SELECT + "WHERE sweep_time <= %s ORDER BY sweep_time LIMIT %s",
            (now, size),
        )
        return [_media_object(row) for row in rows]

    async def set_swept(self, media_id: str, now: datetime) -> None:
        """Records that quarantine is cleared, and deletes an upload that is still pending. One that
        was created anew meanwhile, with a later sweep time, is kept."""
        async with self._database.transaction():
            await self._database.execute(
                "DELETE FROM media_object WHERE id = %s AND sweep_time <= %s AND state = 'PENDING'",
                (media_id, now),
            )
            await self._database.execute(
                "UPDATE media_object SET sweep_time = NULL WHERE id = %s AND sweep_time <= %s",
                (media_id, now),
            )


def _columns(accepted: Accepted | None) -> dict[str, Any]:
    """Column values of an accepted object; all NULL without one."""
    return {
        "size_bytes": accepted.size_bytes if accepted else None,
        "sha256": accepted.sha256 if accepted else None,
        "content_type": accepted.content_type if accepted else None,
        "width": accepted.width if accepted else None,
        "height": accepted.height if accepted else None,
        "duration": accepted.duration if accepted else None,
        "dhash": _signed(accepted.dhash) if accepted and accepted.dhash is not None else None,
    }


def _signed(dhash: int) -> int:
    """The same 64 bits as a Postgres bigint."""
    return dhash - 2**64 if dhash >= 2**63 else dhash


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
        resembled=row["resembled"],
        has_text=row["has_text"],
    )


def _accepted(row: DictRow) -> Accepted:
    return Accepted(
        row["size_bytes"],
        row["sha256"],
        row["content_type"],
        row["width"],
        row["height"],
        renditions={
            RenditionKind(kind): StoredImage(**values)
            for kind, values in (row["renditions"] or {}).items()
        },
        dhash=None if row["dhash"] is None else row["dhash"] % 2**64,
        duration=row["duration"],
    )
