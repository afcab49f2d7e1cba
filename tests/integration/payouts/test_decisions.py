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

from servicekit.auth import Principal, Role
from servicekit.errors import Reason, Unavailable
from services.payouts.decisions import (
    DecisionHandlers,
    ResolveAttempt,
    RetryPayout,
    WriteOffPayout,
)
from services.payouts.domain import Attempt, Decision, Payout
from services.payouts.payments import Hint, PaymentHandlers
from services.payouts.paypal import http_client
from services.payouts.providers import providers_of
from services.payouts.sender import SendPayout
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
from tests.integration.payouts.house import House, Told, paypal_settings, usd, utc_now
from tests.integration.payouts.killing import TOKEN_PATH, Held, gate_to
from tests.integration.payouts.reporting import moved, reporting, run
from tests.integration.payouts.scripted import CREATED, DUPLICATE, Answering, shown_batch
from tests.integration.payouts.tampering import change_item
from tests.support.serving import refused, request_id

BRAND = pb.WriteOffPayoutRequest.BENEFICIARY_BRAND
PLATFORM = pb.WriteOffPayoutRequest.BENEFICIARY_PLATFORM
NO_LINK = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
KIND = pb.Decision


async def fails(house: House) -> pb.Payout:
    """A payout whose first attempt has failed."""
    await house.due("p1", "failed-late@example.com")
    await house.behave("failed-late@example.com", "FAILED_LATE", 0.05)
    await house.send("p1")
    return await house.until("p1", pb.Payout.STATE_FAILED)


async def comes_back(house: House) -> pb.Payout:
    """A payout that was paid, and whose money came back."""
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    await change_item(house, "p1", "REVERSED")
    return await house.until("p1", pb.Payout.STATE_FAILED)


# Retrying


async def test_what_came_back_is_paid_again_where_an_operator_says_so(house: House) -> None:
    await comes_back(house)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    decided = await retry(house)
    assert house.told.retries == [("p1", 2)]
    assert [(one.kind, one.reason, one.actor, one.attempt) for one in decided.decisions] == [
        (KIND.KIND_RETRY, WHY, "staff/olga", 2)
    ]
    await house.send("p1", attempt=2)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert len(paid.attempts) == 2
    # The brand's money had paid the first fee; the second is the platform's.
    assert await house.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 400,
        "platform/fees": -200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def test_each_payment_of_what_came_back_is_decided_by_itself(house: House) -> None:
    await comes_back(house)
    await retry(house)
    await house.behave("anna@example.com", "FAILED_LATE", 0.05)
    await house.send("p1", attempt=2)
    await house.until("p1", pb.Payout.STATE_FAILED)
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=3)


async def test_a_decision_to_pay_what_nobody_claimed_is_none_to_pay_what_came_back(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    statuses = ("UNCLAIMED", "REVERSED")
    shown = [shown_batch(state="SUCCESS", status=status) for status in statuses]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await house.refresh("p1")).state == pb.Payout.STATE_UNCLAIMED
    await retry(house)
    assert (await house.refresh("p1")).state == pb.Payout.STATE_FAILED
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


async def test_an_operator_names_another_receiver(house: House) -> None:
    await fails(house)
    await retry(house, receiver="anna.ruiz@example.com", provider=pb.PROVIDER_PAYPAL)
    await retry(house, receiver="anna-2@example.com")
    await house.send("p1", attempt=2)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert house.receivers() == ["failed-late@example.com", "anna-2@example.com"]
    assert len(paid.decisions) == 0  # workers are told of none
    told = (await _seen_by(house.served.as_mediator())).decisions
    assert [(one.provider, one.receiver) for one in told] == [
        (pb.PROVIDER_PAYPAL, ""),
        (pb.PROVIDER_UNSPECIFIED, ""),
    ]
    known = (await _seen_by(house.served.as_operator())).decisions
    assert [one.receiver for one in known] == ["anna.ruiz@example.com", "anna-2@example.com"]


async def test_an_operator_pays_a_creator_without_an_account(house: House) -> None:
    await house.due("p1", "")
    with refused(Reason.PAYOUT_ACCOUNT_MISSING):
        await house.send("p1")
    await retry(house, receiver="anna@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)


async def test_an_operator_sends_to_an_account_again_at_which_nobody_claimed(house: House) -> None:
    await house.due("p1", "unclaimed@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_UNCLAIMED)
    await retry(house)
    await house.recall("p1")
    await house.behave("unclaimed@example.com", "SUCCESS")
    await house.send("p1", attempt=2)
    await house.until("p1", pb.Payout.STATE_PAID)


@pytest.mark.parametrize(
    "receiver", ["onhold@example.com", "blocked@example.com", "drop-answer@example.com"]
)
async def test_what_is_under_way_or_in_doubt_is_not_retried(house: House, receiver: str) -> None:
    house.lose_webhooks()
    await house.due("p1", receiver)
    if receiver.startswith("drop"):
        with refused(Reason.OUTCOME_UNKNOWN):
            await house.send_once("p1")
    else:
        await house.send("p1")
    if receiver.startswith("blocked"):
        await house.until("p1", pb.Payout.STATE_BLOCKED)
    with refused(Reason.ILLEGAL_STATE):
        await retry(house)
    assert house.told.retries == []


async def test_what_was_paid_is_not_retried(house: House) -> None:
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    with refused(Reason.ILLEGAL_STATE):
        await retry(house)


@pytest.mark.parametrize(
    ("also", "fields"),
    [
        ({"provider": pb.PROVIDER_MANUAL}, ["receiver"]),
        ({"provider": pb.PROVIDER_PAYPAL, "receiver": IBAN}, ["receiver"]),
        ({"receiver": "x" * 201}, ["receiver"]),
        ({"receiver": "\u200b"}, ["receiver"]),
        ({"provider": 99, "receiver": IBAN}, ["provider"]),
    ],
)
async def test_a_retry_says_whom_in_the_providers_terms(
    house: House, also: Any, fields: list[str]
) -> None:
    with refused(Reason.INVALID_FIELDS, *fields):
        await retry(house, **also)


class Overtaken(PostgresPayoutStore):
    """Right after the sender has read what was decided, an operator decides otherwise."""

    def __init__(self, house: House) -> None:
        super().__init__(house.database)
        self._house = house

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None:
        decision = await super().retry_of(payout_id, attempt_number)
        if not self._database.is_in_transaction():
            await retry(self._house, receiver="right@example.com")
        return decision


async def test_a_decision_between_reading_and_sending_is_not_overlooked(house: House) -> None:
    await house.due("p1", "wrong@example.com")
    known = house.payments
    sender = PaymentHandlers(Overtaken(house), known._providers, known._sender._receivers, utc_now)
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await sender.send_payout(SendPayout.model_validate({"name": NAME, "attempt": 1}))
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert house.receivers() == ["right@example.com"]


async def test_a_repeated_decision_is_made_once(house: House) -> None:
    await fails(house)
    request = pb.RetryPayoutRequest(name=NAME, reason=WHY, request_id=request_id())
    answers = [await house.operator.RetryPayout(request) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0].decisions) == 1
    assert house.told.retries == [("p1", 2)]
    request.reason = "Another one"
    with refused(Reason.REQUEST_ID_REUSED):
        await house.operator.RetryPayout(request)


class Away(Told):
    """Workflows that cannot be told for once."""

    is_away = True

    async def retry(self, payout: Payout) -> None:
        await self.inform(payout)
        await super().retry(payout)

    async def inform(self, payout: Payout) -> None:
        if self.is_away:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer")
        await super().inform(payout)


@pytest.mark.parametrize("kind", ["retry", "write_off"])
async def test_who_could_not_be_told_is_told_by_the_repetition(house: House, kind: str) -> None:
    """By the handlers, since a client repeats the call by itself."""
    await fails(house)
    runs = Away()
    store = PostgresPayoutStore(house.database)
    handlers = DecisionHandlers(store, house.payments, runs, utc_now)
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


async def test_a_held_payout_is_not_sent_until_it_is_resumed(house: House) -> None:
    await house.due("p1", "anna@example.com")
    held = await hold(house)
    assert (held.is_held, held.state) == (True, pb.Payout.STATE_RESERVED)
    assert (await hold(house)) == held
    with refused(Reason.PAYOUT_ON_HOLD):
        await house.send("p1")
    with refused(Reason.PAYOUT_ON_HOLD):
        await retry(house)
    assert (await house.get("p1")).attempts == []
    resumed = await resume(house)
    assert await resume(house) == resumed
    assert [one.kind for one in resumed.decisions] == [KIND.KIND_HOLD, KIND.KIND_RESUME]
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    with refused(Reason.ILLEGAL_STATE):
        await hold(house)


async def test_an_attempt_in_doubt_is_not_posted_again_while_it_is_held(house: House) -> None:
    house.lose_webhooks()
    await house.due("p1", "drop-answer@example.com")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.send_once("p1")
    await hold(house)
    with refused(Reason.PAYOUT_ON_HOLD):
        await house.send_once("p1")
    await resume(house)
    await house.send("p1")
    await house.until("p1", pb.Payout.STATE_PAID)
    assert len(house.batches()) == 1


async def test_a_hold_is_before_a_sender_that_is_still_on_its_way(house: House) -> None:
    """It has taken the attempt, and gets its token."""
    await house.due("p1", "anna@example.com")
    async with gate_to(house, TOKEN_PATH, Held.CALL) as (gate, url), http_client() as http:
        providers = providers_of(paypal_settings(url), http, house.database)
        known = house.payments
        sender = PaymentHandlers(known._store, providers, known._sender._receivers, utc_now)
        command = SendPayout.model_validate({"name": NAME, "attempt": 1})
        sending = asyncio.create_task(sender.send_payout(command))
        await gate.reached.wait()
        assert (await hold(house)).is_held
        gate.opened.set()
        with refused(Reason.PAYOUT_ON_HOLD):
            await sending
    assert house.batches() == []
    await resume(house)
    await house.send_once("p1")
    await house.until("p1", pb.Payout.STATE_PAID)


async def test_what_is_under_way_goes_on_while_it_is_held(house: House) -> None:
    house.lose_webhooks()
    await house.due("p1", "anna@example.com")
    await house.send("p1")
    await hold(house)
    paid = await house.until("p1", pb.Payout.STATE_PAID)
    assert paid.is_held
    assert await house.send("p1") == paid


async def test_holds_at_once_are_one_decision(house: House) -> None:
    await house.due("p1", "anna@example.com")
    answers = await asyncio.gather(*(hold(house) for _ in range(5)))
    assert {len(answer.decisions) for answer in answers} == {1}


# Writing off


@pytest.mark.parametrize(
    ("beneficiary", "kept_by"),
    [(BRAND, "brands/acme/available"), (PLATFORM, "platform/written_off")],
)
async def test_what_cannot_be_paid_is_written_off_once(
    house: House, beneficiary: pb.WriteOffPayoutRequest.Beneficiary.ValueType, kept_by: str
) -> None:
    await fails(house)
    before = await house.balances()
    ended = await write_off(house, beneficiary)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    assert house.told.changes[-1] == ("p1", "WRITTEN_OFF")
    after = await house.balances()
    assert after[kept_by] - before.get(kept_by, 0) == 10_200
    assert after["brands/acme/reserved"] == 0
    (line,) = [one for one in await _statement(house) if one.kind == one.KIND_WRITE_OFF]
    funds = line.brand_funds
    assert (funds.reserved_change.units, line.payout) == (-102, NAME)
    for refusal in (
        write_off(house, beneficiary),
        retry(house),
        hold(house),
        house.send("p1", attempt=2),
    ):
        with refused(Reason.ILLEGAL_STATE):
            await refusal
    # A worker that knows nothing of it must not be stopped for good.
    await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name=NAME))
    await house.worker.ReduceReward(pb.ReduceRewardRequest(name=NAME, amount=usd(100)))
    assert await house.balances() == after
    assert (await house.get("p1")).state == pb.Payout.STATE_WRITTEN_OFF


async def test_what_came_back_is_written_off(house: House) -> None:
    await comes_back(house)
    ended = await write_off(house, PLATFORM)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    balances = await house.balances()
    assert (balances["platform/written_off"], balances["provider/paypal"]) == (10_000, 0)


async def test_what_may_still_be_paid_is_not_written_off(house: House) -> None:
    await house.due("p1", "onhold@example.com")
    await house.send("p1")
    with refused(Reason.ILLEGAL_STATE):
        await write_off(house, BRAND)
    request = pb.WriteOffPayoutRequest(name=NAME, reason=WHY, request_id=request_id())
    with refused(Reason.INVALID_FIELDS, "beneficiary"):
        await house.operator.WriteOffPayout(request)


# Resolving


async def test_a_stopped_attempt_that_was_not_paid_makes_way_for_another(
    house: House, answering: Answering
) -> None:
    send = await answering((400, NO_LINK), (201, _created("po-p1-2", "B2")))
    await send()
    resolved = await not_paid(house)
    assert (resolved.state, resolved.attempts[0].error_code) == (
        pb.Payout.STATE_FAILED,
        "RESOLVED_NOT_PAID",
    )
    assert house.told.changes[-1] == ("p1", "FAILED")
    assert [(one.kind, one.attempt, one.outcome) for one in resolved.decisions] == [
        (KIND.KIND_RESOLVE, 1, pb.ResolveAttemptRequest.OUTCOME_NOT_PAID)
    ]
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(house)
    await house.send("p1", attempt=2)
    assert (await house.get("p1")).attempts[1].provider_batch_id == "B2"


async def test_a_batch_that_was_found_is_adopted(house: House, answering: Answering) -> None:
    send = await answering(
        (400, NO_LINK),
        *[(200, shown_batch()) for _ in range(2)],
        (200, shown_batch(state="SUCCESS", status="SUCCESS")),
    )
    await send()
    adopted = await found(house, "FIRST")
    assert (adopted.state, adopted.attempts[0].provider_batch_id) == (
        pb.Payout.STATE_SENT,
        "FIRST",
    )
    assert (await house.refresh("p1")).state == pb.Payout.STATE_PAID
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_a_batch_that_was_found_paid_is_settled(house: House, answering: Answering) -> None:
    send = await answering((400, NO_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS")))
    await send()
    assert (await found(house, "FIRST")).state == pb.Payout.STATE_PAID
    assert house.told.changes[-1] == ("p1", "PAID")
    assert (await house.balances())["provider/paypal"] == 10_000


@pytest.mark.parametrize("other", [shown_batch("99.99"), shown_batch(receiver="eve@example.com")])
async def test_another_payment_is_not_adopted(
    house: House, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    await send()
    with refused(Reason.INVALID_FIELDS, "provider_batch_id"):
        await found(house, "FIRST")
    assert (await house.get("p1")).state == pb.Payout.STATE_BLOCKED
    assert (await not_paid(house)).state == pb.Payout.STATE_FAILED


async def test_what_the_provider_shows_as_paid_outweighs_an_operator(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("BLOCKED", "SUCCESS")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    assert (await house.refresh("p1")).state == pb.Payout.STATE_BLOCKED
    with refused(Reason.ILLEGAL_STATE) as caught:
        await not_paid(house)
    assert caught.value.metadata["state"] == "PAID"
    assert house.told.changes == [("p1", "PAID")]
    assert (await house.balances())["provider/paypal"] == 10_000


async def test_what_the_provider_still_shows_in_flight_is_not_resolved_as_not_paid(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("BLOCKED", "ONHOLD")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    await house.refresh("p1")
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(house)
    assert (await house.get("p1")).state == pb.Payout.STATE_BLOCKED


async def test_a_stopped_attempt_that_a_webhook_finds_goes_on(
    house: House, answering: Answering
) -> None:
    """It had stopped before its batch was known; no person need decide any more, nor can."""
    send = await answering((400, NO_LINK), (200, shown_batch()))
    await send()
    assert (await house.get("p1")).state == pb.Payout.STATE_BLOCKED
    await house.payments.follow(Hint("po-p1-1", "FIRST", batch_state="PROCESSING"))
    gone_on = await house.get("p1")
    assert gone_on.state == pb.Payout.STATE_SENT
    assert gone_on.attempts[0].provider_batch_id == "FIRST"
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(house)


async def test_what_the_provider_has_reported_is_not_resolved_as_not_paid(
    house: House, answering: Answering
) -> None:
    """Nobody knows its batch, and the report says that its money has left. When it has come back
    that is another matter."""
    send = await answering((400, NO_LINK))
    await send()
    paypal = reporting(house)
    left = moved("T-1", 10_000, fee_minor=200, sender_batch_id="po-p1-1", is_pending=True)
    paypal.transactions.append(left)
    paypal.later(timedelta(seconds=1))
    await run(house)
    with refused(Reason.ILLEGAL_STATE):
        await not_paid(house)
    paypal.transactions.append(moved("T-2", -10_000, fee_minor=-200, reverses_id="T-1"))
    paypal.later(timedelta(seconds=2))
    await run(house)
    assert (await not_paid(house)).state == pb.Payout.STATE_FAILED


async def test_all_sending_stops_where_the_provider_pays_what_was_not_paid(
    house: House, answering: Answering
) -> None:
    """An operator was wrong, and another attempt may have paid meanwhile."""
    send = await answering((400, NO_LINK), (200, shown_batch(state="SUCCESS", status="SUCCESS")))
    await send()
    await not_paid(house)
    hint = Hint("po-p1-1", "FIRST", item_state="SUCCESS")
    with capture_logs() as logs:
        for _ in range(2):
            assert await house.payments.follow(hint) is None
    assert [log["event"] for log in logs if log["log_level"] == "critical"] == [
        "payout_contradicted",
        "sending_halted",
        "payout_contradicted",
    ]
    (halt,) = await house.payments._store.halts()
    assert halt.cause == "MISMATCH"
    assert "p1: attempt 1 is FAILED, and the provider pays it, as batch FIRST" in halt.reason
    with refused(Reason.SENDING_HALTED):
        await house.send_once("p1", attempt=2)


async def test_a_late_webhook_of_what_came_back_stops_nothing(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    shown = [shown_batch(state="SUCCESS", status=status) for status in ("SUCCESS", "REFUNDED")]
    send = await answering((201, accepted), *((200, batch) for batch in shown))
    await send()
    await house.refresh("p1")
    assert (await house.refresh("p1")).state == pb.Payout.STATE_FAILED
    await house.payments.follow(Hint("po-p1-1", "FIRST", item_state="SUCCESS"))
    assert await house.payments._store.halts() == []


class Interrupted(PostgresPayoutStore):
    """The attempt's batch becomes known while somebody decides about it."""

    def __init__(self, house: House) -> None:
        super().__init__(house.database)
        self._payments = house.payments

    async def is_reported(self, attempt: Attempt) -> bool:
        await self._payments.look("p1", 1, "FIRST")
        return await super().is_reported(attempt)


async def test_what_the_provider_tells_during_a_decision_is_not_overwritten(
    house: House, answering: Answering
) -> None:
    """Its batch becomes known between the operator's look and the decision."""
    blocked = shown_batch(state="SUCCESS", status="BLOCKED")
    send = await answering((400, NO_LINK), (200, blocked))
    await send()
    store = Interrupted(house)
    handlers = DecisionHandlers(store, house.payments, house.told, utc_now)
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
    assert (await house.get("p1")).attempts[0].provider_batch_id == "FIRST"


async def test_nothing_is_resolved_while_the_provider_does_not_answer(
    house: House, answering: Answering
) -> None:
    accepted = {"batch_header": CREATED["batch_header"] | {"payout_batch_id": "FIRST"}}
    blocked = shown_batch(state="SUCCESS", status="BLOCKED")
    send = await answering((201, accepted), (200, blocked), (500, b""))
    await send()
    await house.refresh("p1")
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await not_paid(house)
    assert (await house.get("p1")).state == pb.Payout.STATE_BLOCKED


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
    house: House, change: Any, fields: list[str]
) -> None:
    await house.due("p1", "anna@example.com")
    request = {
        "name": NAME,
        "attempt": 1,
        "outcome": pb.ResolveAttemptRequest.OUTCOME_NOT_PAID,
        "reason": WHY,
        "request_id": request_id(),
    }
    with refused(Reason.INVALID_FIELDS, *fields):
        await house.operator.ResolveAttempt(pb.ResolveAttemptRequest(**(request | change)))


# Who may


async def test_only_operators_decide(house: House) -> None:
    await house.due("p1", "anna@example.com")
    for channel in (
        house.served.as_brand("acme"),
        house.served.as_creator("anna"),
        house.served.as_mediator(),
        house.served.as_service(),
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
        await house.operator.HoldPayout(
            pb.HoldPayoutRequest(name="payouts/absent", reason=WHY, request_id=request_id())
        )


async def test_decisions_and_receivers_are_staffs_alone(house: House) -> None:
    await house.due("p1", "onhold@example.com")
    await house.send("p1")
    await hold(house)
    seen = {
        "operator": await _seen_by(house.served.as_operator()),
        "mediator": await _seen_by(house.served.as_mediator()),
        "brand": await _seen_by(house.served.as_brand("acme")),
        "creator": await _seen_by(house.served.as_creator("anna")),
        "service": await _seen_by(house.served.as_service()),
    }
    assert {who for who, payout in seen.items() if payout.decisions} == {"operator", "mediator"}
    assert {who for who, payout in seen.items() if payout.attempts[0].receiver} == {"operator"}
    assert all(payout.is_held for payout in seen.values())


async def _seen_by(channel: Any) -> pb.Payout:
    return await PayoutServiceStub(channel).GetPayout(pb.GetPayoutRequest(name=NAME))


async def _statement(house: House) -> list[statements_pb2.StatementLine]:
    stub = StatementServiceStub(house.served.as_operator())
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
