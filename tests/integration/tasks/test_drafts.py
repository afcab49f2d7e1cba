"""Drafts, their edits, and what publishing freezes."""

import asyncio
from typing import Any

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import LiaisonError, Reason, Unavailable
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.integration.tasks.house import DAY, House
from tests.support.serving import refused, request_id


def _update(task: pb.Task, **changes: object) -> pb.UpdateTaskRequest:
    request = pb.UpdateTaskRequest(task=task, request_id=request_id())
    for name, value in changes.items():
        setattr(request.task, name, value)
    return request


async def test_a_draft_is_given_what_it_does_not_say(house: House) -> None:
    task = await house.draft()
    assert task.state == pb.Task.STATE_DRAFT
    assert [one.id for one in task.requirements] == ["req-1", "req-2"]
    assert task.policy == "policies/standard"
    assert task.funding == pb.FUNDING_ESCROW
    assert task.completion_rule == pb.COMPLETION_RULE_ALL  # R18
    selection_closes = from_timestamp(task.selection_deadline_time)
    assert selection_closes == from_timestamp(task.application_deadline_time) + 3 * DAY
    assert not task.HasField("frozen_policy")
    assert house.runs.started == []  # R17: to create is not to publish


async def test_a_draft_is_edited_until_it_is_published_r21_r49(house: House) -> None:
    task = await house.draft()
    updated = await house.brand().UpdateTask(_update(task, title="Another"))
    assert (updated.title, updated.state) == ("Another", pb.Task.STATE_DRAFT)
    assert updated.etag != task.etag
    published = await house.publish(updated)
    assert published.state == pb.Task.STATE_OPEN
    with refused(Reason.ILLEGAL_STATE):
        await house.brand().UpdateTask(_update(published, title="A third"))
    assert await house.brand().GetTask(pb.GetTaskRequest(name=task.name)) == published


async def test_of_two_edits_of_one_draft_one_is_refused(house: House) -> None:
    task = await house.draft()
    edits = [
        house.brand().UpdateTask(_update(task, title=title)) for title in ("One", "Two", "Three")
    ]
    answers = await asyncio.gather(*edits, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [refusal.reason for refusal in refusals] == [Reason.ETAG_MISMATCH] * 2
    (kept,) = (answer for answer in answers if isinstance(answer, pb.Task))
    assert await house.brand().GetTask(pb.GetTaskRequest(name=task.name)) == kept


async def test_publishing_freezes_the_policy_and_starts_the_workflow(house: House) -> None:
    task = await house.task()
    assert task.frozen_policy.name == "policies/standard"
    assert task.HasField("publish_time")
    (started,) = house.runs.started
    assert (f"tasks/{started.id}", started.creator_slots) == (task.name, 2)
    assert started.terms.reward_minor == 10_000


async def test_a_repeated_publishing_is_the_first_and_another_is_refused(house: House) -> None:
    draft = await house.draft()
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    first = await house.brand().PublishTask(request)
    assert await house.brand().PublishTask(request) == first
    with refused(Reason.ILLEGAL_STATE):
        await house.publish(draft)


async def test_a_workflow_that_did_not_start_is_started_later(house: House) -> None:
    draft = await house.draft()
    house.runs.refusal = Unavailable(Reason.OUTCOME_UNKNOWN, "Temporal is away")
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    with refused(Reason.OUTCOME_UNKNOWN):
        await house.brand().PublishTask(request)
    house.runs.refusal = None
    assert await house.tasks.start_missing_runs() == 1
    assert await house.tasks.start_missing_runs() == 0
    assert [f"tasks/{one.id}" for one in house.runs.started] == [draft.name]
    assert (await house.brand().PublishTask(request)).state == pb.Task.STATE_OPEN


async def test_a_draft_whose_deadline_has_passed_is_not_published(house: House) -> None:
    draft = await house.draft()
    house.now += 2 * DAY
    with refused(Reason.APPLICATION_DEADLINE_PASSED):
        await house.publish(draft)
    assert house.runs.started == []


async def test_publishing_and_editing_at_once_freeze_one_whole_draft(house: House) -> None:
    draft = await house.draft()
    answers = await asyncio.gather(
        house.publish(draft),
        house.brand().UpdateTask(_update(draft, title="Late")),
        return_exceptions=True,
    )
    shown = await house.brand().GetTask(pb.GetTaskRequest(name=draft.name))
    for answer in answers:
        if isinstance(answer, LiaisonError):
            assert answer.reason in (Reason.ETAG_MISMATCH, Reason.ILLEGAL_STATE)
        else:
            assert isinstance(answer, pb.Task)
    for started in house.runs.started:
        assert started.title == shown.title
        assert shown.state == pb.Task.STATE_OPEN


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({"title": ""}, ["task.title"]),
        ({"title": "x" * 121}, ["task.title"]),
        ({"creator_slots": 1001}, ["task.creator_slots"]),
        ({"requirements": []}, ["task.requirements"]),
        ({"requirements": [pb.Requirement()]}, ["task.requirements[0].text"]),
        ({"content_types": [pb.CONTENT_TYPE_LIST] * 2}, ["task.content_types"]),
        ({"policy": "policies/accelerated"}, ["task.policy"]),  # not offered here
        ({"policy": "standard"}, ["task.policy"]),
        ({"reward": pb.Reward()}, ["task.reward.money"]),
    ],
)
async def test_a_bad_draft_is_refused_by_field(
    house: House, changes: dict[str, Any], fields: list[str]
) -> None:
    with refused(Reason.INVALID_FIELDS, *fields):
        await house.draft(**changes)


async def test_deadlines_follow_each_other(house: House) -> None:
    early = to_timestamp(house.now + DAY)
    with refused(Reason.INVALID_FIELDS, "task.selection_deadline_time"):
        await house.draft(selection_deadline_time=early)
    with refused(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await house.draft(submission_deadline_time=early)
    # Applications close after 2 days, and the selection 3 days later.
    with refused(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await house.draft(submission_deadline_time=to_timestamp(house.now + 5 * DAY))


async def test_all_missing_fields_are_named_at_once(house: House) -> None:
    with refused(
        Reason.INVALID_FIELDS,
        "request_id",
        "task.application_deadline_time",
        "task.content_types",
        "task.creator_slots",
        "task.requirements",
        "task.reward",
        "task.submission_deadline_time",
        "task.title",
    ):
        await house.brand().CreateTask(pb.CreateTaskRequest(task=pb.Task()))
    with refused(Reason.INVALID_FIELDS, "task.etag", "task.name"):
        await house.brand().UpdateTask(_update(house.content()))


async def test_a_repeated_creation_is_the_first_and_another_body_is_refused(house: House) -> None:
    request = pb.CreateTaskRequest(task=house.content(), request_id=request_id())
    first = await house.brand().CreateTask(request)
    assert await house.brand().CreateTask(request) == first
    request.task.title = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await house.brand().CreateTask(request)
    # Another caller's ids are its own.
    assert (await house.brand("other").CreateTask(request)).brand == "brands/other"


async def test_a_draft_is_its_brands_alone(house: House) -> None:
    draft = await house.draft()
    request = pb.GetTaskRequest(name=draft.name)
    for stranger in (house.creator(), house.brand("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.GetTask(request)
    assert (await house.operator().GetTask(request)) == draft
    await house.publish(draft)
    assert (await house.creator().GetTask(request)).state == pb.Task.STATE_OPEN
    with refused(Reason.NOT_YOURS):
        await house.brand("other").GetTask(request)


async def test_the_answer_to_strangers_does_not_tell_what_exists(house: House) -> None:
    draft = await house.draft()
    for name in (draft.name, "tasks/nothing"):
        publish = pb.PublishTaskRequest(name=name, request_id=request_id())
        cancel = pb.CancelTaskRequest(name=name, comment="No", request_id=request_id())
        with refused(Reason.NOT_YOURS):
            await house.brand("other").PublishTask(publish)
        with refused(Reason.NOT_YOURS):
            await house.brand("other").CancelTask(cancel)
        with refused(Reason.NOT_YOURS):
            await house.creator().GetTask(pb.GetTaskRequest(name=name))
    with refused(Reason.NOT_FOUND):
        await house.operator().GetTask(pb.GetTaskRequest(name="tasks/nothing"))


async def test_cancelling_is_the_workflows_decision(house: House) -> None:
    draft = await house.draft()
    request = pb.CancelTaskRequest(name=draft.name, comment="No budget", request_id=request_id())
    with refused(Reason.ILLEGAL_STATE):
        await house.brand().CancelTask(request)
    await house.publish(draft)
    cancelled = await house.brand().CancelTask(request)
    assert cancelled.state == pb.Task.STATE_CANCELLED
    assert await house.brand().CancelTask(request) == cancelled
    assert [one[1:] for one in house.runs.commands] == [
        ("cancel", ("brands/acme", "No budget"), request.request_id)
    ]
