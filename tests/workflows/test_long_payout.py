"""A payout with a long history continues as new, unnoticed by its assignment; on the production
server, configured to suggest that early."""

from tests.workflows.drivers import BRAND
from tests.workflows.environments import SUGGESTED_AFTER
from tests.workflows.harness import Harness
from workflows.assignment.model import Event
from workflows.dispute.model import Ground
from workflows.payout.model import PayoutChanged
from workflows.payout.model import State as Payout


async def test_a_payout_with_a_long_history_continues_as_new(real_harness: Harness) -> None:
    harness = real_harness
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await harness.until(lambda: harness.sent)
    first = (await assignment.payout.describe()).run_id
    for _ in range(SUGGESTED_AFTER):
        await assignment.signal_payout("set_hold", False)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.UNCLAIMED, 1))
    await assignment.saw(Event.REWARD_UNCLAIMED)
    assert (await assignment.payout.describe()).run_id != first
    harness.recall_answers = [Payout.FAILED]
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.signal_payout("retry")
    await harness.until(lambda: harness.recalled)
    assert len(harness.sent) == 1
    harness.send_answers = [Payout.PAID]
    await assignment.withdraw(dispute, BRAND)
    await assignment.saw(Event.COMPLETED)
    assert [order.attempt for order, _ in harness.sent] == [1, 2]
