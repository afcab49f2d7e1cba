"""Lifecycle of a paid article with one revision round: its history events, and the rate relative to
a bare workflow with the same number of updates and activities on the same server."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from temporalio.client import Client
from temporalio.worker import Worker

from bench.baseline_workflow import BASELINE_QUEUE, BaselineWorkflow, note, pay, run_baseline
from bench.command_latency import command_p50_ratio
from bench.lifecycles import Lifecycles
from bench.processes import PROCESSES
from bench.result import Result
from devstack.home import Home
from devstack.stack import Stack
from workflows import ids

_LIFECYCLES = 24
_AT_ONCE = 8
_RUNS = 3


async def results() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        async with (
            Stack(Home(Path(folder) / "home"), processes=PROCESSES, durable=False) as stack,
            AsyncExitStack() as exits,
        ):
            lifecycles = await Lifecycles.prepare(stack.access, exits, creators=_AT_ONCE)
            client = await Client.connect(stack.access.addresses["temporal"])
            warm = await lifecycles.run(0)
            events = await _history_events(client, warm)
            command = await command_p50_ratio(client, lifecycles)
            ratio = statistics.median([await _ratio(client, lifecycles) for _ in range(_RUNS)])
    return [
        Result("lifecycle.history_events", events, "events", "<= 110"),
        Result("lifecycle.throughput_ratio", ratio, "ratio", ">= 0.5"),
        Result("lifecycle.command_p50_ratio", command, "ratio", "<= 2"),
    ]


async def _history_events(client: Client, assignment_id: str) -> int:
    """History events of task, assignment and payout together, after all three have ended."""
    task_id = await _parent_of(client, assignment_id)
    total = 0
    for workflow_id in (
        task_id,
        ids.assignment(assignment_id),
        ids.payout(assignment_id),
    ):
        handle = client.get_workflow_handle(workflow_id)
        await handle.result()
        total += (await handle.describe()).history_length
    return total


async def _parent_of(client: Client, assignment_id: str) -> str:
    description = await client.get_workflow_handle(ids.assignment(assignment_id)).describe()
    if description.parent_id is None:
        raise RuntimeError("the assignment has no parent workflow")
    return description.parent_id


async def _ratio(client: Client, lifecycles: Lifecycles) -> float:
    """Our rate divided by that of the bare workflow, measured one after the other."""
    started = time.perf_counter()
    await _at_once([lifecycles.run(number % _AT_ONCE) for number in range(_LIFECYCLES)])
    ours = time.perf_counter() - started
    async with Worker(
        client, task_queue=BASELINE_QUEUE, workflows=[BaselineWorkflow], activities=[note, pay]
    ):
        started = time.perf_counter()
        await _at_once([run_baseline(client) for _ in range(_LIFECYCLES)])
        baseline = time.perf_counter() - started
    return baseline / ours


async def _at_once(lifecycles: Sequence[Awaitable[object]]) -> None:
    limit = asyncio.Semaphore(_AT_ONCE)

    async def one(lifecycle: Awaitable[object]) -> None:
        async with limit:
            await lifecycle

    await asyncio.gather(*(one(lifecycle) for lifecycle in lifecycles))
