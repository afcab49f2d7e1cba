"""WriteOffPayout: operators end payouts that cannot be paid."""

from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1 import statements_pb2
from liaison.payouts.v1.statements_pb2_grpc import StatementServiceStub
from temporalio.testing import ActivityEnvironment

from servicekit.errors import Reason
from tests.integration.payouts.harness import Harness, usd
from tests.integration.payouts.operator_calls import NAME, REASON, hold, retry, write_off
from tests.integration.payouts.operators.outcomes import fail_first_attempt, pay_and_reverse
from tests.support.serving import refused, request_id
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.inputs import SettleReward
from workflows.payout.activities import PayoutActivities
from workflows.payout.model import PayoutStatus
from workflows.payout.model import State as Seen

BRAND = pb.WriteOffPayoutRequest.BENEFICIARY_BRAND


PLATFORM = pb.WriteOffPayoutRequest.BENEFICIARY_PLATFORM


@pytest.mark.parametrize(
    ("beneficiary", "kept_by"),
    [(BRAND, "brands/acme/available"), (PLATFORM, "platform/written_off")],
)
async def test_a_payout_is_written_off_once(
    harness: Harness, beneficiary: pb.WriteOffPayoutRequest.Beneficiary.ValueType, kept_by: str
) -> None:
    await fail_first_attempt(harness)
    before = await harness.balances()
    ended = await write_off(harness, beneficiary)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    assert harness.workflows.changes[-1] == ("p1", "WRITTEN_OFF")
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
    # A worker that does not know of the write-off must not fail for ever.
    await harness.worker.ReleaseReward(pb.ReleaseRewardRequest(name=NAME))
    await harness.worker.ReduceReward(pb.ReduceRewardRequest(name=NAME, amount=usd(100)))
    assert await harness.balances() == after
    assert (await harness.get("p1")).state == pb.Payout.STATE_WRITTEN_OFF


@pytest.mark.parametrize("left_minor", [4_000, 0])
async def test_a_mediators_decision_does_not_change_a_written_off_payout(
    harness: Harness, left_minor: int
) -> None:
    await fail_first_attempt(harness)
    await write_off(harness, PLATFORM)
    before = await harness.balances()
    nobody: Any = None
    workers = AssignmentActivities(nobody, nobody, nobody, nobody, harness.worker, nobody)
    order = SettleReward("p1", "USD", left_minor)
    assert not await ActivityEnvironment().run(workers.settle_reward, order)
    assert await harness.balances() == before


@pytest.mark.parametrize("left_minor", [4_000, 0])
async def test_a_mediator_may_lower_or_cancel_a_failed_payout(
    harness: Harness, left_minor: int
) -> None:
    await fail_first_attempt(harness)
    nobody: Any = None
    workers = AssignmentActivities(nobody, nobody, nobody, nobody, harness.worker, nobody)
    order = SettleReward("p1", "USD", left_minor)
    for _ in range(2):  # as after an answer that was lost
        assert await ActivityEnvironment().run(workers.settle_reward, order)


async def test_a_restarted_workflow_reads_the_payouts_progress(
    harness: Harness,
) -> None:
    find = PayoutActivities(harness.worker).get_payout_status
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.RESERVED, 0, None)
    await fail_first_attempt(harness)
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.FAILED, 1, 10_000)
    await harness.worker.ReduceReward(pb.ReduceRewardRequest(name=NAME, amount=usd(4_000)))
    assert await ActivityEnvironment().run(find, "p1") == PayoutStatus(Seen.FAILED, 1, 4_000)


async def test_a_returned_payment_can_be_written_off(harness: Harness) -> None:
    await pay_and_reverse(harness)
    ended = await write_off(harness, PLATFORM)
    assert ended.state == pb.Payout.STATE_WRITTEN_OFF
    balances = await harness.balances()
    assert (balances["platform/written_off"], balances["provider/paypal"]) == (10_000, 0)


async def test_a_payment_in_progress_cannot_be_written_off(harness: Harness) -> None:
    await harness.due("p1", "onhold@example.com")
    await harness.send("p1")
    with refused(Reason.ILLEGAL_STATE):
        await write_off(harness, BRAND)
    request = pb.WriteOffPayoutRequest(name=NAME, reason=REASON, request_id=request_id())
    with refused(Reason.INVALID_FIELDS, "beneficiary"):
        await harness.operator.WriteOffPayout(request)


async def _statement(harness: Harness) -> list[statements_pb2.StatementLine]:
    stub = StatementServiceStub(harness.served.as_operator())
    page = await stub.ListStatementLines(
        statements_pb2.ListStatementLinesRequest(parent="brands/acme")
    )
    return list(page.lines)
