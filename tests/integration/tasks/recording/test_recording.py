"""RecordService: transitions are recorded once and in order, however they arrive."""

from dataclasses import replace

from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from tests.integration.tasks.harness import INSTANT, Harness, id_of
from tests.support.serving import refused
from workflows.assignment.commands import ApproveWork, SubmitWork
from workflows.assignment.messages import assignment_message
from workflows.assignment.model import Event, State
from workflows.assignment.rules import submissions

Assignment = assignments_pb2.Assignment


async def _shown(harness: Harness, name: str = "assignments/a1") -> Assignment:
    return await harness.work_of().GetAssignment(assignments_pb2.GetAssignmentRequest(name=name))


async def _transitions(harness: Harness, after: int = 0) -> list[tuple[int, str]]:
    response = await harness.work_of().ListTransitions(
        assignments_pb2.ListTransitionsRequest(parent="assignments/a1", after_sequence=after)
    )
    return [(one.sequence, one.event) for one in response.transitions]


async def _record_task(
    harness: Harness, task: pb.Task, sequence: int, state: pb.Task.State.ValueType, *ids: str
) -> records_pb2.RecordTaskResponse:
    return await harness.worker().RecordTask(
        records_pb2.RecordTaskRequest(
            name=task.name, sequence=sequence, state=state, selected_application_ids=ids
        )
    )


async def _lapse(
    harness: Harness, task: pb.Task, selected: list[str], notified: list[str]
) -> list[str]:
    response = await harness.worker().LapseApplications(
        records_pb2.LapseApplicationsRequest(
            name=task.name, selected_application_ids=selected, notified_creators=notified
        )
    )
    return list(response.creators)


async def test_an_assignment_is_returned_as_recorded(harness: Harness) -> None:
    task = await harness.task()
    a, first = harness.begun(task, "a1")
    await harness.record(a, first)
    submitted = submissions.submit_work(
        a, SubmitWork("creators/bea", "Done", [], ["https://example.com"]), harness.now
    )
    approved = submissions.approve_work(a, ApproveWork("brands/acme"), harness.now)
    await harness.record(a, submitted, approved)
    assert await _shown(harness) == assignment_message(a)
    assert await _transitions(harness) == [
        (1, Event.CREATOR_SELECTED),
        (2, Event.WORK_SUBMITTED),
        (3, Event.WORK_APPROVED),
    ]
    assert await _transitions(harness, after=2) == [(3, Event.WORK_APPROVED)]


async def test_a_repeated_or_older_record_changes_nothing(harness: Harness) -> None:
    task = await harness.task()
    a, first = harness.begun(task, "a1")
    early = replace(a)
    submit = SubmitWork("creators/bea", "Done", [], ["https://example.com"])
    submitted = submissions.submit_work(a, submit, harness.now)
    await harness.record(a, submitted)
    await harness.record(early, first)
    for _ in range(2):
        await harness.record(a, first, submitted)
    assert (await _shown(harness)).state == Assignment.STATE_IN_REVIEW
    assert await _transitions(harness) == [(1, Event.CREATOR_SELECTED), (2, Event.WORK_SUBMITTED)]


async def test_an_older_record_of_a_task_changes_nothing(harness: Harness) -> None:
    task = await harness.task()
    await _record_task(harness, task, 2, pb.Task.STATE_IN_PROGRESS)
    await _record_task(harness, task, 1, pb.Task.STATE_SELECTING)
    shown = await harness.brand().GetTask(pb.GetTaskRequest(name=task.name))
    assert shown.state == pb.Task.STATE_IN_PROGRESS
    assert shown.etag != task.etag


async def test_a_record_says_whether_applications_wait(harness: Harness) -> None:
    task = await harness.task()
    first, second = await harness.apply(task), await harness.apply(task, "cem")
    open_ = pb.Task.STATE_OPEN
    answer = await _record_task(harness, task, 1, open_, id_of(first))
    assert answer.has_waiting_applications
    assert await harness.state_of(first) == pb.Application.STATE_SELECTED
    answer = await _record_task(harness, task, 2, open_, id_of(first), id_of(second))
    assert not answer.has_waiting_applications
    shown = await harness.brand().GetTask(pb.GetTaskRequest(name=task.name))
    assert shown.selected_count == 2


async def test_applications_not_selected_lapse_and_each_creator_is_notified_once(
    harness: Harness,
) -> None:
    task = await harness.task()
    chosen = await harness.apply(task)
    gone = await harness.apply(task, "gus")
    await harness.withdraw(gone, "gus")
    for creator in ("cem", "dan"):
        harness.now += INSTANT
        await harness.apply(task, creator)
    await harness.select(task, [chosen])
    selected = [id_of(chosen)]
    expected = ["creators/cem", "creators/dan"]
    assert await _lapse(harness, task, selected, []) == expected
    assert await _lapse(harness, task, selected, []) == expected  # no creator was notified yet
    assert await _lapse(harness, task, selected, expected[:1]) == expected[1:]
    assert await _lapse(harness, task, selected, expected) == []
    assert await harness.state_of(chosen) == pb.Application.STATE_SELECTED
    assert await harness.state_of(gone) == pb.Application.STATE_WITHDRAWN


async def test_lapsed_applications_are_returned_in_batches_of_500(harness: Harness) -> None:
    task = await harness.task()
    await harness.fill(task, 1201)
    notified: list[str] = []
    sizes = []
    seen: set[str] = set()
    while batch := await _lapse(harness, task, [], notified):
        sizes.append(len(batch))
        seen |= set(batch)
        notified = batch
    assert (sizes, len(seen)) == ([500, 500, 201], 1201)


async def test_only_services_record_and_only_complete_records(harness: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "assignment", "transitions"):
        await harness.worker().RecordAssignment(records_pb2.RecordAssignmentRequest())
    with refused(Reason.INVALID_FIELDS, "name", "sequence", "state"):
        await harness.worker().RecordTask(records_pb2.RecordTaskRequest())


async def test_a_decision_repeated_after_a_crash_replaces_the_first(harness: Harness) -> None:
    """A worker was killed after recording that the brand was reminded, and before the server knew:
    by the time it decides again, the brand has approved."""
    begun, first = harness.begun(await harness.task(), "a1")
    await harness.record(begun, first)
    reminded = replace(first, sequence=2, event=Event.REVIEW_REMINDED, actor="system")
    approved = replace(
        reminded, event=Event.WORK_APPROVED, actor="brands/acme", time=first.time + INSTANT
    )
    begun.sequence = 2
    await harness.record(begun, reminded)
    begun.state = State.APPROVED
    await harness.record(begun, approved)
    await harness.record(begun, reminded)  # the first one again, late
    assert await _transitions(harness) == [(1, Event.CREATOR_SELECTED), (2, Event.WORK_APPROVED)]
    assert (await _shown(harness)).state == Assignment.STATE_APPROVED
