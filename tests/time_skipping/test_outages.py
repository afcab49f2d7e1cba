"""A worker that is down when a clock fires."""

import asyncio

import pytest

from servicekit.errors import Reason
from tests.support.serving import refused
from tests.time_skipping.moments import DAY, HOUR
from tests.time_skipping.stage import Stage

pytestmark = pytest.mark.xdist_group("months")


@pytest.mark.rule("R26")
async def test_a_clock_that_fires_while_no_worker_runs_fires_once_afterwards(
    real_stage: Stage,
) -> None:
    life = await real_stage.selected_creator()
    _, deadline = await life.clock()
    await life.pass_until(deadline, -HOUR)
    await real_stage.stop_worker()
    skipping = asyncio.create_task(life.pass_time(2 * HOUR))
    await life.until_timer_fired()
    # The state is still what it was; work that comes now is late all the same.
    assert await life.state() == "IN_PROGRESS"
    late = asyncio.create_task(life.submit())
    await real_stage.start_worker()
    with refused(Reason.ILLEGAL_STATE):
        await late
    await life.until("EXPIRED")
    await skipping
    assert (await life.events()).count("EXPIRED") == 1
    assert await life.time_of("EXPIRED") - deadline < HOUR


@pytest.mark.rule("R27")
async def test_the_end_of_a_review_while_no_worker_runs_approves_once(real_stage: Stage) -> None:
    life = await real_stage.selected_creator()
    await life.submit()
    submitted = await life.time_of("WORK_SUBMITTED")
    await life.pass_until(submitted + 5 * DAY, -HOUR)
    await life.saw("REVIEW_REMINDED", 3)
    await real_stage.stop_worker()
    skipping = asyncio.create_task(life.pass_time(2 * HOUR))
    await life.until_timer_fired(4)
    late = asyncio.create_task(life.ask())
    await real_stage.start_worker()
    with refused(Reason.ILLEGAL_STATE):
        await late
    await life.until("COMPLETED")
    await skipping
    assert (await life.events()).count("WORK_APPROVED") == 1
    assert await life.payout() == "PAID"
