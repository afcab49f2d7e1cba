"""The worker process: runs workflows, and the activities that call the services.

It has one Temporal worker for each task queue that it serves.
"""

import asyncio
import inspect
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import grpc
import structlog
from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceStub
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub
from liaison.media.v1.publications_pb2_grpc import PublicationServiceStub
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from liaison.tasks.v1.records_pb2_grpc import RecordServiceStub
from pydantic import Field, field_validator
from pydantic_settings import NoDecode
from temporalio.contrib.opentelemetry import create_tracer_provider
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from servicekit.process import run
from servicekit.rpc.client import TIMEOUT_SECONDS, service_channel
from servicekit.rpc.server import GrpcServer, handle_stop_signals
from servicekit.settings import Address, ClientSettings, ServerSettings, TemporalSettings
from servicekit.telemetry import sampler, telemetry
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.dispute.activities import DisputeActivities
from workflows.dispute.workflow import DisputeWorkflow
from workflows.payout.activities import PayoutActivities
from workflows.payout.workflow import PayoutWorkflow
from workflows.publication.activities import PublicationActivities
from workflows.publication.workflow import PublicationWorkflow, WithdrawalWorkflow
from workflows.reconciliation.activities import ReconciliationActivities
from workflows.reconciliation.schedule import keep_schedule
from workflows.reconciliation.workflow import ReconciliationWorkflow
from workflows.task.activities import TaskActivities
from workflows.task.workflow import TaskWorkflow
from workflows.task_queues import Domain, queue_of
from workflows.temporal.client import connect

log = structlog.get_logger()

# Workflows share the process's copies of our modules, which are pure: loading them into each
# workflow's sandbox would cost more than running the workflow. The sandbox still restricts calls.
RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows", "servicekit")
)

WORKFLOWS: dict[Domain, list[type]] = {
    Domain.TASKS: [TaskWorkflow, AssignmentWorkflow],
    Domain.PAYOUTS: [PayoutWorkflow, ReconciliationWorkflow],
    Domain.DISPUTES: [DisputeWorkflow],
    Domain.MEDIA: [PublicationWorkflow, WithdrawalWorkflow],
}


# Timeout of a reconciliation: a month's report and hundreds of payments take minutes.
_RECONCILING_SECONDS = 600.0


class WorkerSettings(ServerSettings, ClientSettings, TemporalSettings):
    """`listen_address` serves health checks only."""

    # The domains whose task queues this process serves, separated by commas.
    worker_domains: Annotated[tuple[Domain, ...], NoDecode, Field(min_length=1)] = tuple(Domain)
    tasks_address: Address = "127.0.0.1:15052"
    media_address: Address = "127.0.0.1:15053"
    payouts_address: Address = "127.0.0.1:15054"
    disputes_address: Address = "127.0.0.1:15055"
    notifications_address: Address = "127.0.0.1:15056"
    # Below the pod's grace period; Temporal's own default of 0 would cut activities off.
    worker_drain_seconds: float = 20.0
    # When payouts are reconciled, in UTC. At least daily, or an alert fires; hourly by default,
    # since after a fail-over nothing is sent until a reconciliation was done.
    reconciliation_cron: str = "0 * * * *"

    @field_validator("worker_domains", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        # Each once: two workers of one process on one queue would only compete.
        if not isinstance(value, str):
            return value
        return tuple(dict.fromkeys(name.strip() for name in value.split(",")))


async def main() -> None:
    settings = WorkerSettings()  # type: ignore[call-arg]  # the environment fills it
    stop_requested = handle_stop_signals()
    with telemetry(settings, lambda resource: create_tracer_provider(sampler(), resource)):
        async with AsyncExitStack() as stack:
            if Domain.PAYOUTS in settings.worker_domains:
                await keep_schedule(await connect(settings), settings.reconciliation_cron)
            serving = await workers(settings, stack)
            health = GrpcServer(settings, [], None)
            async with running(*serving, patience_seconds=settings.worker_drain_seconds + 5):
                await health.start()
                await stop_requested.wait()
                await health.stop()


@asynccontextmanager
async def running(*workers: Worker, patience_seconds: float) -> AsyncIterator[None]:
    """Runs the workers during the block, then stops them together within `patience_seconds`.

    A stopping worker goes on retrying a failing local activity and waits for it, for ever while the
    service is down (SDK 1.35). Temporal gives its work to another worker, so the process may exit.
    """
    started: list[Worker] = []
    try:
        for worker in workers:
            await worker.__aenter__()
            started.append(worker)
        yield
    finally:
        await _stop(started, patience_seconds)


async def _stop(workers: Sequence[Worker], patience_seconds: float) -> None:
    """Drains all workers, also when one of them has failed, and then raises its error."""
    error = sys.exc_info()
    drains = [worker.__aexit__(*error) for worker in workers]
    try:
        async with asyncio.timeout(patience_seconds):
            results = await asyncio.gather(*drains, return_exceptions=True)
    except TimeoutError:
        log.error("worker_did_not_stop", patience_seconds=patience_seconds)
        return
    for result in results:
        if isinstance(result, BaseException):
            raise result


async def workers(settings: WorkerSettings, stack: AsyncExitStack) -> list[Worker]:
    """One worker per task queue that this process serves, not started yet."""
    client = await connect(settings)
    activities = await activities_by_domain(settings, stack)
    return [
        Worker(
            client,
            task_queue=queue_of(domain),
            workflows=WORKFLOWS[domain],
            activities=activities[domain],
            workflow_runner=RUNNER,
            graceful_shutdown_timeout=timedelta(seconds=settings.worker_drain_seconds),
        )
        for domain in settings.worker_domains
    ]


async def activities_by_domain(
    settings: WorkerSettings, stack: AsyncExitStack
) -> dict[Domain, list[Callable[..., Any]]]:
    """The activities of each domain, over channels that `stack` closes."""

    async def channel(address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> grpc.aio.Channel:
        return await stack.enter_async_context(
            service_channel(settings, address, timeout_seconds=timeout_seconds)
        )

    records = RecordServiceStub(await channel(settings.tasks_address))
    media = await channel(settings.media_address)
    payouts = PayoutServiceStub(await channel(settings.payouts_address))
    reconciliations = ReconciliationServiceStub(
        await channel(settings.payouts_address, _RECONCILING_SECONDS)
    )
    disputes = DisputeServiceStub(await channel(settings.disputes_address))
    notifications = NotificationServiceStub(await channel(settings.notifications_address))
    publications = PublicationServiceStub(media)
    payout = PayoutActivities(payouts)
    return {
        Domain.TASKS: [
            *activities_of(TaskActivities(records, payouts, notifications)),
            *activities_of(
                AssignmentActivities(
                    records,
                    MediaServiceStub(media),
                    ArticleServiceStub(media),
                    publications,
                    payouts,
                    notifications,
                )
            ),
            payout.release_reward,  # called by the assignment workflow when it ends unpaid
        ],
        Domain.PAYOUTS: [
            *activities_of(payout),
            *activities_of(ReconciliationActivities(reconciliations)),
        ],
        Domain.DISPUTES: activities_of(DisputeActivities(disputes, notifications)),
        Domain.MEDIA: activities_of(PublicationActivities(publications, notifications)),
    }


def activities_of(implementation: object) -> list[Callable[..., Any]]:
    """The bound methods of an object that are activities."""
    return [
        getattr(implementation, name)
        for name, method in inspect.getmembers(type(implementation), inspect.isfunction)
        if hasattr(method, "__temporal_activity_definition")
    ]


if __name__ == "__main__":
    run(main())
