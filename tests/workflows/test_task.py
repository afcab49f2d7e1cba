"""A task's deadlines, its slots, and what ends it."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from servicekit.errors import Reason
from tests.workflows.world import BRAND, DAY, HOUR, TaskLife, World
from workflows.assignment.model import Event
from workflows.dispute.state import Ground, Outcome
from workflows.task.state import CancelTask, State


async def _refusal(update: object) -> str | None:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update  # type: ignore[misc]  # a coroutine
    assert isinstance(refused.value.cause, ApplicationError)
    return refused.value.cause.type


async def _cancel(task: TaskLife) -> None:
    await task.handle.execute_update("cancel_task", CancelTask(BRAND, "No budget"))


async def test_a_task_without_a_selection_ends_unfilled(world: World) -> None:
    task = await world.task()
    assert State(await task.handle.result()) is State.UNFILLED
    assert task.states == ["SELECTING", "UNFILLED"]
    assert [order.comment for order in world.lapsed] == [""]
    assert world.reserved == []


async def test_a_task_goes_on_with_those_who_were_selected_in_time(world: World) -> None:
    task = await world.task(slots=3)
    await world.pass_time(2 * DAY + HOUR)
    await world.until(lambda: task.states == ["SELECTING"])
    await task.select("a", "b")
    await task.is_assigned("a", "b")
    await world.pass_time(3 * DAY)
    await world.until(lambda: task.states[-1] == State.IN_PROGRESS)
    assert world.lapsed[0].selected_ids == ["a", "b"]
    assert State(await task.handle.result()) is State.CLOSED
    assert set(world.released) == {"a", "b"}  # nobody submitted


async def test_the_last_slot_ends_the_selection(world: World) -> None:
    task = await world.task(slots=2)
    await task.select("a")
    assert task.states == ["OPEN"]
    await task.select("b")
    await task.is_assigned("a", "b")
    await world.until(lambda: world.lapsed)
    assert task.states == ["OPEN", "IN_PROGRESS"]
    assert world.reserved == ["a", "b"]
    assert await _refusal(task.select("c")) == Reason.ILLEGAL_STATE


async def test_a_cancelled_task_tells_why(world: World) -> None:
    task = await world.task()
    await _cancel(task)
    assert State(await task.handle.result()) is State.CANCELLED
    assert [order.comment for order in world.lapsed] == ["No budget"]


async def test_a_task_with_creators_cannot_be_cancelled(world: World) -> None:
    task = await world.task()
    await task.select("a")
    assert await _refusal(_cancel(task)) == Reason.ILLEGAL_STATE


async def test_a_selection_that_lacks_funds_gives_its_slots_back(world: World) -> None:
    task = await world.task(slots=2)
    world.funds_minor = 15_000
    assert await _refusal(task.select("a", "b")) == Reason.INSUFFICIENT_FUNDS
    await task.select("a")
    assert world.reserved == ["a"]
    world.funds_minor = 10_000
    await task.select("b")
    await task.is_assigned("a", "b")


async def test_concurrent_selections_never_exceed_the_slots(world: World) -> None:
    task = await world.task(slots=3)
    world.may_reserve.clear()
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("g",), ("h",)]
    selections = [asyncio.create_task(task.select(*pair)) for pair in pairs]
    await world.until(
        lambda: len(world.reserving) + sum(one.done() for one in selections) == len(pairs)
    )
    world.may_reserve.set()
    answers = await asyncio.gather(*selections, return_exceptions=True)
    selected = {
        id_ for pair, answer in zip(pairs, answers, strict=True) if answer is None for id_ in pair
    }
    refused = [answer for answer in answers if answer is not None]
    # Which came first is chance: a pair does not fit beside two single ones.
    assert 2 <= len(selected) <= 3
    assert set(world.reserved) == selected
    assert all(isinstance(answer, WorkflowUpdateFailedError) for answer in refused)
    await task.is_assigned(*selected)
    assert set(world.assignments) == selected


async def test_a_selection_that_ends_while_another_is_recorded_is_assigned(world: World) -> None:
    task = await world.task(slots=3, step=timedelta(seconds=1))
    world.may_record_task.clear()
    first = asyncio.create_task(task.select("a"))
    await world.until(lambda: world.attempts)
    second = asyncio.create_task(task.select("b"))
    await world.until(lambda: "b" in world.reserved)
    await task.knows("reserve_rewards")
    world.may_record_task.set()
    await asyncio.gather(first, second)
    await task.is_assigned("a", "b")


async def test_a_task_whose_end_comes_while_others_are_told_is_closed(world: World) -> None:
    task = await world.task(slots=1)
    world.may_lapse.clear()
    await task.select("a")
    await task.is_assigned("a")
    await world.until(lambda: world.lapsed)
    life = task.life_of("a", await world.now())
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    await life.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    await world.until(lambda: "a" in world.released)
    await life.handle.result()
    world.may_lapse.set()
    assert State(await task.handle.result()) is State.CLOSED
    assert task.states == ["IN_PROGRESS", "CLOSED"]


async def test_a_selection_holds_the_deadline_back_until_it_is_decided(world: World) -> None:
    task = await world.task(slots=2)
    await world.pass_time(2 * DAY + HOUR)
    await world.until(lambda: task.states == ["SELECTING"])
    world.may_reserve.clear()
    selection = asyncio.create_task(task.select("a"))
    await world.until(lambda: world.reserving)
    assert not selection.done()
    world.may_reserve.set()
    await selection
    await world.pass_time(4 * DAY)
    await world.until(lambda: task.states[-1] == State.IN_PROGRESS)


async def test_a_repeated_selection_gets_its_first_answer(world: World) -> None:
    task = await world.task(slots=2)
    await task.select("a", update_id="select_applications:1")
    await task.select("a", update_id="select_applications:1")
    assert world.reserved == ["a"]
    assert await _refusal(task.select("a")) == Reason.ILLEGAL_STATE


async def test_assignments_of_a_task_are_its_terms(world: World) -> None:
    task = await world.task(slots=1)
    await task.select("a")
    await task.is_assigned("a")
    await world.until(lambda: world.transitions["a"])
    assert world.assignments["a"].terms.task_id == task.id
    assert world.transitions["a"][0].event is Event.CREATOR_SELECTED
    assert task.states == ["IN_PROGRESS"]
    (new,) = world.tasks[task.id][0].new_assignments
    assert new.select_time == world.transitions["a"][0].time


async def test_a_book_that_is_away_delays_a_task_and_loses_nothing(world: World) -> None:
    world.failures = 2
    task = await world.task(slots=1)
    await task.select("a")
    assert world.attempts >= 3
    await task.is_assigned("a")
    assert task.states == ["IN_PROGRESS"]
