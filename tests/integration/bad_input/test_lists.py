"""Pages: only what is one's own, and only with a token of the very listing."""

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2
from liaison.tasks.v1 import tasks_pb2 as pb

from servicekit.errors import Reason
from tests.integration.bad_input.house import House, applying

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


async def test_tasks_are_listed_to_whom_they_belong_r54(house: House) -> None:
    draft, one, two = await house.draft(), await house.published(), await house.published()
    theirs, hidden = await house.published("evil"), await house.draft("evil")

    async def listed(
        stub: Any, state: pb.Task.State.ValueType = pb.Task.STATE_UNSPECIFIED
    ) -> set[str]:
        names = await walked(stub.ListTasks, pb.ListTasksRequest(state=state), "tasks")
        assert len(set(names)) == len(names)
        return set(names)

    own, open_to_all = {draft.name, one.name, two.name}, {one.name, two.name, theirs.name}
    assert await listed(house.brand()) == own
    assert await listed(house.brand(), pb.Task.STATE_OPEN) == own - {draft.name}
    assert await listed(house.brand("nobody")) == set()
    assert await listed(house.creator()) == open_to_all
    assert await listed(house.operator) == own | {theirs.name, hidden.name}


async def test_applications_are_listed_to_whom_they_belong(house: House) -> None:
    task, other = await house.published(), await house.published("evil")
    first = await house.application(task, "anna")
    house.now += timedelta(seconds=1)
    second = await house.application(task, "bob")
    house.now += timedelta(seconds=1)
    third = await house.application(other, "anna")

    async def listed(stub: Any, parent: str) -> list[str]:
        request = pb.ListApplicationsRequest(parent=parent)
        return await walked(stub.ListApplications, request, "applications")

    assert await listed(house.brand(), task.name) == [first.name, second.name]
    assert await listed(house.operator, task.name) == [first.name, second.name]
    assert await listed(house.creator("anna"), task.name) == [first.name]
    assert await listed(house.creator("anna"), "tasks/-") == [first.name, third.name]
    assert await listed(house.creator("eve"), "tasks/-") == []
    for reader in (house.brand(), house.operator):
        async with house.refuses(Reason.INVALID_FIELDS, "parent"):
            await listed(reader, "tasks/-")


async def test_assignments_are_listed_to_whom_they_belong_r54(house: House) -> None:
    one, two = await house.assignment("anna"), await house.assignment("bob")
    three = await house.assignment("anna", "evil")

    async def listed(stub: Any, **filters: Any) -> set[str]:
        request = assignments_pb2.ListAssignmentsRequest(**filters)
        return set(await walked(stub.ListAssignments, request, "assignments"))

    assert await listed(house.works("anna")) == {one, three}
    assert await listed(house.works("bob")) == {two}
    assert await listed(house.reviews()) == {one, two}
    assert await listed(house.reviews("nobody")) == set()
    expired, running = (
        assignments_pb2.Assignment.STATE_EXPIRED,
        assignments_pb2.Assignment.STATE_IN_PROGRESS,
    )
    assert await listed(house.reviews(), states=[expired]) == set()
    assert await listed(house.reviews(), states=[expired, running]) == {one, two}
    (task,) = {
        assignment.task
        for assignment in (
            await house.reviews("evil").ListAssignments(assignments_pb2.ListAssignmentsRequest())
        ).assignments
    }
    # The filter opens nothing that is somebody else's.
    assert await listed(house.reviews("acme"), task=task) == set()
    assert await listed(house.works("anna"), task=task) == {three}


def encoded(*parts: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


async def test_a_token_is_good_for_its_own_listing_only(house: House) -> None:
    task, other = await house.published(), await house.published()
    for creator in ("anna", "bob"):
        await house.creator(creator).CreateApplication(applying(task))
    page = await house.brand().ListTasks(pb.ListTasksRequest(page_size=1))
    token = page.next_page_token
    query, time, id_ = json.loads(base64.urlsafe_b64decode(token + "=="))
    tampered = [
        "nonsense",
        "ä",
        token[:-4],
        encoded("0" * 16, time, id_),
        encoded(query, "yesterday", id_),
        encoded(query, 7, id_),
        encoded(query, time, "\x00"),
        encoded(query, time),
        encoded(query, time, "\ud800"),
        base64.urlsafe_b64encode(b"{}").decode(),
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ]
    for wrong in tampered:
        async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
            await house.brand().ListTasks(pb.ListTasksRequest(page_token=wrong))
    async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
        await house.brand().ListTasks(
            pb.ListTasksRequest(page_token=token, state=pb.Task.STATE_OPEN)
        )
    page = await house.brand().ListApplications(
        pb.ListApplicationsRequest(parent=task.name, page_size=1)
    )
    async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
        await house.brand().ListApplications(
            pb.ListApplicationsRequest(parent=other.name, page_token=page.next_page_token)
        )
    async with house.refuses(Reason.INVALID_FIELDS, "page_token"):
        await house.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(page_token=token, task=task.name)
        )


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
async def test_a_token_of_the_end_of_time_does_no_harm(house: House, time: str) -> None:
    await house.draft()
    await house.draft()
    page = await house.brand().ListTasks(pb.ListTasksRequest(page_size=1))
    query = json.loads(base64.urlsafe_b64decode(page.next_page_token + "=="))[0]
    await house.brand().ListTasks(pb.ListTasksRequest(page_token=encoded(query, time, "a")))


async def test_a_token_brings_another_caller_to_nothing_new(house: House) -> None:
    for _ in range(2):
        await house.published()
    page = await house.operator.ListTasks(pb.ListTasksRequest(page_size=1))
    stolen = pb.ListTasksRequest(page_token=page.next_page_token)
    assert not (await house.brand("evil").ListTasks(stolen)).tasks


@pytest.mark.parametrize("size", [-1, -(2**31)])
async def test_a_negative_page_is_refused_and_a_huge_one_is_cut(house: House, size: int) -> None:
    async with house.refuses(Reason.INVALID_FIELDS, "page_size"):
        await house.brand().ListTasks(pb.ListTasksRequest(page_size=size))
    async with house.refuses(Reason.INVALID_FIELDS, "page_size"):
        await house.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(page_size=size)
        )
    await house.brand().ListTasks(pb.ListTasksRequest(page_size=2**31 - 1))


async def test_an_unknown_state_is_named(house: House) -> None:
    async with house.refuses(Reason.INVALID_FIELDS, "state"):
        await house.brand().ListTasks(pb.ListTasksRequest(state=pb.Task.State.ValueType(99)))
    async with house.refuses(Reason.INVALID_FIELDS, "states[0]"):
        await house.reviews().ListAssignments(
            assignments_pb2.ListAssignmentsRequest(
                states=[assignments_pb2.Assignment.State.ValueType(99)]
            )
        )
    async with house.refuses(Reason.INVALID_FIELDS, "after_sequence"):
        await house.reviews().ListTransitions(
            assignments_pb2.ListTransitionsRequest(parent="assignments/a1", after_sequence=-1)
        )
