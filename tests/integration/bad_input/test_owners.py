"""Access to others' tasks, applications and assignments, and to unknown ones."""

from typing import Any

from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub

from servicekit.errors import Reason
from tests.integration.bad_input.harness import Harness, applying, named, selecting, submitting
from tests.support.serving import request_id


def commands(harness: Harness, task: pb.Task, brand: str) -> list[tuple[Any, Any]]:
    """Every RPC of a brand on a task, with a request."""
    stub = harness.brand(brand)
    content = harness.task(name=task.name, etag="1", title="Mine now")
    nobodys = pb.Application(name=f"{task.name}/applications/a1")
    return [
        (stub.GetTask, pb.GetTaskRequest(name=task.name)),
        (stub.UpdateTask, pb.UpdateTaskRequest(task=content, request_id=request_id())),
        (stub.DeleteTask, named(pb.DeleteTaskRequest, task)),
        (stub.PublishTask, named(pb.PublishTaskRequest, task)),
        (stub.CancelTask, named(pb.CancelTaskRequest, task, comment="No more")),
        (stub.ListApplications, pb.ListApplicationsRequest(parent=task.name)),
        (stub.GetApplication, pb.GetApplicationRequest(name=nobodys.name)),
        (stub.SelectApplications, selecting(task, nobodys)),
    ]


async def test_another_brands_task_and_an_unknown_one_give_the_same_error(harness: Harness) -> None:
    draft, published = await harness.draft(), await harness.published()
    for task in (draft, published, pb.Task(name="tasks/unknown")):
        for method, request in commands(harness, task, "evil"):
            async with harness.refuses(Reason.NOT_YOURS):
                await method(request)
    assert not harness.workflows.commands


async def test_only_its_brand_sees_a_draft(harness: Harness) -> None:
    draft = await harness.draft()
    anna = harness.creator()
    async with harness.refuses(Reason.NOT_YOURS):
        await anna.GetTask(pb.GetTaskRequest(name=draft.name))
    async with harness.refuses(Reason.NOT_YOURS):
        await anna.CreateApplication(applying(draft))
    async with harness.refuses(Reason.NOT_YOURS):
        await anna.CreateApplication(applying(pb.Task(name="tasks/unknown")))
    assert not (await anna.ListTasks(pb.ListTasksRequest())).tasks
    drafts = pb.ListTasksRequest(filter=pb.TaskFilter(states=[pb.Task.STATE_DRAFT]))
    assert not (await anna.ListTasks(drafts)).tasks
    assert [task.name for task in (await harness.brand().ListTasks(drafts)).tasks] == [draft.name]


async def test_staff_get_not_found(harness: Harness) -> None:
    unknown = "tasks/unknown/applications/a1"
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator.GetTask(pb.GetTaskRequest(name="tasks/unknown"))
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator.GetApplication(pb.GetApplicationRequest(name=unknown))
    async with harness.refuses(Reason.NOT_FOUND):
        await harness.operator.ListApplications(pb.ListApplicationsRequest(parent="tasks/unknown"))
    staff = AssignmentServiceStub(harness.served.as_operator())
    async with harness.refuses(Reason.NOT_FOUND):
        await staff.GetAssignment(assignments_pb2.GetAssignmentRequest(name="assignments/a1"))
    async with harness.refuses(Reason.NOT_FOUND):
        await staff.ListTransitions(assignments_pb2.ListTransitionsRequest(parent="assignments/a1"))


async def test_an_application_is_for_its_creator_and_its_brand(harness: Harness) -> None:
    application = await harness.application(await harness.published())
    request = pb.GetApplicationRequest(name=application.name)
    for theirs in (harness.creator(), harness.brand(), harness.operator):
        assert await theirs.GetApplication(request) == application
    for other in (harness.creator("eve"), harness.brand("evil")):
        async with harness.refuses(Reason.NOT_YOURS):
            await other.GetApplication(request)
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator("eve").WithdrawApplication(
            named(pb.WithdrawApplicationRequest, application)
        )
    # Under another task's name it does not exist.
    elsewhere = application.name.replace(application.name.split("/")[1], "unknown")
    async with harness.refuses(Reason.NOT_YOURS):
        await harness.creator().GetApplication(pb.GetApplicationRequest(name=elsewhere))


def commands_of(harness: Harness, name: str, brand: str, creator: str) -> list[tuple[Any, Any]]:
    """Every RPC on an assignment, with a request."""
    reviews, works = harness.reviews(brand), harness.works(creator)
    get = assignments_pb2.GetAssignmentRequest(name=name)
    transitions = assignments_pb2.ListTransitionsRequest(parent=name)
    comment = assignments_pb2.ExpiryComment(
        reason=assignments_pb2.ExpiryComment.REASON_NO_TIME, comment="Sorry"
    )
    return [
        (reviews.GetAssignment, get),
        (works.GetAssignment, get),
        (reviews.ListTransitions, transitions),
        (works.ListTransitions, transitions),
        (works.SubmitWork, submitting(name)),
        (
            works.CommentOnExpiry,
            assignments_pb2.CommentOnExpiryRequest(
                name=name, expiry_comment=comment, request_id=request_id()
            ),
        ),
        (
            reviews.RequestChanges,
            assignments_pb2.RequestChangesRequest(
                name=name, comment="More", requirement_ids=["req-1"], request_id=request_id()
            ),
        ),
        (
            reviews.ApproveWork,
            assignments_pb2.ApproveWorkRequest(name=name, request_id=request_id()),
        ),
    ]


async def test_another_sides_assignment_and_an_unknown_one_give_the_same_error(
    harness: Harness,
) -> None:
    assignment = await harness.assignment()
    for name in (assignment, "assignments/unknown"):
        for method, request in commands_of(harness, name, "evil", "eve"):
            async with harness.refuses(Reason.NOT_YOURS) as caught:
                await method(request)
            assert caught.value.message == f"{name} is not yours to see or to change"
    assert not harness.workflows.commands
    for method, request in commands_of(harness, assignment, "acme", "anna"):
        await method(request)
    assert len(harness.workflows.commands) == 4


async def test_media_not_accepted_or_not_owned_are_named(harness: Harness) -> None:
    assignment = await harness.assignment()
    harness.media.accepted = {"good"}
    names = [f"mediaObjects/{id_}" for id_ in ("good", "bad", "theirs")]
    async with harness.refuses(Reason.MEDIA_NOT_ACCEPTED) as caught:
        await harness.works().SubmitWork(submitting(assignment, media_objects=names))
    assert caught.value.metadata == {"media_objects": "mediaObjects/bad,mediaObjects/theirs"}
    assert not harness.workflows.commands
    await harness.works().SubmitWork(submitting(assignment, media_objects=names[:1]))
