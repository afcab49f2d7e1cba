"""Payouts that do not complete: unclaimed, held by the provider, or with an unknown outcome."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from servicekit.errors import FailedPrecondition, LiaisonError, Reason, Unavailable
from tests.workflows.drivers import BRAND, CREATOR, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness
from workflows import ids
from workflows.assignment.model import Event, State
from workflows.dispute.model import Ground
from workflows.notices import OPERATORS
from workflows.payout.model import PayoutChanged, PayoutResult, PayoutStatus, PayoutTerms, Progress
from workflows.payout.model import State as Payout
from workflows.payout.workflow import PayoutWorkflow
from workflows.policy import STANDARD, Policy, Span
from workflows.task_queues import Domain, queue_of
from workflows.temporal.failures import to_application_error

MINUTE = timedelta(minutes=1)
_IMPATIENT = replace(STANDARD, name="impatient", reward_window=Span(seconds=2 * 3600.0))


async def _approved(harness: Harness, policy: Policy = STANDARD) -> AssignmentDriver:
    assignment = await harness.assignment(policy)
    await assignment.submit()
    await assignment.approve()
    return assignment


def _attempts(harness: Harness) -> list[int]:
    return [order.attempt for order, _ in harness.sent]


def _refusal(error: LiaisonError, *, is_final: bool = True) -> Exception:
    return to_application_error(error, is_final=is_final)


_NOT_CLAIMED = FailedPrecondition(Reason.PAYOUT_NOT_CLAIMED, "Name an account anew")


def _texts(harness: Harness, event: Event, recipient: str) -> list[str]:
    return [
        one.text for one in harness.sent_notices if (one.event, one.recipient) == (event, recipient)
    ]


async def _is_unclaimed(harness: Harness) -> AssignmentDriver:
    harness.send_answers, harness.refresh_answers = [Payout.SENT], [Payout.UNCLAIMED]
    assignment = await _approved(harness)
    await harness.pass_time(MINUTE)
    await assignment.saw(Event.REWARD_UNCLAIMED)
    return assignment


async def test_an_unclaimed_payment_is_notified_recalled_and_sent_to_the_new_account(
    harness: Harness,
) -> None:
    assignment = await _is_unclaimed(harness)
    assert assignment.recorded.state is State.REWARDED
    until = assignment.time_of(Event.REWARD_UNCLAIMED) + 5 * DAY
    (text,) = _texts(harness, Event.REWARD_UNCLAIMED, CREATOR)
    assert "It waits until " in text
    stated_time = datetime.fromisoformat(text.partition("It waits until ")[2][:16]).replace(
        tzinfo=UTC
    )
    assert abs(stated_time - until) <= MINUTE
    await harness.pass_time(5 * DAY - HOUR)
    assert harness.recalled == []
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(2 * HOUR)
    await assignment.saw(Event.COMPLETED)
    ((order, time),) = harness.recalled
    assert order.attempt == 1
    assert abs(time - until) < MINUTE
    assert _attempts(harness) == [1, 2]
    assert assignment.events.count(Event.REWARD_UNCLAIMED) == 1
    assert Event.PAYOUT_FAILED not in assignment.events


async def test_without_a_new_account_the_creator_is_notified_once(harness: Harness) -> None:
    assignment = await _is_unclaimed(harness)
    harness.send_answers = [_refusal(_NOT_CLAIMED)]
    await harness.pass_time(5 * DAY + HOUR)
    await assignment.saw(Event.PAYOUT_FAILED)
    assert assignment.recorded.state is State.APPROVED
    await harness.pass_time(3 * DAY)
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(DAY)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2, 2, 2, 2, 2]
    times = [time for _, time in harness.sent[1:]]
    assert all(timedelta() <= after - before - DAY < MINUTE for before, after in pairwise(times))
    assert assignment.events.count(Event.PAYOUT_FAILED) == 1


async def test_who_claims_before_it_is_taken_back_is_paid_once(harness: Harness) -> None:
    assignment = await _is_unclaimed(harness)
    harness.recall_answers = [Payout.PAID]
    await harness.pass_time(5 * DAY + HOUR)
    await assignment.saw(Event.COMPLETED)
    assert len(harness.recalled) == 1
    assert _attempts(harness) == [1]


async def test_a_payment_returned_during_its_recall_is_sent_again_once(
    harness: Harness,
) -> None:
    assignment = await _is_unclaimed(harness)
    away = Unavailable(Reason.OUTCOME_UNKNOWN, "Recall it again")
    harness.recall_answers = [_refusal(away, is_final=False)]
    await harness.pass_time(5 * DAY + HOUR)
    await harness.until(lambda: harness.recalled)
    harness.send_answers = [Payout.PAID]
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    harness.recall_answers = [Payout.FAILED]
    await harness.pass_time(HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2]


async def test_a_request_to_pay_now_recalls_an_unclaimed_payment_now(harness: Harness) -> None:
    assignment = await _is_unclaimed(harness)
    harness.send_answers = [Payout.PAID]
    await assignment.signal_payout("retry")
    await assignment.saw(Event.COMPLETED)
    assert len(harness.recalled) == 1
    assert _attempts(harness) == [1, 2]


async def test_a_retry_request_is_cleared_when_the_payment_was_sent_after_all(
    harness: Harness,
) -> None:
    harness.send_answers, harness.refresh_answers = [Payout.FAILED], [Payout.SENT]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.pass_time(DAY + HOUR)
    await assignment.signal_payout("retry")
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.SENT, 1))
    await harness.pass_time(MINUTE)
    await assignment.saw(Event.REWARD_SENT)
    await assignment.withdraw(dispute, BRAND)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await harness.pass_time(HOUR)
    assert _attempts(harness) == [1]


async def test_signals_to_pay_an_unclaimed_payment_are_handled_during_a_poll(
    harness: Harness,
) -> None:
    """Both signals of the payouts service, one right after the other."""
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    harness.may_refresh.clear()
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    await harness.pass_time(timedelta(seconds=10))
    await harness.until(lambda: harness.refresh_times)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.UNCLAIMED, 1))
    await assignment.signal_payout("retry")
    harness.send_answers = [Payout.PAID]
    harness.may_refresh.set()
    await assignment.saw(Event.COMPLETED)
    assert len(harness.recalled) == 1
    assert _attempts(harness) == [1, 2]


async def test_a_blocked_payout_is_escalated_once_and_kept(harness: Harness) -> None:
    harness.send_answers, harness.refresh_answers = [Payout.SENT], [Payout.BLOCKED]
    assignment = await _approved(harness)
    await harness.pass_time(MINUTE)
    await assignment.saw(Event.PAYOUT_ESCALATED)
    (text,) = _texts(harness, Event.PAYOUT_ESCALATED, OPERATORS)
    assert "ResolveAttempt" in text
    await harness.pass_time(20 * DAY)
    assert assignment.events.count(Event.PAYOUT_ESCALATED) == 1
    assert _attempts(harness) == [1]
    assert harness.releases == []
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.PAID, 1))
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1]


async def test_an_operator_who_finds_that_nothing_was_paid_has_it_sent_again(
    harness: Harness,
) -> None:
    harness.send_answers = [Payout.BLOCKED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_ESCALATED)
    harness.send_answers = [Payout.PAID]
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.FAILED, 1))
    await assignment.saw(Event.PAYOUT_FAILED)
    await harness.pass_time(DAY + HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2]


async def test_a_payment_that_stays_pending_is_escalated_once(
    harness: Harness,
) -> None:
    harness.send_answers = harness.refresh_answers = [Payout.SENT]
    assignment = await _approved(harness)
    await harness.pass_time(5 * DAY - HOUR)
    assert Event.PAYOUT_ESCALATED not in assignment.events
    await harness.pass_time(2 * HOUR)
    await assignment.saw(Event.PAYOUT_ESCALATED)
    assert assignment.recorded.state is State.REWARDED
    await harness.pass_time(10 * DAY)
    assert assignment.events.count(Event.PAYOUT_ESCALATED) == 1
    harness.refresh_answers = [Payout.PAID]
    await harness.pass_time(7 * HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1]


async def test_an_attempt_with_an_unknown_outcome_is_repeated_and_escalated_once(
    harness: Harness,
) -> None:
    unknown = Unavailable(Reason.OUTCOME_UNKNOWN, "Send it again")
    harness.send_answers = [_refusal(unknown, is_final=False)]
    assignment = await _approved(harness, _IMPATIENT)
    await harness.pass_time(3 * HOUR)
    await assignment.saw(Event.PAYOUT_ESCALATED)
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(HOUR)
    await assignment.saw(Event.COMPLETED)
    assert set(_attempts(harness)) == {1}
    assert assignment.events.count(Event.PAYOUT_ESCALATED) == 1
    assert Event.PAYOUT_FAILED not in assignment.events


async def test_a_recall_that_keeps_failing_is_escalated(
    harness: Harness,
) -> None:
    away = Unavailable(Reason.OUTCOME_UNKNOWN, "Recall it again")
    harness.send_answers, harness.refresh_answers = [Payout.SENT], [Payout.UNCLAIMED]
    harness.recall_answers = [_refusal(away, is_final=False)]
    assignment = await _approved(harness, _IMPATIENT)
    await harness.pass_time(MINUTE)
    await assignment.signal_payout("retry")
    await harness.pass_time(3 * HOUR)
    assert Event.PAYOUT_ESCALATED not in assignment.events  # the creator may still claim it
    await harness.pass_time(5 * DAY)
    await assignment.saw(Event.PAYOUT_ESCALATED)
    harness.recall_answers, harness.send_answers = [Payout.FAILED], [Payout.PAID]
    await harness.pass_time(7 * HOUR)
    await assignment.saw(Event.COMPLETED)
    assert _attempts(harness) == [1, 2]


@pytest.mark.parametrize("is_refused", [False, True])
async def test_a_reward_that_is_written_off_ends_the_assignment_without_it(
    harness: Harness, is_refused: bool
) -> None:
    """With and without a signal to the workflow, which otherwise finds out when it sends again."""
    harness.send_answers = [Payout.FAILED]
    assignment = await _approved(harness)
    await assignment.saw(Event.PAYOUT_FAILED)
    if is_refused:
        ended = FailedPrecondition(Reason.ILLEGAL_STATE, "It is over")
        harness.send_answers, harness.refresh_answers = [_refusal(ended)], [Payout.WRITTEN_OFF]
        await harness.pass_time(DAY + HOUR)
    else:
        await assignment.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 1))
    await assignment.saw(Event.REWARD_WRITTEN_OFF)
    assert await assignment.ended() is State.CANCELLED
    assert _texts(harness, Event.REWARD_WRITTEN_OFF, CREATOR)
    assert _texts(harness, Event.REWARD_WRITTEN_OFF, BRAND)
    assert harness.releases == []  # the operator has said where the money went


async def test_a_payout_written_off_while_it_cannot_be_sent_is_not_sent(
    harness: Harness,
) -> None:
    held = FailedPrecondition(Reason.PAYOUT_ON_HOLD, "Held")
    harness.send_answers = [_refusal(held, is_final=False)]
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    await assignment.signal_payout("payout_changed", PayoutChanged(Payout.WRITTEN_OFF, 0))
    assert await assignment.ended() is State.CANCELLED


async def test_a_dispute_holds_what_is_about_to_be_sent(harness: Harness) -> None:
    """An operator's own hold, or a service that is away, keeps the call waiting."""
    held = FailedPrecondition(Reason.PAYOUT_ON_HOLD, "Held")
    harness.send_answers, harness.refresh_answers = (
        [_refusal(held, is_final=False)],
        [Payout.RESERVED],
    )
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.until(lambda: harness.refresh_times)
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(DAY)
    assert Event.REWARD_SENT not in assignment.events
    assert Event.PAYOUT_FAILED not in assignment.events
    await assignment.withdraw(dispute, BRAND)
    await assignment.saw(Event.COMPLETED)
    assert set(_attempts(harness)) == {1}


async def test_no_dispute_holds_what_has_begun_to_be_sent(harness: Harness) -> None:
    unknown = Unavailable(Reason.OUTCOME_UNKNOWN, "Send it again")
    harness.send_answers = [_refusal(unknown, is_final=False)]
    harness.refresh_answers = [Payout.SENDING]
    assignment = await _approved(harness)
    await harness.until(lambda: harness.sent)
    await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.until(lambda: harness.refresh_times)
    harness.send_answers = [Payout.PAID]
    await harness.pass_time(HOUR)
    await assignment.saw(Event.REWARD_SENT)
    assert set(_attempts(harness)) == {1}


def _terms(payout_id: str) -> PayoutTerms:
    interval = STANDARD.payout_retry_interval
    return PayoutTerms(payout_id, "acme", "bea", "USD", 10_000, 10_000, interval)


async def _alone(harness: Harness, terms: PayoutTerms) -> PayoutResult:
    return await harness.environment.client.execute_workflow(
        PayoutWorkflow.run,
        terms,
        id=ids.payout(terms.payout_id),
        task_queue=queue_of(Domain.PAYOUTS, harness.prefix),
    )


async def test_a_restarted_payout_makes_its_next_attempt_at_once(
    harness: Harness,
) -> None:
    begin = await harness.now()
    harness.statuses["p1"] = PayoutStatus(Payout.FAILED, 2, 10_000)
    result = await _alone(harness, replace(_terms("p1"), is_restarted=True))
    assert result.state is Payout.PAID
    ((order, time),) = harness.sent
    assert order.attempt == 3
    assert time - begin < MINUTE


async def test_a_restarted_payout_recalls_an_unclaimed_payment_at_once(
    harness: Harness,
) -> None:
    begin = await harness.now()
    harness.statuses["p3"] = PayoutStatus(Payout.UNCLAIMED, 2, 10_000)
    result = await _alone(harness, replace(_terms("p3"), is_restarted=True))
    assert result.state is Payout.PAID
    ((order, time),) = harness.recalled
    assert order.attempt == 2
    assert time - begin < MINUTE
    assert _attempts(harness) == [3]


async def test_a_restarted_payout_continues_the_attempt_in_progress(
    harness: Harness,
) -> None:
    harness.statuses["p4"] = PayoutStatus(Payout.SENDING, 2, 10_000)
    held = replace(_terms("p4"), is_restarted=True, is_held=True)
    assert (await _alone(harness, held)).state is Payout.PAID
    assert _attempts(harness) == [2]


async def test_a_restarted_payout_reserves_what_was_never_reserved(harness: Harness) -> None:
    harness.statuses["p5"] = PayoutStatus(Payout.RESERVED, 0, None)
    await _alone(harness, replace(_terms("p5"), is_restarted=True))
    assert [(one.amount_minor, one.reserved_minor) for one in harness.reservations] == [
        (10_000, None)
    ]
    assert _attempts(harness) == [1]


async def test_a_restarted_payout_pays_no_more_than_the_remaining_amount(
    harness: Harness,
) -> None:
    harness.statuses["p6"] = PayoutStatus(Payout.FAILED, 1, 4_000)
    await _alone(harness, replace(_terms("p6"), is_restarted=True))
    assert harness.reservations == []
    assert _attempts(harness) == [2]


async def test_a_payout_that_continues_as_new_keeps_its_state(harness: Harness) -> None:
    now = await harness.now()
    progress = Progress(Payout.UNCLAIMED, 2, now - 4 * DAY, ["2 SENT", "2 UNCLAIMED"])
    result = await _alone(harness, replace(_terms("p2"), reserved_minor=None, progress=progress))
    assert result.state is Payout.PAID
    assert harness.reservations == []
    assert harness.refresh_times == [] or max(harness.refresh_times) - now < DAY
