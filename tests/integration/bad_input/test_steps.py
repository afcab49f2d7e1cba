"""Commands that the state of a task or an application does not allow."""

import asyncio
from datetime import timedelta

from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, InvalidArgument, LiaisonError, Reason
from servicekit.timestamps import to_timestamp
from tests.integration.bad_input.harness import Harness, applying, named, selecting
from tests.support.serving import request_id


def updating(harness: Harness, task: pb.Task, etag: str) -> pb.UpdateTaskRequest:
    content = harness.task(name=task.name, etag=etag, title="Changed")
    return pb.UpdateTaskRequest(task=content, request_id=request_id())


async def test_an_update_must_know_the_latest(harness: Harness) -> None:
    draft = await harness.draft()
    updated = await harness.brand().UpdateTask(updating(harness, draft, draft.etag))
    assert (updated.title, updated.etag) == ("Changed", "2")
    for etag in (draft.etag, "3", "nonsense"):
        async with harness.refuses(Reason.ETAG_MISMATCH):
            await harness.brand().UpdateTask(updating(harness, draft, etag))
    answers = await asyncio.gather(
        *(harness.brand().UpdateTask(updating(harness, draft, updated.etag)) for _ in range(3)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, pb.Task) for answer in answers) == 1
    reasons = [answer.reason for answer in answers if isinstance(answer, LiaisonError)]
    assert reasons == [Reason.ETAG_MISMATCH] * 2


async def test_a_published_task_cannot_be_edited_r49(harness: Harness) -> None:
    task = await harness.published()
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.brand().UpdateTask(updating(harness, task, task.etag))
    assert caught.value.metadata == {"state": "OPEN", "command": "UpdateTask"}
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.brand().PublishTask(named(pb.PublishTaskRequest, task))
    assert caught.value.metadata == {"state": "OPEN", "command": "PublishTask"}
    assert len(harness.workflows.started) == 1


async def test_a_draft_whose_deadline_has_passed_is_not_published(harness: Harness) -> None:
    draft = await harness.draft()
    harness.now += timedelta(days=1)
    async with harness.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.brand().PublishTask(named(pb.PublishTaskRequest, draft))
    assert not harness.workflows.started
    update = updating(harness, draft, draft.etag)
    await harness.brand().UpdateTask(update)
    await harness.brand().PublishTask(named(pb.PublishTaskRequest, draft))


async def test_a_draft_cannot_be_cancelled_and_the_workflows_refusal_is_returned(
    harness: Harness,
) -> None:
    draft, task = await harness.draft(), await harness.published()
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.brand().CancelTask(named(pb.CancelTaskRequest, draft, comment="No"))
    assert not harness.workflows.commands
    harness.workflows.refusal = FailedPrecondition(
        Reason.ILLEGAL_STATE, "Somebody is assigned", metadata={"state": "IN_PROGRESS"}
    )
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.brand().CancelTask(named(pb.CancelTaskRequest, task, comment="No"))
    assert caught.value.message == "Somebody is assigned"


async def test_applications_close_at_the_deadline_and_not_before_r23(harness: Harness) -> None:
    task = await harness.published()
    harness.now += timedelta(days=1) - timedelta(microseconds=1)
    await harness.application(task, "anna")
    harness.now += timedelta(microseconds=1)
    async with harness.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.creator("bob").CreateApplication(applying(task))


async def test_a_task_that_is_over_takes_no_application(harness: Harness) -> None:
    task = await harness.published()
    states = (pb.Task.STATE_CANCELLED, pb.Task.STATE_CLOSED, pb.Task.STATE_SELECTING)
    for sequence, state in enumerate(states, 2):
        await harness.record(task, sequence, state)
        async with harness.refuses(Reason.ILLEGAL_STATE):
            await harness.creator().CreateApplication(applying(task))


async def test_a_creator_who_may_not_apply_is_told_why_r20(harness: Harness) -> None:
    task = await harness.published(
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
        harness.creators.changes = changes
        async with harness.refuses(reason):
            await harness.creator().CreateApplication(applying(task))
    harness.creators.changes = {}
    application = await harness.application(task)
    harness.creators.changes = {"is_admitted": False}  # and again when selected
    async with harness.refuses(Reason.CREATOR_NOT_ELIGIBLE):
        await harness.brand().SelectApplications(selecting(task, application))


async def test_one_application_at_a_time_r12(harness: Harness) -> None:
    task = await harness.published()
    first = await harness.application(task)
    async with harness.refuses(Reason.ALREADY_APPLIED):
        await harness.creator().CreateApplication(applying(task))
    await harness.creator().WithdrawApplication(named(pb.WithdrawApplicationRequest, first))
    second = await harness.application(task)
    assert second.name != first.name
    answers = await asyncio.gather(
        *(harness.creator("bob").CreateApplication(applying(task)) for _ in range(4)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, pb.Application) for answer in answers) == 1
    assert await harness.count("application") == 3


async def test_an_application_is_withdrawn_once_and_in_time_r39(harness: Harness) -> None:
    task = await harness.published()
    early, late = await harness.application(task, "anna"), await harness.application(task, "bob")
    await harness.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, early))
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.creator("anna").WithdrawApplication(
            named(pb.WithdrawApplicationRequest, early)
        )
    assert caught.value.metadata["state"] == "WITHDRAWN"
    harness.now += timedelta(days=1)
    async with harness.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.creator("bob").WithdrawApplication(named(pb.WithdrawApplicationRequest, late))
    async with harness.refuses(Reason.ILLEGAL_STATE):  # what is withdrawn is not selected
        await harness.brand().SelectApplications(selecting(task, late, early))
    assert not harness.workflows.commands


async def test_a_selected_or_claimed_application_cannot_be_withdrawn_r48(harness: Harness) -> None:
    task = await harness.published()
    anna, bob = await harness.application(task, "anna"), await harness.application(task, "bob")
    await harness.brand().SelectApplications(selecting(task, anna))
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.creator("anna").WithdrawApplication(
            named(pb.WithdrawApplicationRequest, anna)
        )
    assert caught.value.metadata["state"] == "APPLIED"
    # A second selection is refused as a whole, which releases only its own claims.
    harness.workflows.refusal = FailedPrecondition(Reason.SLOTS_EXHAUSTED, "No slots are left")
    async with harness.refuses(Reason.SLOTS_EXHAUSTED):
        await harness.brand().SelectApplications(selecting(task, anna, bob))
    async with harness.refuses(Reason.ILLEGAL_STATE):
        await harness.creator("anna").WithdrawApplication(
            named(pb.WithdrawApplicationRequest, anna)
        )
    await harness.creator("bob").WithdrawApplication(named(pb.WithdrawApplicationRequest, bob))
    await harness.selected(anna)
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.creator("anna").WithdrawApplication(
            named(pb.WithdrawApplicationRequest, anna)
        )
    assert caught.value.metadata["state"] == "SELECTED"


async def test_a_refused_selection_leaves_all_applications_withdrawable(harness: Harness) -> None:
    task = await harness.published(creator_slots=1)
    anna = await harness.application(task, "anna")
    for refusal in (
        FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "Deposit more"),
        InvalidArgument(Reason.INVALID_FIELDS, "Not so"),
    ):
        harness.workflows.refusal = refusal
        async with harness.refuses(refusal.reason):
            await harness.brand().SelectApplications(selecting(task, anna))
    await harness.creator("anna").WithdrawApplication(named(pb.WithdrawApplicationRequest, anna))


async def test_a_longer_deadline_of_another_draft_changes_nothing(harness: Harness) -> None:
    """The frozen content is that of the task itself."""
    task = await harness.published()
    await harness.draft(application_deadline_time=to_timestamp(harness.now + timedelta(days=2)))
    harness.now += timedelta(days=1)
    async with harness.refuses(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.creator().CreateApplication(applying(task))
