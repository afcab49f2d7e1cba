"""Rows of the failure matrix of payouts that take days: the others break something at one point,
and are in `tests/integration/payouts/test_failure_matrix.py`."""

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.life import Life
from tests.time_skipping.moments import DAY, HOUR, MINUTE
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.parametrize(
    ("kept", "payout", "attempt"),
    [("ONHOLD", "SENT", "ACCEPTED"), ("BLOCKED", "BLOCKED", "BLOCKED")],
    ids=["onhold", "blocked"],
)
@pytest.mark.parametrize("end", ["SUCCESS", "FAILED"])
async def test_row_18_what_the_provider_keeps_past_the_sla_stays_reserved_and_is_escalated_once(
    stage: Stage, kept: str, payout: str, attempt: str, end: str
) -> None:
    """And once the provider makes an end of it, that is taken."""
    life = await stage.selected_creator(paypal=kept)
    await life.submit()
    await life.approve()
    await life.pass_time(MINUTE)
    await life.until_payout(payout)
    await life.pass_time(5 * DAY)
    await life.saw("PAYOUT_ESCALATED")
    await life.pass_time(20 * DAY)  # what was sent counts as received after a month
    await _is_kept(stage, life, payout, attempt)
    assert [one.status for one in stage.paypal_payments(life)] == [kept]
    await stage.paypal_will(life.creator, "SUCCESS")
    await stage.paypal_ends(life, end)
    await life.pass_time(DAY + 7 * HOUR)  # for another look, and for another attempt
    await life.until("COMPLETED")
    assert await life.payout() == "PAID"
    ends = ["SUCCESS"] if end == "SUCCESS" else ["FAILED", "SUCCESS"]
    assert [one.status for one in stage.paypal_payments(life)] == ends
    assert await life.brand_funds() == (898_00, 0)
    assert (await life.told_operators()).count("PAYOUT_ESCALATED") == 1


async def _is_kept(stage: Stage, life: Life, payout: str, attempt: str) -> None:
    assert await life.payout() == payout
    assert await life.attempts() == [attempt]
    assert await life.brand_funds() == (898_00, 102_00)
    with refused(Reason.ILLEGAL_STATE):
        await stage.service().payouts.ReleaseReward(
            pb.ReleaseRewardRequest(name=f"payouts/{life.id}")
        )
    assert await life.brand_funds() == (898_00, 102_00)
    assert (await life.events()).count("PAYOUT_ESCALATED") == 1
    assert (await life.told_operators()).count("PAYOUT_ESCALATED") == 1
