"""Rows 21 and 22 of the failure matrix, on PayPal's sandbox and its reports: a database that is not
the one it was sends nothing before it was reconciled, and what does not match stops all sending."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

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
from servicekit.money import Money
from servicekit.postgres.database import Database
from servicekit.postgres.migrator import migrate
from services.payouts.kill_switch.handlers import KillSwitchHandlers, halt_for_mismatch
from services.payouts.reconciliation import comparison
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.bulk import superuser
from tests.integration.payouts.harness import Harness, eventually, usd, utc_now
from tests.integration.payouts.killing import TOKEN_PATH, Held, gate_to, victim_of
from tests.integration.payouts.reporting import found, run
from tests.integration.payouts.tampering import change_item, change_line, lag_behind, use_account
from tests.support.serving import refused, request_id

if TYPE_CHECKING:  # the stubs' async faces are there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceAsyncStub

PAID = payouts_pb2.Payout.STATE_PAID
THREE_HOURS_SECONDS = 3 * 3600.0


def switch_of(harness: Harness) -> KillSwitchHandlers:
    return KillSwitchHandlers(PostgresPayoutStore(harness.database), harness.providers, utc_now)


async def cause_of(reconciler: "ReconciliationServiceAsyncStub") -> str:
    """Why nothing is sent, the latest halt's cause; empty where payouts are sent."""
    sending = await reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert sending.is_halted == bool(sending.halts)
    causes = [pb.KillSwitch.Cause.Name(halt.cause) for halt in sending.halts[:1]]
    return "".join(causes).removeprefix("CAUSE_")


async def resume(reconciler: "ReconciliationServiceAsyncStub") -> pb.KillSwitch:
    return await reconciler.ResumePayouts(
        pb.ResumePayoutsRequest(reason="Looked at", request_id=request_id())
    )


async def reconcile(reconciler: "ReconciliationServiceAsyncStub") -> list[tuple[str, str]]:
    """Every provider; what was found."""
    findings: list[tuple[str, str]] = []
    for provider in (payouts_pb2.PROVIDER_PAYPAL, payouts_pb2.PROVIDER_BANK_TRANSFER):
        request = pb.RunReconciliationRequest(request_id=request_id(), provider=provider)
        findings += found(await reconciler.RunReconciliation(request))
    return findings


async def send(worker: "PayoutServiceAsyncStub", payout: str) -> payouts_pb2.Payout:
    return await worker.SendPayout(
        payouts_pb2.SendPayoutRequest(name=f"payouts/{payout}", attempt=1)
    )


async def comes_to_be_paid(worker: "PayoutServiceAsyncStub", payout: str) -> None:
    async def is_paid() -> bool:
        request = payouts_pb2.RefreshPayoutRequest(name=f"payouts/{payout}")
        return (await worker.RefreshPayout(request)).state == PAID

    await eventually(is_paid)


# Row 21

Restore = Callable[[], Awaitable[str]]


@pytest.fixture
def restore(access: Access, harness: Harness, database_url: str) -> Restore:
    """A function that makes a copy of the harness's database as it is then, which lives elsewhere,
    as a restored backup does; the copy's URL."""

    async def make() -> str:
        row = await harness.database.fetch_one("SELECT current_database() AS name")
        assert row is not None
        old, new = row["name"], f"{row['name']}_restored"
        names = {"old": sql.Identifier(old), "new": sql.Identifier(new)}
        async with await psycopg.AsyncConnection.connect(
            access.administrator_url, autocommit=True
        ) as connection:
            # Nobody may be connected to what is copied; the harness connects again.
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


async def test_row_21_a_restored_database_sends_nothing_until_it_was_reconciled(
    harness: Harness, restore: Restore
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p2")
    await switch_of(harness).check_database_identity()
    await harness.send("p1")
    await harness.until("p1", PAID)
    assert found(await run(harness)) == []
    async with victim_of(harness, await restore()) as restored:
        reconciler = ReconciliationServiceStub(restored._served.as_operator())
        assert await cause_of(reconciler) == "RESTORED"
        with refused(Reason.PAYOUTS_HALTED):
            await send(restored.worker, "p2")
        # Nobody knows yet what was sent since the backup, and no person can.
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
        await comes_to_be_paid(restored.worker, "p2")
    assert [sender_id for sender_id, _ in harness.batches()] == ["po-p1-1", "po-p2-1"]


async def test_row_21_what_the_backup_lacks_is_found_and_not_paid_again(
    harness: Harness, restore: Restore
) -> None:
    """The payment was made after the backup."""
    await harness.due("p1", "anna@example.com")
    await switch_of(harness).check_database_identity()
    backup = await restore()
    await harness.send("p1")
    await harness.until("p1", PAID)
    async with victim_of(harness, backup) as restored:
        reconciler = ReconciliationServiceStub(restored._served.as_operator())
        with refused(Reason.PAYOUTS_HALTED):
            await send(restored.worker, "p1")
        assert await reconcile(reconciler) == [("UNMATCHED", "payouts/p1")]
        sending = await reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
        mismatch, moved = sending.halts
        assert "mismatch" in mismatch.reason
        assert "database" in moved.reason
        await resume(reconciler)
        assert await cause_of(reconciler) == ""
        await send(restored.worker, "p1")
        await comes_to_be_paid(restored.worker, "p1")
        # Known now, and no mismatch any more.
        assert await reconcile(reconciler) == []
    assert harness.batches() == [("po-p1-1", "SUCCESS")]


async def test_row_21_a_database_that_moves_under_a_running_service(harness: Harness) -> None:
    """As in a fail-over: nothing is sent even before the watch notes it."""
    await harness.due("p1", "anna@example.com")
    await switch_of(harness).check_database_identity()
    await switch_of(harness).check_database_identity()
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
    await asyncio.gather(*(switch_of(harness).check_database_identity() for _ in range(3)))
    row = await harness.database.fetch_one("SELECT count(*) AS count FROM kill_switch_event")
    assert row is not None
    assert row["count"] == 1
    assert found(await run(harness)) == []
    # One provider alone is not enough.
    assert await cause_of(harness.reconciler) == "RESTORED"
    assert await reconcile(harness.reconciler) == []
    await harness.send("p1")
    await harness.until("p1", PAID)


async def test_row_21_an_empty_database_is_where_it_is_found(harness: Harness) -> None:
    await switch_of(harness).check_database_identity()
    assert await cause_of(harness.reconciler) == ""


async def test_row_21_a_dump_that_is_loaded_into_the_same_database_is_another_one(
    access: Access, harness: Harness, owner: Database
) -> None:
    """It makes everything anew, and its rows are what they were."""
    await switch_of(harness).check_database_identity()
    # A migration makes no other place, even one that writes the table anew.
    await owner.execute("ALTER TABLE payout ADD COLUMN more integer")
    await owner.execute("ALTER TABLE payout ALTER COLUMN more TYPE text")
    await switch_of(harness).check_database_identity()
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
    await switch_of(harness).check_database_identity()
    sending = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    (halt,) = sending.halts
    assert (halt.cause, halt.reason) == (
        pb.KillSwitch.CAUSE_RESTORED,
        "The database is another one than it was (another table)",
    )


# Row 22


async def _foreign(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await use_account(harness, 500)


async def _second_payment(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await use_account(harness, 10_000, "po-p1-1")


async def _missing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nobody waits a day here.
    monkeypatch.setattr(comparison, "MATCH_DEADLINE", timedelta())
    await change_line(harness, "p1", is_reported=False)


async def _other_amount(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", amount="-99.00")


async def _other_fee(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", fee="-2.01")


async def _other_currency(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", currency="EUR")


@pytest.mark.parametrize(
    ("tamper", "findings"),
    [
        (_foreign, [("UNMATCHED", "")]),
        (_second_payment, [("UNMATCHED", "payouts/p1")]),
        (_missing, [("MISSING", "payouts/p1")]),
        (_other_amount, [("DIFFERENT", "payouts/p1")]),
        (_other_fee, [("DIFFERENT", "payouts/p1")]),
        (_other_currency, [("DIFFERENT", "payouts/p1")]),
    ],
)
async def test_row_22_what_does_not_match_stops_all_sending(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tamper: Any, findings: list[tuple[str, str]]
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p2")
    await harness.send("p1")
    await harness.until("p1", PAID)
    await tamper(harness, monkeypatch)
    done = await run(harness)
    assert found(done) == findings
    assert done.mismatch_count == 1
    if tamper is _other_fee:
        (fees,) = done.findings
        assert fees.provider_amount == fees.ledger_amount
        assert (fees.provider_fee, fees.ledger_fee) == (usd(201), usd(200))
    assert await cause_of(harness.reconciler) == "MISMATCH"
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    # What was sent goes on.
    assert (await harness.refresh("p1")).state == PAID
    # Found once, and never lifted by itself.
    assert found(await run(harness)) == []
    assert await cause_of(harness.reconciler) == "MISMATCH"
    assert len(harness.batches()) == 1
    await resume(harness.reconciler)
    await harness.send("p2")
    await harness.until("p2", PAID)
    assert len(harness.batches()) == 2


async def test_row_22_what_a_payout_may_come_to_is_no_mismatch(harness: Harness) -> None:
    """Paid, never claimed and taken back, held and then denied, refunded and reversed, with and
    without a webhook: whatever moved is in the ledger afterwards."""
    await harness.deposit(1_000_000)
    receivers = {
        "paid": "anna@example.com",
        "unclaimed": "unclaimed@example.com",
        "recalled": "unclaimed@example.com",
        "onhold": "onhold@example.com",
        "failed": "failed-late@example.com",
        "refunded": "anna@example.com",
        "reversed": "anna@example.com",
    }
    for payout, receiver in receivers.items():
        await harness.creator(payout, receiver)
        await harness.reserve(payout, creator=payout)
        await harness.send(payout)
    for payout in ("paid", "refunded", "reversed"):
        await harness.until(payout, PAID)
    for payout in ("unclaimed", "recalled"):
        await harness.until(payout, payouts_pb2.Payout.STATE_UNCLAIMED)

    async def is_held() -> bool:
        (attempt,) = (await harness.refresh("onhold")).attempts
        return attempt.provider_state == "ONHOLD"

    await eventually(is_held)
    first = await run(harness)
    assert found(first) == []
    (total,) = first.totals
    assert total.open_amount == Money("USD", 30_000).to_message()
    assert total.provider_amount == total.ledger_amount == Money("USD", 30_000).to_message()
    await harness.recall("recalled")
    await change_item(harness, "onhold", "FAILED")
    await change_item(harness, "refunded", "REFUNDED")
    await change_item(harness, "reversed", "REVERSED")
    second = await run(harness)
    assert sorted(found(second)) == [
        ("CORRECTED", "payouts/refunded"),
        ("CORRECTED", "payouts/reversed"),
    ]
    (total,) = second.totals
    assert total.open_amount == Money("USD", 10_000).to_message()
    assert total.provider_amount == total.ledger_amount == Money("USD", -20_000).to_message()
    assert total.provider_fee == total.ledger_fee
    await change_item(harness, "unclaimed", "SUCCESS")
    third = await run(harness)
    assert found(third) == [("CORRECTED", "payouts/unclaimed")]
    assert third.totals[0].open_amount == Money("USD", 0).to_message()
    assert await cause_of(harness.reconciler) == ""
    balances = await harness.balances()
    assert balances["provider/paypal"] == 20_000


# The switch


async def halt(harness: Harness) -> pb.KillSwitch:
    return await harness.reconciler.HaltPayouts(
        pb.HaltPayoutsRequest(reason="A restore is coming", request_id=request_id())
    )


async def test_an_operator_halts_and_resumes(harness: Harness) -> None:
    nothing = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert nothing == pb.KillSwitch()
    halted = await halt(harness)
    assert halted.is_halted
    (halt_of_olga,) = halted.halts
    assert halt_of_olga.cause == pb.KillSwitch.CAUSE_OPERATOR
    assert (halt_of_olga.reason, halt_of_olga.actor) == ("A restore is coming", "staff/olga")
    assert found(await run(harness)) == []
    # A reconciliation is no reason to go on.
    assert await cause_of(harness.reconciler) == "OPERATOR"
    await resume(harness.reconciler)
    resumed = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert (resumed.is_halted, resumed.resume.reason) == (False, "Looked at")
    # Again, there is nothing to be lifted.
    assert list((await resume(harness.reconciler)).lifted_halts) == []


async def test_who_resumes_is_told_what_that_lifts(harness: Harness) -> None:
    mine, theirs = (await halt(harness)).halts[0], (await halt(harness)).halts[0]
    resumed = await resume(harness.reconciler)
    assert list(resumed.lifted_halts) == [theirs, mine]
    assert not resumed.halts
    later = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert (later.resume, list(later.lifted_halts)) == (resumed.resume, [])


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
async def test_a_halt_needs_a_reason(harness: Harness, reason: str) -> None:
    with refused(Reason.INVALID_FIELDS, "reason"):
        await harness.reconciler.HaltPayouts(
            pb.HaltPayoutsRequest(reason=reason, request_id=request_id())
        )


async def test_a_halt_stops_a_sender_that_is_about_to_post(
    harness: Harness, database_url: str
) -> None:
    """It had taken its attempt, and was on its way to a token."""
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, TOKEN_PATH, Held.CALL) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        call = asyncio.create_task(send(victim.worker, "p1"))
        await gate.reached.wait()
        await halt(harness)
        gate.opened.set()
        with refused(Reason.PAYOUTS_HALTED):
            await call
    (attempt,) = (await harness.get("p1")).attempts
    # Surely not ordered, so it is in no doubt.
    assert attempt.state == payouts_pb2.Attempt.STATE_SENDING
    assert attempt.error_code == "PAYOUTS_HALTED"
    assert harness.batches() == []
    await resume(harness.reconciler)
    await harness.send("p1")
    await harness.until("p1", PAID)
    assert harness.batches() == [("po-p1-1", "SUCCESS")]


async def test_for_one_mismatch_there_is_one_halt(harness: Harness) -> None:
    reason = "payouts/p1: attempt 1 was paid after it had failed"
    store = harness.payments._store
    await asyncio.gather(*(halt_for_mismatch(store, reason, utc_now()) for _ in range(3)))
    (halt,) = (await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())).halts
    assert (halt.cause, halt.reason) == (pb.KillSwitch.CAUSE_MISMATCH, reason)
    await resume(harness.reconciler)
    # A webhook that is told again does not undo what a person decided.
    await halt_for_mismatch(store, reason, utc_now())
    assert await cause_of(harness.reconciler) == ""
    another = "payouts/p1: attempt 2 was paid after it had failed"
    await halt_for_mismatch(store, another, utc_now())
    assert await cause_of(harness.reconciler) == "MISMATCH"
