"""Workers for tests: one per task queue, as in production, but with the test's activities."""

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from temporalio.client import Client
from temporalio.worker import Worker

from workflows.task_queues import Domain, queue_of
from workflows.worker import RUNNER, WORKFLOWS, WorkerSettings

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


def worker_settings(token_file: Path, **values: object) -> WorkerSettings:
    """Of a worker that nothing listens for."""
    return WorkerSettings.model_validate(
        {
            "listen_address": "127.0.0.1:1",
            "auth_jwks_file": "jwks.json",
            "auth_issuer": "issuer",
            "auth_audience": "audience",
            "service_token_file": token_file,
            **values,
        }
    )
