"""Failure matrix of payouts, rows in which the process or its caller goes away: each payment is
still made exactly once.

The process is a real one (`Victim`). A gate before the sandbox or a lock in Postgres stops it at
the row's point, and SIGKILL ends it. No test waits for time to pass: the next sender's clock is set
beyond the lease. Row 18 takes weeks: `tests/time_skipping/test_failure_matrix.py`. Rows of
reconciliation: `../reconciliation`.
"""

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from services.payouts.attempts import LEASE
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.process_control import (
    PAYOUTS_PATH,
    TOKEN_PATH,
    Held,
    blocked_by,
    gate_to,
    until_a_lock_is_awaited,
    victim_of,
)
from tests.integration.payouts.sending.assertions import (
    ONE_BATCH,
    attempt_of,
    ends_paid_once,
    is_unknown,
)
from tests.support.serving import refused


async def test_row_02_killed_before_the_reservation_commits(
    harness: Harness, database_url: str
) -> None:
    """A process killed between the first of two reservations and the second."""
    await harness.deposit(100_000)
    locks_second = """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        VALUES ('p2', 'acme', 'anna', 'USD', 1, 1, now())
    """
    async with victim_of(harness, database_url) as victim:
        async with blocked_by(database_url, locks_second):
            victim.reserve("p1", "p2")
            await until_a_lock_is_awaited(harness)
            await victim.kill()
        for payout in ("p1", "p2"):
            with refused(Reason.NOT_FOUND):
                await harness.get(payout)
        assert await harness.funds() == (100_000, 0)
    await harness.reserve("p1", "p2")
    assert await harness.funds() == (79_600, 20_400)
    await harness.balances()


async def test_row_03_killed_before_the_post(harness: Harness, database_url: str) -> None:
    """A process killed after it committed the attempt, while it fetches a token."""
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, TOKEN_PATH, Held.REQUEST) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.kill()
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_SENDING
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1")
    assert harness.batches() == []
    await harness.send_once("p1", later=LEASE)
    await ends_paid_once(harness)


async def test_row_04_killed_during_the_post(harness: Harness, database_url: str) -> None:
    """A process killed when the sandbox has accepted and its response is on its way. A later
    refusal leaves the attempt UNKNOWN, as after a lost response."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.RESPONSE) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.kill()
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1")
    await harness.behave("anna@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1", later=LEASE)
    await is_unknown(harness)
    await harness.behave("anna@example.com", "SUCCESS")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_05_killed_before_the_batch_id_is_stored(
    harness: Harness, database_url: str
) -> None:
    """A process killed when it has the sandbox's response and waits to lock the payout's row."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.RESPONSE) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        async with blocked_by(database_url, "SELECT FROM payout FOR UPDATE"):
            gate.opened.set()
            await until_a_lock_is_awaited(harness)
            await victim.kill()
    attempt = await attempt_of(harness)
    assert (attempt.state, attempt.provider_batch_id) == (pb.Attempt.STATE_SENDING, "")
    await harness.send_once("p1", later=LEASE)
    await ends_paid_once(harness)


async def test_row_14_killed_in_the_settling_transaction(
    harness: Harness, database_url: str
) -> None:
    """A process killed when it has inserted the transfer and waits for the account's row."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(ONE_BATCH)
    before = await harness.balances()
    account = "SELECT FROM account WHERE kind = 'reserved' FOR UPDATE"
    async with victim_of(harness, database_url) as victim, blocked_by(database_url, account):
        victim.refresh("p1")
        await until_a_lock_is_awaited(harness)
        await victim.kill()
    assert await harness.balances() == before
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_ACCEPTED
    await ends_paid_once(harness)


async def test_row_23_the_caller_gives_up_during_the_post(
    harness: Harness, database_url: str
) -> None:
    """The call to a real process is cancelled when the sandbox has accepted. The process goes on,
    and gets the response after another sender has adopted the batch."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.RESPONSE) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.give_up()
        assert (await attempt_of(harness)).state == pb.Attempt.STATE_SENDING
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await harness.send_once("p1")
        await harness.send_once("p1", later=LEASE)
        adopted = await harness.get("p1")
        assert adopted.attempts[0].provider_batch_id
        gate.opened.set()
    await ends_paid_once(harness)
