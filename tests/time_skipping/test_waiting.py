"""Every waiting state has a visible clock. These workflows are left open, so that their histories
are those of running workflows."""

from collections.abc import Awaitable, Callable

import pytest

from servicekit.timestamps import from_timestamp
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.harness import PRODUCT, Harness
from tests.time_skipping.timing import DAY, HOUR, MINUTE

pytestmark = pytest.mark.xdist_group("time_skipping")


async def _work(assignment: AssignmentDriver) -> None:
    await assignment.pass_time(DAY)


async def _review(assignment: AssignmentDriver) -> None:
    await assignment.submit()
    await assignment.pass_time(3 * DAY)


async def _rework(assignment: AssignmentDriver) -> None:
    await _review(assignment)
    await assignment.ask()


async def _be_owed(assignment: AssignmentDriver) -> None:
    await _review(assignment)
    await assignment.approve()
    await assignment.pass_time(4 * DAY)


async def _expect(assignment: AssignmentDriver) -> None:
    await _review(assignment)
    await assignment.approve()
    await assignment.ship()


async def _expire(assignment: AssignmentDriver) -> None:
    await assignment.pass_time(10 * DAY + MINUTE)
    await assignment.until("EXPIRED")
    await assignment.comment()


async def _complete(assignment: AssignmentDriver) -> None:
    await _expect(assignment)
    await assignment.acknowledge()


@pytest.mark.parametrize(
    ("state", "clock", "lead"),
    [
        ("IN_PROGRESS", "SUBMISSION", _work),
        ("IN_REVIEW", "REVIEW", _review),
        ("CHANGES_REQUESTED", "REWORK", _rework),
        ("APPROVED", "REWARD", _be_owed),
        ("REWARDED", "COMPLETION", _expect),
        ("EXPIRED", "REOPEN", _expire),
        ("COMPLETED", "DISPUTE_WINDOW", _complete),
    ],
    ids=lambda value: value.lower() if isinstance(value, str) else "",
)
async def test_an_assignment_that_waits_shows_its_clock(
    harness: Harness, state: str, clock: str, lead: Callable[[AssignmentDriver], Awaitable[None]]
) -> None:
    assignment = await harness.selected_creator(reward=PRODUCT)
    await lead(assignment)
    resource = await assignment.until(state)
    kind = resource.clock.Kind.Name(resource.clock.kind)
    assert kind == f"KIND_{clock}"
    assert from_timestamp(resource.clock.due_time) > await assignment.now()


async def test_a_dispute_that_waits_shows_until_when_it_is_decided(harness: Harness) -> None:
    assignment = await harness.selected_creator()
    dispute = await assignment.dispute(assignment.creator.caller, "MATERIALS_NOT_PROVIDED")
    await dispute.claim()
    await dispute.pass_time(20 * DAY)
    await dispute.saw("DISPUTE_REMINDED")
    assert await dispute.state() == "UNDER_REVIEW"
    assert (await dispute.read()).HasField("resolution_due_time")
    assert await assignment.time_left() > DAY


async def test_a_payout_that_waits_shows_that_it_failed(harness: Harness) -> None:
    assignment = await harness.selected_creator(paypal="DENIED")
    await assignment.submit()
    await assignment.approve()
    await assignment.saw("PAYOUT_FAILED")
    await assignment.pass_time(HOUR)
    assert await assignment.payout() == "FAILED"
    assert await assignment.state() == "APPROVED"


@pytest.mark.parametrize("state", ["OPEN", "SELECTING"])
async def test_a_task_that_waits_shows_its_deadlines(harness: Harness, state: str) -> None:
    task = await harness.task()
    await task.apply(await harness.creator())
    if state == "SELECTING":
        await task.pass_until(await task.application_deadline())
    await task.until(state)
    assert await task.selection_deadline() > await harness.now()
