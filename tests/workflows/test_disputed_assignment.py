"""What a dispute does to an assignment's time, and what its end does to the assignment."""

from datetime import timedelta

from tests.workflows.world import BRAND, CREATOR, DAY, HOUR, Life, World
from workflows import ids
from workflows.assignment.model import ConfirmedBy, Event, State
from workflows.dispute.model import Ground, Outcome


async def _does_not_conform(world: World) -> tuple[Life, str]:
    """After two rounds of changes the brand disputes."""
    life = await world.assignment()
    await life.submit()
    for _ in range(2):
        await life.ask()
        await life.submit()
    return life, await life.dispute(Ground.WORK_DOES_NOT_CONFORM, BRAND)


async def test_pay_in_full_pays_in_the_mediators_name(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    await life.decide(dispute, Outcome.PAY_IN_FULL)
    await life.saw(Event.COMPLETED)
    assert life.recorded.confirmed_by is ConfirmedBy.MEDIATOR
    assert world.set_aside == []  # all of what is in escrow


async def test_pay_partial_sends_what_was_decided(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    await life.decide(dispute, Outcome.PAY_PARTIAL, amount_minor=4_000, amount_currency="USD")
    await life.saw(Event.COMPLETED)
    assert [(one.amount_minor, one.reserved_minor) for one in world.set_aside] == [(4_000, 10_000)]
    assert len(world.sent) == 1


async def test_redo_sets_a_new_deadline(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    deadline = await world.now() + 30 * DAY
    await life.decide(dispute, Outcome.REDO, deadline_time=deadline)
    assert life.recorded.state is State.CHANGES_REQUESTED
    await world.pass_time(29 * DAY)
    assert Event.REWORK_LAPSED not in life.events
    await life.submit()
    await life.approve()
    await life.saw(Event.COMPLETED)


async def test_cancelling_without_pay_ends_it_and_releases_the_escrow(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    await life.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await life.ended() is State.CANCELLED
    assert list(world.released) == [life.id]
    assert world.sent == []


async def test_dismissing_lets_what_was_left_of_the_review_continue(world: World) -> None:
    life = await world.assignment()
    await life.submit()
    submitted = life.time_of(Event.WORK_SUBMITTED)
    await world.pass_time(4 * DAY)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.pass_time(20 * DAY)
    assert Event.WORK_APPROVED not in life.events
    await life.decide(dispute, Outcome.DISMISS)
    await world.pass_time(23 * HOUR)
    assert Event.WORK_APPROVED not in life.events
    await world.pass_time(2 * HOUR)
    await life.saw(Event.WORK_APPROVED)
    waited = life.time_of(Event.WORK_APPROVED) - submitted - 25 * DAY
    assert abs(waited) < timedelta(minutes=5)
    assert life.events.count(Event.REVIEW_REMINDED) == 3


async def test_a_withdrawn_dispute_lets_the_deadline_continue(world: World) -> None:
    life = await world.assignment(deadline=2 * DAY)
    dispute = await life.dispute(Ground.MATERIALS_NOT_PROVIDED, CREATOR)
    await world.pass_time(10 * DAY)
    assert Event.EXPIRED not in life.events
    await life.withdraw(dispute, CREATOR)
    await world.pass_time(DAY)
    await life.submit()
    assert life.recorded.state is State.IN_REVIEW


async def test_a_dispute_that_is_ended_by_force_frees_the_assignment(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    await world.environment.client.get_workflow_handle(ids.dispute(dispute)).cancel()
    await life.saw(Event.DISPUTE_WITHDRAWN)
    await life.approve()
    await life.saw(Event.COMPLETED)


async def test_a_second_dispute_may_follow_the_first(world: World) -> None:
    life, dispute = await _does_not_conform(world)
    await life.decide(dispute, Outcome.DISMISS)
    again = await life.dispute(Ground.FRAUD, BRAND)
    await life.decide(again, Outcome.PAY_IN_FULL)
    await life.saw(Event.COMPLETED)
    assert life.events.count(Event.DISPUTE_RESOLVED) == 2


async def test_a_dispute_after_the_reward_was_paid_is_heard(world: World) -> None:
    life = await world.assignment()
    await life.submit()
    await life.approve()
    await life.saw(Event.COMPLETED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await life.decide(dispute, Outcome.PAY_IN_FULL)
    assert await life.ended() is State.COMPLETED
    assert len(world.sent) == 1


async def test_an_open_dispute_keeps_what_is_over_open(world: World) -> None:
    life = await world.assignment()
    await world.pass_time(10 * DAY + HOUR)
    await life.saw(Event.EXPIRED)
    dispute = await life.dispute(Ground.MATERIALS_NOT_PROVIDED, CREATOR)
    await world.pass_time(60 * DAY)
    assert world.released == {}
    await life.decide(dispute, Outcome.PAY_IN_FULL)
    await life.saw(Event.COMPLETED)
    assert world.released == {}
