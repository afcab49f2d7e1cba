"""A payout whose history has grown long goes on in another run, and its assignment does not notice:
on the server that production runs, which is told to suggest that early."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.testing import WorkflowEnvironment

from tests.workflows.world import BRAND, World, living
from workflows.assignment.model import Event
from workflows.dispute.state import Ground
from workflows.payout.state import PayoutChanged
from workflows.payout.state import State as Payout
from workflows.search_attributes import BRAND as OF_BRAND
from workflows.search_attributes import DEADLINE, STATE

# Events, of which a payout has some hundred after weeks.
_SUGGESTED_AFTER = 40


@pytest.fixture
async def real_world() -> AsyncIterator[World]:
    async with (
        await WorkflowEnvironment.start_local(
            dev_server_existing_path=str(Path(sys.executable).with_name("temporal")),
            dev_server_log_level="error",
            dev_server_extra_args=[
                "--dynamic-config-value",
                f"limit.historyCount.suggestContinueAsNew={_SUGGESTED_AFTER}",
            ],
            search_attributes=[OF_BRAND, DEADLINE, STATE],
        ) as environment,
        living(environment) as world,
    ):
        yield world


async def test_a_payout_with_a_long_history_goes_on_in_another_run(real_world: World) -> None:
    world = real_world
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await world.assignment()
    await life.submit()
    await life.approve()
    await world.until(lambda: world.sent)
    first = (await life.payout.describe()).run_id
    for _ in range(_SUGGESTED_AFTER):
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
