"""Selections whose workflow is still deciding, for as long as a test wants."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from liaison.tasks.v1 import tasks_pb2 as pb

from tests.integration.tasks.harness import Harness
from tests.support.serving import request_id
from workflows.task.model import Selection


def select_request(task: pb.Task, *applications: pb.Application) -> pb.SelectApplicationsRequest:
    return pb.SelectApplicationsRequest(
        parent=task.name,
        applications=[one.name for one in applications],
        request_id=request_id(),
    )


@asynccontextmanager
async def workflow_deciding(
    harness: Harness, request: pb.SelectApplicationsRequest
) -> AsyncIterator["asyncio.Task[pb.SelectApplicationsResponse]"]:
    """Within the context the workflow is deciding on a selection."""
    begun, may_end = asyncio.Event(), asyncio.Event()
    select = harness.workflows.select

    async def slow(task_id: str, actor: str, selections: list[Selection], request_id: str) -> None:
        begun.set()
        await may_end.wait()
        await select(task_id, actor, selections, request_id)

    harness.workflows.select = slow  # type: ignore[method-assign]  # for this long
    answer: asyncio.Task[pb.SelectApplicationsResponse] = asyncio.ensure_future(
        harness.brand().SelectApplications(request)
    )
    await asyncio.wait_for(begun.wait(), 10)
    harness.workflows.select = select  # type: ignore[method-assign]  # as it was
    yield answer
    may_end.set()
    await asyncio.wait([answer])
