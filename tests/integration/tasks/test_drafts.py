"""Drafts: created, edited, deleted, and visible to their brand only."""

import asyncio

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.errors import LiaisonError, Reason
from servicekit.timestamps import from_timestamp
from tests.integration.tasks.harness import DAY, Harness
from tests.support.serving import refused, request_id


def _update(task: pb.Task, **changes: object) -> pb.UpdateTaskRequest:
    request = pb.UpdateTaskRequest(task=task, request_id=request_id())
    for name, value in changes.items():
        setattr(request.task, name, value)
    return request


@pytest.mark.rule("R17")
async def test_a_draft_gets_defaults(harness: Harness) -> None:
    task = await harness.draft()
    assert task.state == pb.Task.STATE_DRAFT
    assert [one.id for one in task.requirements] == ["req-1", "req-2"]
    assert task.policy == "policies/standard"
    assert task.funding == pb.FUNDING_ESCROW
    assert task.completion_rule == pb.COMPLETION_RULE_ALL  # R18
    selection_closes = from_timestamp(task.selection_deadline_time)
    assert selection_closes == from_timestamp(task.application_deadline_time) + 3 * DAY
    assert not task.HasField("frozen_policy")
    assert harness.workflows.started == []  # to create is not to publish


@pytest.mark.rule("R21")
async def test_a_draft_is_edited_until_it_is_published(harness: Harness) -> None:
    task = await harness.draft()
    updated = await harness.brand().UpdateTask(_update(task, title="Another"))
    assert (updated.title, updated.state) == ("Another", pb.Task.STATE_DRAFT)
    assert updated.etag != task.etag
    published = await harness.publish(updated)
    assert published.state == pb.Task.STATE_OPEN
    with refused(Reason.ILLEGAL_STATE):
        await harness.brand().UpdateTask(_update(published, title="A third"))
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=task.name)) == published


async def test_one_of_two_concurrent_edits_is_refused(harness: Harness) -> None:
    task = await harness.draft()
    edits = [
        harness.brand().UpdateTask(_update(task, title=title)) for title in ("One", "Two", "Three")
    ]
    answers = await asyncio.gather(*edits, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [refusal.reason for refusal in refusals] == [Reason.ETAG_MISMATCH] * 2
    (kept,) = (answer for answer in answers if isinstance(answer, pb.Task))
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=task.name)) == kept


async def test_a_repeated_creation_is_the_first_and_another_body_is_refused(
    harness: Harness,
) -> None:
    request = pb.CreateTaskRequest(task=harness.content(), request_id=request_id())
    first = await harness.brand().CreateTask(request)
    assert await harness.brand().CreateTask(request) == first
    request.task.title = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.brand().CreateTask(request)
    # Request ids are scoped to the caller.
    assert (await harness.brand("other").CreateTask(request)).brand == "brands/other"


@pytest.mark.rule("R17")
async def test_only_its_brand_sees_a_draft(harness: Harness) -> None:
    draft = await harness.draft()
    request = pb.GetTaskRequest(name=draft.name)
    for stranger in (harness.creator(), harness.brand("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.GetTask(request)
    for staff in (harness.operator(), TaskServiceStub(harness.served.as_mediator())):
        with refused(Reason.NOT_FOUND):
            await staff.GetTask(request)
    await harness.publish(draft)
    assert (await harness.operator().GetTask(request)).state == pb.Task.STATE_OPEN
    assert (await harness.creator().GetTask(request)).state == pb.Task.STATE_OPEN
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").GetTask(request)


async def test_errors_for_others_do_not_reveal_what_exists(harness: Harness) -> None:
    draft = await harness.draft()
    for name in (draft.name, "tasks/nothing"):
        publish = pb.PublishTaskRequest(name=name, request_id=request_id())
        cancel = pb.CancelTaskRequest(name=name, comment="No", request_id=request_id())
        with refused(Reason.NOT_YOURS):
            await harness.brand("other").PublishTask(publish)
        with refused(Reason.NOT_YOURS):
            await harness.brand("other").CancelTask(cancel)
        with refused(Reason.NOT_YOURS):
            await harness.creator().GetTask(pb.GetTaskRequest(name=name))
        cancel = pb.CancelTaskRequest(name=name, comment="No", request_id=request_id())
        with refused(Reason.NOT_FOUND):
            await harness.operator().GetTask(pb.GetTaskRequest(name=name))
        with refused(Reason.NOT_FOUND):
            await harness.operator().CancelTask(cancel)


def _delete(task: pb.Task, etag: str = "") -> pb.DeleteTaskRequest:
    return pb.DeleteTaskRequest(name=task.name, etag=etag, request_id=request_id())


def _publish(task: pb.Task, etag: str) -> pb.PublishTaskRequest:
    return pb.PublishTaskRequest(name=task.name, etag=etag, request_id=request_id())


@pytest.mark.rule("R17")
async def test_a_draft_is_deleted(harness: Harness) -> None:
    draft, kept = await harness.draft(), await harness.draft()
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").DeleteTask(_delete(draft))
    for etag in ("", kept.etag):
        unwanted = await harness.draft()
        await harness.brand().DeleteTask(_delete(unwanted, etag))
        with refused(Reason.NOT_YOURS):
            await harness.brand().GetTask(pb.GetTaskRequest(name=unwanted.name))
        with refused(Reason.NOT_YOURS):
            await harness.publish(unwanted)
    listed = (await harness.brand().ListTasks(pb.ListTasksRequest())).tasks
    assert {task.name for task in listed} == {draft.name, kept.name}


@pytest.mark.rule("R21", "R49")
async def test_a_published_task_cannot_be_deleted(harness: Harness) -> None:
    task = await harness.task()
    for etag in ("", task.etag, "7"):
        with refused(Reason.ILLEGAL_STATE) as caught:
            await harness.brand().DeleteTask(_delete(task, etag))
        assert caught.value.metadata == {"state": "OPEN", "command": "DeleteTask"}
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=task.name)) == task


@pytest.mark.rule("R17", "R21")
async def test_an_outdated_etag_refuses_publishing_and_deleting(
    harness: Harness,
) -> None:
    draft = await harness.draft()
    updated = await harness.brand().UpdateTask(_update(draft, title="Another"))
    with refused(Reason.ETAG_MISMATCH):
        await harness.brand().PublishTask(_publish(draft, draft.etag))
    with refused(Reason.ETAG_MISMATCH):
        await harness.brand().DeleteTask(_delete(draft, draft.etag))
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == updated
    assert harness.workflows.started == []
    request = _publish(draft, updated.etag)
    published = await harness.brand().PublishTask(request)
    assert (published.title, published.state) == ("Another", pb.Task.STATE_OPEN)
    # The etag has changed since; the request is the same.
    assert await harness.brand().PublishTask(request) == published


async def test_one_of_concurrent_deleting_and_publishing_succeeds(harness: Harness) -> None:
    for _ in range(5):
        draft = await harness.draft()
        answers = await asyncio.gather(
            harness.brand().DeleteTask(_delete(draft)),
            harness.brand().PublishTask(_publish(draft, draft.etag)),
            return_exceptions=True,
        )
        (refusal,) = (answer for answer in answers if isinstance(answer, LiaisonError))
        assert refusal.reason in (Reason.NOT_YOURS, Reason.ILLEGAL_STATE)
        found = await harness.task_store.task(draft.name.removeprefix("tasks/"))
        assert (found is None) is (refusal.reason is Reason.NOT_YOURS)
