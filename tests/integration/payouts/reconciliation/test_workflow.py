"""The reconciliation workflow on a real Temporal server: its schedule, results and details."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.payouts_pb2 import Payout
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, ScheduleOverlapPolicy, WorkflowHandle
from temporalio.worker import Worker

from devstack.access import attach
from devstack.home import Home
from tests.integration.payouts.harness import Harness, eventually
from tests.integration.payouts.provider_reports import choose_reports
from tests.integration.payouts.sandbox_admin import use_account
from tests.support.servers import servers
from workflows import ids
from workflows.reconciliation.activities import ReconciliationActivities
from workflows.reconciliation.model import Reconciled, ReconciliationResult
from workflows.reconciliation.schedule import keep_schedule
from workflows.reconciliation.workflow import ReconciliationWorkflow
from workflows.task_queues import Domain, queue_of
from workflows.worker import RUNNER, WorkerSettings, running

HOURLY: str = WorkerSettings.model_fields["reconciliation_cron"].default


@pytest.fixture(scope="module")
def temporal_address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home = tmp_path_factory.mktemp("temporal")
    with servers(home, ("temporal",)):
        access = attach(Home(home))
        assert access is not None
        yield access.addresses["temporal"]


@pytest.fixture
async def temporal(harness: Harness, temporal_address: str) -> AsyncIterator[Client]:
    """A client, with a worker whose activities call the harness."""
    client = await Client.connect(temporal_address)
    activities = ReconciliationActivities(ReconciliationServiceStub(harness.served.as_service()))
    worker = Worker(
        client,
        task_queue=queue_of(Domain.PAYOUTS),
        workflows=[ReconciliationWorkflow],
        activities=[activities.reconcile_provider],
        workflow_runner=RUNNER,
    )
    async with running(worker, patience_seconds=5):
        yield client
    await client.get_schedule_handle(ids.RECONCILIATION).delete()


async def triggered(client: Client) -> WorkflowHandle[ReconciliationWorkflow, ReconciliationResult]:
    """Starts a run as an operator does in the Temporal UI."""
    handle = client.get_schedule_handle(ids.RECONCILIATION)
    before = len((await handle.describe()).info.recent_actions)
    await handle.trigger()
    started = ""

    async def has_begun() -> bool:
        nonlocal started
        actions = (await handle.describe()).info.recent_actions[before:]
        started = actions[-1].action.workflow_id if actions else ""  # type: ignore[union-attr]  # it starts a workflow
        return bool(started)

    await eventually(has_begun)
    assert started.startswith(ids.RECONCILIATION)
    return client.get_workflow_handle_for(ReconciliationWorkflow.run, started)


async def details_of(handle: WorkflowHandle[ReconciliationWorkflow, ReconciliationResult]) -> str:
    answer = await handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(answer.current_details)


def paypal_result(result: ReconciliationResult) -> Reconciled:
    """PayPal's result among those of all providers."""
    (found,) = (each for each in result.reconciliations if each.provider == "PAYPAL")
    return found


async def test_workers_keep_one_hourly_schedule(harness: Harness, temporal: Client) -> None:
    await asyncio.gather(*(keep_schedule(temporal, "0 6 * * *") for _ in range(3)))
    handle = temporal.get_schedule_handle(ids.RECONCILIATION)

    async def is_paused() -> bool:
        return (await handle.describe()).schedule.state.paused

    async def is_at_any_hour() -> bool:
        return len({each.hour for each in (await handle.describe()).info.next_action_times}) > 1

    await handle.pause(note="A restore is going on")
    # The server responds before it is paused.
    await eventually(is_paused)
    await keep_schedule(temporal, HOURLY)
    await eventually(is_at_any_hour)
    updated = (await handle.describe()).info.last_updated_at
    await keep_schedule(temporal, HOURLY)
    found = await handle.describe()
    assert found.info.last_updated_at == updated
    assert found.schedule.state.paused
    assert found.schedule.policy.overlap is ScheduleOverlapPolicy.SKIP
    (first, second, *_) = found.info.next_action_times
    assert second - first == timedelta(hours=1)


async def test_a_run_reconciles_and_returns_its_findings(
    harness: Harness, temporal: Client
) -> None:
    await keep_schedule(temporal, HOURLY)
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", Payout.STATE_PAID)
    clean = await triggered(temporal)
    done = paypal_result(await clean.result())
    assert (done.provider, done.transaction_count, done.mismatch_count) == ("PAYPAL", 1, 0)
    details = await details_of(clean)
    assert details.startswith("**Everything matches: nobody must act**")
    assert "provider 100.00 USD, fees 2.00 USD; ledger 100.00 USD, fees 2.00 USD" in details
    foreign = await use_account(harness, 500)
    run = await triggered(temporal)
    done = paypal_result(await run.result())
    assert done.findings == [f"UNMATCHED transaction {foreign}: It belongs to no payout"]
    assert (await details_of(run)).startswith(
        "**An operator must act: 1 does not match, and nothing is sent**"
    )
    listed = await harness.reconciler.ListReconciliations(pb.ListReconciliationsRequest())
    # Both providers, twice.
    assert len(listed.reconciliations) == 4
    assert done.name in [each.name for each in listed.reconciliations[:2]]


async def test_a_run_retries_until_the_provider_can_be_read(
    harness: Harness, temporal: Client
) -> None:
    await keep_schedule(temporal, HOURLY)
    paypal = choose_reports(harness)
    paypal.is_readable = False
    run = await triggered(temporal)

    async def has_tried() -> bool:
        return bool(paypal.asked_from)

    await eventually(has_tried)

    async def waits_for_paypal() -> bool:
        details = await details_of(run)
        return details.startswith("**The platform compares with PAYPAL**")

    # The other provider is reconciled meanwhile.
    await eventually(waits_for_paypal)
    paypal.is_readable = True
    # Retries of the call or of the activity succeed now.
    assert paypal_result(await run.result()).mismatch_count == 0
