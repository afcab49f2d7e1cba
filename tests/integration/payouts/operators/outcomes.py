"""Payouts in the states that operators decide about."""

from typing import Any

from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import NAME
from tests.integration.payouts.sandbox_admin import change_item

DUPLICATE_WITHOUT_LINK = {
    "name": "USER_BUSINESS_ERROR",
    "message": "sender_batch_id already exists",
}


async def fail_first_attempt(harness: Harness) -> pb.Payout:
    """A payout whose first attempt has failed."""
    await harness.due("p1", "failed-late@example.com")
    await harness.behave("failed-late@example.com", "FAILED_LATE", 0.05)
    await harness.send("p1")
    return await harness.until("p1", pb.Payout.STATE_FAILED)


async def pay_and_reverse(harness: Harness) -> pb.Payout:
    """A payout that was paid and reversed."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    await change_item(harness, "p1", "REVERSED")
    return await harness.until("p1", pb.Payout.STATE_FAILED)


async def seen_by(channel: Any) -> pb.Payout:
    return await PayoutServiceStub(channel).GetPayout(pb.GetPayoutRequest(name=NAME))
