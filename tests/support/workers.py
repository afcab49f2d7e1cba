"""Workers for tests: like production's, one a task queue, but with activities of the test's own."""

from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from workflows.task_queues import Domain, queue_of
from workflows.worker import RUNNER, WORKFLOWS

ALL_WORKFLOWS: list[type] = list(chain.from_iterable(WORKFLOWS.values()))


def workers_for(
    client: Client,
    prefix: str,
    activities: Sequence[Callable[..., Any]],
    domains: Sequence[Domain] = tuple(Domain),
) -> list[Worker]:
    """A worker for each domain's queue under `prefix`; each has all of `activities`."""
    return [
        Worker(
            client,
            task_queue=queue_of(domain, prefix),
            workflows=WORKFLOWS[domain],
            activities=activities,
            workflow_runner=RUNNER,
        )
        for domain in domains
    ]
