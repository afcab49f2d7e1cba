"""Rewards that are shipped: after approval, or before completion on an agreed date."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, MINUTE
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R29")
async def test_a_product_that_is_not_shipped_in_five_days_is_late(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    await life.submit()
    await life.approve()
    approved = await life.time_of("WORK_APPROVED")
    assert await life.clock() == ("REWARD", approved + 5 * DAY)
    await life.pass_until(approved + 5 * DAY, -MINUTE)
    assert not (await life.read()).reward_is_overdue
    await life.pass_until(approved + 5 * DAY)
    await life.saw("REWARD_OVERDUE")
    await life.ship()
    await life.until("REWARDED")
    await life.acknowledge()
    await life.until("COMPLETED")


@pytest.mark.rule("R31")
async def test_a_product_is_shipped_before_completion_on_the_date_that_both_accept(
    stage: Stage,
) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    with refused(Reason.SHIPMENT_NOT_AGREED):
        await life.ship()
    agreed = await life.now() + 3 * DAY
    proposal = await life.propose_early_shipment(agreed)
    with refused(Reason.SHIPMENT_NOT_AGREED):
        await life.ship()
    await life.accept(life.creator.caller, proposal)
    await life.pass_time(2 * DAY)
    await life.ship()
    await life.pass_time(2 * DAY)
    assert "SHIPMENT_MISSED" not in await life.events()
    await life.acknowledge()
    assert await life.state() == "IN_PROGRESS"
    await life.submit()
    await life.approve()
    await life.until("COMPLETED")


@pytest.mark.rule("R31")
async def test_a_missed_shipment_moves_the_creators_deadline_by_its_delay(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    _, deadline = await life.clock()
    agreed = deadline - 6 * DAY
    await life.accept(life.creator.caller, await life.propose_early_shipment(agreed))
    await life.pass_until(agreed, -MINUTE)
    assert "SHIPMENT_MISSED" not in await life.events()
    await life.pass_until(agreed)
    await life.saw("SHIPMENT_MISSED")
    missed = await life.time_of("SHIPMENT_MISSED")
    assert abs(await life.time_left() - (deadline - missed)) < MINUTE
    assert "SHIPMENT_MISSED" in await life.told(life.creator.caller)
    await life.pass_time(9 * DAY)  # beyond the first deadline
    assert await life.state() == "IN_PROGRESS"
    await life.ship()
    shipped = await life.time_of("PRODUCT_SHIPPED")
    kind, moved = await life.clock()
    assert kind == "SUBMISSION"
    assert abs(moved - deadline - (shipped - missed)) < MINUTE
    await life.pass_until(moved, -MINUTE)
    assert await life.state() == "IN_PROGRESS"
    await life.pass_until(moved)
    await life.until("EXPIRED")


@pytest.mark.rule("R31")
async def test_a_missed_shipment_may_be_disputed(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    agreed = await life.now() + DAY
    await life.accept(life.creator.caller, await life.propose_early_shipment(agreed))
    await life.pass_until(agreed)
    await life.saw("SHIPMENT_MISSED")
    dispute = await life.dispute(life.creator.caller, "WRONG_PRODUCT")
    await life.pass_time(2 * DAY)
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await life.until("CANCELLED")


@pytest.mark.rule("R31")
async def test_another_product_is_shipped_when_a_mediator_says_so(stage: Stage) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    await life.submit()
    await life.approve()
    await life.ship()
    await life.until("REWARDED")
    dispute = await life.dispute(life.creator.caller, "WRONG_PRODUCT")
    await dispute.claim_and_decide("PAY_IN_FULL")
    await life.until("APPROVED")
    await life.ship()
    await life.until("REWARDED")
    await life.acknowledge()
    assignment = await life.until("COMPLETED")
    assert [one.is_replaced for one in assignment.shipments] == [True, False]
