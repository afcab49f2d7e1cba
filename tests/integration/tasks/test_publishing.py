"""PublishTask: what it freezes, repeated and concurrent requests, and starting the workflow."""

import asyncio
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import LiaisonError, Reason, Unavailable
from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.integration.tasks.harness import DAY, Harness
from tests.support.serving import refused, request_id


def _update(task: pb.Task, **changes: object) -> pb.UpdateTaskRequest:
    request = pb.UpdateTaskRequest(task=task, request_id=request_id())
    for name, value in changes.items():
        setattr(request.task, name, value)
    return request


@pytest.mark.rule("R22")
async def test_publishing_freezes_the_policy_and_starts_the_workflow(harness: Harness) -> None:
    task = await harness.task()
    assert task.frozen_policy.name == "policies/standard"
    assert task.HasField("publish_time")
    (started,) = harness.workflows.started
    assert (f"tasks/{started.id}", started.creator_slots) == (task.name, 2)
    assert started.terms.reward_minor == 10_000
    found = await harness.creator().ListTasks(pb.ListTasksRequest())
    assert list(found.tasks) == [task]


async def test_a_repeated_publishing_is_the_first_and_another_is_refused(harness: Harness) -> None:
    draft = await harness.draft()
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    first = await harness.brand().PublishTask(request)
    assert await harness.brand().PublishTask(request) == first
    with refused(Reason.ILLEGAL_STATE):
        await harness.publish(draft)


async def test_a_workflow_that_did_not_start_is_started_later(harness: Harness) -> None:
    draft = await harness.draft()
    harness.workflows.refusal = Unavailable(Reason.OUTCOME_UNKNOWN, "Temporal is away")
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    with refused(Reason.OUTCOME_UNKNOWN):
        await harness.brand().PublishTask(request)
    harness.workflows.refusal = None
    assert await harness.handlers.tasks.start_missing_workflows() == 1
    assert await harness.handlers.tasks.start_missing_workflows() == 0
    assert [f"tasks/{one.id}" for one in harness.workflows.started] == [draft.name]
    assert (await harness.brand().PublishTask(request)).state == pb.Task.STATE_OPEN


async def test_concurrent_repetitions_of_a_publication_all_return_the_published_task(
    harness: Harness,
) -> None:
    draft = await harness.draft()
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    first, *others = await asyncio.gather(*(harness.brand().PublishTask(request) for _ in range(8)))
    assert first.state == pb.Task.STATE_OPEN
    assert all(other == first for other in others)


async def test_one_of_several_concurrent_publications_succeeds(harness: Harness) -> None:
    draft = await harness.draft()
    answers = await asyncio.gather(
        *(harness.publish(draft) for _ in range(5)), return_exceptions=True
    )
    (published,) = (answer for answer in answers if isinstance(answer, pb.Task))
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [refusal.reason for refusal in refusals] == [Reason.ILLEGAL_STATE] * 4
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == published


async def test_a_draft_whose_deadline_has_passed_is_not_published(harness: Harness) -> None:
    draft = await harness.draft()
    harness.now += 2 * DAY
    with refused(Reason.APPLICATION_DEADLINE_PASSED):
        await harness.publish(draft)
    assert harness.workflows.started == []


async def test_publishing_and_editing_at_once_freeze_one_whole_draft(harness: Harness) -> None:
    draft = await harness.draft()
    answers = await asyncio.gather(
        harness.publish(draft),
        harness.brand().UpdateTask(_update(draft, title="Late")),
        return_exceptions=True,
    )
    shown = await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name))
    for answer in answers:
        if isinstance(answer, LiaisonError):
            assert answer.reason in (Reason.ETAG_MISMATCH, Reason.ILLEGAL_STATE)
        else:
            assert isinstance(answer, pb.Task)
    for started in harness.workflows.started:
        assert started.terms.title == shown.title
        assert shown.state == pb.Task.STATE_OPEN


def _later(time: Any) -> Any:
    return to_timestamp(from_timestamp(time) + DAY)


_EDITS: dict[str, Any] = {
    "title": "Another",
    "description": "More to do",
    "content_types": [pb.CONTENT_TYPE_ARTICLE],
    "completion_rule": pb.COMPLETION_RULE_ANY,
    "requirements": [pb.Requirement(text="Show it"), pb.Requirement(text="Sing it")],
    "reward": pb.Reward(money=Money("USD", 1).to_message()),
    "funding": pb.FUNDING_ON_APPROVAL,
    "creator_slots": 1,
    "eligibility": pb.Eligibility(minimum_level=creators_pb2.CREATOR_LEVEL_STAR),
    "live_stream_channel": pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT,
    "application_deadline_time": _later,
    "selection_deadline_time": _later,
    "submission_deadline_time": _later,
    "policy": "policies/standard",
    "store_coupons": [pb.StoreCoupons(store_id="1100", coupon_ids=["AUTUMN-5"])],
}


@pytest.mark.rule("R19", "R49")
@pytest.mark.parametrize("field", _EDITS)
async def test_publishing_freezes_every_field(harness: Harness, field: str) -> None:
    draft = await harness.draft(
        content_types=[pb.CONTENT_TYPE_LIVE_STREAM], description="What to do"
    )
    edit = _EDITS[field]
    changed = edit(getattr(draft, field)) if callable(edit) else edit
    content = {one.name: getattr(draft, one.name) for one, _ in draft.ListFields()}
    if field == "content_types":
        del content["live_stream_channel"]
    edited = pb.UpdateTaskRequest(
        task=pb.Task(**content | {field: changed}), request_id=request_id()
    )
    # A draft it would change.
    edited.task.etag = (await harness.brand().UpdateTask(edited)).etag
    published = await harness.publish(draft)
    for etag in (edited.task.etag, published.etag):
        edited.task.etag, edited.request_id = etag, request_id()
        with refused(Reason.ILLEGAL_STATE):
            await harness.brand().UpdateTask(edited)
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == published
    assert await harness.creator().GetTask(pb.GetTaskRequest(name=draft.name)) == published


def test_every_field_of_a_draft_is_covered() -> None:
    given = {"name", "state", "brand", "frozen_policy", "selected_count", "etag"}
    given |= {"create_time", "update_time", "publish_time"}
    assert {field.name for field in pb.Task.DESCRIPTOR.fields} - given == _EDITS.keys()
