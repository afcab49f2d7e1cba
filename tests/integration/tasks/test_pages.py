"""Pages of tasks, applications and assignments."""

import base64
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from servicekit.money import Money
from tests.integration.tasks.harness import INSTANT, Harness
from tests.support.serving import refused
from workflows.assignment.model import Requirement


async def _all(
    page: Callable[[str], Awaitable[Any]], items: str, size: int
) -> tuple[list[str], list[int]]:
    """The names on all pages, and the size of each page."""
    names: list[str] = []
    sizes: list[int] = []
    token = ""
    while token or not sizes:
        response = await page(token)
        found = getattr(response, items)
        assert len(found) <= size
        names += [one.name for one in found]
        sizes.append(len(found))
        token = response.next_page_token
    return names, sizes


async def _drafts(harness: Harness, count: int, brand: str = "acme") -> list[str]:
    """Newest first."""
    names = []
    for _ in range(count):
        names.append((await harness.draft(brand)).name)
        harness.now += INSTANT
    return names[::-1]


async def test_tasks_come_newest_first_a_page_at_a_time(harness: Harness) -> None:
    own = await _drafts(harness, 5)
    await _drafts(harness, 1, "other")

    def page(token: str) -> Awaitable[pb.ListTasksResponse]:
        return harness.brand().ListTasks(pb.ListTasksRequest(page_size=2, page_token=token))

    assert await _all(page, "tasks", 2) == (own, [2, 2, 1])


async def test_pages_neither_repeat_nor_miss_what_was_made_at_one_instant(harness: Harness) -> None:
    names = {(await harness.draft()).name for _ in range(5)}

    def page(token: str) -> Awaitable[pb.ListTasksResponse]:
        return harness.brand().ListTasks(pb.ListTasksRequest(page_size=2, page_token=token))

    found, _ = await _all(page, "tasks", 2)
    assert (len(found), set(found)) == (5, names)


async def test_applications_come_oldest_first(harness: Harness) -> None:
    task = await harness.task()
    names = []
    for creator in ("bea", "cem", "dan"):
        names.append((await harness.apply(task, creator)).name)
        harness.now += INSTANT

    def page(token: str) -> Awaitable[pb.ListApplicationsResponse]:
        return harness.brand().ListApplications(
            pb.ListApplicationsRequest(parent=task.name, page_size=2, page_token=token)
        )

    assert await _all(page, "applications", 2) == (names, [2, 1])
    one = pb.ListApplicationsRequest(parent=task.name)
    mine = await harness.creator("cem").ListApplications(one)
    assert [application.name for application in mine.applications] == [names[1]]
    with refused(Reason.NOT_YOURS):
        await harness.brand("other").ListApplications(one)
    with refused(Reason.NOT_FOUND):
        await harness.operator().ListApplications(
            pb.ListApplicationsRequest(parent="tasks/nothing")
        )


async def test_a_creator_lists_its_own_over_all_tasks(harness: Harness) -> None:
    names = []
    for _ in range(3):
        task = await harness.task()
        names.append((await harness.apply(task)).name)
        await harness.apply(task, "cem")
        harness.now += INSTANT

    def page(token: str) -> Awaitable[pb.ListApplicationsResponse]:
        return harness.creator().ListApplications(
            pb.ListApplicationsRequest(parent="tasks/-", page_size=1, page_token=token)
        )

    assert (await _all(page, "applications", 1))[0] == names
    for other in (harness.brand(), harness.operator()):
        with refused(Reason.INVALID_FIELDS, "parent"):
            await other.ListApplications(pb.ListApplicationsRequest(parent="tasks/-"))


async def test_assignments_are_listed_by_side_task_and_state(harness: Harness) -> None:
    first, second, foreign = await harness.task(), await harness.task(), await harness.task("other")
    await harness.assignment(first, "a1")
    harness.now += INSTANT
    await harness.assignment(second, "a2", "cem")
    harness.now += INSTANT
    await harness.assignment(foreign, "a3")

    async def seen(stub: Any, **query: Any) -> list[str]:
        request = assignments_pb2.ListAssignmentsRequest(**query)
        return [one.name for one in (await stub.ListAssignments(request)).assignments]

    assert await seen(harness.review_of()) == ["assignments/a2", "assignments/a1"]
    assert await seen(harness.review_of(), task=first.name) == ["assignments/a1"]
    assert await seen(harness.review_of(), task=foreign.name) == []
    assert await seen(harness.work_of()) == ["assignments/a3", "assignments/a1"]
    working = [assignments_pb2.Assignment.STATE_IN_PROGRESS]
    over = [assignments_pb2.Assignment.STATE_COMPLETED]
    assert await seen(harness.work_of(), states=working) == ["assignments/a3", "assignments/a1"]
    assert await seen(harness.work_of(), states=over) == []

    def page(token: str) -> Awaitable[Any]:
        return harness.work_of().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(page_size=1, page_token=token)
        )

    assert await _all(page, "assignments", 1) == (["assignments/a3", "assignments/a1"], [1, 1, 0])


def _tampered(token: str) -> dict[str, str]:
    text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    query, time, row = json.loads(text)

    def made(*parts: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")

    return {
        "of another listing": made("0" * 16, time, row),
        "no time": made(query, "yesterday", row),
        "a number for a time": made(query, 5, row),
        "too short": made(query, time),
        "no list": base64.urlsafe_b64encode(b'{"a": 1}').decode(),
        "no JSON": base64.urlsafe_b64encode(b"\xff\x00").decode(),
        "no base64": "%%%",
        "cut off": token[:-5],
        "no ASCII": "é",
        "deep": base64.urlsafe_b64encode(b"[" * 100_000).decode(),
    }


async def test_a_tampered_page_token_is_refused(harness: Harness) -> None:
    await _drafts(harness, 2)
    first = await harness.brand().ListTasks(pb.ListTasksRequest(page_size=1))
    for token in _tampered(first.next_page_token).values():
        with refused(Reason.INVALID_FIELDS, "page_token"):
            await harness.brand().ListTasks(pb.ListTasksRequest(page_size=1, page_token=token))
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await harness.brand().ListTasks(
            pb.ListTasksRequest(
                filter=pb.TaskFilter(states=[pb.Task.STATE_OPEN]),
                page_size=1,
                page_token=first.next_page_token,
            )
        )


@pytest.mark.parametrize("size", [-1, -(2**31)])
async def test_a_negative_page_size_is_refused(harness: Harness, size: int) -> None:
    with refused(Reason.INVALID_FIELDS, "page_size"):
        await harness.brand().ListTasks(pb.ListTasksRequest(page_size=size))


# The default maximum message size of a gRPC client.
_USUAL_BYTES = 4 * 1024 * 1024
_LARGE_TEXT = "\N{GRINNING FACE}" * 1000


def _fitting(
    list_page: Callable[[Any], Awaitable[Any]], request: Any
) -> Callable[[str], Awaitable[Any]]:
    """Pages of at most 200, each below the default message size of clients."""

    async def page(token: str) -> Any:
        request.page_size, request.page_token = 200, token
        response = await list_page(request)
        assert response.ByteSize() < _USUAL_BYTES
        return response

    return page


@pytest.mark.parametrize("order_by", ["", "reward desc"])
async def test_a_page_of_large_tasks_ends_early(harness: Harness, order_by: str) -> None:
    """Otherwise one brand's large tasks would break everybody's lists."""
    names = []
    for number in range(26):
        task = await harness.task(
            description=_LARGE_TEXT * 10,
            requirements=[
                pb.Requirement(text=f"{part}{_LARGE_TEXT[2:]}") for part in range(10, 60)
            ],
            reward=pb.Reward(money=Money("USD", 10_000 - number).to_message()),
        )
        names.append(task.name)
        harness.now += INSTANT
    request = pb.ListTasksRequest(order_by=order_by)
    if order_by:
        request.filter.currency_code = "USD"
    page = _fitting(harness.creator().ListTasks, request)
    found, sizes = await _all(page, "tasks", 200)
    assert found == (names if order_by else names[::-1])
    assert sum(sizes) == 26
    assert len(sizes) > 1
    assert min(sizes[:-1]) > 5


async def test_a_page_of_large_assignments_ends_early(harness: Harness) -> None:
    task = await harness.task()
    requirements = [Requirement(f"req-{number}", _LARGE_TEXT) for number in range(50)]
    names = []
    for number in range(26):
        begun, first = harness.begun(task, f"one-{number}")
        begun.requirements = requirements
        await harness.record(begun, first)
        names.append(f"assignments/one-{number}")
    page = _fitting(harness.work_of().ListAssignments, assignments_pb2.ListAssignmentsRequest())
    found, sizes = await _all(page, "assignments", 200)
    assert (len(found), set(found)) == (26, set(names))
    assert len(sizes) > 1
