"""Latency of a command: SubmitWork over gRPC, relative to a Temporal update whose handler does
nothing. The two are called alternately on the same server."""

import statistics
import time
from collections.abc import Awaitable
from uuid import uuid4

from temporalio.client import Client
from temporalio.worker import Worker

from bench.baseline_workflow import BASELINE_QUEUE, IdleWorkflow
from bench.lifecycles import Lifecycles, submit, write

_WARM_UP = 5
_COMMANDS = 60


async def command_p50_ratio(client: Client, lifecycles: Lifecycles) -> float:
    """Ratio of the medians. Each command goes to a different workflow, which waits for it."""
    creator = lifecycles.creators[0]
    ours: list[float] = []
    baseline: list[float] = []
    async with Worker(client, task_queue=BASELINE_QUEUE, workflows=[IdleWorkflow]):
        names = [await lifecycles.hire(creator) for _ in range(_WARM_UP + _COMMANDS)]
        idle = [
            await client.start_workflow(
                IdleWorkflow.run, id=f"idle/{uuid4()}", task_queue=BASELINE_QUEUE
            )
            for _ in names
        ]
        articles = [await write(creator, name) for name in names]
        for name, article, handle in zip(names, articles, idle, strict=True):
            ours.append(await _seconds(submit(creator, name, article)))
            baseline.append(await _seconds(handle.execute_update(IdleWorkflow.touch)))
        for handle in idle:
            await handle.signal(IdleWorkflow.end)
            await handle.result()
    return statistics.median(ours[_WARM_UP:]) / statistics.median(baseline[_WARM_UP:])


async def _seconds(command: Awaitable[object]) -> float:
    started = time.perf_counter()
    await command
    return time.perf_counter() - started
