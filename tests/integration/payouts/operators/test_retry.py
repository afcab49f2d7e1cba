"""RetryPayout: operators have the next attempt made."""

from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import IBAN, REASON, retry
from tests.integration.payouts.operators.outcomes import (
    fail_first_attempt,
    pay_and_reverse,
    seen_by,
)
from tests.integration.payouts.scripted_paypal import CREATED, Answering, shown_batch
from tests.support.serving import refused

KIND = pb.Decision


async def test_a_returned_payment_is_paid_again_after_a_retry(harness: Harness) -> None:
    await pay_and_reverse(harness)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
    decided = await retry(harness)
    assert harness.workflows.retries == [("p1", 2)]
    assert [(one.kind, one.reason, one.actor, one.attempt) for one in decided.decisions] == [
        (KIND.KIND_RETRY, REASON, "staff/olga", 2)
    ]
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert len(paid.attempts) == 2
    # The brand paid the first fee, and the platform bears the second.
    assert await harness.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 400,
        "platform/fees": -200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def test_each_payment_after_a_return_takes_its_own_decision(harness: Harness) -> None:
    await pay_and_reverse(harness)
    await retry(harness)
    await harness.behave("anna@example.com", "FAILED_LATE", 0.05)
    await harness.send("p1", attempt=2)
    await harness.until("p1", pb.Payout.STATE_FAILED)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=3)


async def test_a_retry_of_an_unclaimed_payment_does_not_cover_a_later_return(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    statuses = ("UNCLAIMED", "REVERSED")
    shown = [shown_batch(state="SUCCESS", status=status) for status in statuses]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_UNCLAIMED
    await retry(harness)
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_FAILED
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


async def test_a_retry_may_name_another_receiver(harness: Harness) -> None:
    await fail_first_attempt(harness)
    await retry(harness, receiver="anna.ruiz@example.com", provider=pb.PROVIDER_PAYPAL)
    await retry(harness, receiver="anna-2@example.com")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.receivers() == ["failed-late@example.com", "anna-2@example.com"]
    assert len(paid.decisions) == 0  # workers do not see them
    decisions = (await seen_by(harness.served.as_mediator())).decisions
    assert [(one.provider, one.receiver) for one in decisions] == [
        (pb.PROVIDER_PAYPAL, ""),
        (pb.PROVIDER_UNSPECIFIED, ""),
    ]
    known = (await seen_by(harness.served.as_operator())).decisions
    assert [one.receiver for one in known] == ["anna.ruiz@example.com", "anna-2@example.com"]


async def test_a_retry_may_pay_a_creator_without_an_account(harness: Harness) -> None:
    await harness.due("p1", "")
    with refused(Reason.PAYOUT_ACCOUNT_MISSING):
        await harness.send("p1")
    await retry(harness, receiver="anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)


async def test_a_retry_may_send_to_an_account_that_did_not_claim(
    harness: Harness,
) -> None:
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_UNCLAIMED)
    await retry(harness)
    await harness.recall("p1")
    await harness.behave("unclaimed@example.com", "SUCCESS")
    await harness.send("p1", attempt=2)
    await harness.until("p1", pb.Payout.STATE_PAID)


@pytest.mark.parametrize(
    "receiver", ["onhold@example.com", "blocked@example.com", "drop-response@example.com"]
)
async def test_attempts_in_progress_or_unknown_cannot_be_retried(
    harness: Harness, receiver: str
) -> None:
    harness.lose_webhooks()
    await harness.due("p1", receiver)
    if receiver.startswith("drop"):
        with refused(Reason.OUTCOME_UNKNOWN):
            await harness.send_once("p1")
    else:
        await harness.send("p1")
    if receiver.startswith("blocked"):
        await harness.until("p1", pb.Payout.STATE_BLOCKED)
    with refused(Reason.ILLEGAL_STATE):
        await retry(harness)
    assert harness.workflows.retries == []


async def test_a_paid_payout_cannot_be_retried(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    with refused(Reason.ILLEGAL_STATE):
        await retry(harness)


@pytest.mark.parametrize(
    ("also", "fields"),
    [
        ({"provider": pb.PROVIDER_BANK_TRANSFER}, ["receiver"]),
        ({"provider": pb.PROVIDER_PAYPAL, "receiver": IBAN}, ["receiver"]),
        ({"receiver": "x" * 201}, ["receiver"]),
        ({"receiver": "\u200b"}, ["receiver"]),
        ({"provider": 99, "receiver": IBAN}, ["provider"]),
    ],
)
async def test_a_retrys_receiver_must_fit_the_provider(
    harness: Harness, also: Any, fields: list[str]
) -> None:
    with refused(Reason.INVALID_FIELDS, *fields):
        await retry(harness, **also)
