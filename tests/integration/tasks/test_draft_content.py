"""The content of a draft: which fields are required, allowed and refused."""

from typing import Any

import pytest
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from servicekit.timestamps import to_timestamp
from tests.integration.tasks.harness import DAY, Harness
from tests.support.serving import refused, request_id


def _update(task: pb.Task, **changes: object) -> pb.UpdateTaskRequest:
    request = pb.UpdateTaskRequest(task=task, request_id=request_id())
    for name, value in changes.items():
        setattr(request.task, name, value)
    return request


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


async def test_only_live_streams_have_a_channel(harness: Harness) -> None:
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
