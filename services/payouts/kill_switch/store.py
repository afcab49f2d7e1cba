"""The SQL of the switch that stops all sending."""

from datetime import datetime

from psycopg.rows import DictRow

from servicekit.postgres.database import Database
from services.payouts.domain import ProviderName
from services.payouts.kill_switch.handlers import (
    Cause,
    Event,
    EventKind,
    Place,
    Reach,
    Reaches,
    Sending,
)


class PostgresSwitch:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def lock_switch(self) -> None:
        """Who lifts a halt, or notes where the database is, does so alone in this transaction."""
        await self._database.execute(
            "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.sending'))"
        )

    async def halts(self) -> list[Event]:
        """What stops all sending, the latest first; a halt is seen as soon as it has committed."""
        rows = await self._database.fetch_all(
            "SELECT * FROM sending_halt ORDER BY create_time DESC, id DESC"
        )
        return [_event(row) for row in rows]

    async def sending(self) -> Sending:
        row = await self._database.fetch_one("SELECT * FROM sending_event ORDER BY id DESC LIMIT 1")
        return Sending(tuple(await self.halts()), _event(row) if row else None)

    async def add_event(self, event: Event) -> None:
        await self._database.execute(
            """
            INSERT INTO sending_event (kind, cause, reason, actor, lifts_id, create_time)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            (event.kind, event.cause, event.reason, event.actor, event.lifts_id, event.time),
        )

    async def has_halted(self, cause: Cause, reason: str) -> bool:
        """Ever."""
        row = await self._database.fetch_one(
            "SELECT FROM sending_event WHERE kind = 'HALT' AND cause = %s AND reason = %s",
            (cause, reason),
        )
        return row is not None

    async def reaches(self) -> Reaches:
        """Of the providers that were ever reconciled."""
        rows = await self._database.fetch_all(
            """
            SELECT DISTINCT ON (provider) provider, end_time, mismatch_count > 0 AS has_mismatches
              FROM reconciliation ORDER BY provider, end_time DESC
            """
        )
        return {
            ProviderName(row["provider"]): Reach(row["end_time"], row["has_mismatches"])
            for row in rows
        }

    async def known_place(self) -> Place | None:
        row = await self._database.fetch_one("SELECT * FROM place ORDER BY id DESC LIMIT 1")
        return _place(row) if row else None

    async def present_place(self) -> Place:
        row = await self._database.fetch_one("SELECT * FROM present_place")
        if row is None:
            raise AssertionError("a database is somewhere")
        return _place(row)

    async def keep_place(self, place: Place, now: datetime) -> None:
        await self._database.execute(
            """
            INSERT INTO place (system_identifier, timeline, database_oid, table_oid, create_time)
            VALUES (%s, %s, %s, %s, %s)
            """,
            (place.system_identifier, place.timeline, place.database_oid, place.table_oid, now),
        )


def _event(row: DictRow) -> Event:
    return Event(
        EventKind(row["kind"]),
        Cause(row["cause"]),
        row["reason"],
        row["actor"],
        row["create_time"],
        row["lifts_id"],
        row["id"],
    )


def _place(row: DictRow) -> Place:
    return Place(row["system_identifier"], row["timeline"], row["database_oid"], row["table_oid"])
