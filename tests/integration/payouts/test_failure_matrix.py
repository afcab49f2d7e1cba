"""The failure matrix of payouts: each row breaks something at one very point, and money is paid
once all the same. Row 18 takes weeks: it is in `tests/months/test_failure_matrix.py`.

A process that dies is a real one (`Victim`), stopped at that point by a gate before the sandbox or
by a lock in Postgres, and killed with SIGKILL. Time is never waited for: the next sender's clock is
set beyond the lease.
"""

import asyncio
from typing import Any

import httpx
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from structlog.testing import capture_logs

from servicekit.database import Database
from servicekit.errors import LiaisonError, Reason
from services.payouts import paypal
from services.payouts.domain import LEASE, Attempt, Payout
from services.payouts.payments import PaymentHandlers
from services.payouts.paypal import http_client
from services.payouts.providers import providers_of
from services.payouts.sender import SendPayout
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.house import House, paypal_settings, utc_now
from tests.integration.payouts.killing import (
    PAYOUTS_PATH,
    TOKEN_PATH,
    Held,
    blocked_by,
    gate_to,
    until_one_waits,
    victim_of,
)
from tests.integration.payouts.scripted import CREATED, DUPLICATE, Answer, Answering, shown_batch
from tests.integration.payouts.signing import Signer, batch_event
from tests.integration.payouts.tampering import change_item
from tests.support.serving import refused

ONE_BATCH = ("po-p1-1", "SUCCESS")
RELEASE = pb.ReleaseRewardRequest(name="payouts/p1")


async def attempt_of(house: House) -> pb.Attempt:
    return (await house.get("p1")).attempts[0]


async def ends_paid_once(house: House) -> None:
    """The payout comes to its end by looking alone, and the provider paid one batch."""
    await house.until("p1", pb.Payout.STATE_PAID)
    assert house.batches() == [ONE_BATCH]
    assert await house.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def is_in_doubt(house: House) -> None:
    """The hold is kept, and no second attempt is made."""
    assert (await attempt_of(house)).state == pb.Attempt.STATE_UNKNOWN
    assert (await house.funds())[1] == 10_200
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(RELEASE)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


async def test_row_01_repeated_requests_make_one_payout(house: House) -> None:
    """Reservations and sends at once, as duplicate approvals and retries make them."""
    await house.deposit(100_000)
    await house.creator("anna", "anna@example.com")
    await asyncio.gather(*(house.reserve("p1") for _ in range(6)))
    for terms in ({"minor": 9_999}, {"creator": "eve"}):
        with refused(Reason.INVALID_FIELDS, "reservations[0].payout"):
            await house.reserve("p1", **terms)  # type: ignore[arg-type]  # each is its parameter's
    assert await house.funds() == (89_800, 10_200)
    answers = await asyncio.gather(*(house.send("p1") for _ in range(6)), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            assert isinstance(answer, LiaisonError)
            assert answer.is_retryable
    await house.send("p1")
    await ends_paid_once(house)


async def test_row_02_killed_before_the_reservation_commits(
    house: House, database_url: str
) -> None:
    """A process killed between the first of two reservations and the second."""
    await house.deposit(100_000)
    second_is_taken = """
        INSERT INTO payout (id, brand, creator, currency, reserved_amount_minor, amount_minor,
                            create_time)
        VALUES ('p2', 'acme', 'anna', 'USD', 1, 1, now())
    """
    async with victim_of(house, database_url) as victim:
        async with blocked_by(database_url, second_is_taken):
            victim.reserve("p1", "p2")
            await until_one_waits(house)
            await victim.kill()
        for payout in ("p1", "p2"):
            with refused(Reason.NOT_FOUND):
                await house.get(payout)
        assert await house.funds() == (100_000, 0)
    await house.reserve("p1", "p2")
    assert await house.funds() == (79_600, 20_400)
    await house.balances()


async def test_row_03_killed_before_the_post(house: House, database_url: str) -> None:
    """A process killed after it had committed that it sends, on its way to get a token."""
    await house.due("p1", "anna@example.com")
    async with (
        gate_to(house, TOKEN_PATH, Held.CALL) as (gate, url),
        victim_of(house, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.kill()
    assert (await attempt_of(house)).state == pb.Attempt.STATE_SENDING
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    assert house.batches() == []
    await house.send_once("p1", later=LEASE)
    await ends_paid_once(house)


@pytest.mark.parametrize("receiver", ["drop-answer@example.com", "error-500-after-accept@e.com"])
async def test_row_04_the_answer_is_lost(house: House, receiver: str) -> None:
    """The sandbox accepts, and its answer does not come."""
    house.lose_webhooks()
    await house.due("p1", receiver)
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await house.refresh("p1")
    await is_in_doubt(house)
    adopted = await house.send("p1")
    assert adopted.attempts[0].provider_batch_id
    await ends_paid_once(house)


async def test_row_04_killed_while_the_post_runs(house: House, database_url: str) -> None:
    """A process killed when the sandbox has accepted and the answer is on its way. To be refused
    afterwards proves no more than after an answer that was lost."""
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    async with (
        gate_to(house, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
        victim_of(house, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.kill()
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    await house.behave("anna@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1", later=LEASE)
    await is_in_doubt(house)
    await house.behave("anna@example.com", "SUCCESS")
    await house.send("p1")
    await ends_paid_once(house)


async def test_row_05_killed_before_the_batch_id_is_stored(house: House, database_url: str) -> None:
    """A process killed with the sandbox's answer in hand, waiting for the row to note it in."""
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    async with (
        gate_to(house, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
        victim_of(house, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        async with blocked_by(database_url, "SELECT FROM payout FOR UPDATE"):
            gate.opened.set()
            await until_one_waits(house)
            await victim.kill()
    attempt = await attempt_of(house)
    assert (attempt.state, attempt.provider_batch_id) == (pb.Attempt.STATE_SENDING, "")
    await house.send_once("p1", later=LEASE)
    await ends_paid_once(house)


@pytest.mark.parametrize("status", [400, 403])
async def test_row_06_a_first_refusal_ends_the_attempt_and_frees_the_hold(
    house: House, answering: Answering, status: int
) -> None:
    """The hold stays the payout's, and serves another attempt or goes back to the brand."""
    send = await answering((status, {"name": "NO"}))
    with capture_logs() as logs:
        await send()
    assert [log["code"] for log in logs if log["log_level"] == "error"] == ["NO"]
    payout = await house.get("p1")
    assert payout.state == pb.Payout.STATE_FAILED
    assert payout.attempts[0].state == pb.Attempt.STATE_FAILED
    assert payout.attempts[0].error_code == "NO"
    for _ in range(2):
        await house.worker.ReleaseReward(RELEASE)
        assert await house.funds() == (100_000, 0)


async def test_row_07_short_funds_keep_the_hold_and_the_id(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await house.behave("anna@example.com", "INSUFFICIENT_FUNDS")
    with capture_logs() as logs, refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    errors = [log["code"] for log in logs if log["log_level"] == "error"]
    assert errors == ["INSUFFICIENT_FUNDS"]
    waiting = await house.get("p1")
    assert waiting.state == pb.Payout.STATE_SENDING
    assert waiting.attempts[0].state == pb.Attempt.STATE_SENDING
    assert waiting.attempts[0].error_code == "INSUFFICIENT_FUNDS"
    assert await house.funds() == (89_800, 10_200)
    await house.behave("anna@example.com", "SUCCESS")
    await house.send("p1")
    await ends_paid_once(house)


async def test_row_07_too_many_requests_keep_the_id(house: House, answering: Answering) -> None:
    send = await answering((429, {"name": "RATE_LIMIT_REACHED"}), (201, CREATED))
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await send()
    assert (await attempt_of(house)).state == pb.Attempt.STATE_SENDING
    assert await house.funds() == (89_800, 10_200)
    await send()
    assert (await attempt_of(house)).provider_batch_id == "B1"


@pytest.mark.parametrize("refusal", [(400, {"name": "NO"}), (403, {"name": "NO"})])
async def test_row_08_a_refusal_after_a_doubt_proves_nothing(
    house: House, answering: Answering, refusal: Answer
) -> None:
    send = await answering((500, b""), refusal)
    for _ in range(3):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
        await is_in_doubt(house)


async def test_row_08_short_funds_after_a_doubt_prove_nothing(house: House) -> None:
    """The sandbox checks funds before it looks whether the batch is known, as PayPal does."""
    house.lose_webhooks()
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await house.behave("drop-answer@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await house.send_once("p1")
    await is_in_doubt(house)
    await house.behave("drop-answer@example.com", "SUCCESS")
    await house.send("p1")
    await ends_paid_once(house)


async def test_row_09_a_duplicate_without_a_link_stops(house: House, answering: Answering) -> None:
    body = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
    send = await answering((400, body))
    with capture_logs() as logs:
        await send()
    await _is_stopped(house, logs, "DUPLICATE_WITHOUT_LINK")


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_row_09_another_payment_behind_the_link_stops(
    house: House, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    with capture_logs() as logs:
        await send()
    await _is_stopped(house, logs, "OTHER_PAYMENT")


async def _is_stopped(house: House, logs: Any, code: str) -> None:
    """A person is told why, and nothing goes on before it has decided."""
    assert [log["reason"] for log in logs if log["log_level"] == "error"] == [code]
    payout = await house.get("p1")
    assert payout.state == pb.Payout.STATE_BLOCKED
    assert payout.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert payout.attempts[0].error_code == code
    assert await house.funds() == (89_800, 10_200)
    assert await house.send("p1") == payout
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(RELEASE)


async def test_row_10_a_webhook_before_the_answer(house: House) -> None:
    """The payment is settled by webhooks before the sender hears that it was accepted."""
    await house.due("p1", "anna@example.com")
    async with gate_to(house, PAYOUTS_PATH, Held.ANSWER) as (gate, url), http_client() as http:
        known = house.payments
        sender = PaymentHandlers(
            known._store,
            providers_of(paypal_settings(url), http, house.database),
            known._sender._receivers,
            utc_now,
        )
        sending = asyncio.create_task(sender.send_payout(_first_attempt()))
        await gate.reached.wait()
        await house.until("p1", pb.Payout.STATE_PAID)
        gate.opened.set()
        assert (await sending).state == "PAID"
    await ends_paid_once(house)


async def test_row_10_webhooks_doubled_and_in_the_wrong_order(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await house.until_provider(ONE_BATCH)
    signer, url = genuine
    events = house.events()
    assert len(events) > 2
    for body in reversed(events * 2):
        headers = signer.headers(body, url)
        answer = await http.post(house.webhook_url, content=body, headers=headers)
        assert answer.status_code == 200
        assert (await house.get("p1")).state == pb.Payout.STATE_PAID
    assert house.told.changes == [("p1", "PAID")]
    await ends_paid_once(house)


async def test_row_10_a_forged_webhook_changes_nothing(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    await house.due("p1", "anna@example.com")
    sent = await house.send("p1")
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
        answer = await http.post(house.webhook_url, content=body, headers=headers)
        assert answer.status_code == 401, headers
    assert await house.get("p1") == sent
    assert house.told.changes == []


async def test_row_10_every_webhook_is_lost(house: House) -> None:
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await ends_paid_once(house)


@pytest.mark.rule("R30", part="payouts")
async def test_row_11_what_nobody_claims_is_taken_back_and_paid_to_a_corrected_receiver(
    house: House,
) -> None:
    await _unclaimed(house)
    assert await house.funds() == (89_800, 10_200)
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(RELEASE)
    recalled = await house.recall("p1")
    assert recalled.state == pb.Payout.STATE_FAILED
    assert recalled.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await house.funds() == (89_800, 10_200)
    with refused(Reason.PAYOUT_NOT_CLAIMED):
        await house.send("p1", attempt=2)
    await house.name_account("anna", "anna@example.com")
    await house.send("p1", attempt=2)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert paid.attempts[1].provider_transaction_id
    assert house.receivers() == ["unclaimed@example.com", "anna@example.com"]
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_row_12_a_claim_is_faster_than_the_recall(house: House, answering: Answering) -> None:
    """PayPal refuses the cancellation, and shows that the money has arrived."""
    await _scripted_unclaimed(
        house,
        answering,
        (400, {"name": "ITEM_INCORRECT_STATUS"}),
        (200, shown_batch(state="SUCCESS", status="SUCCESS")),
    )
    recalled = await house.recall("p1")
    assert recalled.state == pb.Payout.STATE_PAID
    assert (await house.balances())["provider/paypal"] == 10_000
    assert await house.recall("p1") == recalled


@pytest.mark.parametrize("lost", [None, (500, b"")])
async def test_row_13_the_answer_to_a_recall_is_lost(
    house: House, answering: Answering, lost: Answer | None
) -> None:
    """Whether it was done is seen by looking: not yet, and then it was. It comes back once."""
    await _scripted_unclaimed(
        house,
        answering,
        lost,
        (200, shown_batch(state="SUCCESS", status="UNCLAIMED")),
        lost,
        (200, shown_batch(state="SUCCESS", status="RETURNED")),
    )
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.recall_once("p1")
    assert (await house.get("p1")).state == pb.Payout.STATE_UNCLAIMED
    for _ in range(2):
        recalled = await house.recall_once("p1")
        assert recalled.state == "FAILED"
        assert await house.funds() == (89_800, 10_200)
    assert (await attempt_of(house)).state == pb.Attempt.STATE_RETURNED
    await house.balances()


async def _unclaimed(house: House) -> None:
    await house.due("p1", "unclaimed@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_UNCLAIMED)


async def _scripted_unclaimed(house: House, answering: Answering, *then: Answer | None) -> None:
    """An unclaimed payment at a PayPal that gives these answers from then on."""
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = shown_batch(state="SUCCESS", status="UNCLAIMED")
    send = await answering((201, accepted), (200, shown), *then)
    await send()
    assert (await house.refresh("p1")).state == pb.Payout.STATE_UNCLAIMED


async def test_row_14_killed_in_the_settling_transaction(house: House, database_url: str) -> None:
    """A process killed when it has posted the transfer, and waits to enter it in an account."""
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await house.until_provider(ONE_BATCH)
    before = await house.balances()
    account = "SELECT FROM account WHERE kind = 'reserved' FOR UPDATE"
    async with victim_of(house, database_url) as victim, blocked_by(database_url, account):
        victim.refresh("p1")
        await until_one_waits(house)
        await victim.kill()
    assert await house.balances() == before
    assert (await attempt_of(house)).state == pb.Attempt.STATE_ACCEPTED
    await ends_paid_once(house)


async def test_row_14_a_settlement_is_replayed(
    house: House, genuine: tuple[Signer, str], http: httpx.AsyncClient
) -> None:
    """Whoever did not hear that it was settled asks again, and PayPal tells it again."""
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    signer, url = genuine
    body = batch_event("po-p1-1")
    for _ in range(3):
        answer = await http.post(house.webhook_url, content=body, headers=signer.headers(body, url))
        assert answer.status_code == 200
        assert await house.send("p1") == await house.refresh("p1") == paid
    await ends_paid_once(house)


@pytest.mark.rule("R29", part="payouts")
async def test_row_15_a_late_failure_is_followed_by_a_second_attempt(house: House) -> None:
    await house.due("p1", "failed-late@example.com")
    await house.behave("failed-late@example.com", "FAILED_LATE", 0.1)
    await house.send("p1")
    failed = await house.until("p1", pb.Payout.STATE_FAILED)
    assert failed.attempts[0].error_code == "RECEIVER_ACCOUNT_LOCKED"
    assert await house.funds() == (89_800, 10_200)
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await house.send("p1", attempt=3)
    assert await house.send("p1", attempt=1) == failed
    await house.behave("failed-late@example.com", "SUCCESS")
    await house.send("p1", attempt=2)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert [attempt.state for attempt in paid.attempts] == [
        pb.Attempt.STATE_FAILED,
        pb.Attempt.STATE_PAID,
    ]
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_row_15_a_denied_batch_is_released_once(house: House) -> None:
    await house.due("p1", "denied@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_FAILED)
    await house.worker.ReleaseReward(RELEASE)
    assert await house.funds() == (100_000, 0)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


async def test_row_16_what_comes_back_unclaimed_is_payable_again(house: House) -> None:
    await house.due("p1", "unclaimed@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_UNCLAIMED)
    await change_item(house, "p1", "RETURNED")
    returned = await house.until("p1", pb.Payout.STATE_FAILED)
    assert returned.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await house.funds() == (89_800, 10_200)
    await house.behave("unclaimed@example.com", "SUCCESS")
    await house.name_account("anna", "unclaimed@example.com")
    await house.send("p1", attempt=2)
    await house.until("p1", pb.Payout.STATE_PAID)
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_row_17_a_reversal_comes_back_once_and_is_not_paid_again(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    await change_item(house, "p1", "REVERSED")
    reversed_payout = await house.until("p1", pb.Payout.STATE_FAILED)
    assert reversed_payout.attempts[0].state == pb.Attempt.STATE_RETURNED
    assert await house.refresh("p1") == reversed_payout
    assert await house.funds() == (89_800, 10_000)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    await house.worker.ReleaseReward(RELEASE)
    assert await house.funds() == (99_800, 0)
    balances = await house.balances()
    assert (balances["provider/paypal"], balances["fees/paypal"]) == (0, 200)


async def test_row_17_a_refund_comes_back_once_and_is_not_paid_again(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await house.refresh("p1")).state == pb.Payout.STATE_PAID
    for _ in range(2):
        assert (await house.refresh("p1")).state == pb.Payout.STATE_FAILED
        assert (await house.balances())["provider/paypal"] == 0
        assert (await house.funds())[1] == 10_000
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


class Stalling(PostgresPayoutStore):
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
    house: House,
) -> None:
    """The stall is made in the store, since no process can be stopped there for a lease's time;
    the sender's own clock stands still, so that nothing but the fence holds it back."""
    await house.due("p1", "anna@example.com")
    store = Stalling(house.database)
    begin = utc_now()
    known = house.payments
    sender = PaymentHandlers(store, known._providers, known._sender._receivers, lambda: begin)
    sending = asyncio.create_task(sender.send_payout(_first_attempt()))
    await store.stalled.wait()
    await _is_denied_and_paid_anew(house)
    store.goes_on.set()
    await _has_not_posted(house, sending)


async def test_row_19_nor_does_one_that_stalls_on_its_way_to_a_token(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The fence is asked for when the token is there, and the turn has come. Nothing but the fence
    holds it back: it may wait for its token for as long as this test takes."""
    monkeypatch.setattr(paypal, "_READY_SECONDS", 60)
    await house.due("p1", "anna@example.com")
    begin = utc_now()
    known = house.payments
    async with gate_to(house, TOKEN_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, house.database)
        sender = PaymentHandlers(known._store, providers, known._sender._receivers, lambda: begin)
        sending = asyncio.create_task(sender.send_payout(_first_attempt()))
        await gate.reached.wait()
        await _is_denied_and_paid_anew(house)
        gate.opened.set()
        await _has_not_posted(house, sending)


async def test_row_19_nor_does_one_whose_attempt_another_sender_has_in_hand(house: House) -> None:
    """The attempt is in doubt and its lease is live, as if it were the stalled sender's own: their
    fences alone tell them apart."""
    await house.due("p1", "anna@example.com")
    store = Stalling(house.database)
    begin = utc_now()
    known = house.payments
    stalled = PaymentHandlers(store, known._providers, known._sender._receivers, lambda: begin)
    async with gate_to(house, PAYOUTS_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, house.database)
        next_one = PaymentHandlers(
            known._store, providers, known._sender._receivers, lambda: begin + LEASE
        )
        stalling = asyncio.create_task(stalled.send_payout(_first_attempt()))
        await store.stalled.wait()
        sending = asyncio.create_task(next_one.send_payout(_first_attempt()))
        await gate.reached.wait()
        assert (await attempt_of(house)).state == pb.Attempt.STATE_UNKNOWN
        store.goes_on.set()
        with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
            await stalling
        assert "taken over" in str(caught.value)
        assert house.batches() == []
        gate.opened.set()
        await sending
    await ends_paid_once(house)


async def _is_denied_and_paid_anew(house: House) -> None:
    await house.behave("anna@example.com", "DENIED")
    await house.send_once("p1", later=LEASE)
    await house.until("p1", pb.Payout.STATE_FAILED)
    await house.behave("anna@example.com", "ONHOLD")
    await house.send("p1", attempt=2)


async def _has_not_posted(house: House, sending: "asyncio.Task[Payout]") -> None:
    with refused(Reason.DEPENDENCY_UNAVAILABLE) as caught:
        await sending
    assert "taken over" in str(caught.value)
    assert [batch for batch, _ in house.batches()] == ["po-p1-1", "po-p1-2"]
    assert (await attempt_of(house)).state == pb.Attempt.STATE_FAILED


async def test_row_20_a_doubt_of_weeks_is_not_sent_again(house: House, owner: Database) -> None:
    house.lose_webhooks()
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await owner.execute("UPDATE attempt SET create_time = now() - interval '26 days'")
    stopped = await house.send("p1")
    assert stopped.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert stopped.state == pb.Payout.STATE_BLOCKED
    assert await house.send("p1") == stopped
    assert len(house.batches()) == 1


async def test_row_23_the_caller_gives_up_while_the_post_runs(
    house: House, database_url: str
) -> None:
    """The call to a real process is ended when the sandbox has accepted; the process goes on with
    it, and hears the answer when another has long adopted the batch."""
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    async with (
        gate_to(house, PAYOUTS_PATH, Held.ANSWER) as (gate, url),
        victim_of(house, database_url, url) as victim,
    ):
        victim.send("p1")
        await gate.reached.wait()
        await victim.give_up()
        assert (await attempt_of(house)).state == pb.Attempt.STATE_SENDING
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await house.send_once("p1")
        await house.send_once("p1", later=LEASE)
        adopted = await house.get("p1")
        assert adopted.attempts[0].provider_batch_id
        gate.opened.set()
    await ends_paid_once(house)


def _first_attempt() -> SendPayout:
    return SendPayout.model_validate({"name": "payouts/p1", "attempt": 1})
