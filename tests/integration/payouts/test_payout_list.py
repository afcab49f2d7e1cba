"""Lists of payouts filtered by state."""

from typing import TYPE_CHECKING

from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import write_off
from tests.integration.payouts.scripted_paypal import Answering
from tests.support.serving import refused
from workflows.payout.providers import ProviderName

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

NO_LINK = {"name": "USER_BUSINESS_ERROR", "message": "sender_batch_id already exists"}


async def test_payouts_are_listed_by_state(harness: Harness, answering: Answering) -> None:
    """p1 is BLOCKED, p2 FAILED, p3 PAID, p4 WRITTEN_OFF, p5 RELEASED, p6 of another brand BLOCKED;
    p7 and p8 are RESERVED."""
    paypal = harness.providers[ProviderName.PAYPAL]
    send = await answering((400, NO_LINK), (400, NO_LINK))
    await harness.deposit(100_000, brand="other")
    await harness.reserve("p6", brand="other")
    await send()
    await harness.send_once("p6")
    harness.providers[ProviderName.PAYPAL] = paypal
    await harness.reserve("p2", "p3", "p4", "p5", "p7", "p8")
    await harness.behave("anna@example.com", "FAILED_LATE", 0.05)
    await harness.send("p2")
    await harness.until("p2", pb.Payout.STATE_FAILED)
    await harness.behave("anna@example.com", "SUCCESS")
    await harness.send("p3")
    await harness.until("p3", pb.Payout.STATE_PAID)
    await write_off(harness, pb.WriteOffPayoutRequest.BENEFICIARY_BRAND, "payouts/p4")
    await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name="payouts/p5"))
    assert {
        name.removeprefix("STATE_"): await _listed(harness.brand(), state)
        for name, state in pb.Payout.State.items()
        if await _listed(harness.brand(), state)
    } == {
        "UNSPECIFIED": ["p8", "p7", "p5", "p4", "p3", "p2", "p1"],
        "BLOCKED": ["p1"],
        "FAILED": ["p2"],
        "PAID": ["p3"],
        "WRITTEN_OFF": ["p4"],
        "RELEASED": ["p5"],
        "RESERVED": ["p8", "p7"],
    }
    assert await _listed(harness.operator, pb.Payout.STATE_BLOCKED) == ["p6", "p1"]
    page = await harness.operator.ListPayouts(
        pb.ListPayoutsRequest(state=pb.Payout.STATE_BLOCKED, page_size=1)
    )
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await harness.operator.ListPayouts(pb.ListPayoutsRequest(page_token=page.next_page_token))


async def _listed(payouts: "PayoutServiceAsyncStub", state: pb.Payout.State.ValueType) -> list[str]:
    """The ids on pages of one each."""
    ids: list[str] = []
    request = pb.ListPayoutsRequest(state=state, page_size=1)
    while True:
        page = await payouts.ListPayouts(request)
        ids += [payout.name.removeprefix("payouts/") for payout in page.payouts]
        if not page.next_page_token:
            return ids
        request.page_token = page.next_page_token
