"""Drafts, their edits, and what publishing freezes."""

import asyncio
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

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


@pytest.mark.rule("R17")
async def test_a_draft_is_given_what_it_does_not_say(harness: Harness) -> None:
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


async def test_of_two_edits_of_one_draft_one_is_refused(harness: Harness) -> None:
    task = await harness.draft()
    edits = [
        harness.brand().UpdateTask(_update(task, title=title)) for title in ("One", "Two", "Three")
    ]
    answers = await asyncio.gather(*edits, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [refusal.reason for refusal in refusals] == [Reason.ETAG_MISMATCH] * 2
    (kept,) = (answer for answer in answers if isinstance(answer, pb.Task))
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=task.name)) == kept


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


async def test_all_who_publish_with_one_request_at_once_get_the_published_task(
    harness: Harness,
) -> None:
    draft = await harness.draft()
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    first, *others = await asyncio.gather(*(harness.brand().PublishTask(request) for _ in range(8)))
    assert first.state == pb.Task.STATE_OPEN
    assert all(other == first for other in others)


async def test_of_several_publications_at_once_one_is_the_first(harness: Harness) -> None:
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
        ({"reward": pb.Reward()}, ["task.reward"]),
        ({"title": " \t"}, ["task.title"]),
        ({"requirements": [pb.Requirement(text="\u3000")]}, ["task.requirements[0].text"]),
    ],
)
async def test_a_bad_draft_is_refused_by_field(
    harness: Harness, changes: dict[str, Any], fields: list[str]
) -> None:
    with refused(Reason.INVALID_FIELDS, *fields):
        await harness.draft(**changes)


async def test_deadlines_follow_each_other(harness: Harness) -> None:
    early = to_timestamp(harness.now + DAY)
    with refused(Reason.INVALID_FIELDS, "task.selection_deadline_time"):
        await harness.draft(selection_deadline_time=early)
    with refused(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await harness.draft(submission_deadline_time=early)
    # Applications close after 2 days, and the selection 3 days later.
    with refused(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await harness.draft(submission_deadline_time=to_timestamp(harness.now + 5 * DAY))


async def test_all_missing_fields_are_named_at_once(harness: Harness) -> None:
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
        await harness.brand().CreateTask(pb.CreateTaskRequest(task=pb.Task()))
    with refused(Reason.INVALID_FIELDS, "task.etag", "task.name"):
        await harness.brand().UpdateTask(_update(harness.content()))


async def test_a_repeated_creation_is_the_first_and_another_body_is_refused(
    harness: Harness,
) -> None:
    request = pb.CreateTaskRequest(task=harness.content(), request_id=request_id())
    first = await harness.brand().CreateTask(request)
    assert await harness.brand().CreateTask(request) == first
    request.task.title = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.brand().CreateTask(request)
    # Another caller's ids are its own.
    assert (await harness.brand("other").CreateTask(request)).brand == "brands/other"


@pytest.mark.rule("R17")
async def test_a_draft_is_its_brands_alone(harness: Harness) -> None:
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


async def test_the_answer_to_strangers_does_not_tell_what_exists(harness: Harness) -> None:
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


async def test_cancelling_is_the_workflows_decision(harness: Harness) -> None:
    draft = await harness.draft()
    request = pb.CancelTaskRequest(name=draft.name, comment="No budget", request_id=request_id())
    with refused(Reason.ILLEGAL_STATE):
        await harness.brand().CancelTask(request)
    await harness.publish(draft)
    cancelled = await harness.brand().CancelTask(request)
    assert cancelled.state == pb.Task.STATE_CANCELLED
    assert await harness.brand().CancelTask(request) == cancelled
    assert [one[1:] for one in harness.workflows.commands] == [
        ("cancel", ("brands/acme", "No budget"), request.request_id)
    ]


def _product(title: str = "A lamp", link: str = "https://example.com/lamp") -> pb.Reward:
    return pb.Reward(product=pb.ProductReward(title=title, link=link))


@pytest.mark.rule("R19")
async def test_the_reward_may_be_a_product(harness: Harness) -> None:
    draft = await harness.draft(reward=_product())
    assert draft.reward == _product()
    assert draft.funding == pb.FUNDING_UNSPECIFIED  # nothing is set aside for it
    task = await harness.publish(draft)
    assert task.reward == _product()
    (started,) = harness.workflows.started
    assert (started.terms.product_title, started.terms.product_link) == (
        "A lamp",
        "https://example.com/lamp",
    )
    assert (started.terms.currency, started.terms.reward_minor) == ("", 0)
    bare = await harness.draft(reward=_product(link=""))
    assert bare.reward == _product(link="")


async def test_a_reward_changes_its_kind_while_it_is_a_draft(harness: Harness) -> None:
    draft = await harness.draft(funding=pb.FUNDING_ON_APPROVAL)
    draft.reward.CopyFrom(_product())
    with refused(Reason.INVALID_FIELDS, "task.funding"):
        await harness.brand().UpdateTask(_update(draft))
    updated = await harness.brand().UpdateTask(
        _update(draft, funding=pb.Funding.FUNDING_UNSPECIFIED)
    )
    assert updated.reward == _product()
    updated.reward.CopyFrom(harness.content().reward)
    back = await harness.brand().UpdateTask(_update(updated))
    assert (back.reward, back.funding) == (harness.content().reward, pb.FUNDING_ESCROW)


async def test_a_channel_is_said_of_live_streams_only(harness: Harness) -> None:
    assert (await harness.draft()).live_stream_channel == pb.LIVE_STREAM_CHANNEL_UNSPECIFIED
    stream = {"content_types": [pb.CONTENT_TYPE_VIDEO, pb.CONTENT_TYPE_LIVE_STREAM]}
    usual = await harness.draft(**stream)
    assert usual.live_stream_channel == pb.LIVE_STREAM_CHANNEL_CREATOR_ACCOUNT
    brands = pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT
    assert (await harness.draft(**stream, live_stream_channel=brands)).live_stream_channel == brands
    with refused(Reason.INVALID_FIELDS, "task.live_stream_channel"):
        await harness.draft(live_stream_channel=brands)


@pytest.mark.rule("R18")
@pytest.mark.parametrize(
    "content_types",
    [[one] for one in pb.ContentType.values() if one]
    + [[one for one in pb.ContentType.values() if one]],
)
@pytest.mark.parametrize("rule", [pb.COMPLETION_RULE_ALL, pb.COMPLETION_RULE_ANY])
async def test_one_or_several_content_types_are_asked_for(
    harness: Harness,
    content_types: list[pb.ContentType.ValueType],
    rule: pb.CompletionRule.ValueType,
) -> None:
    task = await harness.task(content_types=content_types, completion_rule=rule)
    assert list(task.content_types) == content_types
    assert task.completion_rule == rule
    (started,) = harness.workflows.started
    names = [pb.ContentType.Name(one) for one in content_types]
    assert [f"CONTENT_TYPE_{one}" for one in started.terms.content_types] == names
    assert pb.CompletionRule.Name(rule) == f"COMPLETION_RULE_{started.terms.completion_rule}"


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


def test_every_field_that_a_brand_writes_is_tried() -> None:
    given = {"name", "state", "brand", "frozen_policy", "selected_count", "etag"}
    given |= {"create_time", "update_time", "publish_time"}
    assert {field.name for field in pb.Task.DESCRIPTOR.fields} - given == _EDITS.keys()


COUPONS = [
    pb.StoreCoupons(store_id="1" * 20, coupon_ids=[f"Spring_{n}-x" for n in range(50)]),
    pb.StoreCoupons(store_id="0", coupon_ids=["a" * 64]),
]


async def test_coupons_are_kept_as_the_stores_gave_them_and_shown_like_the_rest(
    harness: Harness,
) -> None:
    task = await harness.task(store_coupons=COUPONS)
    assert list(task.store_coupons) == COUPONS
    for reader in (harness.creator(), harness.operator()):
        assert await reader.GetTask(pb.GetTaskRequest(name=task.name)) == task


async def test_a_draft_from_before_there_were_coupons_has_none(harness: Harness) -> None:
    draft = await harness.draft(store_coupons=COUPONS)
    await harness.database.execute("UPDATE task SET content = content - 'store_coupons'")
    found = await harness.brand().GetTask(pb.GetTaskRequest(name=draft.name))
    assert list(found.store_coupons) == []


def _coupons(*ids: str, store: str = "1100") -> pb.StoreCoupons:
    return pb.StoreCoupons(store_id=store, coupon_ids=ids or ["AUTUMN-5"])


_NOT_GIVEN: list[tuple[list[pb.StoreCoupons], set[tuple[str, str]]]] = [
    ([_coupons(store="")], {("task.store_coupons[0].store_id", "REQUIRED")}),
    ([pb.StoreCoupons(store_id="1")], {("task.store_coupons[0].coupon_ids", "REQUIRED")}),
    ([_coupons(store=str(n)) for n in range(11)], {("task.store_coupons", "COUNT")}),
    ([_coupons(), _coupons("WINTER")], {("task.store_coupons", "R92")}),
    ([_coupons(*map(str, range(51)))], {("task.store_coupons[0].coupon_ids", "COUNT")}),
    ([_coupons("A", "A")], {("task.store_coupons[0].coupon_ids", "UNIQUE")}),
    (
        # Arabic digits are digits too, and none of a store's.
        [_coupons(store="1" * 21), _coupons(store="\u0661"), _coupons(store="11a")],
        {(f"task.store_coupons[{n}].store_id", "R90") for n in range(3)},
    ),
    (
        [_coupons("a" * 65, "A", "a b", "é", "A\n", "", "A/B")],
        {(f"task.store_coupons[0].coupon_ids[{n}]", "R90") for n in (0, 2, 3, 4, 5, 6)},
    ),
]


@pytest.mark.parametrize(("coupons", "violations"), _NOT_GIVEN)
async def test_coupons_that_no_store_gives_are_refused_together(
    harness: Harness, coupons: list[pb.StoreCoupons], violations: set[tuple[str, str]]
) -> None:
    with refused(Reason.INVALID_FIELDS, *(field for field, _ in violations)) as caught:
        await harness.draft(store_coupons=coupons)
    assert {(one.field, one.rule) for one in caught.value.violations} == violations


def _delete(task: pb.Task, etag: str = "") -> pb.DeleteTaskRequest:
    return pb.DeleteTaskRequest(name=task.name, etag=etag, request_id=request_id())


def _publish(task: pb.Task, etag: str) -> pb.PublishTaskRequest:
    return pb.PublishTaskRequest(name=task.name, etag=etag, request_id=request_id())


@pytest.mark.rule("R17")
async def test_a_draft_is_thrown_away(harness: Harness) -> None:
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
async def test_what_is_published_is_not_thrown_away(harness: Harness) -> None:
    task = await harness.task()
    for etag in ("", task.etag, "7"):
        with refused(Reason.ILLEGAL_STATE) as caught:
            await harness.brand().DeleteTask(_delete(task, etag))
        assert caught.value.metadata == {"state": "OPEN", "command": "DeleteTask"}
    assert await harness.brand().GetTask(pb.GetTaskRequest(name=task.name)) == task


@pytest.mark.rule("R17", "R21")
async def test_what_a_colleague_has_just_changed_is_neither_published_nor_deleted_unseen(
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
    # The etag has changed by that; the request is the same.
    assert await harness.brand().PublishTask(request) == published


async def test_of_deleting_and_publishing_at_once_one_is_done(harness: Harness) -> None:
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
