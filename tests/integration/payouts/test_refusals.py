"""What a payout comes to when PayPal answers with something else than a batch."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from services.payouts.payments import PaymentHandlers, SendPayout
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.house import House, utc_now
from tests.integration.payouts.scripted import CREATED, DUPLICATE, Answer, Scripted, starting
from tests.support.serving import refused

Send = Callable[[], Any]
Answering = Callable[..., Any]


@pytest.fixture
async def answering(house: House) -> AsyncIterator[Answering]:
    """Makes a function that sends p1's first attempt to a PayPal that gives these answers."""
    await house.due("p1", "anna@example.com")
    async with starting() as start:

        async def begin(*answers: Answer | None) -> Send:
            paypal = await start(Scripted(list(answers)))
            receivers = house.payments._receivers
            store = PostgresPayoutStore(house.database)
            payments = PaymentHandlers(store, paypal, receivers, utc_now)
            command = SendPayout.model_validate({"name": "payouts/p1", "attempt": 1})
            return lambda: payments.send_payout(command)

        yield begin


def _batch(
    value: str = "100.00", receiver: str = "anna@example.com", state: str = "PENDING"
) -> Any:
    detail = {"receiver": receiver, "amount": {"currency": "USD", "value": value}}
    header = CREATED["batch_header"] | {"payout_batch_id": "FIRST", "batch_status": state}
    item = {"payout_item_id": "I1", "transaction_status": "PENDING", "payout_item": detail}
    return {"batch_header": header, "items": [item]}


async def attempt_of(house: House) -> pb.Attempt:
    return (await house.get("p1")).attempts[0]


@pytest.mark.parametrize("status", [400, 403])
async def test_a_first_refusal_fails_the_attempt_and_keeps_the_hold(
    house: House, answering: Answering, status: int
) -> None:
    send = await answering((status, {"name": "NO"}))
    await send()
    payout = await house.get("p1")
    assert payout.state == pb.Payout.STATE_FAILED
    assert payout.attempts[0].state == pb.Attempt.STATE_FAILED
    assert payout.attempts[0].error_code == "NO"
    assert await house.funds() == (89_800, 10_200)


@pytest.mark.parametrize("refusal", [(400, {"name": "NO"}), (403, {"name": "NO"})])
async def test_a_refusal_after_a_doubt_keeps_the_doubt(
    house: House, answering: Answering, refusal: Answer
) -> None:
    send = await answering((500, b""), refusal)
    for _ in range(3):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
        assert (await attempt_of(house)).state == pb.Attempt.STATE_UNKNOWN
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)


async def test_too_many_requests_are_tried_again_with_the_same_id(
    house: House, answering: Answering
) -> None:
    send = await answering((429, {"name": "RATE_LIMIT_REACHED"}), (201, CREATED))
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await send()
    assert (await attempt_of(house)).state == pb.Attempt.STATE_SENDING
    await send()
    assert (await attempt_of(house)).provider_batch_id == "B1"


async def test_a_duplicate_is_adopted_when_it_is_ours(house: House, answering: Answering) -> None:
    send = await answering((400, DUPLICATE), (200, _batch()))
    await send()
    attempt = await attempt_of(house)
    assert attempt.state == pb.Attempt.STATE_ACCEPTED
    assert (attempt.provider_batch_id, attempt.provider_item_id) == ("FIRST", "I1")


async def test_a_duplicate_without_a_link_stops(house: House, answering: Answering) -> None:
    body = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}
    send = await answering((400, body))
    await send()
    attempt = await attempt_of(house)
    assert attempt.state == pb.Attempt.STATE_BLOCKED
    assert attempt.error_code == "DUPLICATE_WITHOUT_LINK"
    assert await house.funds() == (89_800, 10_200)


@pytest.mark.parametrize("other", [_batch("99.99"), _batch(receiver="eve@example.com")])
async def test_another_payment_behind_the_link_stops(
    house: House, answering: Answering, other: Any
) -> None:
    send = await answering((400, DUPLICATE), (200, other))
    await send()
    payout = await house.get("p1")
    assert payout.state == pb.Payout.STATE_SENDING
    assert payout.attempts[0].state == pb.Attempt.STATE_BLOCKED
    assert payout.attempts[0].error_code == "OTHER_PAYMENT"
    with refused(Reason.ILLEGAL_STATE):
        await house.send("p1", attempt=2)
    with refused(Reason.ILLEGAL_STATE):
        await house.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p1"))


async def test_a_duplicate_that_was_denied_meanwhile_is_sent_anew(
    house: House, answering: Answering
) -> None:
    send = await answering((400, DUPLICATE), (200, _batch(state="DENIED")), (201, CREATED))
    with refused(Reason.OUTCOME_UNKNOWN):
        await send()
    await send()
    assert (await attempt_of(house)).provider_batch_id == "B1"


async def test_a_sender_that_was_overtaken_does_not_post(
    house: House, answering: Answering
) -> None:
    """It stalls between taking its lease and sending, for longer than the lease."""
    send = await answering((201, CREATED))
    await house.database.execute(
        """
        CREATE FUNCTION overtake() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            NEW.fence := NEW.fence + 1;
            RETURN NEW;
        END $$;
        CREATE TRIGGER overtaken BEFORE UPDATE ON attempt
            FOR EACH ROW EXECUTE FUNCTION overtake();
        """
    )
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await send()
    assert not (await attempt_of(house)).provider_batch_id
