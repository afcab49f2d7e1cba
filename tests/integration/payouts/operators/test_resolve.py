"""ResolveAttempt: operators settle BLOCKED attempts."""

from datetime import timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.auth import Principal, Role
from servicekit.errors import Reason
from services.payouts.attempts import Attempt
from services.payouts.operators.handlers import (
    ResolveAttempt,
)
from services.payouts.operators.store import DecisionStore
from services.payouts.sending.handlers import ProviderEvent
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import NAME, REASON, found, not_paid
from tests.integration.payouts.operators.outcomes import DUPLICATE_WITHOUT_LINK
from tests.integration.payouts.provider_reports import choose_reports, moved, run
from tests.integration.payouts.scripted_paypal import CREATED, DUPLICATE, Answering, shown_batch
from tests.support.serving import refused, request_id

KIND = pb.Decision


async def test_another_attempt_follows_one_resolved_as_not_paid(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE_WITHOUT_LINK), (201, _created("po-p1-2", "B2")))
    await send()
    resolved = await not_paid(harness)
    assert (resolved.state, resolved.attempts[0].error_code) == (
        pb.Payout.STATE_FAILED,
        "RESOLVED_NOT_PAID",
    )
    assert harness.workflows.changes[-1] == ("p1", "FAILED")
    assert [(one.kind, one.attempt, one.outcome) for one in resolved.decisions] == [
        (KIND.KIND_RESOLVE, 1, pb.ResolveAttemptRequest.OUTCOME_NOT_PAID)
    ]
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)
    await harness.send("p1", attempt=2)
    assert (await harness.get("p1")).attempts[1].provider_batch_id == "B2"


async def test_a_found_batch_is_adopted(harness: Harness, answering: Answering) -> None:
    send = await answering(
        (400, DUPLICATE_WITHOUT_LINK),
        *[(200, shown_batch()) for _ in range(2)],
        (200, shown_batch(state="SUCCESS", status="SUCCESS")),
    )
    await send()
    adopted = await found(harness, "FIRST")
    assert (adopted.state, adopted.attempts[0].provider_batch_id) == (
        pb.Payout.STATE_SENT,
        "FIRST",
    )
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_PAID
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_a_found_batch_that_is_paid_is_settled(
    harness: Harness, answering: Answering
) -> None:
    send = await answering(
        (400, DUPLICATE_WITHOUT_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS"))
    )
    await send()
    assert (await found(harness, "FIRST")).state == pb.Payout.STATE_PAID
    assert harness.workflows.changes[-1] == ("p1", "PAID")
    assert (await harness.balances())["provider/paypal"] == 10_000


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_a_batch_of_another_payment_is_not_adopted(
    harness: Harness, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    await send()
    with refused(Reason.INVALID_FIELDS, "provider_batch_id"):
        await found(harness, "FIRST")
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED
    assert (await not_paid(harness)).state == pb.Payout.STATE_FAILED


async def test_a_payment_that_the_provider_shows_as_paid_is_posted_instead(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("BLOCKED", "SUCCESS")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_BLOCKED
    with refused(Reason.ILLEGAL_STATE) as caught:
        await not_paid(harness)
    assert caught.value.metadata["state"] == "PAID"
    assert harness.workflows.changes == [("p1", "PAID")]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_a_payment_in_progress_is_not_resolved_as_not_paid(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("BLOCKED", "ONHOLD")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    await harness.refresh("p1")
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED


async def test_a_webhook_unblocks_an_attempt_whose_batch_it_names(
    harness: Harness, answering: Answering
) -> None:
    """The attempt was blocked without a batch id. Afterwards no decision is needed or accepted."""
    send = await answering((400, DUPLICATE_WITHOUT_LINK), (200, shown_batch()))
    await send()
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED
    await harness.payments.handle_event(ProviderEvent("po-p1-1", "FIRST", batch_state="PROCESSING"))
    gone_on = await harness.get("p1")
    assert gone_on.state == pb.Payout.STATE_SENT
    assert gone_on.attempts[0].provider_batch_id == "FIRST"
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)


async def test_a_reported_payment_is_not_resolved_as_not_paid(
    harness: Harness, answering: Answering
) -> None:
    """Its batch is unknown, and the report shows its payment. Once the report shows a return, the
    attempt can be resolved."""
    send = await answering((400, DUPLICATE_WITHOUT_LINK))
    await send()
    paypal = choose_reports(harness)
    left = moved("T-1", 10_000, fee_minor=200, sender_batch_id="po-p1-1", is_pending=True)
    paypal.transactions.append(left)
    paypal.later(timedelta(seconds=1))
    await run(harness)
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)
    paypal.transactions.append(moved("T-2", -10_000, fee_minor=-200, reverses_id="T-1"))
    paypal.later(timedelta(seconds=2))
    await run(harness)
    assert (await not_paid(harness)).state == pb.Payout.STATE_FAILED


class Interrupted(DecisionStore):
    """The attempt gets its batch id during the decision."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.database)
        self._payments = harness.payments

    async def is_reported(self, attempt: Attempt) -> bool:
        await self._payments.sync_attempt("p1", 1, "FIRST")
        return await super().is_reported(attempt)


async def test_a_change_during_a_decision_is_not_overwritten(
    harness: Harness, answering: Answering
) -> None:
    """Its batch becomes known after the operator read the payout and before the decision."""
    blocked = shown_batch(state="SUCCESS", status="BLOCKED")
    send = await answering((400, DUPLICATE_WITHOUT_LINK), (200, blocked))
    await send()
    handlers = harness.decisions_with(decisions=Interrupted(harness))
    command = ResolveAttempt.model_validate(
        {
            "name": NAME,
            "attempt": 1,
            "outcome": "NOT_PAID",
            "reason": REASON,
            "request_id": request_id(),
        }
    )
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await handlers.resolve_attempt(Principal("staff/olga", Role.OPERATOR), command)
    assert (await harness.get("p1")).attempts[0].provider_batch_id == "FIRST"


async def test_no_attempt_is_resolved_while_the_provider_does_not_answer(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    blocked = shown_batch(state="SUCCESS", status="BLOCKED")
    send = await answering((201, accepted), (200, blocked), (500, b""))
    await send()
    await harness.refresh("p1")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await not_paid(harness)
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"outcome": pb.ResolveAttemptRequest.OUTCOME_FOUND}, ["provider_batch_id"]),
        ({"provider_batch_id": "B1"}, ["provider_batch_id"]),
        ({"attempt": 7}, ["attempt"]),
        ({"reason": " "}, ["reason"]),
        ({"name": "p1"}, ["name"]),
    ],
)
async def test_a_resolutions_fields_are_validated(
    harness: Harness, change: Any, fields: list[str]
) -> None:
    await harness.due("p1", "anna@example.com")
    request = {
        "name": NAME,
        "attempt": 1,
        "outcome": pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
        "reason": REASON,
        "request_id": request_id(),
    }
    with refused(Reason.INVALID_FIELDS, *fields):
        await harness.operator.ResolveAttempt(pb.ResolveAttemptRequest(**(request | change)))


def _created(sender_batch_id: str, batch_id: str) -> Any:
    header = {
        "payout_batch_id": batch_id,
        "batch_status": "PENDING",
        "sender_batch_header": {"sender_batch_id": sender_batch_id},
    }
    return {"batch_header": header}
