"""A mediator lowers or takes back a reward that is due: possible until it is sent, not after."""

import pytest

from tests.workflows.world import BRAND, CREATOR, DAY, HOUR, Life, World
from workflows.assignment.model import Event, Funding, State
from workflows.dispute.model import Ground, Outcome
from workflows.notices import MEDIATORS
from workflows.payout.model import PayoutChanged, PayoutResult
from workflows.payout.model import State as Payout

_PART = {"amount_minor": 4_000, "amount_currency": "USD"}


async def _approved(world: World, funding: Funding = Funding.ESCROW) -> Life:
    life = await world.assignment(funding=funding)
    await life.submit()
    await life.approve()
    return life


def _set_aside(world: World) -> list[tuple[int, int | None]]:
    return [(one.amount_minor, one.reserved_minor) for one in world.set_aside]


async def _payout_ended(life: Life) -> Payout:
    handle = life.world.environment.client.get_workflow_handle(
        life.payout.id, result_type=PayoutResult
    )
    return (await handle.result()).state


async def test_a_part_of_what_is_held_is_paid_at_once(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.pass_time(3 * DAY)
    world.send_answers = [Payout.PAID]
    await life.decide(dispute, Outcome.PAY_PARTIAL, **_PART)
    await life.saw(Event.COMPLETED)
    assert _set_aside(world) == [(4_000, 10_000)]
    assert [order.attempt for order, _ in world.sent] == [1, 2]
    assert life.recorded.payable_minor == 4_000


async def test_what_is_held_is_taken_back(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await life.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await life.ended() is State.CANCELLED
    assert await _payout_ended(life) is Payout.RELEASED
    assert [one.amount_minor for one in world.settled] == [0]
    assert len(world.sent) == 1


@pytest.mark.parametrize("outcome", [Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY])
async def test_what_was_sent_before_it_was_held_is_paid_as_it_was(
    world: World, outcome: Outcome
) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world)
    await world.until(lambda: world.sent)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    values = _PART if outcome is Outcome.PAY_PARTIAL else {}
    await life.decide(dispute, outcome, **values)
    await life.saw(Event.DECISION_OVERTAKEN)
    assert life.recorded.payable_minor == 10_000
    told = {one.recipient for one in world.told if one.event == Event.DECISION_OVERTAKEN}
    assert told == {BRAND, CREATOR, MEDIATORS}
    world.refresh_answers = [Payout.PAID]
    await world.pass_time(HOUR)
    await life.saw(Event.COMPLETED)
    assert world.set_aside == []


@pytest.mark.parametrize("outcome", [Outcome.PAY_PARTIAL, Outcome.CANCEL_WITHOUT_PAY])
async def test_what_was_written_off_before_a_mediator_decided_stays_so(
    world: World, outcome: Outcome
) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    world.money[life.id] = Payout.WRITTEN_OFF
    await life.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 1))
    await life.saw(Event.REWARD_WRITTEN_OFF)
    values = _PART if outcome is Outcome.PAY_PARTIAL else {}
    await life.decide(dispute, outcome, **values)
    await life.saw(Event.DECISION_OVERTAKEN)
    (told,) = {one.text for one in world.told if one.event == Event.DECISION_OVERTAKEN}
    assert "had written it off" in told
    assert await life.ended() is State.CANCELLED


async def _waits_for_funds(world: World) -> tuple[Life, str]:
    world.funds_minor = 0
    life = await _approved(world, Funding.ON_APPROVAL)
    await world.until(lambda: world.funds_minor > 0)
    return life, await life.dispute(Ground.FRAUD, BRAND)


async def test_what_waits_for_the_brands_funds_is_set_aside_in_part(world: World) -> None:
    life, dispute = await _waits_for_funds(world)
    await life.decide(dispute, Outcome.PAY_PARTIAL, **_PART)
    await life.saw(Event.COMPLETED)
    assert _set_aside(world) == [(4_000, None)]


async def test_what_waits_for_the_brands_funds_is_never_set_aside_once_it_is_taken_back(
    world: World,
) -> None:
    life, dispute = await _waits_for_funds(world)
    await life.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await life.ended() is State.CANCELLED
    assert await _payout_ended(life) is Payout.RELEASED
    assert world.set_aside == []
    assert world.releases == []


async def test_what_was_set_aside_for_a_reward_that_is_taken_back_goes_back(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world, Funding.ON_APPROVAL)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await life.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await _payout_ended(life) is Payout.RELEASED
    assert world.releases == [life.id]
