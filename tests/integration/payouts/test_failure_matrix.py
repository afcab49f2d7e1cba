"""The failure matrix of payouts: each row breaks something at one very point, and money is paid
once all the same. Row 18 takes weeks: it is in `tests/time_skipping/test_failure_matrix.py`.

A process that dies is a real one (`Victim`), stopped at that point by a gate before the sandbox or
by a lock in Postgres, and killed with SIGKILL. Time is never waited for: the next sender's clock is
set beyond the lease.
"""

import asyncio
from dataclasses import replace
from typing import Any

import httpx
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from structlog.testing import capture_logs

from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from services.payouts.attempts import LEASE, Attempt
from services.payouts.domain import Payout
from services.payouts.providers.paypal import client as paypal
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.registry import providers_of
from services.payouts.sending.sender import SendPayout
from services.payouts.store import PayoutStore
from tests.integration.payouts.harness import Harness, paypal_settings, utc_now
from tests.integration.payouts.process_control import (
    PAYOUTS_PATH,
    TOKEN_PATH,
    Held,
    blocked_by,
    gate_to,
    until_one_waits,
    victim_of,
)
from tests.integration.payouts.sandbox_admin import change_item
from tests.integration.payouts.scripted_paypal import (
    CREATED,
    DUPLICATE,
    Answer,
    Answering,
    shown_batch,
)
from tests.integration.payouts.webhook_signing import Signer, batch_event
from tests.support.serving import refused

ONE_BATCH = ("po-p1-1", "SUCCESS")
RELEASE = pb.ReleaseRewardRequest(name="payouts/p1")


async def attempt_of(harness: Harness) -> pb.Attempt:
    return (await harness.get("p1")).attempts[0]


async def ends_paid_once(harness: Harness) -> None:
    """The payout comes to its end by looking alone, and the provider paid one batch."""
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.batches() == [ONE_BATCH]
    assert await harness.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def is_in_doubt(harness: Harness) -> None:
    """The hold is kept, and no second attempt is made."""
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_UNKNOWN
    assert (await harness.funds())[1] == 10_200
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(RELEASE)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


async def test_row_01_repeated_requests_make_one_payout(harness: Harness) -> None:
    """Reservations and sends at once, as duplicate approvals and retries make them."""
    await harness.deposit(100_000)
    await harness.creator("anna", "anna@example.com")
    await asyncio.gather(*(harness.reserve("p1") for _ in range(6)))
    for terms in ({"minor": 9_999}, {"creator": "eve"}):
        with refused(Reason.INVALID_FIELDS, "reservations[0].payout"):
            await harness.reserve("p1", **terms)  # type: ignore[arg-type]  # each is its parameter's
    assert await harness.funds() == (89_800, 10_200)
    answers = await asyncio.gather(*(harness.send("p1") for _ in range(6)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, LiaisonError)
            assert answer.is_retryable
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_02_killed_before_the_reservation_commits(
    harness: Harness, database_url: str
) -> None:
    """A process killed between the first of two reservations and the second."""
    await harness.deposit(100_000)
    second_is_taken = """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        VALUES ('p2', 'acme', 'anna', 'USD', 1, 1, now())
    """
    async with victim_of(harness, database_url) as victim:
        async with blocked_by(database_url, second_is_taken):
            victim.reserve("p1", "p2")
            await until_one_waits(harness)
            await victim.kill()
        for payout in ("p1", "p2"):
            with refused(Reason.NOT_FOUND):
                await harness.get(payout)
        assert await harness.funds() == (100_000, 0)
    await harness.reserve("p1", "p2")
    assert await harness.funds() == (79_600, 20_400)
    await harness.balances()


async def test_row_03_killed_before_the_post(harness: Harness, database_url: str) -> None:
    """A process killed after it had committed that it sends, on its way to get a token."""
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, TOKEN_PATH, Held.CALL) as (gate, url),
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


@pytest.mark.parametrize("receiver", ["drop-answer@example.com", "error-500-after-accept@e.com"])
async def test_row_04_the_answer_is_lost(harness: Harness, receiver: str) -> None:
    """The sandbox accepts, and its answer does not come."""
    harness.lose_webhooks()
    await harness.due("p1", receiver)
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await harness.refresh("p1")
    await is_in_doubt(harness)
    adopted = await harness.send("p1")
    assert adopted.attempts[0].provider_batch_id
    await ends_paid_once(harness)


async def test_row_04_killed_while_the_post_runs(harness: Harness, database_url: str) -> None:
    """A process killed when the sandbox has accepted and the answer is on its way. To be refused
    afterwards proves no more than after an answer that was lost."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
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
    await is_in_doubt(harness)
    await harness.behave("anna@example.com", "SUCCESS")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_05_killed_before_the_batch_id_is_stored(
    harness: Harness, database_url: str
) -> None:
    """A process killed with the sandbox's answer in hand, waiting for the row to note it in."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        async with blocked_by(database_url, "SELECT FROM payout FOR UPDATE"):
            gate.opened.set()
            await until_one_waits(harness)
            await victim.kill()
    attempt = await attempt_of(harness)
    assert (attempt.state, attempt.provider_batch_id) == (pb.Attempt.STATE_SENDING, "")
    await harness.send_once("p1", later=LEASE)
    await ends_paid_once(harness)


@pytest.mark.parametrize("status", [400, 403])
async def test_row_06_a_first_refusal_ends_the_attempt_and_frees_the_hold(
    harness: Harness, answering: Answering, status: int
) -> None:
    """The hold stays the payout's, and serves another attempt or goes back to the brand."""
    send = await answering((status, {"name": "NO"}))
    with capture_logs() as logs:
        await send()
    assert [log["code"] for log in logs if log["log_level"] == "error"] == ["NO"]
    payout = await harness.get("p1")
    assert payout.state == pb.Payout.STATE_FAILED
    assert payout.attempts[0].state == pb.Attempt.STATE_FAILED
    assert payout.attempts[0].error_code == "NO"
    for _ in range(2):
        await harness.worker.ReleaseReward(RELEASE)
        assert await harness.funds() == (100_000, 0)


async def test_row_07_short_funds_keep_the_hold_and_the_id(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.behave("anna@example.com", "INSUFFICIENT_FUNDS")
    with capture_logs() as logs, refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1")
    errors = [log["code"] for log in logs if log["log_level"] == "error"]
    assert errors == ["INSUFFICIENT_FUNDS"]
    waiting = await harness.get("p1")
    assert waiting.state == pb.Payout.STATE_SENDING
    assert waiting.attempts[0].state == pb.Attempt.STATE_SENDING
    assert waiting.attempts[0].error_code == "INSUFFICIENT_FUNDS"
    assert await harness.funds() == (89_800, 10_200)
    await harness.behave("anna@example.com", "SUCCESS")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_07_too_many_requests_keep_the_id(harness: Harness, answering: Answering) -> None:
    send = await answering((429, {"name": "RATE_LIMIT_REACHED"}), (201, CREATED))
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await send()
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_SENDING
    assert await harness.funds() == (89_800, 10_200)
    await send()
    assert (await attempt_of(harness)).provider_batch_id == "B1"


@pytest.mark.parametrize("refusal", [(400, {"name": "NO"}), (403, {"name": "NO"})])
async def test_row_08_a_refusal_after_a_doubt_proves_nothing(
    harness: Harness, answering: Answering, refusal: Answer
) -> None:
    send = await answering((500, b""), refusal)
    for _ in range(3):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
        await is_in_doubt(harness)


async def test_row_08_short_funds_after_a_doubt_prove_nothing(harness: Harness) -> None:
    """The sandbox checks funds before it looks whether the batch is known, as PayPal does."""
    harness.lose_webhooks()
    await harness.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await harness.behave("drop-answer@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1")
    await is_in_doubt(harness)
    await harness.behave("drop-answer@example.com", "SUCCESS")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_09_a_duplicate_without_a_link_stops(
    harness: Harness, answering: Answering
) -> None:
    body = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
    send = await answering((400, body))
    with capture_logs() as logs:
        await send()
    await _is_stopped(harness, logs, "DUPLICATE_WITHOUT_LINK")


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_row_09_another_payment_behind_the_link_stops(
    harness: Harness, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    with capture_logs() as logs:
        await send()
    await _is_stopped(harness, logs, "OTHER_PAYMENT")


async def _is_stopped(harness: Harness, logs: Any, code: str) -> None:
    """A person is told why, and nothing goes on before it has decided."""
    assert [log["reason"] for log in logs if log["log_level"] == "error"] == [code]
    payout = await harness.get("p1")
    assert payout.state == pb.Payout.STATE_BLOCKED
    assert payout.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert payout.attempts[0].error_code == code
    assert await harness.funds() == (89_800, 10_200)
    assert await harness.send("p1") == payout
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(RELEASE)


async def test_row_10_a_webhook_before_the_answer(harness: Harness) -> None:
    """The payment is settled by webhooks before the sender hears that it was accepted."""
    await harness.due("p1", "anna@example.com")
    async with gate_to(harness, PAYOUTS_PATH, Held.ANSWER) as (gate, url), http_client() as http:
        sender = harness.payments_with(
            providers=providers_of(paypal_settings(url), http, harness.database)
        )
        sending = asyncio.create_task(sender.send_payout(_first_attempt()))
        await gate.reached.wait()
        await harness.until("p1", pb.Payout.STATE_PAID)
        gate.opened.set()
        assert (await sending).state == "PAID"
    await ends_paid_once(harness)


async def test_row_10_webhooks_doubled_and_in_the_wrong_order(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(ONE_BATCH)
    signer, url = genuine
    events = harness.events()
    assert len(events) > 2
    for body in reversed(events * 2):
        headers = signer.headers(body, url)
        answer = await http.post(harness.webhook_url, content=body, headers=headers)
        assert answer.status_code == 200
        assert (await harness.get("p1")).state == pb.Payout.STATE_PAID
    assert harness.told.changes == [("p1", "PAID")]
    await ends_paid_once(harness)


async def test_row_10_a_forged_webhook_changes_nothing(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await harness.due("p1", "anna@example.com")
    sent = await harness.send("p1")
    signer, url = genuine
    body = batch_event("po-p1-1")
    good = signer.headers(body, url)
    stranger = Signer()
    forged = [
        {},
        stranger.headers(body, url),
        signer.headers(body, url, webhook_id="WH-ANOTHER"),
        signer.headers(body + b" ", url),
        good | {"PAYPAL-TRANSMISSION-TIME": "2026-03-02T00:00:00Z"},
        good | {"PAYPAL-AUTH-ALGO": "none"},
        good | {"PAYPAL-TRANSMISSION-SIG": "?"},
        good | {"PAYPAL-CERT-URL": url.replace("127.0.0.1", "127.0.0.1@evil.example")},
        good | {"PAYPAL-CERT-URL": "http://evil.example/certs/CERT-1"},
        good | {"PAYPAL-CERT-URL": "file:///etc/passwd"},
    ]
    for headers in forged:
        answer = await http.post(harness.webhook_url, content=body, headers=headers)
        assert answer.status_code == 401, headers
    assert await harness.get("p1") == sent
    assert harness.told.changes == []


async def test_row_10_every_webhook_is_lost(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await ends_paid_once(harness)


@pytest.mark.rule("R30", part="payouts")
async def test_row_11_what_nobody_claims_is_taken_back_and_paid_to_a_corrected_receiver(
    harness: Harness,
) -> None:
    await _unclaimed(harness)
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(RELEASE)
    recalled = await harness.recall("p1")
    assert recalled.state == pb.Payout.STATE_FAILED
    assert recalled.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.PAYOUT_NOT_CLAIMED):
        await harness.send("p1", attempt=2)
    await harness.name_account("anna", "anna@example.com")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.attempts[1].provider_transaction_id
    assert harness.receivers() == ["unclaimed@example.com", "anna@example.com"]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_12_a_claim_is_faster_than_the_recall(
    harness: Harness, answering: Answering
) -> None:
    """PayPal refuses the cancellation, and shows that the money has arrived."""
    await _scripted_unclaimed(
        harness,
        answering,
        (400, {"name": "ITEM_INCORRECT_STATUS"}),
        (200, shown_batch(state="SUCCESS", status="SUCCESS")),
    )
    recalled = await harness.recall("p1")
    assert recalled.state == pb.Payout.STATE_PAID
    assert (await harness.balances())["provider/paypal"] == 10_000
    assert await harness.recall("p1") == recalled


@pytest.mark.parametrize("lost", [None, (500, b"")])
async def test_row_13_the_answer_to_a_recall_is_lost(
    harness: Harness, answering: Answering, lost: Answer | None
) -> None:
    """Whether it was done is seen by looking: not yet, and then it was. It comes back once."""
    await _scripted_unclaimed(
        harness,
        answering,
        lost,
        (200, shown_batch(state="SUCCESS", status="UNCLAIMED")),
        lost,
        (200, shown_batch(state="SUCCESS", status="RETURNED")),
    )
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.recall_once("p1")
    assert (await harness.get("p1")).state == pb.Payout.STATE_UNCLAIMED
    for _ in range(2):
        recalled = await harness.recall_once("p1")
        assert recalled.state == "FAILED"
        assert await harness.funds() == (89_800, 10_200)
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_RETURNED
    await harness.balances()


async def _unclaimed(harness: Harness) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)


async def _scripted_unclaimed(harness: Harness, answering: Answering, *then: Answer | None) -> None:
    """An unclaimed payment at a PayPal that gives these answers from then on."""
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = shown_batch(state="SUCCESS", status="UNCLAIMED")
    send = await answering((201, accepted), (200, shown), *then)
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_UNCLAIMED


async def test_row_14_killed_in_the_settling_transaction(
    harness: Harness, database_url: str
) -> None:
    """A process killed when it has posted the transfer, and waits to enter it in an account."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(ONE_BATCH)
    before = await harness.balances()
    account = "SELECT FROM account WHERE kind = 'reserved' FOR UPDATE"
    async with victim_of(harness, database_url) as victim, blocked_by(database_url, account):
        victim.refresh("p1")
        await until_one_waits(harness)
        await victim.kill()
    assert await harness.balances() == before
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_ACCEPTED
    await ends_paid_once(harness)


async def test_row_14_a_settlement_is_replayed(
    harness: Harness, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """Whoever did not hear that it was settled asks again, and PayPal tells it again."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    signer, url = genuine
    body = batch_event("po-p1-1")
    for _ in range(3):
        answer = await http.post(
            harness.webhook_url, content=body, headers=signer.headers(body, url)
        )
        assert answer.status_code == 200
        assert await harness.send("p1") == await harness.refresh("p1") == paid
    await ends_paid_once(harness)


@pytest.mark.rule("R29", part="payouts")
async def test_row_15_a_late_failure_is_followed_by_a_second_attempt(harness: Harness) -> None:
    await harness.due("p1", "failed-late@example.com")
    await harness.behave("failed-late@example.com", "FAILED_LATE", 0.1)
    await harness.send("p1")
    failed = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert failed.attempts[0].error_code == "RECEIVER_ACCOUNT_LOCKED"
    assert await harness.funds() == (89_800, 10_200)
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await harness.send("p1", attempt=3)
    assert await harness.send("p1", attempt=1) == failed
    await harness.behave("failed-late@example.com", "SUCCESS")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert [attempt.state for attempt in paid.attempts] == [
        pb.Attempt.STATE_FAILED,
        pb.Attempt.STATE_PAID,
    ]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_15_a_denied_batch_is_released_once(harness: Harness) -> None:
    await harness.due("p1", "denied@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_FAILED)
    await harness.worker.ReleaseReward(RELEASE)
    assert await harness.funds() == (100_000, 0)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


async def test_row_16_what_comes_back_unclaimed_is_payable_again(harness: Harness) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)
    await change_item(harness, "p1", "RETURNED")
    returned = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert returned.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.funds() == (89_800, 10_200)
    await harness.behave("unclaimed@example.com", "SUCCESS")
    await harness.name_account("anna", "unclaimed@example.com")
    await harness.send("p1", attempt=2)
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_row_17_a_reversal_comes_back_once_and_is_not_paid_again(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    await change_item(harness, "p1", "REVERSED")
    reversed_payout = await harness.until("p1", pb.Payout.STATE_FAILED)
    assert reversed_payout.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await harness.refresh("p1") == reversed_payout
    assert await harness.funds() == (89_800, 10_000)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
    await harness.worker.ReleaseReward(RELEASE)
    assert await harness.funds() == (99_800, 0)
    balances = await harness.balances()
    assert (balances["provider/paypal"], balances["fees/paypal"]) == (0, 200)


async def test_row_17_a_refund_comes_back_once_and_is_not_paid_again(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_PAID
    for _ in range(2):
        assert (await harness.refresh("p1")).state == pb.Payout.STATE_FAILED
        assert (await harness.balances())["provider/paypal"] == 0
        assert (await harness.funds())[1] == 10_000
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


class StallingPayouts(PayoutStore):
    """Whoever sends by it stalls once: it holds its lease, and is about to look whether it still
    does."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.stalled = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None:
        self.stalled.set()
        await self.goes_on.wait()
        return await super().get_attempt(payout_id, number)


async def test_row_19_a_stalled_sender_does_not_post_what_was_denied_meanwhile(
    harness: Harness,
) -> None:
    """The stall is made in the store, since no process can be stopped there for a lease's time;
    the sender's own clock stands still, so that nothing but the fence holds it back."""
    await harness.due("p1", "anna@example.com")
    payouts = StallingPayouts(harness.database)
    begin = utc_now()
    sender = harness.payments_with(
        stores=replace(harness.stores, payouts=payouts), clock=lambda: begin
    )
    sending = asyncio.create_task(sender.send_payout(_first_attempt()))
    await payouts.stalled.wait()
    await _is_denied_and_paid_anew(harness)
    payouts.goes_on.set()
    await _has_not_posted(harness, sending)


async def test_row_19_nor_does_one_that_stalls_on_its_way_to_a_token(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence is asked for when the token is there, and the turn has come. Nothing but the fence
    holds it back: it may wait for its token for as long as this test takes."""
    monkeypatch.setattr(paypal, "_READY_SECONDS", 60)
    await harness.due("p1", "anna@example.com")
    begin = utc_now()
    async with gate_to(harness, TOKEN_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        sender = harness.payments_with(providers=providers, clock=lambda: begin)
        sending = asyncio.create_task(sender.send_payout(_first_attempt()))
        await gate.reached.wait()
        await _is_denied_and_paid_anew(harness)
        gate.opened.set()
        await _has_not_posted(harness, sending)


async def test_row_19_nor_does_one_whose_attempt_another_sender_has_in_hand(
    harness: Harness,
) -> None:
    """The attempt is in doubt and its lease is live, as if it were the stalled sender's own: their
    fences alone tell them apart."""
    await harness.due("p1", "anna@example.com")
    payouts = StallingPayouts(harness.database)
    begin = utc_now()
    stalled = harness.payments_with(
        stores=replace(harness.stores, payouts=payouts), clock=lambda: begin
    )
    async with gate_to(harness, PAYOUTS_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        next_one = harness.payments_with(providers=providers, clock=lambda: begin + LEASE)
        stalling = asyncio.create_task(stalled.send_payout(_first_attempt()))
        await payouts.stalled.wait()
        sending = asyncio.create_task(next_one.send_payout(_first_attempt()))
        await gate.reached.wait()
        assert (await attempt_of(harness)).state == pb.Attempt.STATE_UNKNOWN
        payouts.goes_on.set()
        with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
            await stalling
        assert "taken over" in str(caught.value)
        assert harness.batches() == []
        gate.opened.set()
        await sending
    await ends_paid_once(harness)


async def _is_denied_and_paid_anew(harness: Harness) -> None:
    await harness.behave("anna@example.com", "DENIED")
    await harness.send_once("p1", later=LEASE)
    await harness.until("p1", pb.Payout.STATE_FAILED)
    await harness.behave("anna@example.com", "ONHOLD")
    await harness.send("p1", attempt=2)


async def _has_not_posted(harness: Harness, sending: "asyncio.Task[Payout]") -> None:
    with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
        await sending
    assert "taken over" in str(caught.value)
    assert [batch for batch, _ in harness.batches()] == ["po-p1-1", "po-p1-2"]
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_FAILED


async def test_row_20_a_doubt_of_weeks_is_not_sent_again(harness: Harness, owner: Database) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await owner.execute("UPDATE attempt SET create_time = now() - interval '26 days'")
    stopped = await harness.send("p1")
    assert stopped.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert stopped.state == pb.Payout.STATE_BLOCKED
    assert await harness.send("p1") == stopped
    assert len(harness.batches()) == 1


async def test_row_23_the_caller_gives_up_while_the_post_runs(
    harness: Harness, database_url: str
) -> None:
    """The call to a real process is ended when the sandbox has accepted; the process goes on with
    it, and hears the answer when another has long adopted the batch."""
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
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


def _first_attempt() -> SendPayout:
    return SendPayout.model_validate({"name": "payouts/p1", "attempt": 1})
