"""Effects of a dispute on an assignment's clocks, and of its end on the assignment."""

from datetime import timedelta

from tests.workflows.drivers import BRAND, CREATOR, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness
from workflows import ids
from workflows.assignment.model import ConfirmedBy, Event, State
from workflows.dispute.model import Ground, Outcome


async def _does_not_conform(harness: Harness) -> tuple[AssignmentDriver, str]:
    """After two rounds of changes the brand disputes."""
    assignment = await harness.assignment()
    await assignment.submit()
    for _ in range(2):
        await assignment.ask()
        await assignment.submit()
    return assignment, await assignment.dispute(Ground.WORK_DOES_NOT_CONFORM, BRAND)


async def test_pay_in_full_pays_in_the_mediators_name(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)
    assert assignment.recorded.confirmed_by is ConfirmedBy.MEDIATOR
    assert harness.reservations == []  # all of what is in escrow


async def test_pay_partial_sends_what_was_decided(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    await assignment.decide(dispute, Outcome.PAY_PARTIAL, amount_minor=4_000, amount_currency="USD")
    await assignment.saw(Event.COMPLETED)
    assert [(one.amount_minor, one.reserved_minor) for one in harness.reservations] == [
        (4_000, 10_000)
    ]
    assert len(harness.sent) == 1


async def test_redo_sets_a_new_deadline(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    deadline = await harness.now() + 30 * DAY
    await assignment.decide(dispute, Outcome.REDO, deadline_time=deadline)
    assert assignment.recorded.state is State.CHANGES_REQUESTED
    await harness.pass_time(29 * DAY)
    assert Event.REWORK_LAPSED not in assignment.events
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)


async def test_cancelling_without_pay_ends_it_and_releases_the_escrow(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    await assignment.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    assert await assignment.ended() is State.CANCELLED
    assert list(harness.released) == [assignment.id]
    assert harness.sent == []


async def test_dismissing_lets_what_was_left_of_the_review_continue(harness: Harness) -> None:
    assignment = await harness.assignment()
    await assignment.submit()
    submitted = assignment.time_of(Event.WORK_SUBMITTED)
    await harness.pass_time(4 * DAY)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await harness.pass_time(20 * DAY)
    assert Event.WORK_APPROVED not in assignment.events
    await assignment.decide(dispute, Outcome.DISMISS)
    await harness.pass_time(23 * HOUR)
    assert Event.WORK_APPROVED not in assignment.events
    await harness.pass_time(2 * HOUR)
    await assignment.saw(Event.WORK_APPROVED)
    waited = assignment.time_of(Event.WORK_APPROVED) - submitted - 25 * DAY
    assert abs(waited) < timedelta(minutes=5)
    assert assignment.events.count(Event.REVIEW_REMINDED) == 3


async def test_a_withdrawn_dispute_lets_the_deadline_continue(harness: Harness) -> None:
    assignment = await harness.assignment(deadline=2 * DAY)
    dispute = await assignment.dispute(Ground.MATERIALS_NOT_PROVIDED, CREATOR)
    await harness.pass_time(10 * DAY)
    assert Event.EXPIRED not in assignment.events
    await assignment.withdraw(dispute, CREATOR)
    await harness.pass_time(DAY)
    await assignment.submit()
    assert assignment.recorded.state is State.IN_REVIEW


async def test_a_dispute_that_is_ended_by_force_frees_the_assignment(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    await harness.environment.client.get_workflow_handle(ids.dispute(dispute)).cancel()
    await assignment.saw(Event.DISPUTE_WITHDRAWN)
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)


async def test_a_second_dispute_may_follow_the_first(harness: Harness) -> None:
    assignment, dispute = await _does_not_conform(harness)
    await assignment.decide(dispute, Outcome.DISMISS)
    again = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.decide(again, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)
    assert assignment.events.count(Event.DISPUTE_RESOLVED) == 2


async def test_a_dispute_after_the_reward_was_paid_is_heard(harness: Harness) -> None:
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    assert await assignment.ended() is State.COMPLETED
    assert len(harness.sent) == 1


async def test_an_open_dispute_keeps_what_is_over_open(harness: Harness) -> None:
    assignment = await harness.assignment()
    await harness.pass_time(10 * DAY + HOUR)
    await assignment.saw(Event.EXPIRED)
    dispute = await assignment.dispute(Ground.MATERIALS_NOT_PROVIDED, CREATOR)
    await harness.pass_time(60 * DAY)
    assert harness.released == {}
    await assignment.decide(dispute, Outcome.PAY_IN_FULL)
    await assignment.saw(Event.COMPLETED)
    assert harness.released == {}
