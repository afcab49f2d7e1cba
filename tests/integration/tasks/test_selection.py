"""Selecting: all of what was asked for or nothing, and no withdrawal in between."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason, Unavailable
from tests.integration.tasks.harness import DAY, Harness, id_of
from tests.support.serving import refused, request_id
from workflows.errors import NotRunning
from workflows.task.model import Selection

APPLIED, SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED


def _request(task: pb.Task, *applications: pb.Application) -> pb.SelectApplicationsRequest:
    return pb.SelectApplicationsRequest(
        parent=task.name,
        applications=[one.name for one in applications],
        request_id=request_id(),
    )


@asynccontextmanager
async def _deciding(
    harness: Harness, request: pb.SelectApplicationsRequest
) -> AsyncIterator["asyncio.Task[pb.SelectApplicationsResponse]"]:
    """While the workflow decides over a selection."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    select = harness.workflows.select

    async def slow(task_id: str, actor: str, selections: list[Selection], request_id: str) -> None:
        begun.set()
        await may_end.wait()
        await select(task_id, actor, selections, request_id)

    harness.workflows.select = slow  # type: ignore[method-assign]  # for this long
    answer: asyncio.Task[pb.SelectApplicationsResponse] = asyncio.ensure_future(
        harness.brand().SelectApplications(request)
    )
    await asyncio.wait_for(begun.wait(), 10)
    harness.workflows.select = select  # type: ignore[method-assign]  # as it was
    yield answer
    may_end.set()
    await asyncio.wait([answer])


@pytest.mark.rule("R12", "R25")
async def test_the_selected_are_answered_in_the_order_asked_for(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    selected = await harness.select(task, [second, first])
    assert [one.name for one in selected] == [second.name, first.name]
    assert {one.state for one in selected} == {SELECTED}
    assert [one.assignment for one in selected] == [
        f"assignments/{id_of(second)}",
        f"assignments/{id_of(first)}",
    ]


async def test_a_repeated_selection_is_the_first(harness: Harness) -> None:
    task = await harness.task()
    request = _request(task, await harness.apply(task))
    first = await harness.brand().SelectApplications(request)
    assert await harness.brand().SelectApplications(request) == first
    assert len(harness.workflows.commands) == 1


async def test_a_selection_of_unknown_outcome_is_finished_by_its_repetition(
    harness: Harness,
) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    request = _request(task, application)
    harness.workflows.refusal = Unavailable(Reason.OUTCOME_UNKNOWN, "No answer")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.brand().SelectApplications(request)
    # Perhaps it is selected: nobody else may change it meanwhile.
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(application)
    harness.workflows.refusal = None
    (selected,) = (await harness.brand().SelectApplications(request)).applications
    assert selected.state == SELECTED
    ids = {command[3] for command in harness.workflows.commands}
    assert ids == {request.request_id}


_NO_ANSWER = Unavailable(Reason.OUTCOME_UNKNOWN, "No answer")


@asynccontextmanager
async def _left_behind(
    harness: Harness, *applications: pb.Application, task: pb.Task
) -> AsyncIterator[str]:
    """While a selection is begun whose caller is gone; its request."""
    request = _request(task, *applications)
    harness.workflows.refusal = _NO_ANSWER
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.brand().SelectApplications(request)
    harness.workflows.refusal = None
    yield request.request_id
    harness.now += timedelta(minutes=2)
    assert await harness.handlers.selection.resend_stale_selections() == 0


@pytest.mark.rule("R39", "R48")
async def test_a_selection_that_a_crash_left_is_finished_by_its_own_request(
    harness: Harness,
) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with _left_behind(harness, second, first, task=task) as request:
        harness.now += timedelta(seconds=60)
        assert (
            await harness.handlers.selection.resend_stale_selections() == 0
        )  # somebody may be at it
        harness.now += timedelta(seconds=1)
        assert await harness.handlers.selection.resend_stale_selections() == 1
    assert [await harness.state_of(one) for one in (first, second)] == [SELECTED] * 2
    both = [Selection(id_of(second), "cem"), Selection(id_of(first), "bea")]
    assert len(harness.workflows.commands) > 1
    for command in harness.workflows.commands:
        assert command == (id_of(task), "select", both, request)


@pytest.mark.rule("R39", "R48")
@pytest.mark.parametrize("reason", [Reason.SLOTS_EXHAUSTED, Reason.ILLEGAL_STATE])
async def test_who_is_not_selected_after_a_crash_can_withdraw(
    harness: Harness, reason: Reason
) -> None:
    """Illegal is what a workflow that has ended answers."""
    task = await harness.task()
    application = await harness.apply(task)
    async with _left_behind(harness, application, task=task):
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = FailedPrecondition(reason, "Not now")
        assert await harness.handlers.selection.resend_stale_selections() == 1
        harness.workflows.refusal = None
        await harness.withdraw(application)
    assert await harness.state_of(application) == pb.Application.STATE_WITHDRAWN


async def test_what_stays_unknown_is_tried_again_later(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with _left_behind(harness, application, task=task) as request:
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = _NO_ANSWER
        assert await harness.handlers.selection.resend_stale_selections() == 1
        assert await harness.handlers.selection.resend_stale_selections() == 0
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
        harness.workflows.refusal = None
        harness.now += timedelta(minutes=2)
        assert await harness.handlers.selection.resend_stale_selections() == 1
    assert await harness.state_of(application) == SELECTED
    assert {command[3] for command in harness.workflows.commands} == {request}


async def test_a_selection_left_behind_is_whole_though_another_took_one_of_it(
    harness: Harness,
) -> None:
    """Else half of what was asked for would be selected."""
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with _left_behind(harness, first, second, task=task):
        await harness.select(task, [first])
        harness.now += timedelta(minutes=2)
        harness.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Selected already")
        assert await harness.handlers.selection.resend_stale_selections() == 1
        harness.workflows.refusal = None
        assert len(harness.workflows.commands[-1][2]) == 2  # type: ignore[arg-type]  # selections
    assert await harness.state_of(first) == SELECTED
    await harness.withdraw(second, "cem")


async def test_who_is_too_late_does_not_let_go_of_what_is_tried_again(harness: Harness) -> None:
    """A refusal is not remembered by the workflow: a later try may be accepted."""
    task = await harness.task()
    application = await harness.apply(task)
    request = _request(task, application)
    outer, inner = _deciding(harness, request), _deciding(harness, request)
    await outer.__aenter__()
    harness.now += timedelta(minutes=2)
    await inner.__aenter__()
    harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "Not now")
    await outer.__aexit__(None, None, None)
    harness.workflows.refusal = None
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(application)
    await inner.__aexit__(None, None, None)
    assert await harness.state_of(application) == SELECTED


async def test_a_refused_selection_lets_go_of_all(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    harness.workflows.refusal = FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit first")
    with refused(Reason.INSUFFICIENT_FUNDS):
        await harness.select(task, [first, second])
    harness.workflows.refusal = None
    assert (await harness.withdraw(first)).state == pb.Application.STATE_WITHDRAWN
    await harness.select(task, [second])


async def test_all_of_them_are_selected_or_none(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    await harness.withdraw(second, "cem")
    with refused(Reason.ILLEGAL_STATE) as caught:
        await harness.select(task, [first, second])
    assert caught.value.metadata == {"state": "WITHDRAWN", "command": "SelectApplications"}
    assert caught.value.message.startswith(f"{second.name} is WITHDRAWN:")
    assert harness.workflows.commands == []
    assert await harness.state_of(first) == APPLIED
    assert (await harness.withdraw(first)).state == pb.Application.STATE_WITHDRAWN


@pytest.mark.rule("R46")
async def test_nobody_withdraws_while_the_workflow_decides(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with _deciding(harness, _request(task, application)):
        with refused(Reason.ILLEGAL_STATE) as caught:
            await harness.withdraw(application)
        assert caught.value.metadata == {"state": "APPLIED", "command": "WithdrawApplication"}
        assert "is APPLIED and being selected:" in caught.value.message
    assert await harness.state_of(application) == SELECTED


async def test_a_second_selection_does_not_take_what_the_first_has_claimed(
    harness: Harness,
) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    async with _deciding(harness, _request(task, application)):
        harness.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Selected already")
        with refused(Reason.ILLEGAL_STATE):
            await harness.select(task, [application])
        harness.workflows.refusal = None
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(application)
    assert await harness.state_of(application) == SELECTED


async def test_one_refused_selection_does_not_free_what_another_still_decides(
    harness: Harness,
) -> None:
    """Else it could be withdrawn, and be selected all the same."""
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    async with _deciding(harness, _request(task, first)):
        harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "One slot is left")
        async with _deciding(harness, _request(task, first, second)):
            pass
        harness.workflows.refusal = None
        with refused(Reason.ILLEGAL_STATE):
            await harness.withdraw(first)
        await harness.withdraw(second, "cem")
    assert await harness.state_of(first) == SELECTED


async def test_the_first_selection_may_be_the_one_that_is_refused(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    outer = _deciding(harness, _request(task, first, second))
    inner = _deciding(harness, _request(task, first))
    await outer.__aenter__()
    await inner.__aenter__()
    harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "One slot is left")
    await outer.__aexit__(None, None, None)
    harness.workflows.refusal = None
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(first)
    await inner.__aexit__(None, None, None)
    assert await harness.state_of(first) == SELECTED


@pytest.mark.rule("R39")
async def test_who_withdrew_first_is_not_selected(harness: Harness) -> None:
    """Whichever of both comes first: never a withdrawn application with an assignment."""
    task = await harness.task()
    for creator in ("bea", "cem", "dan", "eve"):
        application = await harness.apply(task, creator)
        await asyncio.gather(
            harness.withdraw(application, creator),
            harness.select(task, [application]),
            return_exceptions=True,
        )
        is_selected = id_of(application) in harness.workflows.selected.get(id_of(task), [])
        expected = SELECTED if is_selected else pb.Application.STATE_WITHDRAWN
        assert await harness.state_of(application) == expected


@pytest.mark.rule("R56")
@pytest.mark.parametrize(
    "lacking",
    [
        {"is_admitted": False},
        {"has_payout_account": False},
        {"unmet_rule_ids": ("R3", "R4")},
        {"account_class": "EXTERNAL"},
        {"level": "NEWCOMER"},
        {"has_live_stream_access": False},
    ],
)
async def test_eligibility_is_judged_again_and_the_brand_is_not_told_what_lacks(
    harness: Harness, lacking: dict[str, Any]
) -> None:
    able = {"level": "EXPERT", "has_live_stream_access": True}
    harness.creators.changed = {"bea": able, "cem": able}
    task = await harness.task(
        content_types=[pb.CONTENT_TYPE_LIVE_STREAM],
        eligibility=pb.Eligibility(
            account_classes=[creators_pb2.ACCOUNT_CLASS_INTERNAL],
            minimum_level=creators_pb2.CREATOR_LEVEL_JUNIOR,
        ),
    )
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    harness.creators.changed["cem"] = able | lacking
    with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
        await harness.select(task, [first, second])
    assert caught.value.message == f"{second.name} can no longer be selected"
    assert caught.value.metadata == {"application": second.name}
    assert not harness.workflows.commands
    await harness.select(task, [first])


@pytest.mark.rule("R20")
async def test_who_lost_live_stream_access_is_selected_for_the_brands_account_only(
    harness: Harness,
) -> None:
    harness.creators.changed["bea"] = {"has_live_stream_access": True}
    live: dict[str, Any] = {"content_types": [pb.CONTENT_TYPE_LIVE_STREAM]}
    own = await harness.task(**live)
    brands = await harness.task(**live, live_stream_channel=pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT)
    for_own, for_brands = await harness.apply(own), await harness.apply(brands)
    harness.creators.changed.clear()
    with refused(Reason.CREATOR_NOT_ELIGIBLE):
        await harness.select(own, [for_own])
    await harness.select(brands, [for_brands])


async def test_of_several_refusals_the_first_asked_for_is_told(harness: Harness) -> None:
    task = await harness.task(creator_slots=4)
    names = ("bea", "cem", "dan", "eve")
    applications = {name: await harness.apply(task, name) for name in names}
    for name in names[1:]:
        harness.creators.changed[name] = {"is_admitted": False}
    for order in (names, names[::-1]):
        with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
            await harness.select(task, [applications[name] for name in order])
        first = next(name for name in order if name != "bea")
        assert caught.value.metadata == {"application": applications[first].name}


@pytest.mark.rule("R12")
async def test_a_selection_names_applications_of_its_own_task(harness: Harness) -> None:
    task, other = await harness.task(), await harness.task()
    own, foreign = await harness.apply(task), await harness.apply(other)
    for applications in ([own, foreign], [foreign], [pb.Application(name=f"{own.name}x")]):
        with refused(Reason.INVALID_FIELDS, "applications"):
            await harness.select(task, applications)


@pytest.mark.parametrize("names", [[], ["a", "a"], ["a"] * 101])
async def test_a_selection_is_of_1_to_100_different_ones(
    harness: Harness, names: list[str]
) -> None:
    task = await harness.task()
    applications = [pb.Application(name=f"{task.name}/applications/{name}") for name in names]
    with refused(Reason.INVALID_FIELDS, "applications"):
        await harness.select(task, applications)


async def test_somebody_elses_task_is_not_selected_for(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    with refused(Reason.NOT_YOURS):
        await harness.select(task, [application], brand="other")


async def test_selecting_goes_on_after_applications_have_closed(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    harness.now += 3 * DAY
    (selected,) = await harness.select(task, [application])
    assert selected.state == SELECTED


def _ending(task: pb.Task, comment: str = "") -> pb.EndSelectionRequest:
    return pb.EndSelectionRequest(name=task.name, comment=comment, request_id=request_id())


async def test_the_brand_ends_a_selection_and_need_not_say_why(harness: Harness) -> None:
    task = await harness.task()
    await harness.select(task, [await harness.apply(task)])
    request = _ending(task)
    ended = await harness.brand().EndSelection(request)
    assert ended.state == pb.Task.STATE_IN_PROGRESS
    assert await harness.brand().EndSelection(request) == ended
    name, *command = harness.workflows.commands[-1]
    assert (name, command) == (
        id_of(task),
        ["end_selection", ("brands/acme", ""), request.request_id],
    )
    assert len(harness.workflows.commands) == 2  # one was the selection


@pytest.mark.parametrize("comment", ["", "  ", "\u200b"])
async def test_an_operator_says_why_it_ends_a_selection(harness: Harness, comment: str) -> None:
    task = await harness.task()
    with refused(Reason.INVALID_FIELDS, "comment"):
        await harness.operator().EndSelection(_ending(task, comment))
    await harness.operator().EndSelection(_ending(task, "They asked by mail"))
    assert harness.workflows.commands[-1][2] == ("staff/olga", "They asked by mail")


async def test_a_selection_is_not_ended_by_others_nor_of_a_draft(harness: Harness) -> None:
    task, draft = await harness.task(), await harness.draft()
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").EndSelection(_ending(task))
    with refused(Reason.ROLE_NOT_ALLOWED):
        await harness.creator().EndSelection(_ending(task))
    with refused(Reason.ILLEGAL_STATE):
        await harness.brand().EndSelection(_ending(draft))
    with refused(Reason.INVALID_FIELDS, "comment"):
        await harness.brand().EndSelection(_ending(task, "x" * 1001))
    assert harness.workflows.commands == []


async def test_the_workflows_refusal_of_an_end_is_passed_on(harness: Harness) -> None:
    task = await harness.task()
    harness.workflows.refusal = FailedPrecondition(Reason.NOBODY_SELECTED, "Cancel it instead")
    with refused(Reason.NOBODY_SELECTED):
        await harness.brand().EndSelection(_ending(task))


async def test_an_operator_cancels_in_its_own_name(harness: Harness) -> None:
    task = await harness.task()
    request = pb.CancelTaskRequest(
        name=task.name, comment="Forbidden goods", request_id=request_id()
    )
    assert (await harness.operator().CancelTask(request)).state == pb.Task.STATE_CANCELLED
    assert harness.workflows.commands[-1][2] == ("staff/olga", "Forbidden goods")


async def test_a_task_that_has_ended_is_told_as_it_is_recorded(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    harness.workflows.refusal = NotRunning()
    commands: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("SelectApplications", lambda: harness.select(task, [application])),
        ("EndSelection", lambda: harness.brand().EndSelection(_ending(task))),
        (
            "CancelTask",
            lambda: harness.brand().CancelTask(
                pb.CancelTaskRequest(name=task.name, comment="No", request_id=request_id())
            ),
        ),
    ]
    for command, send in commands:
        with refused(Reason.ILLEGAL_STATE) as caught:
            await send()
        assert caught.value.metadata == {"state": "OPEN", "command": command}
        assert caught.value.message.startswith(f"{task.name} is OPEN")
    await harness.withdraw(application)
