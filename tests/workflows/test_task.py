"""A task's deadlines, its slots, and what ends it."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from servicekit.errors import Reason
from tests.workflows.drivers import BRAND, DAY, HOUR, TaskDriver
from tests.workflows.harness import Harness
from workflows.assignment.model import Event
from workflows.dispute.model import Ground, Outcome
from workflows.task.model import CancelTask, EndSelection, State
from workflows.task.model import Event as TaskEvent


async def _refusal(update: object) -> str | None:
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update  # type: ignore[misc]  # a coroutine
    assert isinstance(refused.value.cause, ApplicationError)
    return refused.value.cause.type


async def _cancel(task: TaskDriver) -> None:
    await task.handle.execute_update("cancel_task", CancelTask(BRAND, "No budget"))


async def _end_selection(task: TaskDriver, actor: str = BRAND, comment: str = "") -> None:
    await task.handle.execute_update("end_selection", EndSelection(actor, comment))


def _history(task: TaskDriver) -> list[tuple[int, TaskEvent, str]]:
    """What was recorded, after its publishing, which the service records."""
    return [(one.sequence, TaskEvent(one.event), one.actor) for one in task.transitions]


async def test_a_task_without_a_selection_ends_unfilled(harness: Harness) -> None:
    task = await harness.task()
    assert State(await task.handle.result()) is State.UNFILLED
    assert task.states == ["SELECTING", "UNFILLED"]
    assert [order.comment for order in harness.lapsed] == [""]
    assert harness.reserved == []


async def test_a_task_goes_on_with_those_who_were_selected_in_time(harness: Harness) -> None:
    task = await harness.task(slots=3)
    await harness.pass_time(2 * DAY + HOUR)
    await harness.until(lambda: task.states == ["SELECTING"])
    await task.select("a", "b")
    await task.is_assigned("a", "b")
    await harness.pass_time(3 * DAY)
    await harness.until(lambda: task.states[-1] == State.IN_PROGRESS)
    assert harness.lapsed[0].selected_ids == ["a", "b"]
    assert State(await task.handle.result()) is State.CLOSED
    assert set(harness.released) == {"a", "b"}  # nobody submitted


async def test_the_last_slot_ends_the_selection(harness: Harness) -> None:
    task = await harness.task(slots=2)
    await task.select("a")
    assert task.states == ["OPEN"]
    await task.select("b")
    await task.is_assigned("a", "b")
    await harness.until(lambda: harness.lapsed)
    assert task.states == ["OPEN", "IN_PROGRESS"]
    assert harness.reserved == ["a", "b"]
    assert await _refusal(task.select("c")) == Reason.ILLEGAL_STATE


async def test_a_cancelled_task_notifies_the_reason(harness: Harness) -> None:
    task = await harness.task()
    await _cancel(task)
    assert State(await task.handle.result()) is State.CANCELLED
    assert [order.comment for order in harness.lapsed] == ["No budget"]


async def test_a_task_with_creators_cannot_be_cancelled(harness: Harness) -> None:
    task = await harness.task()
    await task.select("a")
    assert await _refusal(_cancel(task)) == Reason.ILLEGAL_STATE


async def test_a_selection_that_lacks_funds_gives_its_slots_back(harness: Harness) -> None:
    task = await harness.task(slots=2)
    harness.funds_minor = 15_000
    assert await _refusal(task.select("a", "b")) == Reason.INSUFFICIENT_FUNDS
    await task.select("a")
    assert harness.reserved == ["a"]
    harness.funds_minor = 10_000
    await task.select("b")
    await task.is_assigned("a", "b")


async def test_concurrent_selections_never_exceed_the_slots(harness: Harness) -> None:
    task = await harness.task(slots=3)
    harness.may_reserve.clear()
    pairs = [("a", "b"), ("c", "d"), ("e", "f"), ("g",), ("h",)]
    selections = [asyncio.create_task(task.select(*pair)) for pair in pairs]
    await harness.until(
        lambda: len(harness.reserving) + sum(one.done() for one in selections) == len(pairs)
    )
    harness.may_reserve.set()
    answers = await asyncio.gather(*selections, return_exceptions=True)
    selected = {
        id_ for pair, answer in zip(pairs, answers, strict=True) if answer is None for id_ in pair
    }
    refused = [answer for answer in answers if answer is not None]
    # Which came first is chance: a pair does not fit beside two single ones.
    assert 2 <= len(selected) <= 3
    assert set(harness.reserved) == selected
    assert all(isinstance(answer, WorkflowUpdateFailedError) for answer in refused)
    await task.is_assigned(*selected)
    assert set(harness.assignments) == selected


async def test_a_selection_that_ends_while_another_is_recorded_is_assigned(
    harness: Harness,
) -> None:
    task = await harness.task(slots=3, step=timedelta(seconds=1))
    harness.may_record_task.clear()
    first = asyncio.create_task(task.select("a"))
    await harness.until(lambda: harness.attempts)
    second = asyncio.create_task(task.select("b"))
    await harness.until(lambda: "b" in harness.reserved)
    await task.knows("reserve_rewards")
    harness.may_record_task.set()
    await asyncio.gather(first, second)
    await task.is_assigned("a", "b")


async def test_a_task_that_ends_during_notifications_is_closed(harness: Harness) -> None:
    task = await harness.task(slots=1)
    harness.may_lapse.clear()
    await task.select("a")
    await task.is_assigned("a")
    await harness.until(lambda: harness.lapsed)
    assignment = task.driver_of("a", await harness.now())
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    await assignment.decide(dispute, Outcome.CANCEL_WITHOUT_PAY)
    await harness.until(lambda: "a" in harness.released)
    await assignment.handle.result()
    harness.may_lapse.set()
    assert State(await task.handle.result()) is State.CLOSED
    assert task.states == ["IN_PROGRESS", "CLOSED"]


async def test_a_selection_holds_the_deadline_back_until_it_is_decided(harness: Harness) -> None:
    task = await harness.task(slots=2)
    await harness.pass_time(2 * DAY + HOUR)
    await harness.until(lambda: task.states == ["SELECTING"])
    harness.may_reserve.clear()
    selection = asyncio.create_task(task.select("a"))
    await harness.until(lambda: harness.reserving)
    assert not selection.done()
    harness.may_reserve.set()
    await selection
    await harness.pass_time(4 * DAY)
    await harness.until(lambda: task.states[-1] == State.IN_PROGRESS)


async def test_a_repeated_selection_gets_its_first_answer(harness: Harness) -> None:
    task = await harness.task(slots=2)
    await task.select("a", update_id="select_applications:1")
    await task.select("a", update_id="select_applications:1")
    assert harness.reserved == ["a"]
    assert await _refusal(task.select("a")) == Reason.ILLEGAL_STATE


async def test_assignments_of_a_task_are_its_terms(harness: Harness) -> None:
    task = await harness.task(slots=1)
    await task.select("a")
    await task.is_assigned("a")
    await harness.until(lambda: harness.transitions["a"])
    assert harness.assignments["a"].terms.task_id == task.id
    assert harness.transitions["a"][0].event is Event.CREATOR_SELECTED
    assert task.states == ["IN_PROGRESS"]
    (new,) = harness.tasks[task.id][0].new_assignments
    assert new.select_time == harness.transitions["a"][0].time


async def test_an_unavailable_tasks_service_delays_a_task_and_loses_nothing(
    harness: Harness,
) -> None:
    harness.failures = 2
    task = await harness.task(slots=1)
    await task.select("a")
    assert harness.attempts >= 3
    await task.is_assigned("a")
    assert task.states == ["IN_PROGRESS"]


async def test_each_decision_is_recorded_once_with_who_and_when(harness: Harness) -> None:
    begin = await harness.now()
    task = await harness.task(slots=3)
    await task.select("a")
    await harness.pass_time(2 * DAY + HOUR)
    await harness.until(lambda: task.states[-1] == State.SELECTING)
    await task.select("b")
    assert State(await task.handle.result()) is State.CLOSED
    assert _history(task) == [
        (2, TaskEvent.CREATORS_SELECTED, BRAND),
        (3, TaskEvent.APPLICATIONS_CLOSED, "system"),
        (4, TaskEvent.CREATORS_SELECTED, BRAND),
        (5, TaskEvent.SELECTION_ENDED, "system"),
        (6, TaskEvent.CLOSED, "system"),
    ]
    selected = [one.application_ids for one in task.transitions]
    assert selected == [["a"], [], ["b"], [], []]
    closed, ended = task.transitions[1].time, task.transitions[3].time
    assert timedelta() <= closed - (begin + 2 * DAY) < HOUR
    assert timedelta() <= ended - (begin + 5 * DAY) < HOUR


async def test_decisions_made_during_an_outage_are_all_recorded_in_order(harness: Harness) -> None:
    """Decisions made meanwhile are queued: none is lost, none is recorded twice."""
    task = await harness.task(slots=3, step=timedelta(seconds=1))
    harness.may_record_task.clear()
    first = asyncio.create_task(task.select("a"))
    await harness.until(lambda: harness.attempts)
    others = [asyncio.create_task(task.select(one)) for one in ("b", "c")]
    await harness.until(lambda: len(harness.reserved) == 3)
    await task.knows("reserve_rewards")
    harness.may_record_task.set()
    await asyncio.gather(first, *others)
    assert [sequence for sequence, *_ in _history(task)] == [2, 3, 4]
    assert task.transitions[-1].to_state == State.IN_PROGRESS


async def test_a_selection_that_is_ended_goes_on_with_the_selected(harness: Harness) -> None:
    task = await harness.task(slots=3)
    assert await _refusal(_end_selection(task)) == Reason.NOBODY_SELECTED
    await task.select("a")
    await _end_selection(task)
    await task.is_assigned("a")
    await harness.until(lambda: harness.lapsed)
    assert (harness.lapsed[0].selected_ids, harness.lapsed[0].comment) == (["a"], "")
    assert await _refusal(task.select("b")) == Reason.ILLEGAL_STATE
    assert await _refusal(_end_selection(task)) == Reason.ILLEGAL_STATE
    assert State(await task.handle.result()) is State.CLOSED
    assert [event for _, event, _ in _history(task)] == [
        TaskEvent.CREATORS_SELECTED,
        TaskEvent.SELECTION_ENDED,
        TaskEvent.CLOSED,
    ]
    # The brand did it itself, and is not notified.
    assert [notice for notice in harness.sent_notices if notice.event.startswith("TASK_")] == []


async def test_a_selection_under_way_is_not_ended(harness: Harness) -> None:
    task = await harness.task(slots=3)
    await task.select("a")
    harness.may_reserve.clear()
    selection = asyncio.create_task(task.select("b"))
    await harness.until(lambda: len(harness.reserving) == 2)
    assert await _refusal(_end_selection(task)) == Reason.ILLEGAL_STATE
    harness.may_reserve.set()
    await selection
    await _end_selection(task)
    assert harness.tasks[task.id][-1].selected_ids == ["a", "b"]


async def test_a_brand_is_notified_of_what_operators_do_for_it(harness: Harness) -> None:
    ended, cancelled = await harness.task(slots=2), await harness.task()
    await ended.select("a")
    await _end_selection(ended, "staff/olga", "They asked by mail")
    command = CancelTask("staff/olga", "Forbidden goods")
    await cancelled.handle.execute_update("cancel_task", command)
    assert State(await cancelled.handle.result()) is State.CANCELLED
    await harness.until(
        lambda: sum(one.event.startswith("TASK_") for one in harness.sent_notices) == 2
    )
    notified = {
        notice.subject: (notice.recipient, notice.event, notice.text)
        for notice in harness.sent_notices
        if notice.event.startswith("TASK_")
    }
    for task, event, words in (
        (ended, "TASK_SELECTION_ENDED", "They asked by mail"),
        (cancelled, "TASK_CANCELLED", "Forbidden goods"),
    ):
        recipient, event, text = notified[f"tasks/{task.id}"]
        assert (recipient, event) == (BRAND, event)
        assert words in text
