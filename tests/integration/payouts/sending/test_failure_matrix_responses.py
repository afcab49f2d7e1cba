"""Failure matrix of payouts, rows about requests and PayPal's responses that are repeated, lost,
refused or duplicates."""

import asyncio
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from structlog.testing import capture_logs

from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.scripted_paypal import (
    CREATED,
    DUPLICATE,
    Answer,
    Answering,
    shown_batch,
)
from tests.integration.payouts.sending.assertions import (
    RELEASE,
    attempt_of,
    ends_paid_once,
    is_unknown,
)
from tests.support.serving import refused


async def test_row_01_repeated_requests_make_one_payout(harness: Harness) -> None:
    """Concurrent reservations and sends, as duplicate approvals and retries cause them."""
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


@pytest.mark.parametrize("receiver", ["drop-response@example.com", "error-500-after-accept@e.com"])
async def test_row_04_a_payment_whose_response_is_lost_is_adopted(
    harness: Harness, receiver: str
) -> None:
    """The sandbox accepts the payment but its response is lost."""
    harness.lose_webhooks()
    await harness.due("p1", receiver)
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await harness.refresh("p1")
    await is_unknown(harness)
    adopted = await harness.send("p1")
    assert adopted.attempts[0].provider_batch_id
    await ends_paid_once(harness)


@pytest.mark.parametrize("status", [400, 403])
async def test_row_06_a_refused_first_request_ends_the_attempt_and_can_be_released(
    harness: Harness, answering: Answering, status: int
) -> None:
    """The reservation is kept for another attempt, until it is released."""
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


async def test_row_07_insufficient_funds_keep_the_reservation_and_the_id(harness: Harness) -> None:
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
async def test_row_08_a_refusal_leaves_an_unknown_attempt_unknown(
    harness: Harness, answering: Answering, refusal: Answer
) -> None:
    send = await answering((500, b""), refusal)
    for _ in range(3):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
        await is_unknown(harness)


async def test_row_08_insufficient_funds_leave_an_unknown_attempt_unknown(harness: Harness) -> None:
    """The sandbox checks funds before duplicates, as PayPal does."""
    harness.lose_webhooks()
    await harness.due("p1", "drop-response@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await harness.behave("drop-response@example.com", "INSUFFICIENT_FUNDS")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await harness.send_once("p1")
    await is_unknown(harness)
    await harness.behave("drop-response@example.com", "SUCCESS")
    await harness.send("p1")
    await ends_paid_once(harness)


async def test_row_09_a_duplicate_without_a_link_blocks_the_payout(
    harness: Harness, answering: Answering
) -> None:
    body = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
    send = await answering((400, body))
    with capture_logs() as logs:
        await send()
    await _is_blocked(harness, logs, "DUPLICATE_WITHOUT_LINK")


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_row_09_a_link_to_another_payment_blocks_the_payout(
    harness: Harness, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    with capture_logs() as logs:
        await send()
    await _is_blocked(harness, logs, "OTHER_PAYMENT")


async def _is_blocked(harness: Harness, logs: Any, code: str) -> None:
    """The code is logged as an error, and nothing is sent or released before a decision."""
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


async def test_row_20_an_attempt_unknown_for_weeks_is_not_sent_again(
    harness: Harness, owner: Database
) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "drop-response@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await owner.execute("UPDATE attempt SET create_time = now() - interval '26 days'")
    blocked = await harness.send("p1")
    assert blocked.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert blocked.state == pb.Payout.STATE_BLOCKED
    assert await harness.send("p1") == blocked
    assert len(harness.batches()) == 1
