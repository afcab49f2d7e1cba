"""Rate of GetAssignment, relative to an echo of a message of the same size."""

import statistics
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
from liaison.tasks.v1 import assignments_pb2

from bench import echo
from bench.lifecycles import Lifecycles
from bench.load import EncodedRequest, RawClient
from bench.processes import PROCESSES
from bench.result import Result
from devstack.access import Access
from devstack.home import Home
from devstack.stack import Stack

_ASSIGNMENTS = 1_000
_WARM_UP_SECONDS = 3.0
_SLICE_SECONDS = 2.0
_SLICES = 7
_PATH = "/liaison.tasks.v1.AssignmentService/GetAssignment"


async def results() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        async with (
            Stack(Home(Path(folder) / "home"), processes=PROCESSES, durable=False) as stack,
            echo.echo_server() as echo_address,
            AsyncExitStack() as exits,
        ):
            reads, size = await _reads(stack.access, exits)
            ours = await exits.enter_async_context(
                RawClient(stack.access.addresses["tasks"], _PATH)
            )
            baseline = await exits.enter_async_context(RawClient(echo_address, echo.PATH))
            echoes = [EncodedRequest(bytes(size), reads[0].token)]
            for client, requests in ((ours, reads), (baseline, echoes)):
                await client.rate_for(_WARM_UP_SECONDS, requests)
            ratios = [
                await ours.rate_for(_SLICE_SECONDS, reads)
                / await baseline.rate_for(_SLICE_SECONDS, echoes)
                for _ in range(_SLICES)
            ]
    return [
        Result("rpc.get_assignment.ratio_to_echo", statistics.median(ratios), "ratio", ">= 0.5")
    ]


async def _reads(access: Access, exits: AsyncExitStack) -> tuple[list[EncodedRequest], int]:
    """GetAssignment requests for many assignments, and the size of an assignment in bytes."""
    lifecycles = await Lifecycles.prepare(access, exits, creators=1)
    assignment_id = await lifecycles.run(0)
    assignment = await lifecycles.creators[0].assignments.GetAssignment(
        assignments_pb2.GetAssignmentRequest(name=f"assignments/{assignment_id}")
    )
    ids = [uuid4().hex for _ in range(_ASSIGNMENTS)]
    await _copy(access, assignment_id, ids)
    token = access.token("creator", creator=assignment.creator.removeprefix("creators/"))
    requests = [
        assignments_pb2.GetAssignmentRequest(name=f"assignments/{id_}").SerializeToString()
        for id_ in ids
    ]
    return [EncodedRequest(request, token) for request in requests], assignment.ByteSize()


async def _copy(access: Access, assignment_id: str, ids: list[str]) -> None:
    """Copies the assignment by SQL: running every lifecycle would take minutes."""
    async with await psycopg.AsyncConnection.connect(access.service_url("tasks")) as connection:
        await connection.execute(
            """
            INSERT INTO assignment (id, task_id, brand_id, creator_id, state, sequence, message,
                                    create_time)
            SELECT copy, task_id, brand_id, creator_id, state, sequence, message, create_time
              FROM assignment, unnest(%s::text[]) AS copy WHERE id = %s
            """,
            (ids, assignment_id),
        )
        await connection.execute("ANALYZE assignment")
