"""The read model under repeated and reordered records."""

import asyncio

from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub

from servicekit.errors import Reason
from tests.integration.bad_input.harness import Harness, recording


async def test_the_newest_record_is_kept_and_each_transition_once(harness: Harness) -> None:
    assignment = await harness.assignment()
    reviews = AssignmentServiceStub(harness.served.as_brand("acme"))
    get = assignments_pb2.GetAssignmentRequest(name=assignment)
    id_, task = assignment.removeprefix("assignments/"), (await reviews.GetAssignment(get)).task
    third = recording(harness, id_, task, 3, 2, 3)
    for request in (third, recording(harness, id_, task, 2, 1, 2), third):
        await harness.worker.RecordAssignment(request)
        assert (await reviews.GetAssignment(get)).sequence == 3
    requests = [recording(harness, id_, task, number, number) for number in (5, 4, 5, 6, 4)]
    await asyncio.gather(*(harness.worker.RecordAssignment(request) for request in requests))
    assert (await reviews.GetAssignment(get)).sequence == 6
    listing = assignments_pb2.ListTransitionsRequest(parent=assignment)
    answer = await reviews.ListTransitions(listing)
    assert [one.sequence for one in answer.transitions] == [1, 2, 3, 4, 5, 6]
    listing.after_sequence = 4
    answer = await reviews.ListTransitions(listing)
    assert [one.sequence for one in answer.transitions] == [5, 6]


async def test_an_older_decision_about_a_task_changes_nothing(harness: Harness) -> None:
    task = await harness.published()
    applications = [await harness.application(task, creator) for creator in ("anna", "bob")]
    ids = [application.name.rpartition("/")[2] for application in applications]
    assert await harness.record(task, 2, pb.Task.STATE_SELECTING, ids[0])
    assert await harness.record(task, 1, pb.Task.STATE_OPEN)
    found = await harness.brand().GetTask(pb.GetTaskRequest(name=task.name))
    assert (found.state, found.selected_count) == (pb.Task.STATE_SELECTING, 1)
    assert not await harness.record(task, 3, pb.Task.STATE_IN_PROGRESS, *ids)
    request = pb.GetApplicationRequest(name=applications[1].name)
    found = await harness.creator("bob").GetApplication(request)
    assert found.state == pb.Application.STATE_SELECTED
    assert found.assignment == f"assignments/{ids[1]}"


async def test_applications_not_selected_lapse_in_batches(harness: Harness) -> None:
    task = await harness.published()
    chosen = await harness.application(task, "anna")
    await harness.database.execute(
        """
        INSERT INTO application (id, task_id, creator_id, state, message, create_time, update_time)
        SELECT 'a' || number, %s, 'c' || number, 'APPLIED', '', now(), now()
          FROM generate_series(1, 501) AS number
        """,
        (task.name.removeprefix("tasks/"),),
    )
    request = records_pb2.LapseApplicationsRequest(
        name=task.name, selected_application_ids=[chosen.name.rpartition("/")[2]]
    )
    first = await harness.worker.LapseApplications(request)
    assert len(set(first.creators)) == 500
    assert (
        await harness.worker.LapseApplications(request) == first
    )  # no creator was notified meanwhile
    request.notified_creators.extend(first.creators)
    (rest,) = (await harness.worker.LapseApplications(request)).creators
    assert rest not in first.creators
    assert "creators/anna" not in (*first.creators, rest)
    request.notified_creators[:] = [rest]
    assert not (await harness.worker.LapseApplications(request)).creators
    found = await harness.creator().GetApplication(pb.GetApplicationRequest(name=chosen.name))
    assert found.state == pb.Application.STATE_APPLIED


async def test_only_complete_records_are_accepted(harness: Harness) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "assignment", "transitions"):
        await harness.worker.RecordAssignment(records_pb2.RecordAssignmentRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "name", "sequence", "state"):
        await harness.worker.RecordTask(records_pb2.RecordTaskRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "name"):
        await harness.worker.LapseApplications(records_pb2.LapseApplicationsRequest(name="x"))
