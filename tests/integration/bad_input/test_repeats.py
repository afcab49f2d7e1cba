"""A `request_id` used again: with the same body, with another one, and at the same time."""

import asyncio

from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import FailedPrecondition, Internal, Reason, illegal_state
from tests.integration.bad_input.house import House, applying, named, selecting, submitting
from tests.support.serving import refused, request_id


async def test_a_draft_is_made_once(house: House) -> None:
    request = house.creation()
    first = await house.brand().CreateTask(request)
    assert await house.brand().CreateTask(request) == first
    request.task.title = "Another"
    async with house.refuses(Reason.REQUEST_ID_REUSED) as caught:
        await house.brand().CreateTask(request)
    assert caught.value.metadata == {"request_id": request.request_id}
    # It is another caller's own choice of the same id.
    await house.brand("evil").CreateTask(request)
    assert await house.count("task") == 2


async def test_the_same_creation_at_once_makes_one_task(house: House) -> None:
    request = house.creation()
    first, *others = await asyncio.gather(*(house.brand().CreateTask(request) for _ in range(4)))
    assert all(other == first for other in others)
    assert await house.count("task") == 1


async def test_a_task_is_published_once(house: House) -> None:
    draft = await house.draft()
    request = named(pb.PublishTaskRequest, draft)
    first = await house.brand().PublishTask(request)
    assert await house.brand().PublishTask(request) == first
    assert house.runs.started == [draft.name.removeprefix("tasks/")]
    request.name = (await house.draft()).name
    async with house.refuses(Reason.REQUEST_ID_REUSED):
        await house.brand().PublishTask(request)


async def test_a_draft_is_deleted_once(house: House) -> None:
    draft = await house.draft()
    request = named(pb.DeleteTaskRequest, draft, etag=draft.etag)
    await house.brand().DeleteTask(request)
    await house.brand().DeleteTask(request)
    async with house.refuses(Reason.NOT_YOURS):
        await house.brand().DeleteTask(named(pb.DeleteTaskRequest, draft))
    request.etag = ""
    async with house.refuses(Reason.REQUEST_ID_REUSED):
        await house.brand().DeleteTask(request)


async def test_the_same_publication_at_once_publishes_once(house: House) -> None:
    draft = await house.draft()
    request = named(pb.PublishTaskRequest, draft)
    first, *others = await asyncio.gather(*(house.brand().PublishTask(request) for _ in range(4)))
    assert all(other == first for other in others)
    assert await house.brand().PublishTask(request) == first
    assert await house.count("task_transition") == 1


async def test_an_order_is_sent_once_and_its_answer_kept(house: House) -> None:
    request = submitting(await house.assignment())
    first = await house.works().SubmitWork(request)
    assert await house.works().SubmitWork(request) == first
    assert house.runs.commands == [("submit_work", request.request_id)]
    request.submission.note = "And this"
    async with house.refuses(Reason.REQUEST_ID_REUSED):
        await house.works().SubmitWork(request)
    assert len(house.runs.commands) == 1


async def test_an_order_that_was_refused_may_be_sent_again(house: House) -> None:
    assignment = await house.assignment()
    request = submitting(assignment)
    house.runs.refusal = illegal_state(assignment, "IN_REVIEW", "SubmitWork")
    async with house.refuses(Reason.ILLEGAL_STATE) as caught:
        await house.works().SubmitWork(request)
    assert isinstance(caught.value, FailedPrecondition)
    assert caught.value.metadata == {"state": "IN_REVIEW", "command": "SubmitWork"}
    house.runs.refusal = None
    await house.works().SubmitWork(request)
    # Under the same id: the workflow itself tells whether it was heard before.
    assert house.runs.commands == [("submit_work", request.request_id)] * 2


async def test_an_order_whose_end_is_unknown_is_sent_again_under_its_id(house: House) -> None:
    request = submitting(await house.assignment())
    house.runs.refusal = Internal(Reason.OUTCOME_UNKNOWN, "No answer")
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.works().SubmitWork(request)
    house.runs.refusal = None
    changed = submitting(request.name, links=["https://example.com/other"])
    changed.request_id = request.request_id
    async with house.refuses(Reason.REQUEST_ID_REUSED):
        await house.works().SubmitWork(changed)
    await house.works().SubmitWork(request)
    assert set(house.runs.commands) == {("submit_work", request.request_id)}


async def test_a_repeated_application_and_selection_find_the_first(house: House) -> None:
    task = await house.published()
    request = applying(task)
    application = await house.creator().CreateApplication(request)
    assert await house.creator().CreateApplication(request) == application
    request.application.message = "Please"
    async with house.refuses(Reason.REQUEST_ID_REUSED):
        await house.creator().CreateApplication(request)
    assert await house.count("application") == 1

    selection = selecting(task, application)
    first = await house.brand().SelectApplications(selection)
    await house.selected(application)
    assert await house.brand().SelectApplications(selection) == first
    assert house.runs.commands == [("select_applications", selection.request_id)]


async def test_the_same_application_at_once_is_made_once(house: House) -> None:
    request = applying(await house.published())
    first, *others = await asyncio.gather(
        *(house.creator().CreateApplication(request) for _ in range(4))
    )
    assert all(other == first for other in others)
    assert await house.count("application") == 1


async def test_a_refused_draft_leaves_its_id_free(house: House) -> None:
    request = house.creation(title="")
    async with house.refuses(Reason.INVALID_FIELDS, "task.title"):
        await house.brand().CreateTask(request)
    request.task.title = "Mended"
    task = await house.brand().CreateTask(request)
    update = pb.UpdateTaskRequest(
        task=house.task(name=task.name, etag="9"), request_id=request_id()
    )
    async with house.refuses(Reason.ETAG_MISMATCH):
        await house.brand().UpdateTask(update)
    update.task.etag = task.etag
    await house.brand().UpdateTask(update)
