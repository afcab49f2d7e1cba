"""Missing and invalid fields: all of them are named at once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money as MoneyMessage
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from servicekit.timestamps import to_timestamp
from tests.integration.bad_input.harness import Harness, applying, named, submitting
from tests.support.serving import request_id

LINK = "https://example.com/work"


def reward(units: int = 100, nanos: int = 0, currency: str = "USD") -> pb.Reward:
    return pb.Reward(money=MoneyMessage(currency_code=currency, units=units, nanos=nanos))


def product(title: str = "A lamp", link: str = "") -> pb.Reward:
    return pb.Reward(product=pb.ProductReward(title=title, link=link))


async def test_everything_that_is_missing_is_named_at_once(harness: Harness) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "task", "request_id"):
        await harness.brand().CreateTask(pb.CreateTaskRequest())
    task = pb.Task(requirements=[pb.Requirement(text="Show it"), pb.Requirement()])
    async with harness.refuses(
        Reason.INVALID_FIELDS,
        "request_id",
        "task.title",
        "task.content_types",
        "task.requirements[1].text",
        "task.reward",
        "task.creator_slots",
        "task.application_deadline_time",
        "task.submission_deadline_time",
    ) as caught:
        await harness.brand().CreateTask(pb.CreateTaskRequest(task=task))
    assert {violation.rule for violation in caught.value.violations} == {"REQUIRED"}
    assert all(violation.description for violation in caught.value.violations)
    async with harness.refuses(Reason.INVALID_FIELDS, "name", "comment", "request_id"):
        await harness.brand().CancelTask(pb.CancelTaskRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "name", "request_id"):
        await harness.brand().DeleteTask(pb.DeleteTaskRequest())
    for kind, method in (
        (pb.DeleteTaskRequest, harness.brand().DeleteTask),
        (pb.PublishTaskRequest, harness.brand().PublishTask),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, "name", "etag"):
            await method(kind(name="task/1", etag="1" * 41, request_id=request_id()))
    async with harness.refuses(Reason.INVALID_FIELDS, "parent", "applications", "request_id"):
        await harness.brand().SelectApplications(pb.SelectApplicationsRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "name", "submission", "request_id"):
        await harness.works().SubmitWork(assignments_pb2.SubmitWorkRequest())
    async with harness.refuses(Reason.INVALID_FIELDS, "task.name", "task.etag"):
        await harness.brand().UpdateTask(
            pb.UpdateTaskRequest(task=harness.task(), request_id=request_id())
        )


FAR = Timestamp(seconds=int(datetime(2100, 1, 1, tzinfo=UTC).timestamp()))
BEYOND = Timestamp(seconds=10**15)


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("title", "x" * 121, "LENGTH"),
        ("title", "a\x00b", "CONTROL_CHARACTERS"),
        ("title", " \t\n", "BLANK"),
        ("title", "\u3000\u200b\u00a0", "BLANK"),
        ("description", "x" * 10_001, "LENGTH"),
        ("content_types", [pb.CONTENT_TYPE_LIST, pb.CONTENT_TYPE_LIST], "UNIQUE"),
        ("requirements", [pb.Requirement(text=str(n)) for n in range(51)], "COUNT"),
        ("creator_slots", -1, "RANGE"),
        ("creator_slots", 1001, "RANGE"),
        ("policy", "policies/unheard-of", None),
        ("policy", "standard", "AIP-122"),
        ("policy", "policies/accelerated", "OFFERED"),
        ("completion_rule", 99, None),
        ("funding", 99, None),
        ("live_stream_channel", 99, None),
        ("live_stream_channel", pb.LIVE_STREAM_CHANNEL_BRAND_ACCOUNT, "LIVE_STREAM_ONLY"),
        ("live_stream_channel", pb.LIVE_STREAM_CHANNEL_CREATOR_ACCOUNT, "LIVE_STREAM_ONLY"),
        ("application_deadline_time", FAR, "RANGE"),
        ("submission_deadline_time", FAR, "RANGE"),
        ("application_deadline_time", BEYOND, "TIMESTAMP"),
        ("submission_deadline_time", Timestamp(seconds=1, nanos=-1), "TIMESTAMP"),
    ],
)
async def test_an_invalid_field_is_named(
    harness: Harness, field: str, value: Any, rule: str | None
) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, f"task.{field}") as caught:
        await harness.brand().CreateTask(harness.creation(**{field: value}))
    assert rule in (None, caught.value.violations[0].rule)


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("task.requirements[0].text", {"requirements": [pb.Requirement(text="x" * 1001)]}),
        (
            "task.requirements[1].text",
            {"requirements": [pb.Requirement(text="Show it"), pb.Requirement(text="\u2003 ")]},
        ),
        ("task.content_types[1]", {"content_types": [pb.CONTENT_TYPE_LIST, 99]}),
        ("task.content_types[0]", {"content_types": [0]}),
        (
            "task.eligibility.account_classes[0]",
            {
                "eligibility": pb.Eligibility(
                    account_classes=[creators_pb2.AccountClass.ValueType(0)]
                )
            },
        ),
        (
            "task.eligibility.minimum_level",
            {"eligibility": pb.Eligibility(minimum_level=creators_pb2.CreatorLevel.ValueType(99))},
        ),
        ("task.reward.money", {"reward": reward(nanos=123_000_000)}),
        ("task.reward.money", {"reward": reward(currency="XXX")}),
        ("task.reward.money", {"reward": reward(currency="usd")}),
        ("task.reward.money", {"reward": reward(currency="JPY")}),
        ("task.reward.money", {"reward": reward(-1)}),
        ("task.reward.money", {"reward": reward(1, -2_000_000_000)}),
        ("task.reward.money", {"reward": reward(0)}),
        ("task.reward.money", {"reward": reward(2**62)}),
        ("task.reward.money", {"reward": pb.Reward(money=MoneyMessage())}),
        ("task.reward", {"reward": pb.Reward()}),
        ("task.reward.product.title", {"reward": product("")}),
        ("task.reward.product.title", {"reward": product(" \u200b")}),
        ("task.reward.product.title", {"reward": product("x" * 201)}),
        ("task.reward.product.title", {"reward": product("a\x00b")}),
        ("task.reward.product.link", {"reward": product(link="http://example.com")}),
        ("task.reward.product.link", {"reward": product(link="javascript:alert(1)")}),
        ("task.reward.product.link", {"reward": product(link="https://x.com/\0a")}),
        ("task.reward.product.link", {"reward": product(link="https://me@example.com")}),
        ("task.funding", {"reward": product(), "funding": pb.FUNDING_ESCROW}),
        ("task.funding", {"reward": product(), "funding": pb.FUNDING_ON_APPROVAL}),
    ],
)
async def test_a_field_deep_inside_is_named_by_its_path(
    harness: Harness, field: str, changes: dict[str, Any]
) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, field):
        await harness.brand().CreateTask(harness.creation(**changes))


async def test_deadlines_follow_each_other(harness: Harness) -> None:
    closes = harness.now + timedelta(days=1)
    selected = closes + timedelta(days=3)
    async with harness.refuses(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await harness.draft(submission_deadline_time=to_timestamp(selected))
    async with harness.refuses(Reason.INVALID_FIELDS, "task.selection_deadline_time"):
        await harness.draft(selection_deadline_time=to_timestamp(closes - timedelta(seconds=1)))
    async with harness.refuses(Reason.INVALID_FIELDS, "task.submission_deadline_time"):
        await harness.draft(
            selection_deadline_time=to_timestamp(selected + timedelta(days=1)),
            submission_deadline_time=to_timestamp(selected + timedelta(days=1)),
        )


@pytest.mark.parametrize("text", ["1", "not-a-uuid", "{" + "0" * 32 + "}", "0" * 32, "\x00"])
async def test_a_request_id_is_a_uuid(harness: Harness, text: str) -> None:
    request = harness.creation()
    request.request_id = text
    async with harness.refuses(Reason.INVALID_FIELDS, "request_id") as caught:
        await harness.brand().CreateTask(request)
    assert caught.value.violations[0].rule == "AIP-155"


@pytest.mark.parametrize(
    "name", ["1", "tasks/", "tasks/a/b", "Tasks/a", "tasks/a\n", "tasks/\x00", "tasks/" + "a" * 64]
)
async def test_a_malformed_name_is_refused(harness: Harness, name: str) -> None:
    task = pb.Task(name=name)
    async with harness.refuses(Reason.INVALID_FIELDS, "name"):
        await harness.brand().GetTask(pb.GetTaskRequest(name=name))
    async with harness.refuses(Reason.INVALID_FIELDS, "name"):
        await harness.brand().PublishTask(named(pb.PublishTaskRequest, task))
    async with harness.refuses(Reason.INVALID_FIELDS, "parent"):
        await harness.creator().CreateApplication(applying(task))
    async with harness.refuses(Reason.INVALID_FIELDS, "name"):
        await harness.creator().GetApplication(pb.GetApplicationRequest(name=name))
    async with harness.refuses(Reason.INVALID_FIELDS, "name"):
        await harness.works().SubmitWork(submitting(name))
    async with harness.refuses(Reason.INVALID_FIELDS, "task"):
        await harness.works().ListAssignments(assignments_pb2.ListAssignmentsRequest(task=name))


async def test_selections_name_each_application_once(harness: Harness) -> None:
    task = await harness.published()
    name = (await harness.application(task)).name
    for names, field in (
        ([name, name], "applications"),
        ([f"{task.name}/applications/{number}" for number in range(101)], "applications"),
        ([name, "applications/1"], "applications[1]"),
        ([name, f"{task.name}/applications/unknown"], "applications"),
    ):
        async with harness.refuses(Reason.INVALID_FIELDS, field):
            await harness.brand().SelectApplications(
                pb.SelectApplicationsRequest(
                    parent=task.name, applications=names, request_id=request_id()
                )
            )
    assert not harness.workflows.commands


async def test_another_tasks_application_cannot_be_selected(harness: Harness) -> None:
    task, other = await harness.published(), await harness.published()
    foreign = await harness.application(other)
    async with harness.refuses(Reason.INVALID_FIELDS, "applications"):
        await harness.brand().SelectApplications(
            pb.SelectApplicationsRequest(
                parent=task.name, applications=[foreign.name], request_id=request_id()
            )
        )


@pytest.mark.parametrize(
    ("field", "work"),
    [
        ("submission", {"note": "Nothing yet"}),
        ("submission.note", {"note": "x" * 2001, "links": [LINK]}),
        ("submission.links", {"links": [f"{LINK}/{number}" for number in range(21)]}),
        ("submission.links", {"links": [LINK, LINK]}),
        ("submission.links[1]", {"links": [LINK, "http://example.com"]}),
        ("submission.links[0]", {"links": ["javascript:alert(1)"]}),
        ("submission.links[0]", {"links": ["https://user@example.com"]}),
        ("submission.links[0]", {"links": ["https://["]}),
        ("submission.links[0]", {"links": ["https://x.com/\0"]}),
        ("submission.links[0]", {"links": ["https://example.com/" + "x" * 2000]}),
        ("submission.media_objects[0]", {"media_objects": ["uploads/1"]}),
        ("submission.media_objects", {"media_objects": [f"mediaObjects/{n}" for n in range(51)]}),
    ],
)
async def test_invalid_work_is_refused(harness: Harness, field: str, work: dict[str, Any]) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, field):
        await harness.works().SubmitWork(submitting("assignments/a1", **work))
    assert not harness.workflows.commands
