"""Failure matrix, row 21: a restored or moved database sends nothing until it was reconciled."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from psycopg import sql

from devstack.access import Access
from devstack.database import login
from devstack.database import owner as owner_of
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.kill_switch.store import KillSwitchStore
from services.payouts.store import PayoutStore
from tests.integration.payouts.bulk_postings import superuser
from tests.integration.payouts.harness import Harness, eventually, utc_now
from tests.integration.payouts.process_control import victim_of
from tests.integration.payouts.provider_reports import found, run
from tests.integration.payouts.reconciliation.calls import cause_of, reconcile, resume, send
from tests.integration.payouts.sandbox_admin import lag_behind
from tests.support.serving import refused
from workflows.payout.providers import ProviderName

if TYPE_CHECKING:  # the stubs' async faces are there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

PAID = payouts_pb2.Payout.STATE_PAID


THREE_HOURS_SECONDS = 3 * 3600.0


def kill_switch_of(harness: Harness) -> KillSwitchHandlers:
    return KillSwitchHandlers(KillSwitchStore(harness.database), harness.providers, utc_now)


async def until_paid(worker: "PayoutServiceAsyncStub", payout: str) -> None:
    async def is_paid() -> bool:
        request = payouts_pb2.RefreshPayoutRequest(name=f"payouts/{payout}")
        return (await worker.RefreshPayout(request)).state == PAID

    await eventually(is_paid)


Restore = Callable[[], Awaitable[str]]


@pytest.fixture
def restore(access: Access, harness: Harness, database_url: str) -> Restore:
    """Returns a function that copies the harness's database, as a restored backup does, and returns
    the copy's URL."""

    async def make() -> str:
        row = await harness.database.fetch_one("SELECT current_database() AS name")
        assert row is not None
        old, new = row["name"], f"{row['name']}_restored"
        names = {"old": sql.Identifier(old), "new": sql.Identifier(new)}
        async with await psycopg.AsyncConnection.connect(
            access.administrator_url, autocommit=True
        ) as connection:
            # A template may have no connections; the harness connects again.
            await connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
                [old],
            )
            await connection.execute(
                sql.SQL("CREATE DATABASE {new} TEMPLATE {old} STRATEGY FILE_COPY").format(**names)
            )
            await connection.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {new} TO {login}").format(
                    **names, login=sql.Identifier(login("payouts"))
                )
            )
        return database_url.replace(f"/{old}", f"/{new}")

    return make


async def test_row_21_a_restored_database_sends_nothing_until_reconciled(
    harness: Harness, restore: Restore
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p2")
    await kill_switch_of(harness).check_database_identity()
    await harness.send("p1")
    await harness.until("p1", PAID)
    assert found(await run(harness)) == []
    async with victim_of(harness, await restore()) as restored:
        reconciler = ReconciliationServiceStub(restored.served.as_operator())
        assert await cause_of(reconciler) == "RESTORED"
        with refused(Reason.PAYOUTS_HALTED):
            await send(restored.worker, "p2")
        # What was sent since the backup is not known before a reconciliation.
        with refused(Reason.ILLEGAL_STATE):
            await resume(reconciler)
        await lag_behind(harness, THREE_HOURS_SECONDS)
        assert await reconcile(reconciler) == []
        assert await cause_of(reconciler) == "RESTORED"
        await lag_behind(harness, 0)
        assert await reconcile(reconciler) == []
        assert await cause_of(reconciler) == ""
        assert harness.batches() == [("po-p1-1", "SUCCESS")]
        await send(restored.worker, "p2")
        await until_paid(restored.worker, "p2")
    assert [sender_id for sender_id, _ in harness.batches()] == ["po-p1-1", "po-p2-1"]


async def test_row_21_payments_missing_in_the_backup_are_found_and_not_paid_again(
    harness: Harness, restore: Restore
) -> None:
    """The payment was made after the backup."""
    await harness.due("p1", "anna@example.com")
    await kill_switch_of(harness).check_database_identity()
    backup = await restore()
    await harness.send("p1")
    await harness.until("p1", PAID)
    async with victim_of(harness, backup) as restored:
        reconciler = ReconciliationServiceStub(restored.served.as_operator())
        with refused(Reason.PAYOUTS_HALTED):
            await send(restored.worker, "p1")
        assert await reconcile(reconciler) == [("UNMATCHED", "payouts/p1")]
        kill_switch = await reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
        mismatch, moved = kill_switch.halts
        assert "mismatch" in mismatch.reason
        assert "database" in moved.reason
        await resume(reconciler)
        assert await cause_of(reconciler) == ""
        await send(restored.worker, "p1")
        await until_paid(restored.worker, "p1")
        # Known now, and no mismatch any more.
        assert await reconcile(reconciler) == []
    assert harness.batches() == [("po-p1-1", "SUCCESS")]


async def test_row_21_a_database_that_changes_under_a_running_service_is_halted(
    harness: Harness,
) -> None:
    """As in a fail-over: nothing is sent even before the watch notes it."""
    await harness.due("p1", "anna@example.com")
    await kill_switch_of(harness).check_database_identity()
    await kill_switch_of(harness).check_database_identity()
    assert await cause_of(harness.reconciler) == ""
    await harness.database.execute(
        """
        INSERT INTO database_identity
            (system_identifier, timeline, database_oid, table_oid, create_time)
        SELECT system_identifier, '000000FF', database_oid, table_oid, now() FROM database_identity
        """
    )
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p1")
    assert await cause_of(harness.reconciler) == "RESTORED"
    await asyncio.gather(*(kill_switch_of(harness).check_database_identity() for _ in range(3)))
    row = await harness.database.fetch_one("SELECT count(*) AS count FROM kill_switch_event")
    assert row is not None
    assert row["count"] == 1
    assert found(await run(harness)) == []
    # One provider alone is not enough.
    assert await cause_of(harness.reconciler) == "RESTORED"
    assert await reconcile(harness.reconciler) == []
    await harness.send("p1")
    await harness.until("p1", PAID)


async def test_row_21_an_empty_database_takes_the_first_identity(harness: Harness) -> None:
    await kill_switch_of(harness).check_database_identity()
    assert await cause_of(harness.reconciler) == ""


async def test_row_21_a_dump_loaded_into_the_same_database_is_another_database(
    access: Access, harness: Harness, owner: Database
) -> None:
    """It makes everything anew, and its rows are what they were."""
    await kill_switch_of(harness).check_database_identity()
    # A migration makes no other place, even one that writes the table anew.
    await owner.execute("ALTER TABLE payout ADD COLUMN more integer")
    await owner.execute("ALTER TABLE payout ALTER COLUMN more TYPE text")
    await kill_switch_of(harness).check_database_identity()
    assert await cause_of(harness.reconciler) == ""
    async with superuser(access, harness.database) as connection:
        await connection.execute("CREATE TABLE public.dumped AS TABLE database_identity")
        await connection.execute("DROP SCHEMA payouts CASCADE")
        await connection.execute(
            sql.SQL("CREATE SCHEMA payouts AUTHORIZATION {}").format(
                sql.Identifier(owner_of("payouts"))
            )
        )
        await migrate(owner, "services.payouts")
        await PayoutStore(owner).add_providers(ProviderName)
        await connection.execute(
            """
            INSERT INTO database_identity
                (system_identifier, timeline, database_oid, table_oid, create_time)
            SELECT system_identifier, timeline, database_oid, table_oid, create_time
              FROM public.dumped ORDER BY id
            """
        )
    await harness.due("p1", "anna@example.com")
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p1")
    await kill_switch_of(harness).check_database_identity()
    kill_switch = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    (halt,) = kill_switch.halts
    assert (halt.cause, halt.reason) == (
        pb.KillSwitch.CAUSE_RESTORED,
        "The identity of the database has changed (table)",
    )
