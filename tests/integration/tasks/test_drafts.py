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
from tests.integration.tasks.house import DAY, House
from tests.support.serving import refused, request_id


def _update(task: pb.Task, **changes: object) -> pb.UpdateTaskRequest:
    request = pb.UpdateTaskRequest(task=task, request_id=request_id())
    for name, value in changes.items():
        setattr(request.task, name, value)
    return request


@pytest.mark.rule("R17")
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
    assert house.runs.started == []  # to create is not to publish


@pytest.mark.rule("R21")
async def test_a_draft_is_edited_until_it_is_published(house: House) -> None:
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


@pytest.mark.rule("R22")
async def test_publishing_freezes_the_policy_and_starts_the_workflow(house: House) -> None:
    task = await house.task()
    assert task.frozen_policy.name == "policies/standard"
    assert task.HasField("publish_time")
    (started,) = house.runs.started
    assert (f"tasks/{started.id}", started.creator_slots) == (task.name, 2)
    assert started.terms.reward_minor == 10_000
    found = await house.creator().ListTasks(pb.ListTasksRequest())
    assert list(found.tasks) == [task]


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


async def test_all_who_publish_with_one_request_at_once_get_the_published_task(
    house: House,
) -> None:
    draft = await house.draft()
    request = pb.PublishTaskRequest(name=draft.name, request_id=request_id())
    first, *others = await asyncio.gather(*(house.brand().PublishTask(request) for _ in range(8)))
    assert first.state == pb.Task.STATE_OPEN
    assert all(other == first for other in others)


async def test_of_several_publications_at_once_one_is_the_first(house: House) -> None:
    draft = await house.draft()
    answers = await asyncio.gather(
        *(house.publish(draft) for _ in range(5)), return_exceptions=True
    )
    (published,) = (answer for answer in answers if isinstance(answer, pb.Task))
    refusals = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [refusal.reason for refusal in refusals] == [Reason.ILLEGAL_STATE] * 4
    assert await house.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == published


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


@pytest.mark.rule("R17")
async def test_a_draft_is_its_brands_alone(house: House) -> None:
    draft = await house.draft()
    request = pb.GetTaskRequest(name=draft.name)
    for stranger in (house.creator(), house.brand("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.GetTask(request)
    for staff in (house.operator(), TaskServiceStub(house.served.as_mediator())):
        with refused(Reason.NOT_FOUND):
            await staff.GetTask(request)
    await house.publish(draft)
    assert (await house.operator().GetTask(request)).state == pb.Task.STATE_OPEN
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
        cancel = pb.CancelTaskRequest(name=name, comment="No", request_id=request_id())
        with refused(Reason.NOT_FOUND):
            await house.operator().GetTask(pb.GetTaskRequest(name=name))
        with refused(Reason.NOT_FOUND):
            await house.operator().CancelTask(cancel)


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


def _product(title: str = "A lamp", link: str = "https://example.com/lamp") -> pb.Reward:
    return pb.Reward(product=pb.ProductReward(title=title, link=link))


@pytest.mark.rule("R19")
async def test_the_reward_may_be_a_product(house: House) -> None:
    draft = await house.draft(reward=_product())
    assert draft.reward == _product()
    assert draft.funding == pb.FUNDING_UNSPECIFIED  # nothing is set aside for it
    task = await house.publish(draft)
    assert task.reward == _product()
    (started,) = house.runs.started
    assert (started.terms.product_title, started.terms.product_link) == (
        "A lamp",
        "https://example.com/lamp",
    )
    assert (started.terms.currency, started.terms.reward_minor) == ("", 0)
    bare = await house.draft(reward=_product(link=""))
    assert bare.reward == _product(link="")


async def test_a_reward_changes_its_kind_while_it_is_a_draft(house: House) -> None:
    draft = await house.draft(funding=pb.FUNDING_ON_APPROVAL)
    draft.reward.CopyFrom(_product())
    with refused(Reason.INVALID_FIELDS, "task.funding"):
        await house.brand().UpdateTask(_update(draft))
    updated = await house.brand().UpdateTask(_update(draft, funding=pb.Funding.FUNDING_UNSPECIFIED))
    assert updated.reward == _product()
    updated.reward.CopyFrom(house.content().reward)
    back = await house.brand().UpdateTask(_update(updated))
    assert (back.reward, back.funding) == (house.content().reward, pb.FUNDING_ESCROW)


async def test_a_channel_is_said_of_live_streams_only(house: House) -> None:
    assert (await house.draft()).live_stream_channel == pb.LIVE_STREAM_CHANNEL_UNSPECIFIED
    stream = {"content_types": [pb.CONTENT_TYPE_VIDEO, pb.CONTENT_TYPE_LIVE_STREAM]}
    usual = await house.draft(**stream)
    assert usual.live_stream_channel == pb.LIVE_STREAM_CHANNEL_CREATOR_ACCOUNT
    brands = pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT
    assert (await house.draft(**stream, live_stream_channel=brands)).live_stream_channel == brands
    with refused(Reason.INVALID_FIELDS, "task.live_stream_channel"):
        await house.draft(live_stream_channel=brands)


@pytest.mark.rule("R18")
@pytest.mark.parametrize(
    "content_types",
    [[one] for one in pb.ContentType.values() if one]
    + [[one for one in pb.ContentType.values() if one]],
)
@pytest.mark.parametrize("rule", [pb.COMPLETION_RULE_ALL, pb.COMPLETION_RULE_ANY])
async def test_one_or_several_content_types_are_asked_for(
    house: House,
    content_types: list[pb.ContentType.ValueType],
    rule: pb.CompletionRule.ValueType,
) -> None:
    task = await house.task(content_types=content_types, completion_rule=rule)
    assert list(task.content_types) == content_types
    assert task.completion_rule == rule
    (started,) = house.runs.started
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
async def test_publishing_freezes_every_field(house: House, field: str) -> None:
    draft = await house.draft(content_types=[pb.CONTENT_TYPE_LIVE_STREAM], description="What to do")
    edit = _EDITS[field]
    changed = edit(getattr(draft, field)) if callable(edit) else edit
    content = {one.name: getattr(draft, one.name) for one, _ in draft.ListFields()}
    if field == "content_types":
        del content["live_stream_channel"]
    edited = pb.UpdateTaskRequest(
        task=pb.Task(**content | {field: changed}), request_id=request_id()
    )
    # A draft it would change.
    edited.task.etag = (await house.brand().UpdateTask(edited)).etag
    published = await house.publish(draft)
    for etag in (edited.task.etag, published.etag):
        edited.task.etag, edited.request_id = etag, request_id()
        with refused(Reason.ILLEGAL_STATE):
            await house.brand().UpdateTask(edited)
    assert await house.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == published
    assert await house.creator().GetTask(pb.GetTaskRequest(name=draft.name)) == published


def test_every_field_that_a_brand_writes_is_tried() -> None:
    given = {"name", "state", "brand", "frozen_policy", "selected_count", "etag"}
    given |= {"create_time", "update_time", "publish_time"}
    assert {field.name for field in pb.Task.DESCRIPTOR.fields} - given == _EDITS.keys()


COUPONS = [
    pb.StoreCoupons(store_id="1" * 20, coupon_ids=[f"Spring_{n}-x" for n in range(50)]),
    pb.StoreCoupons(store_id="0", coupon_ids=["a" * 64]),
]


async def test_coupons_are_kept_as_the_stores_gave_them_and_shown_like_the_rest(
    house: House,
) -> None:
    task = await house.task(store_coupons=COUPONS)
    assert list(task.store_coupons) == COUPONS
    for reader in (house.creator(), house.operator()):
        assert await reader.GetTask(pb.GetTaskRequest(name=task.name)) == task


async def test_a_draft_from_before_there_were_coupons_has_none(house: House) -> None:
    draft = await house.draft(store_coupons=COUPONS)
    await house.database.execute("UPDATE task SET content = content - 'store_coupons'")
    found = await house.brand().GetTask(pb.GetTaskRequest(name=draft.name))
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
    house: House, coupons: list[pb.StoreCoupons], violations: set[tuple[str, str]]
) -> None:
    with refused(Reason.INVALID_FIELDS, *(field for field, _ in violations)) as caught:
        await house.draft(store_coupons=coupons)
    assert {(one.field, one.rule) for one in caught.value.violations} == violations


def _delete(task: pb.Task, etag: str = "") -> pb.DeleteTaskRequest:
    return pb.DeleteTaskRequest(name=task.name, etag=etag, request_id=request_id())


def _publish(task: pb.Task, etag: str) -> pb.PublishTaskRequest:
    return pb.PublishTaskRequest(name=task.name, etag=etag, request_id=request_id())


@pytest.mark.rule("R17")
async def test_a_draft_is_thrown_away(house: House) -> None:
    draft, kept = await house.draft(), await house.draft()
    with refused(Reason.NOT_YOURS):
        await house.brand("other").DeleteTask(_delete(draft))
    for etag in ("", kept.etag):
        unwanted = await house.draft()
        await house.brand().DeleteTask(_delete(unwanted, etag))
        with refused(Reason.NOT_YOURS):
            await house.brand().GetTask(pb.GetTaskRequest(name=unwanted.name))
        with refused(Reason.NOT_YOURS):
            await house.publish(unwanted)
    listed = (await house.brand().ListTasks(pb.ListTasksRequest())).tasks
    assert {task.name for task in listed} == {draft.name, kept.name}


@pytest.mark.rule("R21", "R49")
async def test_what_is_published_is_not_thrown_away(house: House) -> None:
    task = await house.task()
    for etag in ("", task.etag, "7"):
        with refused(Reason.ILLEGAL_STATE) as caught:
            await house.brand().DeleteTask(_delete(task, etag))
        assert caught.value.metadata == {"state": "OPEN", "command": "DeleteTask"}
    assert await house.brand().GetTask(pb.GetTaskRequest(name=task.name)) == task


@pytest.mark.rule("R17", "R21")
async def test_what_a_colleague_has_just_changed_is_neither_published_nor_deleted_unseen(
    house: House,
) -> None:
    draft = await house.draft()
    updated = await house.brand().UpdateTask(_update(draft, title="Another"))
    with refused(Reason.ETAG_MISMATCH):
        await house.brand().PublishTask(_publish(draft, draft.etag))
    with refused(Reason.ETAG_MISMATCH):
        await house.brand().DeleteTask(_delete(draft, draft.etag))
    assert await house.brand().GetTask(pb.GetTaskRequest(name=draft.name)) == updated
    assert house.runs.started == []
    request = _publish(draft, updated.etag)
    published = await house.brand().PublishTask(request)
    assert (published.title, published.state) == ("Another", pb.Task.STATE_OPEN)
    # The etag has changed by that; the request is the same.
    assert await house.brand().PublishTask(request) == published


async def test_of_deleting_and_publishing_at_once_one_is_done(house: House) -> None:
    for _ in range(5):
        draft = await house.draft()
        answers = await asyncio.gather(
            house.brand().DeleteTask(_delete(draft)),
            house.brand().PublishTask(_publish(draft, draft.etag)),
            return_exceptions=True,
        )
        (refusal,) = (answer for answer in answers if isinstance(answer, LiaisonError))
        assert refusal.reason in (Reason.NOT_YOURS, Reason.ILLEGAL_STATE)
        found = await house.store.task(draft.name.removeprefix("tasks/"))
        assert (found is None) is (refusal.reason is Reason.NOT_YOURS)
