"""Assertions about payout p1 and its first attempt, shared by the tests of sending."""

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from services.payouts.sending.sender import SendPayout
from tests.integration.payouts.harness import Harness
from tests.support.serving import refused

ONE_BATCH = ("po-p1-1", "SUCCESS")
RELEASE = pb.ReleaseRewardRequest(name="payouts/p1")


async def attempt_of(harness: Harness) -> pb.Attempt:
    return (await harness.get("p1")).attempts[0]


async def ends_paid_once(harness: Harness) -> None:
    """Refreshes until the payout is paid; the provider has one batch and the ledger one payment."""
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.batches() == [ONE_BATCH]
    assert await harness.balances() == {
        "brands/acme/available": 89_800,
        "brands/acme/reserved": 0,
        "fees/paypal": 200,
        "provider/paypal": 10_000,
        "world/deposits": -100_000,
    }


async def is_unknown(harness: Harness) -> None:
    """The attempt is UNKNOWN, its reservation is kept, and no second attempt is accepted."""
    assert (await attempt_of(harness)).state == pb.Attempt.STATE_UNKNOWN
    assert (await harness.funds())[1] == 10_200
    with refused(Reason.ILLEGAL_STATE):
        await harness.worker.ReleaseReward(RELEASE)
    with refused(Reason.ILLEGAL_STATE):
        await harness.send("p1", attempt=2)


def first_attempt() -> SendPayout:
    return SendPayout.model_validate({"name": "payouts/p1", "attempt": 1})
