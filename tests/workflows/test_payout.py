"""Rewards over time: overdue, failed and retried, polled, held and released."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from servicekit.errors import FailedPrecondition, Reason
from tests.workflows.drivers import BRAND, CREATOR, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness
from workflows.assignment.model import Event, Funding, State
from workflows.dispute.model import Ground, Outcome
from workflows.payout.model import PayoutChanged, PayoutReport
from workflows.payout.model import State as Payout
from workflows.policy import STANDARD, Policy, Span
from workflows.temporal.failures import to_application_error

MINUTE = timedelta(minutes=1)


async def _approved(
    harness: Harness, funding: Funding = Funding.ESCROW, policy: Policy = STANDARD
) -> AssignmentDriver:
    assignment = await harness.assignment(policy, funding=funding)
    await assignment.submit()
    await assignment.approve()
    return assignment


def _attempts(harness: Harness) -> list[int]:
    return [order.attempt for order, _ in harness.sent]


async def test_a_sent_reward_completes_after_a_month_r53(harness: Harness) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness)
    await harness.pass_time(HOUR)
    await assignment.saw(Event.REWARD_SENT)
    assert assignment.recorded.state is State.REWARDED
    await harness.pass_time(31 * DAY)
    await assignment.saw(Event.COMPLETED)
    due_time = STANDARD.completion_window.after(assignment.time_of(Event.REWARD_SENT))
    assert due_time <= assignment.time_of(Event.COMPLETED) < due_time + timedelta(minutes=1)
    assert assignment.events.count(Event.REWARD_SENT) == 1


async def test_a_reward_known_received_completes_at_once(harness: Harness) -> None:
    harness.send_answers, harness.refresh_answers = [Payout.SENT], [Payout.SENT, Payout.PAID]
    assignment = await _approved(harness)
    await harness.pass_time(HOUR)
    await assignment.saw(Event.COMPLETED)
    assert assignment.time_of(Event.COMPLETED) - assignment.time_of(Event.REWARD_SENT) < HOUR


async def test_the_provider_is_asked_after_ever_longer_waits(harness: Harness) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    await _approved(harness)
    await harness.pass_time(30 * HOUR)
    await harness.until(lambda: len(harness.refresh_times) >= 14)
    waits = [after - before for before, after in pairwise(harness.refresh_times)]
    assert all(after > before for before, after in pairwise(waits[:8]))
    assert max(waits) < 6 * HOUR + MINUTE


async def test_a_webhook_ends_the_wait(harness: Harness) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await assignment.saw(Event.COMPLETED)
    assert harness.refresh_times == []


async def test_a_late_reward_is_overdue_and_paid_all_the_same_r29(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED, Payout.FAILED, Payout.FAILED, Payout.FAILED]
    assignment = await _approved(harness)
    await harness.pass_time(5 * DAY + HOUR)
    await assignment.saw(Event.REWARD_OVERDUE)
    assert (
        assignment.time_of(Event.REWARD_OVERDUE) - assignment.time_of(Event.WORK_APPROVED)
        >= 5 * DAY
    )
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(DAY + HOUR)
    await assignment.saw(Event.COMPLETED)
    assert assignment.recorded.reward_is_overdue


async def test_a_failed_payout_is_tried_again_after_the_interval(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED, Payout.FAILED, Payout.PAID]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    assert _attempts(harness) == [1]
    await harness.pass_time(2 * DAY + HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2, 3]
    times = [time for _, time in harness.sent]
    assert all(timedelta() <= after - before - DAY < MINUTE for before, after in pairwise(times))
    assert assignment.events.count(Event.PAYOUT_FAILED) == 2


async def test_a_refused_attempt_keeps_its_number(harness: Harness) -> None:
    no_account = to_application_error(
        FailedPrecondition(Reason.PAYOUT_ACCOUNT_MISSING, "Name an account"), is_final=True
    )
    harness.send_answers = [no_account, Payout.PAID]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    await harness.pass_time(DAY + HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 1]


async def test_a_payment_completed_during_the_interval_is_not_sent_again(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1]


async def test_a_decision_to_pay_does_not_wait_for_the_interval(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await harness.pass_time(5 * DAY + HOUR)
    await assignment.saw(Event.REWARD_OVERDUE)
    await assignment.saw(Event.PAYOUT_FAILED, 6)
    dispute = await assignment.dispute(Ground.LATE_REWARD, CREATOR)
    harness.send_answers = [Payout.PAID]
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2, 3, 4, 5, 6, 7]


async def test_the_brands_dispute_holds_the_payout_that_is_not_sent(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.pass_time(3 * DAY)
    assert _attempts(harness) == [1]
    harness.send_answers = [Payout.PAID]
    await assignment.withdraw(dispute, BRAND)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2]


async def test_a_request_delayed_by_a_dispute_is_performed_once(harness: Harness) -> None:
    harness.send_answers, harness.refresh_answers = [Payout.FAILED], [Payout.SENT]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.pass_time(2 * DAY)
    await assignment.signal_payout("retry")
    harness.send_answers = [Payout.SENT]
    await assignment.withdraw(dispute, BRAND)
    await assignment.saw(Event.REWARD_SENT)
    asked = len(harness.refresh_times)
    await harness.pass_time(HOUR)
    await harness.until(lambda: len(harness.refresh_times) > asked)
    assert len(harness.refresh_times) < 12  # after ever longer waits
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 2))
    await assignment.saw(Event.PAYOUT_FAILED, 2)
    assert _attempts(harness) == [1, 2]


async def test_the_creators_dispute_holds_no_payout_r51(harness: Harness) -> None:
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await harness.pass_time(5 * DAY + HOUR)
    await assignment.saw(Event.REWARD_OVERDUE)
    dispute = await assignment.dispute(Ground.LATE_REWARD, CREATOR)
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(DAY)
    await assignment.saw(Event.COMPLETED)
    await assignment.decide(dispute, Outcome.DISMISS)
    assert assignment.recorded.state is State.COMPLETED


async def test_what_escrow_holds_is_sent_as_it_is(harness: Harness) -> None:
    assignment = await _approved(harness)
    await assignment.saw(Event.COMPLETED)
    assert harness.reservations == []


async def test_without_escrow_the_reward_waits_for_the_brands_funds(harness: Harness) -> None:
    harness.funds_minor = 0
    assignment = await _approved(harness, Funding.ON_APPROVAL)
    await harness.until(lambda: harness.funds_minor > 0)
    assert harness.sent == []
    await harness.pass_time(2 * HOUR)
    await assignment.saw(Event.COMPLETED)
    assert [terms.reserved_minor for terms in harness.reservations] == [None]


async def test_money_that_comes_back_is_due_again(harness: Harness) -> None:
    """The assignment is completed, and not over before the creator has the money."""
    brief = replace(STANDARD, completion_window=_hours(3), dispute_window=_hours(3))
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness, policy=brief)
    await harness.pass_time(4 * HOUR)
    await assignment.saw(Event.COMPLETED)
    await harness.pass_time(8 * HOUR)
    harness.send_answers = [Payout.FAILED, Payout.PAID]
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await assignment.saw(Event.PAYOUT_FAILED)
    assert assignment.recorded.state is State.APPROVED
    await harness.pass_time(2 * DAY + HOUR)
    await assignment.saw(Event.COMPLETED, 2)
    assert _attempts(harness) == [1, 2, 3]
    assert await assignment.ended() is State.COMPLETED


def _hours(hours: float) -> Span:
    return Span(seconds=hours * 3600.0)


async def test_a_signal_of_an_earlier_attempt_is_ignored(harness: Harness) -> None:
    harness.send_answers, harness.refresh_answers = [Payout.FAILED, Payout.SENT], [Payout.SENT]
    assignment = await _approved(harness)
    await harness.pass_time(DAY + HOUR)
    await harness.until(lambda: len(harness.sent) == 2)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await harness.pass_time(2 * DAY)
    assert _attempts(harness) == [1, 2]


async def test_a_failure_reported_before_the_end_is_recorded(harness: Harness) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness)
    await assignment.handle.signal("payout_reported", PayoutReport(Payout.FAILED))
    await assignment.saw(Event.PAYOUT_FAILED)
    assert assignment.recorded.state is State.APPROVED
