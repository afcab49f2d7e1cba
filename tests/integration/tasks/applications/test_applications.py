"""CreateApplication and WithdrawApplication, and their deadline."""

import asyncio
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import LiaisonError, Reason
from tests.integration.tasks.harness import DAY, INSTANT, Harness
from tests.support.serving import refused, request_id


@pytest.mark.rule("R23")
async def test_at_the_very_instant_of_the_deadline_it_is_too_late(harness: Harness) -> None:
    task = await harness.task()
    deadline = harness.now + 2 * DAY
    harness.now = deadline - INSTANT
    assert (await harness.apply(task)).state == pb.Application.STATE_APPLIED
    harness.now = deadline
    with refused(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.apply(task, "cem")


@pytest.mark.rule("R38")
async def test_a_creator_has_one_application_a_task(harness: Harness) -> None:
    task = await harness.task()
    await harness.apply(task)
    with refused(Reason.ALREADY_APPLIED):
        await harness.apply(task)
    await harness.apply(task, "cem")
    await harness.apply(await harness.task())


@pytest.mark.rule("R38")
async def test_one_of_many_concurrent_applications_of_a_creator_succeeds(harness: Harness) -> None:
    task = await harness.task()
    answers = await asyncio.gather(*(harness.apply(task) for _ in range(6)), return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, pb.Application)]
    reasons = {answer.reason for answer in answers if isinstance(answer, LiaisonError)}
    assert (len(made), reasons) == (1, {Reason.ALREADY_APPLIED})


async def test_a_repeated_application_is_the_first(harness: Harness) -> None:
    task = await harness.task()
    request = pb.CreateApplicationRequest(
        parent=task.name,
        application=pb.Application(message="Me, please"),
        request_id=request_id(),
    )
    first = await harness.creator().CreateApplication(request)
    assert await harness.creator().CreateApplication(request) == first
    request.application.message = "Or me"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.creator().CreateApplication(request)


@pytest.mark.rule("R39", "R48")
async def test_withdrawing_is_allowed_until_the_deadline(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    deadline = harness.now + 2 * DAY
    harness.now = deadline - INSTANT
    withdrawn = await harness.withdraw(first)
    assert withdrawn.state == pb.Application.STATE_WITHDRAWN
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(first)
    harness.now = deadline
    with refused(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.withdraw(second, "cem")


async def test_a_creator_may_apply_again_after_withdrawing(harness: Harness) -> None:
    task = await harness.task()
    first = await harness.apply(task)
    await harness.withdraw(first)
    second = await harness.apply(task)
    assert second.name != first.name
    assert await harness.state_of(first) == pb.Application.STATE_WITHDRAWN
    with refused(Reason.ALREADY_APPLIED):
        await harness.apply(task)


@pytest.mark.rule("R46")
async def test_a_selected_application_cannot_be_withdrawn(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    await harness.select(task, [application])
    with refused(Reason.ILLEGAL_STATE):
        await harness.withdraw(application)


async def test_a_draft_or_unknown_task_takes_no_application(harness: Harness) -> None:
    with refused(Reason.NOT_YOURS):
        await harness.apply(await harness.draft())
    with refused(Reason.NOT_YOURS):
        await harness.apply(pb.Task(name="tasks/nothing"))


async def test_a_cancelled_task_takes_no_application(harness: Harness) -> None:
    task = await harness.task()
    await harness.brand().CancelTask(
        pb.CancelTaskRequest(name=task.name, comment="No", request_id=request_id())
    )
    with refused(Reason.ILLEGAL_STATE):
        await harness.apply(task)


@pytest.mark.parametrize(
    ("creator", "asked", "reason"),
    [
        pytest.param(
            {"is_admitted": False}, {}, Reason.CREATOR_NOT_ADMITTED, marks=pytest.mark.rule("R2")
        ),
        pytest.param(
            {"has_payout_account": False},
            {},
            Reason.PAYOUT_ACCOUNT_MISSING,
            marks=pytest.mark.rule("R30"),
        ),
        (
            {"account_class": "EXTERNAL"},
            {"eligibility": pb.Eligibility(account_classes=[creators_pb2.ACCOUNT_CLASS_INTERNAL])},
            Reason.CREATOR_NOT_ELIGIBLE,
        ),
        (
            {"level": "JUNIOR"},
            {"eligibility": pb.Eligibility(minimum_level=creators_pb2.CREATOR_LEVEL_EXPERT)},
            Reason.CREATOR_NOT_ELIGIBLE,
        ),
        pytest.param(
            {},
            {"content_types": [pb.CONTENT_TYPE_LIVE_STREAM]},
            Reason.CREATOR_NOT_ELIGIBLE,
            marks=pytest.mark.rule("R20"),
        ),
        ({"level": "EXPERT"}, {}, None),
        (
            {"has_live_stream_access": True},
            {"content_types": [pb.CONTENT_TYPE_LIVE_STREAM]},
            None,
        ),
        (
            {},
            {
                "content_types": [pb.CONTENT_TYPE_LIVE_STREAM],
                "live_stream_channel": pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT,
            },
            None,
        ),
    ],
)
async def test_the_task_decides_who_may_apply(
    harness: Harness, creator: dict[str, Any], asked: dict[str, Any], reason: Reason | None
) -> None:
    task = await harness.task(**asked)
    harness.creators.changed["bea"] = creator
    if reason is None:
        await harness.apply(task)
        return
    with refused(reason):
        await harness.apply(task)
    listed = await harness.brand().ListApplications(pb.ListApplicationsRequest(parent=task.name))
    assert not listed.applications


async def test_an_application_is_between_its_creator_and_the_brand(harness: Harness) -> None:
    task = await harness.task()
    application = await harness.apply(task)
    request = pb.GetApplicationRequest(name=application.name)
    for party in (harness.creator(), harness.brand(), harness.operator()):
        assert await party.GetApplication(request) == application
    for stranger in (harness.creator("cem"), harness.brand("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.GetApplication(request)
    with refused(Reason.NOT_YOURS):
        await harness.withdraw(application, "cem")
    absent = pb.GetApplicationRequest(name=f"{task.name}/applications/nothing")
    with refused(Reason.NOT_YOURS):
        await harness.creator().GetApplication(absent)
    with refused(Reason.NOT_FOUND):
        await harness.operator().GetApplication(absent)


async def test_missing_and_malformed_fields_are_named(harness: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "parent", "request_id"):
        await harness.creator().CreateApplication(pb.CreateApplicationRequest())
    with refused(Reason.INVALID_FIELDS, "name"):
        await harness.creator().GetApplication(pb.GetApplicationRequest(name="tasks/a"))
    with refused(Reason.INVALID_FIELDS, "request_id"):
        await harness.creator().CreateApplication(
            pb.CreateApplicationRequest(parent="tasks/a", request_id="again")
        )
