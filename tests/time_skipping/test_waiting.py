"""Whatever waits has a clock that everybody can see. These lives are left open, so that their
histories are those of workflows that still run."""

from collections.abc import Awaitable, Callable

import pytest

from servicekit.timestamps import from_timestamp
from tests.time_skipping.life import Life
from tests.time_skipping.moments import DAY, HOUR, MINUTE
from tests.time_skipping.stage import PRODUCT, Stage

pytestmark = pytest.mark.xdist_group("months")


async def _work(life: Life) -> None:
    await life.pass_time(DAY)


async def _review(life: Life) -> None:
    await life.submit()
    await life.pass_time(3 * DAY)


async def _rework(life: Life) -> None:
    await _review(life)
    await life.ask()


async def _be_owed(life: Life) -> None:
    await _review(life)
    await life.approve()
    await life.pass_time(4 * DAY)


async def _expect(life: Life) -> None:
    await _review(life)
    await life.approve()
    await life.ship()


async def _expire(life: Life) -> None:
    await life.pass_time(10 * DAY + MINUTE)
    await life.until("EXPIRED")
    await life.comment()


async def _complete(life: Life) -> None:
    await _expect(life)
    await life.acknowledge()


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
    stage: Stage, state: str, clock: str, lead: Callable[[Life], Awaitable[None]]
) -> None:
    life = await stage.selected_creator(reward=PRODUCT)
    await lead(life)
    assignment = await life.until(state)
    kind = assignment.clock.Kind.Name(assignment.clock.kind)
    assert kind == f"KIND_{clock}"
    assert from_timestamp(assignment.clock.due_time) > await life.now()


async def test_a_dispute_that_waits_shows_until_when_it_is_decided(stage: Stage) -> None:
    life = await stage.selected_creator()
    dispute = await life.dispute(life.creator.caller, "MATERIALS_NOT_PROVIDED")
    await dispute.claim()
    await dispute.pass_time(20 * DAY)
    await dispute.saw("DISPUTE_REMINDED")
    assert await dispute.state() == "UNDER_REVIEW"
    assert (await dispute.read()).HasField("resolution_due_time")
    assert await life.time_left() > DAY


async def test_a_payout_that_waits_shows_that_it_failed(stage: Stage) -> None:
    life = await stage.selected_creator(paypal="DENIED")
    await life.submit()
    await life.approve()
    await life.saw("PAYOUT_FAILED")
    await life.pass_time(HOUR)
    assert await life.payout() == "FAILED"
    assert await life.state() == "APPROVED"


@pytest.mark.parametrize("state", ["OPEN", "SELECTING"])
async def test_a_task_that_waits_shows_its_deadlines(stage: Stage, state: str) -> None:
    task = await stage.task()
    await task.apply(await stage.creator())
    if state == "SELECTING":
        await task.pass_until(await task.application_deadline())
    await task.until(state)
    assert await task.selection_deadline() > await stage.now()
