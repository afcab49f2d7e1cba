"""Lists: only the caller's own resources, and page tokens only for their own list."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from tests.integration.bad_input.harness import Harness, applying
from tests.support.serving import refused

List = Callable[[Any], Awaitable[Any]]


async def walked(method: List, request: Any, items: str) -> list[str]:
    """The names on all pages of one item each."""
    request.page_size = 1
    names: list[str] = []
    while True:
        page = await method(request)
        names += [item.name for item in getattr(page, items)]
        assert len(getattr(page, items)) <= 1
        if not page.next_page_token:
            return names
        request.page_token = page.next_page_token


async def test_tasks_are_listed_to_whom_they_belong_r54(harness: Harness) -> None:
    draft, one, two = await harness.draft(), await harness.published(), await harness.published()
    theirs = await harness.published("evil")
    await harness.draft("evil")

    async def listed(stub: Any, *states: pb.Task.State.ValueType) -> set[str]:
        request = pb.ListTasksRequest(filter=pb.TaskFilter(states=states))
        names = await walked(stub.ListTasks, request, "tasks")
        assert len(set(names)) == len(names)
        return set(names)

    own, open_to_all = {draft.name, one.name, two.name}, {one.name, two.name, theirs.name}
    assert await listed(harness.brand()) == own
    assert await listed(harness.brand(), pb.Task.STATE_OPEN) == own - {draft.name}
    assert await listed(harness.brand("nobody")) == set()
    assert await listed(harness.creator()) == open_to_all
    assert await listed(harness.operator) == open_to_all
    assert await listed(harness.operator, pb.Task.STATE_DRAFT) == set()


async def test_applications_are_listed_to_whom_they_belong(harness: Harness) -> None:
    task, other = await harness.published(), await harness.published("evil")
    first = await harness.application(task, "anna")
    harness.now += timedelta(seconds=1)
    second = await harness.application(task, "bob")
    harness.now += timedelta(seconds=1)
    third = await harness.application(other, "anna")

    async def listed(stub: Any, parent: str) -> list[str]:
        request = pb.ListApplicationsRequest(parent=parent)
        return await walked(stub.ListApplications, request, "applications")

    assert await listed(harness.brand(), task.name) == [first.name, second.name]
    assert await listed(harness.operator, task.name) == [first.name, second.name]
    assert await listed(harness.creator("anna"), task.name) == [first.name]
    assert await listed(harness.creator("anna"), "tasks/-") == [first.name, third.name]
    assert await listed(harness.creator("eve"), "tasks/-") == []
    for reader in (harness.brand(), harness.operator):
        async with harness.refuses(Reason.INVALID_FIELDS, "parent"):
            await listed(reader, "tasks/-")


async def test_assignments_are_listed_to_whom_they_belong_r54(harness: Harness) -> None:
    one, two = await harness.assignment("anna"), await harness.assignment("bob")
    three = await harness.assignment("anna", "evil")

    async def listed(stub: Any, **filters: Any) -> set[str]:
        request = assignments_pb2.ListAssignmentsRequest(**filters)
        return set(await walked(stub.ListAssignments, request, "assignments"))

    assert await listed(harness.works("anna")) == {one, three}
    assert await listed(harness.works("bob")) == {two}
    assert await listed(harness.reviews()) == {one, two}
    assert await listed(harness.reviews("nobody")) == set()
    expired, running = (
        assignments_pb2.Assignment.STATE_EXPIRED,
        assignments_pb2.Assignment.STATE_IN_PROGRESS,
    )
    assert await listed(harness.reviews(), states=[expired]) == set()
    assert await listed(harness.reviews(), states=[expired, running]) == {one, two}
    (task,) = {
        assignment.task
        for assignment in (
            await harness.reviews("evil").ListAssignments(assignments_pb2.ListAssignmentsRequest())
        ).assignments
    }
    # The filter gives no access to another brand's tasks.
    assert await listed(harness.reviews("acme"), task=task) == set()
    assert await listed(harness.works("anna"), task=task) == {three}


def encoded(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


async def test_a_token_is_good_for_its_own_listing_only(harness: Harness) -> None:
    task, other = await harness.published(), await harness.published()
    for creator in ("anna", "bob"):
        await harness.creator(creator).CreateApplication(applying(task))
    page = await harness.brand().ListTasks(pb.ListTasksRequest(page_size=1))
    token = page.next_page_token
    query, time, id_ = json.loads(base64.urlsafe_b64decode(token + "=="))
    tampered = [
        "nonsense",
        "ä",
        token[:-4],
        encoded("0" * 16, time, id_),
        encoded(query, "yesterday", id_),
        encoded(query, 7, id_),
        encoded(query, True, id_),
        encoded(query, time, "\x00"),
        encoded(query, time),
        encoded(query, time, "\ud800"),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ]
    for wrong in tampered:
        async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
            await harness.brand().ListTasks(pb.ListTasksRequest(page_token=wrong))
    async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
        await harness.brand().ListTasks(
            pb.ListTasksRequest(page_token=token, filter=pb.TaskFilter(states=[pb.Task.STATE_OPEN]))
        )
    page = await harness.brand().ListApplications(
        pb.ListApplicationsRequest(parent=task.name, page_size=1)
    )
    async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
        await harness.brand().ListApplications(
            pb.ListApplicationsRequest(parent=other.name, page_token=page.next_page_token)
        )
    async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
        await harness.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(page_token=token, task=task.name)
        )


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_page_token_with_an_extreme_time_is_harmless(harness: Harness, time: str) -> None:
    await harness.draft()
    await harness.draft()
    page = await harness.brand().ListTasks(pb.ListTasksRequest(page_size=1))
    query = json.loads(base64.urlsafe_b64decode(page.next_page_token + "=="))[0]
    await harness.brand().ListTasks(pb.ListTasksRequest(page_token=encoded(query, time, "a")))


async def test_a_page_token_gives_another_caller_no_access(harness: Harness) -> None:
    for _ in range(2):
        await harness.published()
    page = await harness.operator.ListTasks(pb.ListTasksRequest(page_size=1))
    stolen = pb.ListTasksRequest(page_token=page.next_page_token)
    assert not (await harness.brand("evil").ListTasks(stolen)).tasks


def _filtered(**filters: Any) -> pb.ListTasksRequest:
    return pb.ListTasksRequest(filter=pb.TaskFilter(**filters))


USD = Money("USD", 100).to_message()


@pytest.mark.parametrize(
    ("request_", "field", "rule"),
    [
        (_filtered(states=[pb.Task.STATE_OPEN] * 2), "filter.states", "UNIQUE"),
        (_filtered(states=[0]), "filter.states[0]", None),
        (_filtered(content_types=[99]), "filter.content_types[0]", None),
        (_filtered(content_types=[pb.CONTENT_TYPE_LIST] * 2), "filter.content_types", "UNIQUE"),
        (_filtered(brand="acme"), "filter.brand", "AIP-122"),
        (_filtered(brand="brands/a/b"), "filter.brand", "AIP-122"),
        (_filtered(brand="brands/a' OR 'a'='a"), "filter.brand", "AIP-122"),
        (_filtered(query="x" * 201), "filter.query", "LENGTH"),
        (_filtered(query="a\x00b"), "filter.query", "CONTROL_CHARACTERS"),
        (_filtered(query="%"), "filter.query", "WORDS"),
        (_filtered(query=" '; -- "), "filter.query", "WORDS"),
        (_filtered(reward_kind=99), "filter.reward_kind", None),
        (_filtered(currency_code="usd"), "filter.currency_code", "ISO-4217"),
        (_filtered(minimum_reward=Money("XXX", 1).to_message()), "filter.minimum_reward", None),
        (_filtered(minimum_reward=Money("USD", 0).to_message()), "filter.minimum_reward", "RANGE"),
        (
            _filtered(currency_code="EUR", minimum_reward=USD),
            "filter.minimum_reward",
            "CURRENCY",
        ),
        (
            _filtered(application_deadline_after=Timestamp(seconds=10**15)),
            "filter.application_deadline_after",
            "TIMESTAMP",
        ),
        (_filtered(is_takable=True), "filter.is_takable", "CREATORS_ONLY"),
        (pb.ListTasksRequest(order_by="id"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="create_time DESC"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="create_time asc"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="create_time, id"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="create_time; DROP TABLE task"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by=" "), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="\x00"), "order_by", "AIP-132"),
        (pb.ListTasksRequest(order_by="reward desc"), "order_by", "CURRENCY"),
    ],
)
async def test_an_invalid_filter_or_order_names_its_field(
    harness: Harness, request_: pb.ListTasksRequest, field: str, rule: str | None
) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, field) as caught:
        await harness.brand().ListTasks(request_)
    assert rule in (None, caught.value.violations[0].rule)


async def test_an_unknown_order_is_refused_with_the_allowed_ones(harness: Harness) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "order_by") as caught:
        await harness.brand().ListTasks(pb.ListTasksRequest(order_by="title"))
    for allowed in ("create_time desc", "application_deadline_time", "reward desc"):
        assert f"`{allowed}`" in caught.value.violations[0].description


async def test_a_token_is_good_for_its_own_filter_and_order_only(harness: Harness) -> None:
    for _ in range(3):
        await harness.published()
    listings = [
        pb.ListTasksRequest(),
        _filtered(states=[pb.Task.STATE_OPEN]),
        _filtered(states=[pb.Task.STATE_OPEN, pb.Task.STATE_DRAFT]),
        _filtered(content_types=[pb.CONTENT_TYPE_ARTICLE]),
        _filtered(brand="brands/acme"),
        _filtered(query="review"),
        _filtered(reward_kind=pb.REWARD_KIND_MONEY),
        _filtered(currency_code="USD"),
        _filtered(minimum_reward=USD),
        _filtered(minimum_reward=Money("USD", 101).to_message()),
        _filtered(application_deadline_after=to_timestamp(harness.now)),
        pb.ListTasksRequest(order_by="create_time"),
        pb.ListTasksRequest(order_by="application_deadline_time"),
        pb.ListTasksRequest(order_by="submission_deadline_time"),
        pb.ListTasksRequest(filter=pb.TaskFilter(currency_code="USD"), order_by="reward desc"),
    ]
    tokens = []
    for listing in listings:
        listing.page_size = 1
        tokens.append((await harness.brand().ListTasks(listing)).next_page_token)
    assert all(tokens)
    for number, listing in enumerate(listings):
        for other, token in enumerate(tokens):
            listing.page_token = token
            if number == other:
                assert len((await harness.brand().ListTasks(listing)).tasks) == 1
                continue
            with refused(Reason.INVALID_FIELDS, "page_token"):
                await harness.brand().ListTasks(listing)


@pytest.mark.parametrize("key", [2**63, -(2**63), 1.5, True, "7", None, "2026-03-01T00:00:00Z"])
async def test_a_forged_reward_in_a_token_is_refused(harness: Harness, key: object) -> None:
    for _ in range(2):
        await harness.published()
    listing = pb.ListTasksRequest(
        filter=pb.TaskFilter(currency_code="USD"), order_by="reward desc", page_size=1
    )
    token = (await harness.brand().ListTasks(listing)).next_page_token
    query, reward_minor, id_ = json.loads(base64.urlsafe_b64decode(token + "=="))
    assert reward_minor == 10_000
    listing.page_token = encoded(query, key, id_)
    async with harness.refuses(Reason.INVALID_FIELDS, "page_token"):
        await harness.brand().ListTasks(listing)


@pytest.mark.parametrize("size", [-1, -(2**31)])
async def test_a_negative_page_size_is_refused_and_a_huge_one_is_limited(
    harness: Harness, size: int
) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "page_size"):
        await harness.brand().ListTasks(pb.ListTasksRequest(page_size=size))
    async with harness.refuses(Reason.INVALID_FIELDS, "page_size"):
        await harness.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(page_size=size)
        )
    await harness.brand().ListTasks(pb.ListTasksRequest(page_size=2**31 - 1))


async def test_an_unknown_state_is_named(harness: Harness) -> None:
    async with harness.refuses(Reason.INVALID_FIELDS, "filter.states[0]"):
        await harness.brand().ListTasks(
            pb.ListTasksRequest(filter=pb.TaskFilter(states=[pb.Task.State.ValueType(99)]))
        )
    async with harness.refuses(Reason.INVALID_FIELDS, "states[0]"):
        await harness.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(
                states=[assignments_pb2.Assignment.State.ValueType(99)]
            )
        )
    async with harness.refuses(Reason.INVALID_FIELDS, "after_sequence"):
        await harness.reviews().ListTransitions(
            assignments_pb2.ListTransitionsRequest(parent="assignments/a1", after_sequence=-1)
        )
