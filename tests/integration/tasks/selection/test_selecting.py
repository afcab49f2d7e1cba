"""SelectApplications: its order, repetition, eligibility and what it refuses."""

from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason, Unavailable
from tests.integration.tasks.harness import DAY, Harness, id_of
from tests.support.serving import refused, request_id

APPLIED, SELECTED = pb.Application.STATE_APPLIED, pb.Application.STATE_SELECTED


def _request(task: pb.Task, *applications: pb.Application) -> pb.SelectApplicationsRequest:
    return pb.SelectApplicationsRequest(
        parent=task.name,
        applications=[one.name for one in applications],
        request_id=request_id(),
    )


@pytest.mark.rule("R12", "R25")
async def test_selected_applications_are_returned_in_the_order_of_the_request(
    harness: Harness,
) -> None:
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
    # It may be selected, so it cannot be changed meanwhile.
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(application)
    harness.workflows.refusal = None
    (selected,) = (await harness.brand().SelectApplications(request)).applications
    assert selected.state == SELECTED
    ids = {command[3] for command in harness.workflows.commands}
    assert ids == {request.request_id}


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
async def test_eligibility_is_checked_again_without_revealing_why(
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
async def test_a_creator_without_live_stream_access_is_selected_for_the_brands_account_only(
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


async def test_of_several_refusals_the_first_in_request_order_is_returned(harness: Harness) -> None:
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


async def test_another_brands_task_cannot_be_selected_for(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    with refused(Reason.NOT_YOURS):
        await harness.select(task, [application], brand="other")


async def test_selection_is_possible_after_applications_closed(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    harness.now += 3 * DAY
    (selected,) = await harness.select(task, [application])
    assert selected.state == SELECTED
