"""Payouts that do not get through: nobody claims them, the provider sits on them, nobody knows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from servicekit.errors import FailedPrecondition, LiaisonError, Reason, Unavailable
from tests.workflows.world import BRAND, CREATOR, DAY, HOUR, Life, World
from workflows import ids
from workflows.assignment.model import Event, State
from workflows.dispute.model import Ground
from workflows.failures import to_application_error
from workflows.notices import OPERATORS
from workflows.payout.model import FoundPayout, PayoutChanged, PayoutResult, PayoutTerms, Progress
from workflows.payout.model import State as Payout
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD, Policy, Span
from workflows.task_queues import Domain, queue_of

MINUTE = timedelta(minutes=1)
_IMPATIENT = replace(STANDARD, name="impatient", reward_window=Span(seconds=2 * 3600.0))


async def _approved(world: World, policy: Policy = STANDARD) -> Life:
    life = await world.assignment(policy)
    await life.submit()
    await life.approve()
    return life


def _attempts(world: World) -> list[int]:
    return [order.attempt for order, _ in world.sent]


def _refusal(error: LiaisonError, *, is_final: bool = True) -> Exception:
    return to_application_error(error, is_final=is_final)


_NOT_CLAIMED = FailedPrecondition(Reason.PAYOUT_NOT_CLAIMED, "Name an account anew")


def _texts(world: World, event: Event, recipient: str) -> list[str]:
    return [one.text for one in world.told if (one.event, one.recipient) == (event, recipient)]


async def _is_unclaimed(world: World) -> Life:
    world.send_answers, world.refresh_answers = [Payout.SENT], [Payout.UNCLAIMED]
    life = await _approved(world)
    await world.pass_time(MINUTE)
    await life.saw(Event.REWARD_UNCLAIMED)
    return life


async def test_what_nobody_claims_is_told_and_taken_back_and_goes_to_the_account_named_since(
    world: World,
) -> None:
    life = await _is_unclaimed(world)
    assert life.recorded.state is State.REWARDED
    until = life.time_of(Event.REWARD_UNCLAIMED) + 5 * DAY
    (text,) = _texts(world, Event.REWARD_UNCLAIMED, CREATOR)
    assert "It waits until " in text
    told = datetime.fromisoformat(text.partition("It waits until ")[2][:16]).replace(tzinfo=UTC)
    assert abs(told - until) <= MINUTE
    await world.pass_time(5 * DAY - HOUR)
    assert world.recalled == []
    world.send_answers = [Payout.PAID]
    await world.pass_time(2 * HOUR)
    await life.saw(Event.COMPLETED)
    ((order, time),) = world.recalled
    assert order.attempt == 1
    assert abs(time - until) < MINUTE
    assert _attempts(world) == [1, 2]
    assert life.events.count(Event.REWARD_UNCLAIMED) == 1
    assert Event.PAYOUT_FAILED not in life.events


async def test_without_an_account_named_since_the_creator_is_told_once(world: World) -> None:
    life = await _is_unclaimed(world)
    world.send_answers = [_refusal(_NOT_CLAIMED)]
    await world.pass_time(5 * DAY + HOUR)
    await life.saw(Event.PAYOUT_FAILED)
    assert life.recorded.state is State.APPROVED
    await world.pass_time(3 * DAY)
    world.send_answers = [Payout.PAID]
    await world.pass_time(DAY)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2, 2, 2, 2, 2]
    times = [time for _, time in world.sent[1:]]
    assert all(timedelta() <= after - before - DAY < MINUTE for before, after in pairwise(times))
    assert life.events.count(Event.PAYOUT_FAILED) == 1


async def test_who_claims_before_it_is_taken_back_is_paid_once(world: World) -> None:
    life = await _is_unclaimed(world)
    world.recall_answers = [Payout.PAID]
    await world.pass_time(5 * DAY + HOUR)
    await life.saw(Event.COMPLETED)
    assert len(world.recalled) == 1
    assert _attempts(world) == [1]


async def test_money_that_comes_back_by_itself_while_it_is_taken_back_is_sent_once(
    world: World,
) -> None:
    life = await _is_unclaimed(world)
    away = Unavailable(Reason.OUTCOME_UNKNOWN, "Recall it again")
    world.recall_answers = [_refusal(away, is_final=False)]
    await world.pass_time(5 * DAY + HOUR)
    await world.until(lambda: world.recalled)
    world.send_answers = [Payout.PAID]
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    world.recall_answers = [Payout.FAILED]
    await world.pass_time(HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2]


async def test_who_wants_it_paid_now_has_it_taken_back_now(world: World) -> None:
    life = await _is_unclaimed(world)
    world.send_answers = [Payout.PAID]
    await life.signal_payout("retry")
    await life.saw(Event.COMPLETED)
    assert len(world.recalled) == 1
    assert _attempts(world) == [1, 2]


async def test_what_turns_out_to_be_sent_is_not_wanted_any_more_when_it_comes_back(
    world: World,
) -> None:
    world.send_answers, world.refresh_answers = [Payout.FAILED], [Payout.SENT]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.pass_time(DAY + HOUR)
    await life.signal_payout("retry")
    await life.signal_payout("payout_changed", PayoutChanged(Payout.SENT, 1))
    await world.pass_time(MINUTE)
    await life.saw(Event.REWARD_SENT)
    await life.withdraw(dispute, BRAND)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await world.pass_time(HOUR)
    assert _attempts(world) == [1]


async def test_who_tells_that_it_is_unclaimed_and_wants_it_paid_is_heard_while_it_is_looked_at(
    world: World,
) -> None:
    """The payouts service tells both, one right after the other."""
    world.send_answers = world.refresh_answers = [Payout.SENT]
    world.may_refresh.clear()
    life = await _approved(world)
    await world.until(lambda: world.sent)
    await world.pass_time(timedelta(seconds=10))
    await world.until(lambda: world.asked)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.UNCLAIMED, 1))
    await life.signal_payout("retry")
    world.send_answers = [Payout.PAID]
    world.may_refresh.set()
    await life.saw(Event.COMPLETED)
    assert len(world.recalled) == 1
    assert _attempts(world) == [1, 2]


async def test_a_blocked_payout_is_brought_before_operators_once_and_kept(world: World) -> None:
    world.send_answers, world.refresh_answers = [Payout.SENT], [Payout.BLOCKED]
    life = await _approved(world)
    await world.pass_time(MINUTE)
    await life.saw(Event.PAYOUT_ESCALATED)
    (text,) = _texts(world, Event.PAYOUT_ESCALATED, OPERATORS)
    assert "ResolveAttempt" in text
    await world.pass_time(20 * DAY)
    assert life.events.count(Event.PAYOUT_ESCALATED) == 1
    assert _attempts(world) == [1]
    assert world.releases == []
    await life.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1]


async def test_an_operator_who_finds_that_nothing_was_paid_has_it_sent_again(world: World) -> None:
    world.send_answers = [Payout.BLOCKED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_ESCALATED)
    world.send_answers = [Payout.PAID]
    await life.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await life.saw(Event.PAYOUT_FAILED)
    await world.pass_time(DAY + HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2]


async def test_money_that_the_provider_sits_on_is_brought_before_operators_once(
    world: World,
) -> None:
    world.send_answers = world.refresh_answers = [Payout.SENT]
    life = await _approved(world)
    await world.pass_time(5 * DAY - HOUR)
    assert Event.PAYOUT_ESCALATED not in life.events
    await world.pass_time(2 * HOUR)
    await life.saw(Event.PAYOUT_ESCALATED)
    assert life.recorded.state is State.REWARDED
    await world.pass_time(10 * DAY)
    assert life.events.count(Event.PAYOUT_ESCALATED) == 1
    world.refresh_answers = [Payout.PAID]
    await world.pass_time(7 * HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1]


async def test_an_attempt_of_which_nobody_knows_is_repeated_and_brought_before_operators_once(
    world: World,
) -> None:
    unknown = Unavailable(Reason.OUTCOME_UNKNOWN, "Send it again")
    world.send_answers = [_refusal(unknown, is_final=False)]
    life = await _approved(world, _IMPATIENT)
    await world.pass_time(3 * HOUR)
    await life.saw(Event.PAYOUT_ESCALATED)
    world.send_answers = [Payout.PAID]
    await world.pass_time(HOUR)
    await life.saw(Event.COMPLETED)
    assert set(_attempts(world)) == {1}
    assert life.events.count(Event.PAYOUT_ESCALATED) == 1
    assert Event.PAYOUT_FAILED not in life.events


async def test_a_provider_that_gives_nothing_back_is_brought_before_operators(
    world: World,
) -> None:
    away = Unavailable(Reason.OUTCOME_UNKNOWN, "Recall it again")
    world.send_answers, world.refresh_answers = [Payout.SENT], [Payout.UNCLAIMED]
    world.recall_answers = [_refusal(away, is_final=False)]
    life = await _approved(world, _IMPATIENT)
    await world.pass_time(MINUTE)
    await life.signal_payout("retry")
    await world.pass_time(3 * HOUR)
    assert Event.PAYOUT_ESCALATED not in life.events  # the creator may still claim it
    await world.pass_time(5 * DAY)
    await life.saw(Event.PAYOUT_ESCALATED)
    world.recall_answers, world.send_answers = [Payout.FAILED], [Payout.PAID]
    await world.pass_time(7 * HOUR)
    await life.saw(Event.COMPLETED)
    assert _attempts(world) == [1, 2]


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_reward_that_is_written_off_ends_the_assignment_without_it(
    world: World, is_refused: bool
) -> None:
    """Whether the workflow hears of it, or finds out when it sends again."""
    world.send_answers = [Payout.FAILED]
    life = await _approved(world)
    await life.saw(Event.PAYOUT_FAILED)
    if is_refused:
        ended = FailedPrecondition(Reason.ILLEGAL_STATE, "It is over")
        world.send_answers, world.refresh_answers = [_refusal(ended)], [Payout.WRITTEN_OFF]
        await world.pass_time(DAY + HOUR)
    else:
        await life.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 1))
    await life.saw(Event.REWARD_WRITTEN_OFF)
    assert await life.ended() is State.CANCELLED
    assert _texts(world, Event.REWARD_WRITTEN_OFF, CREATOR)
    assert _texts(world, Event.REWARD_WRITTEN_OFF, BRAND)
    assert world.releases == []  # where the money went is the operator's word


async def test_what_is_written_off_while_it_cannot_be_sent_is_sent_no_more(world: World) -> None:
    held = FailedPrecondition(Reason.PAYOUT_ON_HOLD, "Held")
    world.send_answers = [_refusal(held, is_final=False)]
    life = await _approved(world)
    await world.until(lambda: world.sent)
    await life.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 0))
    assert await life.ended() is State.CANCELLED


async def test_a_dispute_holds_what_is_about_to_be_sent(world: World) -> None:
    """An operator's own hold, or a service that is away, keeps the call waiting."""
    held = FailedPrecondition(Reason.PAYOUT_ON_HOLD, "Held")
    world.send_answers, world.refresh_answers = [_refusal(held, is_final=False)], [Payout.RESERVED]
    life = await _approved(world)
    await world.until(lambda: world.sent)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await world.until(lambda: world.asked)
    world.send_answers = [Payout.PAID]
    await world.pass_time(DAY)
    assert Event.REWARD_SENT not in life.events
    assert Event.PAYOUT_FAILED not in life.events
    await life.withdraw(dispute, BRAND)
    await life.saw(Event.COMPLETED)
    assert set(_attempts(world)) == {1}


async def test_no_dispute_holds_what_has_begun_to_be_sent(world: World) -> None:
    unknown = Unavailable(Reason.OUTCOME_UNKNOWN, "Send it again")
    world.send_answers = [_refusal(unknown, is_final=False)]
    world.refresh_answers = [Payout.SENDING]
    life = await _approved(world)
    await world.until(lambda: world.sent)
    await life.dispute(Ground.FRAUD, BRAND)
    await world.until(lambda: world.asked)
    world.send_answers = [Payout.PAID]
    await world.pass_time(HOUR)
    await life.saw(Event.REWARD_SENT)
    assert set(_attempts(world)) == {1}


def _terms(payout_id: str) -> PayoutTerms:
    interval = STANDARD.payout_retry_interval
    return PayoutTerms(payout_id, "acme", "bea", "USD", 10_000, 10_000, interval)


async def _alone(world: World, terms: PayoutTerms) -> PayoutResult:
    return await world.environment.client.execute_workflow(
        PayoutWorkflow.run,
        terms,
        id=ids.payout(terms.payout_id),
        task_queue=queue_of(Domain.PAYOUTS, world.prefix),
    )


async def test_a_payout_that_is_started_again_makes_its_next_attempt_at_once(world: World) -> None:
    begin = await world.now()
    world.found["p1"] = FoundPayout(Payout.FAILED, 2, 10_000)
    result = await _alone(world, replace(_terms("p1"), is_started_anew=True))
    assert result.state is Payout.PAID
    ((order, time),) = world.sent
    assert order.attempt == 3
    assert time - begin < MINUTE


async def test_a_payout_that_is_started_anew_takes_back_what_is_unclaimed_at_once(
    world: World,
) -> None:
    begin = await world.now()
    world.found["p3"] = FoundPayout(Payout.UNCLAIMED, 2, 10_000)
    result = await _alone(world, replace(_terms("p3"), is_started_anew=True))
    assert result.state is Payout.PAID
    ((order, time),) = world.recalled
    assert order.attempt == 2
    assert time - begin < MINUTE
    assert _attempts(world) == [3]


async def test_a_payout_that_is_started_anew_goes_on_with_what_is_under_way(world: World) -> None:
    world.found["p4"] = FoundPayout(Payout.SENDING, 2, 10_000)
    held = replace(_terms("p4"), is_started_anew=True, is_held=True)
    assert (await _alone(world, held)).state is Payout.PAID
    assert _attempts(world) == [2]


async def test_a_payout_that_is_started_anew_sets_aside_what_never_was(world: World) -> None:
    world.found["p5"] = FoundPayout(Payout.RESERVED, 0, None)
    await _alone(world, replace(_terms("p5"), is_started_anew=True))
    assert [(one.amount_minor, one.reserved_minor) for one in world.set_aside] == [(10_000, None)]
    assert _attempts(world) == [1]


async def test_a_payout_that_is_started_anew_pays_no_more_than_what_is_left(world: World) -> None:
    world.found["p6"] = FoundPayout(Payout.FAILED, 1, 4_000)
    await _alone(world, replace(_terms("p6"), is_started_anew=True))
    assert world.set_aside == []
    assert _attempts(world) == [2]


async def test_a_payout_with_a_long_history_goes_on_where_it_was(world: World) -> None:
    now = await world.now()
    progress = Progress(Payout.UNCLAIMED, 2, now - 4 * DAY, ["2 SENT", "2 UNCLAIMED"])
    result = await _alone(world, replace(_terms("p2"), reserved_minor=None, progress=progress))
    assert result.state is Payout.PAID
    assert world.set_aside == []
    assert world.asked == [] or max(world.asked) - now < DAY
