"""Rewards that are shipped: after approval, or before completion on an agreed date."""

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R29")
async def test_a_product_that_is_not_shipped_in_five_days_is_late(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    await assignment.submit()
    await assignment.approve()
    approved = await assignment.time_of("WORK_APPROVED")
    assert await assignment.clock() == ("REWARD", approved + 5 * DAY)
    await assignment.pass_until(approved + 5 * DAY, -MINUTE)
    assert not (await assignment.read()).reward_is_overdue
    await assignment.pass_until(approved + 5 * DAY)
    await assignment.saw("REWARD_OVERDUE")
    await assignment.ship()
    await assignment.until("REWARDED")
    await assignment.acknowledge()
    await assignment.until("COMPLETED")


@pytest.mark.rule("R31")
async def test_a_product_is_shipped_before_completion_on_the_date_that_both_accept(
    harness: Harness,
) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    with refused(Reason.SHIPMENT_NOT_AGREED):
        await assignment.ship()
    agreed = await assignment.now() + 3 * DAY
    proposal = await assignment.propose_early_shipment(agreed)
    with refused(Reason.SHIPMENT_NOT_AGREED):
        await assignment.ship()
    await assignment.accept(assignment.creator.caller, proposal)
    await assignment.pass_time(2 * DAY)
    await assignment.ship()
    await assignment.pass_time(2 * DAY)
    assert "SHIPMENT_MISSED" not in await assignment.events()
    await assignment.acknowledge()
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.submit()
    await assignment.approve()
    await assignment.until("COMPLETED")


@pytest.mark.rule("R31")
async def test_a_missed_shipment_moves_the_creators_deadline_by_its_delay(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    _, deadline = await assignment.clock()
    agreed = deadline - 6 * DAY
    await assignment.accept(
        assignment.creator.caller, await assignment.propose_early_shipment(agreed)
    )
    await assignment.pass_until(agreed, -MINUTE)
    assert "SHIPMENT_MISSED" not in await assignment.events()
    await assignment.pass_until(agreed)
    await assignment.saw("SHIPMENT_MISSED")
    missed = await assignment.time_of("SHIPMENT_MISSED")
    assert abs(await assignment.time_left() - (deadline - missed)) < MINUTE
    assert "SHIPMENT_MISSED" in await assignment.notified_events(assignment.creator.caller)
    await assignment.pass_time(9 * DAY)  # beyond the first deadline
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.ship()
    shipped = await assignment.time_of("PRODUCT_SHIPPED")
    kind, moved = await assignment.clock()
    assert kind == "SUBMISSION"
    assert abs(moved - deadline - (shipped - missed)) < MINUTE
    await assignment.pass_until(moved, -MINUTE)
    assert await assignment.state() == "IN_PROGRESS"
    await assignment.pass_until(moved)
    await assignment.until("EXPIRED")


@pytest.mark.rule("R31")
async def test_a_missed_shipment_may_be_disputed(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    agreed = await assignment.now() + DAY
    await assignment.accept(
        assignment.creator.caller, await assignment.propose_early_shipment(agreed)
    )
    await assignment.pass_until(agreed)
    await assignment.saw("SHIPMENT_MISSED")
    dispute = await assignment.dispute(assignment.creator.caller, "WRONG_PRODUCT")
    await assignment.pass_time(2 * DAY)
    await dispute.claim_and_decide("CANCEL_WITHOUT_PAY")
    await assignment.until("CANCELLED")


@pytest.mark.rule("R31")
async def test_another_product_is_shipped_when_a_mediator_says_so(harness: Harness) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    await assignment.submit()
    await assignment.approve()
    await assignment.ship()
    await assignment.until("REWARDED")
    dispute = await assignment.dispute(assignment.creator.caller, "WRONG_PRODUCT")
    await dispute.claim_and_decide("PAY_IN_FULL")
    await assignment.until("APPROVED")
    await assignment.ship()
    await assignment.until("REWARDED")
    await assignment.acknowledge()
    resource = await assignment.until("COMPLETED")
    assert [one.is_replaced for one in resource.shipments] == [True, False]
