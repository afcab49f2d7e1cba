"""Rewards over time: overdue, failed and tried again, looked after, held and released."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from servicekit.errors import FailedPrecondition, Reason
from tests.workflows.world import BRAND, CREATOR, DAY, HOUR, Life, World
from workflows.assignment.model import Event, Funding, State
from workflows.dispute.model import Ground, Outcome
from workflows.failures import to_application_error
from workflows.payout.model import PayoutChanged, PayoutReport
from workflows.payout.model import State as Payout
from workflows.policy import STANDARD, Policy, Span

MINUTE = timedelta(minutes=1)


async def _approved(
    world: World, funding: Funding = Funding.ESCROW, policy: Policy = STANDARD
) -> Life:
    life = await world.assignment(policy, funding=funding)
    await life.submit()
    await life.approve()
    return life


def _attempts(world: World) -> list[int]:
    return [order.attempt for order, _ in world.sent]


async def test_a_sent_reward_completes_after_a_month_r53(world: World) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world)
    await world.pass_time(HOUR)
    await life.saw(Event.REWARD_SENT)
    assert life.recorded.state is State.REWARDED
    await world.pass_time(31 * DAY)
    await life.saw(Event.COMPLETED)
    due_time = STANDARD.completion_window.after(life.time_of(Event.REWARD_SENT))
    assert due_time <= life.time_of(Event.COMPLETED) < due_time + timedelta(minutes=1)
    assert life.events.count(Event.REWARD_SENT) == 1


async def test_a_reward_known_received_completes_at_once(world: World) -> None:
    world.send_answers, world.refresh_answers = [Payout.SENT], [Payout.SENT, Payout.PAID]
    life = await _approved(world)
    await world.pass_time(HOUR)
    await life.saw(Event.COMPLETED)
    assert life.time_of(Event.COMPLETED) - life.time_of(Event.REWARD_SENT) < HOUR


async def test_the_provider_is_asked_after_ever_longer_waits(world: World) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    await _approved(world)
    await world.pass_time(30 * HOUR)
    await world.until(lambda: len(world.asked) >= 14)
    waits = [after - before for before, after in pairwise(world.asked)]
    assert all(after > before for before, after in pairwise(waits[:8]))
    assert max(waits) < 6 * HOUR + MINUTE


async def test_a_webhook_ends_the_wait(world: World) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world)
    await world.until(lambda: world.sent)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await life.saw(Event.COMPLETED)
    assert world.asked == []


async def test_a_late_reward_is_overdue_and_paid_all_the_same_r29(world: World) -> None:
    world.send_answers = [Payout.FAILED, Payout.FAILED, Payout.FAILED, Payout.FAILED]
    life = await _approved(world)
    await world.pass_time(5 * DAY + HOUR)
    await life.saw(Event.REWARD_OVERDUE)
    assert life.time_of(Event.REWARD_OVERDUE) - life.time_of(Event.WORK_APPROVED) >= 5 * DAY
    world.send_answers = [Payout.PAID]
    await world.pass_time(DAY + HOUR)
    await life.saw(Event.COMPLETED)
    assert life.recorded.reward_is_overdue


async def test_a_failed_payout_is_tried_again_after_the_interval(world: World) -> None:
    world.send_answers = [Payout.FAILED, Payout.FAILED, Payout.PAID]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    assert _attempts(world) == [1]
    await world.pass_time(2 * DAY + HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2, 3]
    times = [time for _, time in world.sent]
    assert all(timedelta() <= after - before - DAY < MINUTE for before, after in pairwise(times))
    assert life.events.count(Event.PAYOUT_FAILED) == 2


async def test_a_refused_attempt_keeps_its_number(world: World) -> None:
    no_account = to_application_error(
        FailedPrecondition(Reason.PAYOUT_ACCOUNT_MISSING, "Name an account"), is_final=True
    )
    world.send_answers = [no_account, Payout.PAID]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    await world.pass_time(DAY + HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 1]


async def test_money_that_comes_during_the_interval_is_not_sent_again(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1]


async def test_a_mediator_who_says_pay_does_not_wait_for_the_interval(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await world.pass_time(5 * DAY + HOUR)
    await life.saw(Event.REWARD_OVERDUE)
    await life.saw(Event.PAYOUT_FAILED, 6)
    dispute = await life.dispute(Ground.LATE_REWARD, CREATOR)
    world.send_answers = [Payout.PAID]
    await life.decide(dispute, Outcome.PAY_IN_FULL)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2, 3, 4, 5, 6, 7]


async def test_the_brands_dispute_holds_the_payout_that_is_not_sent(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.pass_time(3 * DAY)
    assert _attempts(world) == [1]
    world.send_answers = [Payout.PAID]
    await life.withdraw(dispute, BRAND)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2]


async def test_a_wish_that_a_dispute_held_up_is_fulfilled_once(world: World) -> None:
    world.send_answers, world.refresh_answers = [Payout.FAILED], [Payout.SENT]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.pass_time(2 * DAY)
    await life.signal_payout("retry")
    world.send_answers = [Payout.SENT]
    await life.withdraw(dispute, BRAND)
    await life.saw(Event.REWARD_SENT)
    asked = len(world.asked)
    await world.pass_time(HOUR)
    await world.until(lambda: len(world.asked) > asked)
    assert len(world.asked) < 12  # after ever longer waits
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 2))
    await life.saw(Event.PAYOUT_FAILED, 2)
    assert _attempts(world) == [1, 2]


async def test_the_creators_dispute_holds_no_payout_r51(world: World) -> None:
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await world.pass_time(5 * DAY + HOUR)
    await life.saw(Event.REWARD_OVERDUE)
    dispute = await life.dispute(Ground.LATE_REWARD, CREATOR)
    world.send_answers = [Payout.PAID]
    await world.pass_time(DAY)
    await life.saw(Event.COMPLETED)
    await life.decide(dispute, Outcome.DISMISS)
    assert life.recorded.state is State.COMPLETED


async def test_what_escrow_holds_is_sent_as_it_is(world: World) -> None:
    life = await _approved(world)
    await life.saw(Event.COMPLETED)
    assert world.set_aside == []


async def test_without_escrow_the_reward_waits_for_the_brands_funds(world: World) -> None:
    world.funds_minor = 0
    life = await _approved(world, Funding.ON_APPROVAL)
    await world.until(lambda: world.funds_minor > 0)
    assert world.sent == []
    await world.pass_time(2 * HOUR)
    await life.saw(Event.COMPLETED)
    assert [terms.reserved_minor for terms in world.set_aside] == [None]


async def test_money_that_comes_back_is_due_again(world: World) -> None:
    """The assignment is completed, and not over before the creator has the money."""
    brief = replace(STANDARD, completion_window=_hours(3), dispute_window=_hours(3))
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world, policy=brief)
    await world.pass_time(4 * HOUR)
    await life.saw(Event.COMPLETED)
    await world.pass_time(8 * HOUR)
    world.send_answers = [Payout.FAILED, Payout.PAID]
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await life.saw(Event.PAYOUT_FAILED)
    assert life.recorded.state is State.APPROVED
    await world.pass_time(2 * DAY + HOUR)
    await life.saw(Event.COMPLETED, 2)
    assert _attempts(world) == [1, 2, 3]
    assert await life.ended() is State.COMPLETED


def _hours(hours: float) -> Span:
    return Span(seconds=hours * 3600.0)


async def test_news_of_an_earlier_attempt_is_none(world: World) -> None:
    world.send_answers, world.refresh_answers = [Payout.FAILED, Payout.SENT], [Payout.SENT]
    life = await _approved(world)
    await world.pass_time(DAY + HOUR)
    await world.until(lambda: len(world.sent) == 2)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await world.pass_time(2 * DAY)
    assert _attempts(world) == [1, 2]


async def test_a_report_of_failure_before_the_end_reaches_the_books(world: World) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world)
    await life.handle.signal("payout_reported", PayoutReport(Payout.FAILED))
    await life.saw(Event.PAYOUT_FAILED)
    assert life.recorded.state is State.APPROVED
