"""Steps that a task or an application does not allow in its state, or not any more."""

import asyncio
from datetime import timedelta

from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, InvalidArgument, LiaisonError, Reason
from servicekit.timestamps import to_timestamp
from tests.integration.bad_input.house import House, applying, named, selecting
from tests.support.serving import request_id


def updating(house: House, task: pb.Task, etag: str) -> pb.UpdateTaskRequest:
    content = house.task(name=task.name, etag=etag, title="Changed")
    return pb.UpdateTaskRequest(task=content, request_id=request_id())


async def test_an_update_must_know_the_latest(house: House) -> None:
    draft = await house.draft()
    updated = await house.brand().UpdateTask(updating(house, draft, draft.etag))
    assert (updated.title, updated.etag) == ("Changed", "2")
    for etag in (draft.etag, "3", "nonsense"):
        async with house.refuses(Reason.ETAG_MISMATCH):
            await house.brand().UpdateTask(updating(house, draft, etag))
    answers = await asyncio.gather(
        *(house.brand().UpdateTask(updating(house, draft, updated.etag)) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, pb.Task) for answer in answers) == 1
    reasons = [answer.reason for answer in answers if isinstance(answer, LiaisonError)]
    assert reasons == [Reason.ETAG_MISMATCH] * 2


async def test_what_is_published_stays_as_it_is_r49(house: House) -> None:
    task = await house.published()
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.brand().UpdateTask(updating(house, task, task.etag))
    assert caught.value.metadata == {"state": "OPEN", "command": "UpdateTask"}
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.brand().PublishTask(named(pb.PublishTaskRequest, task))
    assert caught.value.metadata == {"state": "OPEN", "command": "PublishTask"}
    assert len(house.runs.started) == 1


async def test_a_draft_whose_deadline_has_passed_is_not_published(house: House) -> None:
    draft = await house.draft()
    house.now += timedelta(days=1)
    async with house.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await house.brand().PublishTask(named(pb.PublishTaskRequest, draft))
    assert not house.runs.started
    update = updating(house, draft, draft.etag)
    await house.brand().UpdateTask(update)
    await house.brand().PublishTask(named(pb.PublishTaskRequest, draft))


async def test_a_draft_is_not_cancelled_and_the_workflows_no_is_passed_on(house: House) -> None:
    draft, task = await house.draft(), await house.published()
    async with house.refuses(Reason.ILLEGAL_STATE):
        await house.brand().CancelTask(named(pb.CancelTaskRequest, draft, comment="No"))
    assert not house.runs.commands
    house.runs.refusal = FailedPrecondition(
        Reason.ILLEGAL_STATE, "Somebody is assigned", metadata={"state": "IN_PROGRESS"}
    )
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.brand().CancelTask(named(pb.CancelTaskRequest, task, comment="No"))
    assert caught.value.message == "Somebody is assigned"


async def test_applications_close_at_the_deadline_and_not_before_r23(house: House) -> None:
    task = await house.published()
    house.now += timedelta(days=1) - timedelta(microseconds=1)
    await house.application(task, "anna")
    house.now += timedelta(microseconds=1)
    async with house.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await house.creator("bob").CreateApplication(applying(task))


async def test_a_task_that_is_over_takes_no_application(house: House) -> None:
    task = await house.published()
    states = (pb.Task.STATE_CANCELLED, pb.Task.STATE_CLOSED, pb.Task.STATE_SELECTING)
    for sequence, state in enumerate(states, 2):
        await house.record(task, sequence, state)
        async with house.refuses(Reason.ILLEGAL_STATE):
            await house.creator().CreateApplication(applying(task))


async def test_who_may_not_apply_is_told_why_r20(house: House) -> None:
    task = await house.published(
        content_types=[pb.CONTENT_TYPE_LIVE_STREAM],
        eligibility=pb.Eligibility(
            account_classes=[creators_pb2.ACCOUNT_CLASS_INTERNAL],
            minimum_level=creators_pb2.CREATOR_LEVEL_INTERMEDIATE,
        ),
    )
    for changes, reason in (
        ({"is_admitted": False}, Reason.CREATOR_NOT_ADMITTED),
        ({"has_payout_account": False}, Reason.PAYOUT_ACCOUNT_MISSING),
        ({"account_class": "EXTERNAL"}, Reason.CREATOR_NOT_ELIGIBLE),
        ({"level": "NEWCOMER"}, Reason.CREATOR_NOT_ELIGIBLE),
        ({"has_live_stream_access": False}, Reason.CREATOR_NOT_ELIGIBLE),
    ):
        house.creators.changes = changes
        async with house.refuses(reason):
            await house.creator().CreateApplication(applying(task))
    house.creators.changes = {}
    application = await house.application(task)
    house.creators.changes = {"is_admitted": False}  # and again when selected
    async with house.refuses(Reason.CREATOR_NOT_ELIGIBLE):
        await house.brand().SelectApplications(selecting(task, application))


async def test_one_application_at_a_time_r12(house: House) -> None:
    task = await house.published()
    first = await house.application(task)
    async with house.refuses(Reason.ALREADY_APPLIED):
        await house.creator().CreateApplication(applying(task))
    await house.creator().WithdrawApplication(named(pb.WithdrawApplicationRequest, first))
    second = await house.application(task)
    assert second.name != first.name
    answers = await asyncio.gather(
        *(house.creator("bob").CreateApplication(applying(task)) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, pb.Application) for answer in answers) == 1
    assert await house.count("application") == 3


async def test_an_application_is_withdrawn_once_and_in_time_r39(house: House) -> None:
    task = await house.published()
    early, late = await house.application(task, "anna"), await house.application(task, "bob")
    await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, early))
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, early))
    assert caught.value.metadata["state"] == "WITHDRAWN"
    house.now += timedelta(days=1)
    async with house.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await house.creator("bob").WithdrawApplication(named(pb.WithdrawApplicationRequest, late))
    async with house.refuses(Reason.ILLEGAL_STATE):  # what is withdrawn is not selected
        await house.brand().SelectApplications(selecting(task, late, early))
    assert not house.runs.commands


async def test_what_is_selected_or_being_selected_is_not_withdrawn_r48(house: House) -> None:
    task = await house.published()
    anna, bob = await house.application(task, "anna"), await house.application(task, "bob")
    await house.brand().SelectApplications(selecting(task, anna))
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, anna))
    assert caught.value.metadata["state"] == "APPLIED"
    # A second selection is refused as a whole: that frees what it took itself, nothing else.
    house.runs.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "No slots are left")
    async with house.refuses(Reason.SLOTS_EXHAUSTED):
        await house.brand().SelectApplications(selecting(task, anna, bob))
    async with house.refuses(Reason.ILLEGAL_STATE):
        await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, anna))
    await house.creator("bob").WithdrawApplication(named(pb.WithdrawApplicationRequest, bob))
    await house.selected(anna)
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, anna))
    assert caught.value.metadata["state"] == "SELECTED"


async def test_a_refused_selection_leaves_everyone_free(house: House) -> None:
    task = await house.published(creator_slots=1)
    anna = await house.application(task, "anna")
    for refusal in (
        FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit more"),
        InvalidArgument(Reason.INVALID_FIELDS, "Not so"),
    ):
        house.runs.refusal = refusal
        async with house.refuses(refusal.reason):
            await house.brand().SelectApplications(selecting(task, anna))
    await house.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, anna))


async def test_a_longer_deadline_of_another_draft_changes_nothing(house: House) -> None:
    """What was frozen is read from the task itself."""
    task = await house.published()
    await house.draft(application_deadline_time=to_timestamp(house.now + timedelta(days=2)))
    house.now += timedelta(days=1)
    async with house.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await house.creator().CreateApplication(applying(task))
