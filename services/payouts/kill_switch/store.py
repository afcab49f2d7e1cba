"""SQL of the kill switch."""

from contextlib import AbstractAsyncContextManager
from datetime import datetime

from psycopg.rows import DictRow

from servicekit.postgres.database import Database
from services.payouts.kill_switch.handlers import (
    Cause,
    DatabaseIdentity,
    Event,
    EventKind,
    KillSwitch,
    ReconciledUntil,
    ReconciledUntilByProvider,
)
from workflows.payout.providers import ProviderName


class KillSwitchStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    def transaction(self) -> AbstractAsyncContextManager[None]:
        return self._database.transaction()

    async def lock_kill_switch(self) -> None:
        """Serializes lifting halts and saving identities until the transaction ends."""
        await self._database.execute(
            "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.kill_switch'))"
        )

    async def halts(self) -> list[Event]:
        """Active halts, the latest first."""
        rows = await self._database.fetch_all(
            "SELECT * FROM active_halt ORDER BY create_time DESC, id DESC"
        )
        return [_event(row) for row in rows]

    async def kill_switch(self) -> KillSwitch:
        row = await self._database.fetch_one(
            "SELECT * FROM kill_switch_event ORDER BY id DESC LIMIT 1"
        )
        return KillSwitch(tuple(await self.halts()), _event(row) if row else None)

    async def add_event(self, event: Event) -> None:
        await self._database.execute(
            """
            INSERT INTO kill_switch_event (kind, cause, reason, actor, lifts_id, create_time)
            VALUES (%s, %s, %s, %s, %s, %s)
            """,
            (event.kind, event.cause, event.reason, event.actor, event.lifts_id, event.time),
        )

    async def has_halted(self, cause: Cause, reason: str) -> bool:
        """Whether there ever was such a halt, lifted or not."""
        row = await self._database.fetch_one(
            "SELECT FROM kill_switch_event WHERE kind = 'HALT' AND cause = %s AND reason = %s",
            (cause, reason),
        )
        return row is not None

    async def reconciled_until(self) -> ReconciledUntilByProvider:
        """Last reconciliation of each provider that has any."""
        rows = await self._database.fetch_all(
            """
            SELECT DISTINCT ON (provider) provider, end_time, mismatch_count > 0 AS has_mismatches
              FROM reconciliation ORDER BY provider, end_time DESC
            """
        )
        return {
            ProviderName(row["provider"]): ReconciledUntil(row["end_time"], row["has_mismatches"])
            for row in rows
        }

    async def known_identity(self) -> DatabaseIdentity | None:
        row = await self._database.fetch_one(
            "SELECT * FROM database_identity ORDER BY id DESC LIMIT 1"
        )
        return _identity(row) if row else None

    async def current_identity(self) -> DatabaseIdentity:
        row = await self._database.fetch_one("SELECT * FROM current_database_identity")
        if row is None:
            raise AssertionError("current_database_identity has one row")
        return _identity(row)

    async def save_identity(self, identity: DatabaseIdentity, now: datetime) -> None:
        await self._database.execute(
            """
            INSERT INTO database_identity
                (system_identifier, timeline, database_oid, table_oid, create_time)
            VALUES (%s, %s, %s, %s, %s)
            """,
            (
                identity.system_identifier,
                identity.timeline,
                identity.database_oid,
                identity.table_oid,
                now,
            ),
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


def _identity(row: DictRow) -> DatabaseIdentity:
    return DatabaseIdentity(
        row["system_identifier"], row["timeline"], row["database_oid"], row["table_oid"]
    )
