"""A payout whose history has grown long goes on in another run, and its assignment does not notice:
on the server that production runs, which is told to suggest that early."""

from tests.workflows.environments import SUGGESTED_AFTER
from tests.workflows.world import BRAND, World
from workflows.assignment.model import Event
from workflows.dispute.model import Ground
from workflows.payout.model import PayoutChanged
from workflows.payout.model import State as Payout


async def test_a_payout_with_a_long_history_goes_on_in_another_run(real_world: World) -> None:
    world = real_world
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await world.assignment()
    await life.submit()
    await life.approve()
    await world.until(lambda: world.sent)
    first = (await life.payout.describe()).run_id
    for _ in range(SUGGESTED_AFTER):
        await life.signal_payout("set_hold", False)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.UNCLAIMED, 1))
    await life.saw(Event.REWARD_UNCLAIMED)
    assert (await life.payout.describe()).run_id != first
    world.recall_answers = [Payout.FAILED]
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await life.signal_payout("retry")
    await world.until(lambda: world.recalled)
    assert len(world.sent) == 1
    world.send_answers = [Payout.PAID]
    await life.withdraw(dispute, BRAND)
    await life.saw(Event.COMPLETED)
    assert [order.attempt for order, _ in world.sent] == [1, 2]
