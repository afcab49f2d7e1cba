"""Ten thousand applications for one task: none is lost or duplicated, each notified once."""

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import grpc
import pytest
from liaison.tasks.v1 import records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from servicekit.errors import Reason
from tests.integration.tasks.harness import Harness, id_of
from tests.support.serving import refused, request_id

if TYPE_CHECKING:  # the stubs' async face is there for type checkers only
    from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceAsyncStub

_CREATORS = [f"creator-{number}" for number in range(10_000)]
_AT_ONCE = 64
_SLOTS = 200


async def _apply(harness: Harness, task: pb.Task) -> list[pb.Application]:
    """Applies concurrently, over one connection."""
    waiting = iter(_CREATORS)
    answers: list[pb.Application] = []

    async def some(stub: "TaskServiceAsyncStub") -> None:
        for creator in waiting:
            token = harness.served.access.token("creator", creator=creator)
            request = pb.CreateApplicationRequest(
                parent=task.name,
                application=pb.Application(message=f"I am {creator}"),
                request_id=request_id(),
            )
            metadata = (("authorization", f"Bearer {token}"),)
            answers.append(await stub.CreateApplication(request, metadata=metadata))

    async with grpc.aio.insecure_channel(harness.served.address) as channel:
        stub: TaskServiceAsyncStub = TaskServiceStub(channel)
        await asyncio.gather(*(some(stub) for _ in range(_AT_ONCE)))
    return answers


async def _listed(harness: Harness, task: pb.Task) -> list[pb.Application]:
    found: list[pb.Application] = []
    request = pb.ListApplicationsRequest(parent=task.name, page_size=200)
    while True:
        page = await harness.brand().ListApplications(request)
        found += page.applications
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def _lapse_the_rest(harness: Harness, task: pb.Task, selected: list[str]) -> list[list[str]]:
    """As the task's workflow does it: each batch is notified before the next is requested."""
    batches: list[list[str]] = []
    request = records_pb2.LapseApplicationsRequest(
        name=task.name, selected_application_ids=selected
    )
    while creators := (await harness.worker().LapseApplications(request)).creators:
        batches.append(list(creators))
        del request.notified_creators[:]
        request.notified_creators.extend(creators)
    return batches


@pytest.mark.rule("R23", "R25")
async def test_of_ten_thousand_applicants_all_not_selected_are_notified_once(
    harness: Harness,
) -> None:
    task = await harness.task(creator_slots=_SLOTS)
    made = await _apply(harness, task)
    everybody = {f"creators/{creator}" for creator in _CREATORS}
    assert {one.creator for one in made} == everybody
    for one in made:
        assert one.message == f"I am {one.creator.removeprefix('creators/')}"

    listed = await _listed(harness, task)
    assert len(listed) == len(made)
    assert {one.name: one for one in listed} == {one.name: one for one in made}

    chosen = listed[:: len(listed) // _SLOTS]
    for half in (chosen[::2], chosen[1::2]):
        assert len(await harness.select(task, half)) == _SLOTS // 2
    await harness.brand().EndSelection(
        pb.EndSelectionRequest(name=task.name, request_id=request_id())
    )
    with refused(Reason.ILLEGAL_STATE):
        await harness.apply(task, "late")

    batches = await _lapse_the_rest(harness, task, [id_of(one) for one in chosen])
    notified = Counter(creator for batch in batches for creator in batch)
    assert set(notified) == everybody - {one.creator for one in chosen}
    assert set(notified.values()) == {1}
    assert max(map(len, batches)) <= 500
    states = Counter(one.state for one in await _listed(harness, task))
    assert states == {
        pb.Application.STATE_SELECTED: _SLOTS,
        pb.Application.STATE_LAPSED: len(_CREATORS) - _SLOTS,
    }
