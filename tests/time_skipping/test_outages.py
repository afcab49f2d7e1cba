"""A worker that is down when a clock fires."""

import asyncio

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.harness import Harness
from tests.time_skipping.timing import DAY, HOUR

pytestmark = pytest.mark.xdist_group("time_skipping")


@pytest.mark.rule("R26")
async def test_a_clock_that_fires_while_no_worker_runs_fires_once_afterwards(
    real_harness: Harness,
) -> None:
    assignment = await real_harness.selected_creator()
    _, deadline = await assignment.clock()
    await assignment.pass_until(deadline, -HOUR)
    await real_harness.stop_worker()
    skipping = asyncio.create_task(assignment.pass_time(2 * HOUR))
    await assignment.until_timer_fired()
    # The state is still what it was; work that comes now is late all the same.
    assert await assignment.state() == "IN_PROGRESS"
    late = asyncio.create_task(assignment.submit())
    await real_harness.start_worker()
    with refused(Reason.ILLEGAL_STATE):
        await late
    await assignment.until("EXPIRED")
    await skipping
    assert (await assignment.events()).count("EXPIRED") == 1
    assert await assignment.time_of("EXPIRED") - deadline < HOUR


@pytest.mark.rule("R27")
async def test_the_end_of_a_review_while_no_worker_runs_approves_once(
    real_harness: Harness,
) -> None:
    assignment = await real_harness.selected_creator()
    await assignment.submit()
    submitted = await assignment.time_of("WORK_SUBMITTED")
    await assignment.pass_until(submitted + 5 * DAY, -HOUR)
    await assignment.saw("REVIEW_REMINDED", 3)
    await real_harness.stop_worker()
    skipping = asyncio.create_task(assignment.pass_time(2 * HOUR))
    await assignment.until_timer_fired(4)
    late = asyncio.create_task(assignment.ask())
    await real_harness.start_worker()
    with refused(Reason.ILLEGAL_STATE):
        await late
    await assignment.until("COMPLETED")
    await skipping
    assert (await assignment.events()).count("WORK_APPROVED") == 1
    assert await assignment.payout() == "PAID"
