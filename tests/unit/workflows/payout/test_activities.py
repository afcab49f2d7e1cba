"""Requests that a payout's activities send, and which errors end an attempt."""

import pytest
from liaison.payouts.v1 import payouts_pb2
from temporalio.exceptions import ApplicationError

from servicekit.errors import FailedPrecondition, LiaisonError, Reason, Unavailable
from tests.unit.workflows.services import FakeService
from workflows.payout.activities import PayoutActivities
from workflows.payout.model import PayoutTerms, RecallPayout, SendPayout
from workflows.payout.model import State as Payout
from workflows.policy import STANDARD


def _payout(reserved_minor: int | None) -> PayoutTerms:
    interval = STANDARD.payout_retry_interval
    return PayoutTerms("a1", "acme", "bea", "USD", 4_000, reserved_minor, interval)


@pytest.mark.parametrize(
    ("reserved_minor", "kinds"),
    [
        (None, [payouts_pb2.ReserveRewardsRequest]),
        (10_000, [payouts_pb2.ReduceRewardRequest]),
        (4_000, []),
    ],
)
async def test_a_reservation_is_adjusted_to_the_payouts_amount(
    reserved_minor: int | None, kinds: list[type]
) -> None:
    payouts = FakeService()
    await PayoutActivities(payouts).reserve_reward(_payout(reserved_minor))  # type: ignore[arg-type]  # a stand-in
    assert [type(request) for request in payouts.requests] == kinds


@pytest.mark.parametrize("shown", list(Payout))
async def test_each_call_returns_the_payouts_state(shown: Payout) -> None:
    answer = payouts_pb2.Payout(state=payouts_pb2.Payout.State.Value(f"STATE_{shown}"))
    calls = ("SendPayout", "RefreshPayout", "RecallPayout")
    payouts = FakeService({call: [answer] for call in calls})
    activities = PayoutActivities(payouts)  # type: ignore[arg-type]  # a stand-in
    assert await activities.send_payout(SendPayout("a1", 1)) is shown
    assert await activities.refresh_payout("a1") is shown
    assert await activities.recall_payout(RecallPayout("a1", 1)) is shown


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (FailedPrecondition(Reason.PAYOUT_ACCOUNT_MISSING, ""), True),
        (FailedPrecondition(Reason.PAYOUT_NOT_CLAIMED, ""), True),
        (FailedPrecondition(Reason.ILLEGAL_STATE, ""), True),
        (FailedPrecondition(Reason.PAYOUT_ON_HOLD, ""), False),
        (Unavailable(Reason.PAYOUTS_HALTED, ""), False),
        (Unavailable(Reason.OUTCOME_UNKNOWN, ""), False),
        (FailedPrecondition(Reason.CREDENTIALS_INVALID, ""), False),
    ],
)
async def test_only_refusals_that_the_payout_handles_are_final(
    error: LiaisonError, is_final: bool
) -> None:
    activities = PayoutActivities(FakeService({"SendPayout": [error]}))  # type: ignore[arg-type]  # a stand-in
    with pytest.raises(ApplicationError) as ended:
        await activities.send_payout(SendPayout("a1", 1))
    assert (ended.value.type, ended.value.non_retryable) == (error.reason, is_final)
