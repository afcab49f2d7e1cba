"""The clocks of an assignment: when each is due, and what it does then."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from servicekit.errors import FailedPrecondition
from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    CHANGE,
    DAY,
    DEADLINE,
    LATER,
    SUBMIT,
    approved,
    begun,
    cancelled,
    completed,
    due,
    expired,
    overdue,
    rewarded,
    reworking,
    submitted,
)
from workflows.assignment.model import (
    SYSTEM,
    Assignment,
    Clock,
    ClockKind,
    ConfirmedBy,
    Event,
    State,
)
from workflows.assignment.rules import disputes, rewards, submissions, transitions
from workflows.dispute.model import Decision, Ground, Outcome
from workflows.policy import STANDARD, ReviewSilence

HOUR = timedelta(hours=1)
ESCALATE = replace(STANDARD, name="escalating", review_silence=ReviewSilence.ESCALATE)


def _clock(a: Assignment) -> Clock:
    assert a.clock is not None
    return a.clock


def _past_reminders(a: Assignment) -> Assignment:
    _clock(a).reminder_times.clear()
    return a


def test_a_clock_fires_at_its_instant_and_not_before() -> None:
    a = begun()
    assert submissions.fire(a, DEADLINE - timedelta(microseconds=1)) == (None, None)
    transition, _ = submissions.fire(a, DEADLINE)
    assert transition is not None
    assert (transition.event, transition.to_state) == (Event.EXPIRED, State.EXPIRED)
    assert transition.actor == SYSTEM
    assert (_clock(a).kind, due(a)) == (ClockKind.REOPEN, DEADLINE + 30 * DAY)


def test_a_review_is_reminded_of_at_48_96_and_114_hours() -> None:
    a = submitted()
    for hours in (48, 96, 114):
        time = _clock(a).next_time
        assert time == LATER + hours * HOUR
        transition, _ = submissions.fire(a, time)
        assert transition is not None
        assert (transition.event, a.state) == (Event.REVIEW_REMINDED, State.IN_REVIEW)
    assert _clock(a).next_time == due(a) == LATER + 5 * DAY


def test_five_days_of_silence_approve_r27() -> None:
    a = _past_reminders(submitted())
    transition, _ = submissions.fire(a, LATER + 5 * DAY)
    assert transition is not None
    assert (transition.event, transition.actor) == (Event.WORK_APPROVED, SYSTEM)
    assert (a.state, a.confirmed_by) == (State.APPROVED, ConfirmedBy.SYSTEM)
    assert a.payable_minor == a.terms.reward_minor


def test_each_round_gets_the_whole_review_time_r27() -> None:
    a = reworking()
    submissions.submit_work(a, SUBMIT, LATER + 4 * DAY)
    assert (_clock(a).kind, due(a)) == (ClockKind.REVIEW, LATER + 9 * DAY)
    assert len(_clock(a).reminder_times) == 3


def test_silence_asks_a_mediator_when_the_policy_says_so() -> None:
    a = _past_reminders(submitted(ESCALATE))
    transition, dispute = submissions.fire(a, due(a))
    assert transition is None
    assert dispute is not None
    assert (dispute.ground, dispute.opener) == (Ground.REVIEW_SILENCE, SYSTEM)
    opened, _ = disputes.open_dispute(a, dispute, LATER + 5 * DAY)
    assert opened.allowed_outcomes == list(Outcome)
    assert _clock(a).next_time is None


def test_a_second_silence_is_a_dispute_of_its_own() -> None:
    a = _past_reminders(submitted(ESCALATE))
    ids = []
    for _ in range(2):
        now = due(a)
        _, dispute = submissions.fire(a, now)
        assert dispute is not None
        ids.append(dispute.dispute_id)
        disputes.open_dispute(a, dispute, now)
        disputes.close_dispute(a, Decision(Outcome.DISMISS, "Review it"), "staff/mia", now)
        _past_reminders(a)
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (BEGIN + DAY, DEADLINE),
        (DEADLINE - 3 * DAY, DEADLINE),
        (DEADLINE - 2 * DAY, DEADLINE + DAY),
        (DEADLINE + DAY, DEADLINE + 4 * DAY),
    ],
)
def test_rework_has_three_days_at_least_and_the_deadline_at_least(
    asked: datetime, expected: datetime
) -> None:
    a = begun()
    submissions.submit_work(a, SUBMIT, min(asked, DEADLINE) - timedelta(hours=1))
    submissions.request_changes(a, CHANGE, asked)
    assert (_clock(a).kind, due(a)) == (ClockKind.REWORK, expected)


def test_rework_that_lapses_puts_the_last_version_back_to_review() -> None:
    a = reworking()
    now = due(a)
    transition, _ = submissions.fire(a, now)
    assert transition is not None
    assert (transition.event, a.state) == (Event.REWORK_LAPSED, State.IN_REVIEW)
    assert (_clock(a).kind, due(a)) == (ClockKind.REVIEW, now + 5 * DAY)
    assert len(a.submissions) == 1


def test_rework_that_lapses_without_any_version_expires() -> None:
    a = begun()
    a.state, a.clock = State.CHANGES_REQUESTED, Clock(ClockKind.REWORK, DEADLINE)
    transition, _ = submissions.fire(a, DEADLINE)
    assert transition is not None
    assert (transition.event, _clock(a).kind) == (Event.EXPIRED, ClockKind.REOPEN)


def test_a_late_reward_is_overdue_and_still_owed_r29() -> None:
    a = approved()
    transition, _ = submissions.fire(a, LATER + 5 * DAY)
    assert transition is not None
    assert (transition.event, a.state, a.reward_is_overdue) == (
        Event.REWARD_OVERDUE,
        State.APPROVED,
        True,
    )
    assert a.clock is None
    assert not transitions.is_over(a)


def test_a_reward_completes_a_month_after_it_was_sent_r53() -> None:
    a = rewarded()
    assert (_clock(a).kind, due(a)) == (ClockKind.COMPLETION, LATER.replace(month=4))
    transition, _ = submissions.fire(a, due(a))
    assert transition is not None
    assert (transition.event, a.state) == (Event.COMPLETED, State.COMPLETED)
    assert (_clock(a).kind, due(a)) == (ClockKind.DISPUTE_WINDOW, LATER.replace(month=5))


def test_a_received_reward_completes_at_once() -> None:
    a = approved()
    events = [one.event for one in rewards.report_reward_received(a, LATER)]
    assert events == [Event.REWARD_SENT, Event.COMPLETED]
    assert rewards.report_reward_received(a, LATER) == []


def test_a_reward_is_sent_once_however_often_it_is_reported() -> None:
    a = rewarded()
    assert rewards.report_reward_sent(a, LATER + DAY) is None
    assert [one.event for one in rewards.report_reward_received(a, LATER)] == [Event.COMPLETED]


def test_a_late_reward_that_comes_completes_and_stays_marked() -> None:
    a = overdue()
    rewards.report_reward_received(a, LATER + 9 * DAY)
    assert (a.state, a.reward_is_overdue) == (State.COMPLETED, True)


def test_a_failed_payout_leaves_state_and_clock_alone() -> None:
    a = approved()
    before = due(a)
    transition = rewards.report_payout_failed(a, LATER)
    assert (transition.event, transition.to_state) == (Event.PAYOUT_FAILED, State.APPROVED)
    assert due(a) == before


@pytest.mark.parametrize(("reached", "clock"), [(completed, 1), (expired, 1), (cancelled, 0)])
def test_an_assignment_is_over_after_its_last_window(reached: object, clock: int) -> None:
    a: Assignment = reached()  # type: ignore[operator]  # a maker
    assert transitions.is_over(a) is (clock == 0)
    if clock:
        transition, _ = submissions.fire(a, due(a))
        assert transition is not None
        assert transition.event is Event.CLOSED
    assert a.clock is None
    assert transitions.is_over(a)


def test_nothing_fires_without_a_clock() -> None:
    assert submissions.fire(cancelled(), LATER + 1000 * DAY) == (None, None)


def test_approval_before_the_deadline_ends_its_clock() -> None:
    a = submitted()
    submissions.approve_work(a, APPROVE, LATER)
    assert _clock(a).kind is ClockKind.REWARD


@pytest.mark.parametrize("late", [timedelta(), timedelta(days=1)])
def test_no_command_is_taken_once_its_time_is_over_r26(late: timedelta) -> None:
    """A clock may fire late; the deadline, exclusive, does not move for that."""
    working, reviewing = begun(), submitted()
    with pytest.raises(FailedPrecondition):
        submissions.submit_work(working, SUBMIT, due(working) + late)
    with pytest.raises(FailedPrecondition):
        submissions.request_changes(reviewing, CHANGE, due(reviewing) + late)
    with pytest.raises(FailedPrecondition):
        submissions.approve_work(reviewing, APPROVE, due(reviewing) + late)


@pytest.mark.parametrize("reached", [rewarded, completed])
def test_a_reward_that_comes_back_is_due_again(reached: Callable[[], Assignment]) -> None:
    a = reached()
    now = LATER + 9 * DAY
    rewards.report_payout_failed(a, now)
    assert (a.state, _clock(a).kind, due(a)) == (State.APPROVED, ClockKind.REWARD, now + 5 * DAY)


def test_attempts_that_fail_late_do_not_put_a_reward_off_r29() -> None:
    a = approved()
    for days in range(5):
        rewards.report_reward_sent(a, LATER + days * DAY)
        rewards.report_payout_failed(a, LATER + days * DAY)
        assert due(a) == LATER + 5 * DAY
    submissions.fire(a, LATER + 5 * DAY)
    assert a.reward_is_overdue
