"""SQL of placements. A constraint keeps the placements of one slot from overlapping."""

from datetime import datetime
from typing import LiteralString

from psycopg.rows import DictRow

from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.media.publications.placements.domain import Placement

_SELECT: LiteralString = "SELECT * FROM placement WHERE true"
_EARLIEST_FIRST: LiteralString = " ORDER BY start_time, id LIMIT %(size)s"
_CANCEL: LiteralString = """
    UPDATE placement
       SET cancel_time = %(now)s,
           end_time = CASE WHEN start_time < %(now)s THEN %(now)s ELSE end_time END
     WHERE cancel_time IS NULL AND end_time > %(now)s
"""


class PlacementStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, placement: Placement) -> Placement | None:
        while not await self._insert(placement):
            # The placement that conflicted may have been cancelled since: then try again.
            if other := await self._conflicting(placement):
                return other
        return None

    async def get(self, placement_id: str) -> Placement | None:
        row = await self._database.fetch_one(
            "SELECT * FROM placement WHERE id = %s", (placement_id,)
        )
        return _placement(row) if row else None

    async def cancel(self, placement_id: str, now: datetime) -> None:
        await self._database.execute(f"{_CANCEL} AND id = %(id)s", {"id": placement_id, "now": now})

    async def cancel_all_of(self, publication_id: str, now: datetime) -> None:
        await self._database.execute(
            f"{_CANCEL} AND publication_id = %(id)s", {"id": publication_id, "now": now}
        )

    async def list_placements(
        self, slot: str | None, active_time: datetime | None, page: Page
    ) -> list[Placement]:
        conditions: list[tuple[bool, LiteralString]] = [
            (slot is not None, " AND slot = %(slot)s"),
            (
                active_time is not None,  # the same expression as in the index of the constraint
                " AND is_shown AND tstzrange(start_time, end_time) @> %(active)s::timestamptz",
            ),
            (page.after is not None, " AND (start_time, id) > (%(time)s, %(id)s)"),
        ]
        where: LiteralString = "".join(condition for is_set, condition in conditions if is_set)
        rows = await self._database.fetch_all(
            _SELECT + where + _EARLIEST_FIRST,
            {"slot": slot, "active": active_time, **page.keyset},
        )
        return [_placement(row) for row in rows]

    async def _insert(self, placement: Placement) -> bool:
        """False on a conflict; waits for a conflicting insert that is not committed yet."""
        added = await self._database.execute(
            """
            INSERT INTO placement (id, slot, publication_id, start_time, end_time, granted_by,
                                   create_time)
            VALUES (%s, %s, %s, %s, %s, %s, %s)
            ON CONFLICT DO NOTHING
            """,
            (
                placement.id,
                placement.slot,
                placement.publication_id,
                placement.start_time,
                placement.end_time,
                placement.granted_by,
                placement.create_time,
            ),
        )
        return added == 1

    async def _conflicting(self, placement: Placement) -> Placement | None:
        row = await self._database.fetch_one(
            """
            SELECT * FROM placement
             WHERE slot = %s AND is_shown AND start_time < %s AND %s < end_time
             ORDER BY start_time LIMIT 1
            """,
            (placement.slot, placement.end_time, placement.start_time),
        )
        return _placement(row) if row else None


def _placement(row: DictRow) -> Placement:
    return Placement(
        id=row["id"],
        slot=row["slot"],
        publication_id=row["publication_id"],
        start_time=row["start_time"],
        end_time=row["end_time"],
        granted_by=row["granted_by"],
        create_time=row["create_time"],
        cancel_time=row["cancel_time"],
    )
