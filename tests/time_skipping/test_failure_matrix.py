"""Rows of the failure matrix of payouts that take days. The other rows are in
`tests/integration/payouts`, in `test_failure_matrix_*.py`."""

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.parametrize(
    ("kept", "payout", "attempt"),
    [("ONHOLD", "SENT", "ACCEPTED"), ("BLOCKED", "BLOCKED", "BLOCKED")],
    ids=["onhold", "blocked"],
)
@pytest.mark.parametrize("end", ["SUCCESS", "FAILED"])
async def test_row_18_what_the_provider_keeps_past_the_sla_stays_reserved_and_is_escalated_once(
    harness: Harness, kept: str, payout: str, attempt: str, end: str
) -> None:
    """The provider's later final state is accepted."""
    assignment = await harness.selected_creator(paypal=kept)
    await assignment.submit()
    await assignment.approve()
    await assignment.pass_time(MINUTE)
    await assignment.until_payout(payout)
    await assignment.pass_time(5 * DAY)
    await assignment.saw("PAYOUT_ESCALATED")
    await assignment.pass_time(20 * DAY)  # what was sent counts as received after a month
    await _is_kept(harness, assignment, payout, attempt)
    assert [one.status for one in harness.paypal_payments(assignment)] == [kept]
    await harness.paypal_will(assignment.creator, "SUCCESS")
    await harness.paypal_ends(assignment, end)
    await assignment.pass_time(DAY + 7 * HOUR)  # for another poll, and for another attempt
    await assignment.until("COMPLETED")
    assert await assignment.payout() == "PAID"
    ends = ["SUCCESS"] if end == "SUCCESS" else ["FAILED", "SUCCESS"]
    assert [one.status for one in harness.paypal_payments(assignment)] == ends
    assert await assignment.brand_funds() == (898_00, 0)
    assert (await assignment.operator_events()).count("PAYOUT_ESCALATED") == 1


async def _is_kept(
    harness: Harness, assignment: AssignmentDriver, payout: str, attempt: str
) -> None:
    assert await assignment.payout() == payout
    assert await assignment.attempts() == [attempt]
    assert await assignment.brand_funds() == (898_00, 102_00)
    with refused(Reason.ILLEGAL_STATE):
        await harness.service().payouts.ReleaseReward(
            pb.ReleaseRewardRequest(name=f"payouts/{assignment.id}")
        )
    assert await assignment.brand_funds() == (898_00, 102_00)
    assert (await assignment.events()).count("PAYOUT_ESCALATED") == 1
    assert (await assignment.operator_events()).count("PAYOUT_ESCALATED") == 1
