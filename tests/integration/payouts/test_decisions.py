"""Operators' decisions about payouts, through the real server."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1 import statements_pb2
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from liaison.payouts.v1.statements_pb2_grpc import StatementServiceStub
from structlog.testing import capture_logs
from temporalio.testing import ActivityEnvironment

from servicekit.auth import Principal, Role
from servicekit.errors import Reason, Unavailable
from services.payouts.attempts import Attempt
from services.payouts.domain import Decision, Payout
from services.payouts.operators.handlers import (
    DecisionHandlers,
    ResolveAttempt,
    RetryPayout,
    WriteOffPayout,
)
from services.payouts.providers.paypal.client import http_client
from services.payouts.providers.registry import providers_of
from services.payouts.sending.handlers import PaymentHandlers, ProviderEvent
from services.payouts.sending.sender import SendPayout
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.deciding import (
    IBAN,
    NAME,
    WHY,
    found,
    hold,
    not_paid,
    resume,
    retry,
    write_off,
)
from tests.integration.payouts.harness import Harness, Told, paypal_settings, usd, utc_now
from tests.integration.payouts.killing import TOKEN_PATH, Held, gate_to
from tests.integration.payouts.reporting import moved, reporting, run
from tests.integration.payouts.scripted import CREATED, DUPLICATE, Answering, shown_batch
from tests.integration.payouts.tampering import change_item
from tests.support.serving import refused, request_id
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.inputs import SettleReward
from workflows.payout.activities import PayoutActivities
from workflows.payout.model import PayoutStatus
from workflows.payout.model import State as Seen

BRAND = pb.WriteOffPayoutRequest.BENEFICIARY_BRAND
PLATFORM = pb.WriteOffPayoutRequest.BENEFICIARY_PLATFORM
NO_LINK = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
KIND = pb.Decision


async def fails(harness: Harness) -> pb.Payout:
    """A payout whose first attempt has failed."""
    await harness.due("p1", "failed-late@example.com")
    await harness.behave("failed-late@example.com", "FAILED_LATE", 0.05)
    await harness.send("p1")
    return await harness.until("p1", pb.Payout.STATE_FAILED)


async def comes_back(harness: Harness) -> pb.Payout:
    """A payout that was paid, and whose money came back."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    await change_item(harness, "p1", "REVERSED")
    return await harness.until("p1", pb.Payout.STATE_FAILED)


# Retrying


async def test_what_came_back_is_paid_again_where_an_operator_says_so(harness: Harness) -> None:
    await comes_back(harness)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)
    decided = await retry(harness)
    assert harness.told.retries == [("p1", 2)]
    assert [(one.kind, one.reason, one.actor, one.attempt) for one in decided.decisions] == [
        (KIND.KIND_RETRY, WHY, "staff/olga", 2)
    ]
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert len(paid.attempts) == 2
    # The brand's money had paid the first fee; the second is the platform's.
    assert await harness.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 400,
        "platform/fees": -200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def test_each_payment_of_what_came_back_is_decided_by_itself(harness: Harness) -> None:
    await comes_back(harness)
    await retry(harness)
    await harness.behave("anna@example.com", "FAILED_LATE", 0.05)
    await harness.send("p1", attempt=2)
    await harness.until("p1", pb.Payout.STATE_FAILED)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=3)


async def test_a_decision_to_pay_what_nobody_claimed_is_none_to_pay_what_came_back(
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


async def test_an_operator_names_another_receiver(harness: Harness) -> None:
    await fails(harness)
    await retry(harness, receiver="anna.ruiz@example.com", provider=pb.PROVIDER_PAYPAL)
    await retry(harness, receiver="anna-2@example.com")
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.receivers() == ["failed-late@example.com", "anna-2@example.com"]
    assert len(paid.decisions) == 0  # workers are told of none
    told = (await _seen_by(harness.served.as_mediator())).decisions
    assert [(one.provider, one.receiver) for one in told] == [
        (pb.PROVIDER_PAYPAL, ""),
        (pb.PROVIDER_UNSPECIFIED, ""),
    ]
    known = (await _seen_by(harness.served.as_operator())).decisions
    assert [one.receiver for one in known] == ["anna.ruiz@example.com", "anna-2@example.com"]


async def test_an_operator_pays_a_creator_without_an_account(harness: Harness) -> None:
    await harness.due("p1", "")
    with refused(Reason.PAYOUT_ACCOUNT_MISSING):
        await harness.send("p1")
    await retry(harness, receiver="anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)


async def test_an_operator_sends_to_an_account_again_at_which_nobody_claimed(
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
    "receiver", ["onhold@example.com", "blocked@example.com", "drop-answer@example.com"]
)
async def test_what_is_under_way_or_in_doubt_is_not_retried(
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
    assert harness.told.retries == []


async def test_what_was_paid_is_not_retried(harness: Harness) -> None:
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
async def test_a_retry_says_whom_in_the_providers_terms(
    harness: Harness, also: Any, fields: list[str]
) -> None:
    with refused(Reason.INVALID_FIELDS, *fields):
        await retry(harness, **also)


class Overtaken(PostgresPayoutStore):
    """Right after the sender has read what was decided, an operator decides otherwise."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.database)
        self._harness = harness

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None:
        decision = await super().retry_of(payout_id, attempt_number)
        if not self._database.is_in_transaction():
            await retry(self._harness, receiver="right@example.com")
        return decision


async def test_a_decision_between_reading_and_sending_is_not_overlooked(harness: Harness) -> None:
    await harness.due("p1", "wrong@example.com")
    known = harness.payments
    sender = PaymentHandlers(Overtaken(harness), known._providers, known._sender._accounts, utc_now)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await sender.send_payout(SendPayout.model_validate({"name": NAME, "attempt": 1}))
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.receivers() == ["right@example.com"]


async def test_a_repeated_decision_is_made_once(harness: Harness) -> None:
    await fails(harness)
    request = pb.RetryPayoutRequest(name=NAME, reason=WHY, request_id=request_id())
    answers = [await harness.operator.RetryPayout(request) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0].decisions) == 1
    assert harness.told.retries == [("p1", 2)]
    request.reason = "Another one"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.operator.RetryPayout(request)


class Away(Told):
    """Workflows that cannot be told for once."""

    is_away = True

    async def retry(self, payout: Payout) -> None:
        await self.signal(payout)
        await super().retry(payout)

    async def signal(self, payout: Payout) -> None:
        if self.is_away:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer")
        await super().signal(payout)


@pytest.mark.parametrize("kind", ["retry", "write_off"])
async def test_who_could_not_be_told_is_told_by_the_repetition(harness: Harness, kind: str) -> None:
    """By the handlers, since a client repeats the call by itself."""
    await fails(harness)
    runs = Away()
    store = PostgresPayoutStore(harness.database)
    handlers = DecisionHandlers(store, harness.payments, runs, utc_now)
    who = Principal("staff/olga", Role.OPERATOR)
    body = {"name": NAME, "reason": WHY, "request_id": request_id(), "beneficiary": "BRAND"}

    async def decide() -> Payout:
        if kind == "retry":
            return await handlers.retry_payout(who, RetryPayout.model_validate(body))
        return await handlers.write_off_payout(who, WriteOffPayout.model_validate(body))

    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await decide()
    runs.is_away = False
    payout = await decide()
    assert runs.changes == [("p1", payout.state)]
    assert len(await handlers.decisions(payout)) == 1


# Holding


async def test_a_held_payout_is_not_sent_until_it_is_resumed(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    held = await hold(harness)
    assert (held.is_held, held.state) == (True, pb.Payout.STATE_RESERVED)
    assert (await hold(harness)) == held
    with refused(Reason.PAYOUT_ON_HOLD):
        await harness.send("p1")
    with refused(Reason.PAYOUT_ON_HOLD):
        await retry(harness)
    assert (await harness.get("p1")).attempts == []
    resumed = await resume(harness)
    assert await resume(harness) == resumed
    assert [one.kind for one in resumed.decisions] == [KIND.KIND_HOLD, KIND.KIND_RESUME]
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    with refused(Reason.ILLEGAL_STATE):
        await hold(harness)


async def test_an_attempt_in_doubt_is_not_posted_again_while_it_is_held(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.send_once("p1")
    await hold(harness)
    with refused(Reason.PAYOUT_ON_HOLD):
        await harness.send_once("p1")
    await resume(harness)
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert len(harness.batches()) == 1


async def test_a_hold_is_before_a_sender_that_is_still_on_its_way(harness: Harness) -> None:
    """It has taken the attempt, and gets its token."""
    await harness.due("p1", "anna@example.com")
    async with gate_to(harness, TOKEN_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, harness.database)
        known = harness.payments
        sender = PaymentHandlers(known._store, providers, known._sender._accounts, utc_now)
        command = SendPayout.model_validate({"name": NAME, "attempt": 1})
        sending = asyncio.create_task(sender.send_payout(command))
        await gate.reached.wait()
        assert (await hold(harness)).is_held
        gate.opened.set()
        with refused(Reason.PAYOUT_ON_HOLD):
            await sending
    assert harness.batches() == []
    await resume(harness)
    await harness.send_once("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)


async def test_what_is_under_way_goes_on_while_it_is_held(harness: Harness) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await hold(harness)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.is_held
    assert await harness.send("p1") == paid


async def test_holds_at_once_are_one_decision(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    answers = await asyncio.gather(*(hold(harness) for _ in range(5)))
    assert {len(answer.decisions) for answer in answers} == {1}


# Writing off


@pytest.mark.parametrize(
    ("beneficiary", "kept_by"),
    [(BRAND, "brands/acme/available"), (PLATFORM, "platform/written_off")],
)
async def test_what_cannot_be_paid_is_written_off_once(
    harness: Harness, beneficiary: pb.WriteOffPayoutRequest.Beneficiary.ValueType, kept_by: str
) -> None:
    await fails(harness)
    before = await harness.balances()
    ended = await write_off(harness, beneficiary)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    assert harness.told.changes[-1] == ("p1", "WRITTEN_OFF")
    after = await harness.balances()
    assert after[kept_by] - before.get(kept_by, 0) == 10_200
    assert after["brands/acme/reserved"] == 0
    (line,) = [one for one in await _statement(harness) if one.kind == one.KIND_WRITE_OFF]
    funds = line.brand_funds
    assert (funds.reserved_change.units, line.payout) == (-102, NAME)
    for refusal in (
        write_off(harness, beneficiary),
        retry(harness),
        hold(harness),
        harness.send("p1", attempt=2),
    ):
        with refused(Reason.ILLEGAL_STATE):
            await refusal
    # A worker that knows nothing of it must not be stopped for good.
    await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name=NAME))
    await harness.worker.ReduceReward(pb.ReduceRewardRequest(name=NAME, amount=usd(100)))
    assert await harness.balances() == after
    assert (await harness.get("p1")).state == pb.Payout.STATE_WRITTEN_OFF


@pytest.mark.parametrize("left_minor", [4_000, 0])
async def test_a_mediator_comes_too_late_for_what_is_written_off(
    harness: Harness, left_minor: int
) -> None:
    await fails(harness)
    await write_off(harness, PLATFORM)
    before = await harness.balances()
    nobody: Any = None
    workers = AssignmentActivities(nobody, nobody, nobody, nobody, harness.worker, nobody)
    order = SettleReward("p1", "USD", left_minor)
    assert not await ActivityEnvironment().run(workers.settle_reward, order)
    assert await harness.balances() == before


@pytest.mark.parametrize("left_minor", [4_000, 0])
async def test_a_mediator_lowers_or_takes_back_what_has_failed(
    harness: Harness, left_minor: int
) -> None:
    await fails(harness)
    nobody: Any = None
    workers = AssignmentActivities(nobody, nobody, nobody, nobody, harness.worker, nobody)
    order = SettleReward("p1", "USD", left_minor)
    for _ in range(2):  # as after an answer that was lost
        assert await ActivityEnvironment().run(workers.settle_reward, order)


async def test_a_workflow_that_starts_anew_finds_how_far_a_payout_has_come(
    harness: Harness,
) -> None:
    find = PayoutActivities(harness.worker).get_payout_status
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.RESERVED, 0, None)
    await fails(harness)
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.FAILED, 1, 10_000)
    await harness.worker.ReduceReward(pb.ReduceRewardRequest(name=NAME, amount=usd(4_000)))
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.FAILED, 1, 4_000)


async def test_what_came_back_is_written_off(harness: Harness) -> None:
    await comes_back(harness)
    ended = await write_off(harness, PLATFORM)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    balances = await harness.balances()
    assert (balances["platform/written_off"], balances["provider/paypal"]) == (10_000, 0)


async def test_what_may_still_be_paid_is_not_written_off(harness: Harness) -> None:
    await harness.due("p1", "onhold@example.com")
    await harness.send("p1")
    with refused(Reason.ILLEGAL_STATE):
        await write_off(harness, BRAND)
    request = pb.WriteOffPayoutRequest(name=NAME, reason=WHY, request_id=request_id())
    with refused(Reason.INVALID_FIELDS, "beneficiary"):
        await harness.operator.WriteOffPayout(request)


# Resolving


async def test_a_stopped_attempt_that_was_not_paid_makes_way_for_another(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, NO_LINK), (201, _created("po-p1-2", "B2")))
    await send()
    resolved = await not_paid(harness)
    assert (resolved.state, resolved.attempts[0].error_code) == (
        pb.Payout.STATE_FAILED,
        "RESOLVED_NOT_PAID",
    )
    assert harness.told.changes[-1] == ("p1", "FAILED")
    assert [(one.kind, one.attempt, one.outcome) for one in resolved.decisions] == [
        (KIND.KIND_RESOLVE, 1, pb.ResolveAttemptRequest.OUTCOME_NOT_PAID)
    ]
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)
    await harness.send("p1", attempt=2)
    assert (await harness.get("p1")).attempts[1].provider_batch_id == "B2"


async def test_a_batch_that_was_found_is_adopted(harness: Harness, answering: Answering) -> None:
    send = await answering(
        (400, NO_LINK),
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


async def test_a_batch_that_was_found_paid_is_settled(
    harness: Harness, answering: Answering
) -> None:
    send = await answering((400, NO_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS")))
    await send()
    assert (await found(harness, "FIRST")).state == pb.Payout.STATE_PAID
    assert harness.told.changes[-1] == ("p1", "PAID")
    assert (await harness.balances())["provider/paypal"] == 10_000


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_another_payment_is_not_adopted(
    harness: Harness, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    await send()
    with refused(Reason.INVALID_FIELDS, "provider_batch_id"):
        await found(harness, "FIRST")
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED
    assert (await not_paid(harness)).state == pb.Payout.STATE_FAILED


async def test_what_the_provider_shows_as_paid_outweighs_an_operator(
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
    assert harness.told.changes == [("p1", "PAID")]
    assert (await harness.balances())["provider/paypal"] == 10_000


async def test_what_the_provider_still_shows_in_flight_is_not_resolved_as_not_paid(
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


async def test_a_stopped_attempt_that_a_webhook_finds_goes_on(
    harness: Harness, answering: Answering
) -> None:
    """It had stopped before its batch was known; no person need decide any more, nor can."""
    send = await answering((400, NO_LINK), (200, shown_batch()))
    await send()
    assert (await harness.get("p1")).state == pb.Payout.STATE_BLOCKED
    await harness.payments.handle_event(ProviderEvent("po-p1-1", "FIRST", batch_state="PROCESSING"))
    gone_on = await harness.get("p1")
    assert gone_on.state == pb.Payout.STATE_SENT
    assert gone_on.attempts[0].provider_batch_id == "FIRST"
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(harness)


async def test_what_the_provider_has_reported_is_not_resolved_as_not_paid(
    harness: Harness, answering: Answering
) -> None:
    """Nobody knows its batch, and the report says that its money has left. When it has come back
    that is another matter."""
    send = await answering((400, NO_LINK))
    await send()
    paypal = reporting(harness)
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


async def test_all_sending_stops_where_the_provider_pays_what_was_not_paid(
    harness: Harness, answering: Answering
) -> None:
    """An operator was wrong, and another attempt may have paid meanwhile."""
    send = await answering((400, NO_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS")))
    await send()
    await not_paid(harness)
    hint = ProviderEvent("po-p1-1", "FIRST", item_state="SUCCESS")
    with capture_logs() as logs:
        for _ in range(2):
            assert await harness.payments.handle_event(hint) is None
    assert [log["event"] for log in logs if log["log_level"] == "critical"] == [
        "payout_contradicted",
        "payouts_halted",
        "payout_contradicted",
    ]
    (halt,) = await harness.payments._store.halts()
    assert halt.cause == "MISMATCH"
    assert "p1: attempt 1 is FAILED, and the provider pays it, as batch FIRST" in halt.reason
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p1", attempt=2)


async def test_a_late_webhook_of_what_came_back_stops_nothing(
    harness: Harness, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    await harness.refresh("p1")
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_FAILED
    await harness.payments.handle_event(ProviderEvent("po-p1-1", "FIRST", item_state="SUCCESS"))
    assert await harness.payments._store.halts() == []


class Interrupted(PostgresPayoutStore):
    """The attempt's batch becomes known while somebody decides about it."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.database)
        self._payments = harness.payments

    async def is_reported(self, attempt: Attempt) -> bool:
        await self._payments.sync_attempt("p1", 1, "FIRST")
        return await super().is_reported(attempt)


async def test_what_the_provider_tells_during_a_decision_is_not_overwritten(
    harness: Harness, answering: Answering
) -> None:
    """Its batch becomes known between the operator's look and the decision."""
    blocked = shown_batch(state="SUCCESS", status="BLOCKED")
    send = await answering((400, NO_LINK), (200, blocked))
    await send()
    store = Interrupted(harness)
    handlers = DecisionHandlers(store, harness.payments, harness.told, utc_now)
    command = ResolveAttempt.model_validate(
        {
            "name": NAME,
            "attempt": 1,
            "outcome": "NOT_PAID",
            "reason": WHY,
            "request_id": request_id(),
        }
    )
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await handlers.resolve_attempt(Principal("staff/olga", Role.OPERATOR), command)
    assert (await harness.get("p1")).attempts[0].provider_batch_id == "FIRST"


async def test_nothing_is_resolved_while_the_provider_does_not_answer(
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
async def test_a_resolution_says_what_it_is_about(
    harness: Harness, change: Any, fields: list[str]
) -> None:
    await harness.due("p1", "anna@example.com")
    request = {
        "name": NAME,
        "attempt": 1,
        "outcome": pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
        "reason": WHY,
        "request_id": request_id(),
    }
    with refused(Reason.INVALID_FIELDS, *fields):
        await harness.operator.ResolveAttempt(pb.ResolveAttemptRequest(**(request | change)))


# Who may


async def test_only_operators_decide(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    for channel in (
        harness.served.as_brand("acme"),
        harness.served.as_creator("anna"),
        harness.served.as_mediator(),
        harness.served.as_service(),
    ):
        stub = PayoutServiceStub(channel)
        common = {"name": NAME, "request_id": request_id()}
        for call in (
            stub.RetryPayout(pb.RetryPayoutRequest(reason=WHY, **common)),
            stub.HoldPayout(pb.HoldPayoutRequest(reason=WHY, **common)),
            stub.ResumePayout(pb.ResumePayoutRequest(reason=WHY, **common)),
            stub.WriteOffPayout(pb.WriteOffPayoutRequest(reason=WHY, **common)),
            stub.ResolveAttempt(pb.ResolveAttemptRequest(reason=WHY, **common)),
            stub.ConfirmBankTransfer(pb.ConfirmBankTransferRequest(**common)),
            stub.RejectBankTransfer(pb.RejectBankTransferRequest(**common)),
        ):
            with refused(Reason.ROLE_NOT_ALLOWED):
                await call
    with refused(Reason.NOT_FOUND):
        await harness.operator.HoldPayout(
            pb.HoldPayoutRequest(name="payouts/absent", reason=WHY, request_id=request_id())
        )


async def test_decisions_and_receivers_are_staffs_alone(harness: Harness) -> None:
    await harness.due("p1", "onhold@example.com")
    await harness.send("p1")
    await hold(harness)
    seen = {
        "operator": await _seen_by(harness.served.as_operator()),
        "mediator": await _seen_by(harness.served.as_mediator()),
        "brand": await _seen_by(harness.served.as_brand("acme")),
        "creator": await _seen_by(harness.served.as_creator("anna")),
        "service": await _seen_by(harness.served.as_service()),
    }
    assert {who for who, payout in seen.items() if payout.decisions} == {"operator", "mediator"}
    assert {who for who, payout in seen.items() if payout.attempts[0].receiver} == {"operator"}
    assert all(payout.is_held for payout in seen.values())


async def _seen_by(channel: Any) -> pb.Payout:
    return await PayoutServiceStub(channel).GetPayout(pb.GetPayoutRequest(name=NAME))


async def _statement(harness: Harness) -> list[statements_pb2.StatementLine]:
    stub = StatementServiceStub(harness.served.as_operator())
    page = await stub.ListStatementLines(
        statements_pb2.ListStatementLinesRequest(parent="brands/acme")
    )
    return list(page.lines)


def _created(sender_batch_id: str, batch_id: str) -> Any:
    header = {
        "payout_batch_id": batch_id,
        "batch_status": "PENDING",
        "sender_batch_header": {"sender_batch_id": sender_batch_id},
    }
    return {"batch_header": header}
