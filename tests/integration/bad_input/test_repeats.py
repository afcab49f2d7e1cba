"""Repeated `request_id`s: with the same body, another body, and concurrently."""

import asyncio

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Internal, Reason, illegal_state
from tests.integration.bad_input.harness import Harness, applying, named, selecting, submitting
from tests.support.serving import refused, request_id


async def test_a_draft_is_made_once(harness: Harness) -> None:
    request = harness.creation()
    first = await harness.brand().CreateTask(request)
    assert await harness.brand().CreateTask(request) == first
    request.task.title = "Another"
    async with harness.refuses(Reason.REQUEST_ID_REUSED) as caught:
        await harness.brand().CreateTask(request)
    assert caught.value.metadata == {"request_id": request.request_id}
    # Another caller may use the same id.
    await harness.brand("evil").CreateTask(request)
    assert await harness.count("task") == 2


async def test_the_same_creation_at_once_makes_one_task(harness: Harness) -> None:
    request = harness.creation()
    first, *others = await asyncio.gather(*(harness.brand().CreateTask(request) for _ in range(4)))
    assert all(other == first for other in others)
    assert await harness.count("task") == 1


async def test_a_task_is_published_once(harness: Harness) -> None:
    draft = await harness.draft()
    request = named(pb.PublishTaskRequest, draft)
    first = await harness.brand().PublishTask(request)
    assert await harness.brand().PublishTask(request) == first
    assert harness.workflows.started == [draft.name.removeprefix("tasks/")]
    request.name = (await harness.draft()).name
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.brand().PublishTask(request)


async def test_a_draft_is_deleted_once(harness: Harness) -> None:
    draft = await harness.draft()
    request = named(pb.DeleteTaskRequest, draft, etag=draft.etag)
    await harness.brand().DeleteTask(request)
    await harness.brand().DeleteTask(request)
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.brand().DeleteTask(named(pb.DeleteTaskRequest, draft))
    request.etag = ""
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.brand().DeleteTask(request)


async def test_the_same_publication_at_once_publishes_once(harness: Harness) -> None:
    draft = await harness.draft()
    request = named(pb.PublishTaskRequest, draft)
    first, *others = await asyncio.gather(*(harness.brand().PublishTask(request) for _ in range(4)))
    assert all(other == first for other in others)
    assert await harness.brand().PublishTask(request) == first
    assert await harness.count("task_transition") == 1


async def test_a_command_is_sent_once_and_its_answer_kept(harness: Harness) -> None:
    request = submitting(await harness.assignment())
    first = await harness.works().SubmitWork(request)
    assert await harness.works().SubmitWork(request) == first
    assert harness.workflows.commands == [("SubmitWork", request.request_id)]
    request.submission.note = "And this"
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.works().SubmitWork(request)
    assert len(harness.workflows.commands) == 1


async def test_a_refused_command_may_be_sent_again(harness: Harness) -> None:
    assignment = await harness.assignment()
    request = submitting(assignment)
    harness.workflows.refusal = illegal_state(assignment, "IN_REVIEW", "SubmitWork")
    async with harness.refuses(Reason.ILLEGAL_STATE) as caught:
        await harness.works().SubmitWork(request)
    assert isinstance(caught.value, FailedPrecondition)
    assert caught.value.metadata == {"state": "IN_REVIEW", "command": "SubmitWork"}
    harness.workflows.refusal = None
    await harness.works().SubmitWork(request)
    # Under the same id: the workflow recognises the repetition.
    assert harness.workflows.commands == [("SubmitWork", request.request_id)] * 2


async def test_a_command_with_an_unknown_outcome_is_resent_under_its_id(harness: Harness) -> None:
    request = submitting(await harness.assignment())
    harness.workflows.refusal = Internal(Reason.OUTCOME_UNKNOWN, "No answer")
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.works().SubmitWork(request)
    harness.workflows.refusal = None
    changed = submitting(request.name, links=["https://example.com/other"])
    changed.request_id = request.request_id
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.works().SubmitWork(changed)
    await harness.works().SubmitWork(request)
    assert set(harness.workflows.commands) == {("SubmitWork", request.request_id)}


async def test_a_repeated_application_and_selection_find_the_first(harness: Harness) -> None:
    task = await harness.published()
    request = applying(task)
    application = await harness.creator().CreateApplication(request)
    assert await harness.creator().CreateApplication(request) == application
    request.application.message = "Please"
    async with harness.refuses(Reason.REQUEST_ID_REUSED):
        await harness.creator().CreateApplication(request)
    assert await harness.count("application") == 1

    selection = selecting(task, application)
    first = await harness.brand().SelectApplications(selection)
    await harness.selected(application)
    assert await harness.brand().SelectApplications(selection) == first
    assert harness.workflows.commands == [("SelectApplications", selection.request_id)]


async def test_the_same_application_at_once_is_made_once(harness: Harness) -> None:
    request = applying(await harness.published())
    first, *others = await asyncio.gather(
        *(harness.creator().CreateApplication(request) for _ in range(4))
    )
    assert all(other == first for other in others)
    assert await harness.count("application") == 1


async def test_a_refused_draft_does_not_use_up_its_request_id(harness: Harness) -> None:
    request = harness.creation(title="")
    async with harness.refuses(Reason.INVALID_FIELDS, "task.title"):
        await harness.brand().CreateTask(request)
    request.task.title = "Mended"
    task = await harness.brand().CreateTask(request)
    update = pb.UpdateTaskRequest(
        task=harness.task(name=task.name, etag="9"), request_id=request_id()
    )
    async with harness.refuses(Reason.ETAG_MISMATCH):
        await harness.brand().UpdateTask(update)
    update.task.etag = task.etag
    await harness.brand().UpdateTask(update)
