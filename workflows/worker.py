"""The worker process: runs every workflow, and the activities that call the services."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta

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
from temporalio.contrib.opentelemetry import create_tracer_provider
from temporalio.worker import Worker
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from servicekit.process import run
from servicekit.rpc.client import TIMEOUT_SECONDS, service_channel
from servicekit.rpc.server import GrpcServer, listen_for_stop
from servicekit.settings import ClientSettings, ServerSettings, TemporalSettings
from servicekit.telemetry import sampler, telemetry
from workflows import ids
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.client import connect
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

log = structlog.get_logger()

# Our modules are pure, so workflows may share the process's copies: loading them anew into each
# workflow's sandbox would cost more than running it. What they may call is restricted all the same.
RUNNER = SandboxedWorkflowRunner(
    restrictions=SandboxRestrictions.default.with_passthrough_modules("workflows", "servicekit")
)

WORKFLOWS = [
    TaskWorkflow,
    AssignmentWorkflow,
    PayoutWorkflow,
    DisputeWorkflow,
    PublicationWorkflow,
    WithdrawalWorkflow,
    ReconciliationWorkflow,
]


# A month's report and a look at hundreds of payments take minutes.
_RECONCILING_SECONDS = 600.0


class WorkerSettings(ServerSettings, ClientSettings, TemporalSettings):
    """`listen_address` is for health only."""

    # Below the pod's grace period; Temporal's own default of 0 would cut activities off.
    worker_drain_seconds: float = 20.0
    # When payouts are reconciled, in UTC: once a day at least, or alerts say that it is late. Every
    # hour, since nothing is sent after a fail-over before it was done.
    reconciliation_cron: str = "0 * * * *"


async def main() -> None:
    settings = WorkerSettings()  # type: ignore[call-arg]  # the environment fills it
    told_to_stop = listen_for_stop()
    with telemetry(settings, lambda resource: create_tracer_provider(sampler(), resource)):
        async with AsyncExitStack() as stack:
            await keep_schedule(await connect(settings), settings.reconciliation_cron)
            worker = await _worker(settings, stack)
            health = GrpcServer(settings, [], None)
            async with running(worker, patience_seconds=settings.worker_drain_seconds + 5):
                await health.start()
                await told_to_stop.wait()
                await health.stop()


@asynccontextmanager
async def running(worker: Worker, *, patience_seconds: float) -> AsyncIterator[None]:
    """Runs a worker for as long as the block does, and does not wait for its end for ever.

    A local activity that fails is retried even by a worker that stops, which waits for it: with
    the service away that it calls, for ever (SDK 1.35). What it was doing is Temporal's to give to
    another worker, so the process can leave.
    """
    await worker.__aenter__()
    try:
        yield
    finally:
        try:
            async with asyncio.timeout(patience_seconds):
                await worker.__aexit__(*sys.exc_info())
        except TimeoutError:
            log.error("worker_did_not_stop", patience_seconds=patience_seconds)


async def _worker(settings: WorkerSettings, stack: AsyncExitStack) -> Worker:
    async def channel(address: str, timeout_seconds: float = TIMEOUT_SECONDS) -> grpc.aio.Channel:
        return await stack.enter_async_context(
            service_channel(settings, address, timeout_seconds=timeout_seconds)
        )

    records = RecordServiceStub(await channel(settings.tasks_address))
    media = await channel(settings.media_address)
    payouts = PayoutServiceStub(await channel(settings.payouts_address))
    disputes = DisputeServiceStub(await channel(settings.disputes_address))
    notifications = NotificationServiceStub(await channel(settings.notifications_address))
    task = TaskActivities(records, payouts, notifications)
    publications = PublicationServiceStub(media)
    assignment = AssignmentActivities(
        records,
        MediaServiceStub(media),
        ArticleServiceStub(media),
        publications,
        payouts,
        notifications,
    )
    payout = PayoutActivities(payouts)
    reconciliation = ReconciliationActivities(
        ReconciliationServiceStub(await channel(settings.payouts_address, _RECONCILING_SECONDS))
    )
    dispute = DisputeActivities(disputes, notifications)
    publication = PublicationActivities(publications, notifications)
    return Worker(
        await connect(settings),
        task_queue=ids.TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            task.record_task,
            task.reserve_rewards,
            task.lapse_applications,
            task.send_task_notices,
            assignment.record_assignment,
            assignment.release_reward,
            assignment.settle_reward,
            payout.find_payout,
            payout.set_reward_aside,
            payout.send_payout,
            payout.refresh_payout,
            payout.recall_payout,
            dispute.record_dispute,
            dispute.send_dispute_notices,
            publication.deliver_publication,
            publication.mark_publication_overdue,
            publication.take_publication_back,
            publication.send_publication_notices,
            reconciliation.reconcile_provider,
        ],
        workflow_runner=RUNNER,
        graceful_shutdown_timeout=timedelta(seconds=settings.worker_drain_seconds),
    )


if __name__ == "__main__":
    run(main())
