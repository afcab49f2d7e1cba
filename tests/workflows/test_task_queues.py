"""Each domain has a task queue of its own, and a worker serves those that it is configured for."""

import asyncio
from pathlib import Path
from uuid import uuid4

import pytest
from pydantic import ValidationError
from temporalio.testing import WorkflowEnvironment

from tests.support.workers import worker_settings, workers_for
from tests.workflows.harness import Harness
from workflows.assignment.model import Event
from workflows.task_queues import Domain, queue_of, sibling
from workflows.worker import running

TOKEN = Path("token")


async def test_commands_proceed_while_no_worker_serves_payouts(
    environment: WorkflowEnvironment,
) -> None:
    harness = Harness(environment, f"queues-{uuid4()}")
    client, prefix, activities = environment.client, harness.prefix, harness.activities
    tasks = workers_for(client, prefix, activities, [Domain.TASKS])
    payouts = workers_for(client, prefix, activities, [Domain.PAYOUTS])
    async with running(*tasks, patience_seconds=5):
        first, second = await harness.assignment(), await harness.assignment()
        for assignment in (first, second):
            await assignment.submit()
            await assignment.approve()
            await assignment.saw(Event.WORK_APPROVED)
        assert harness.sent == []
        async with running(*payouts, patience_seconds=5):
            await first.saw(Event.COMPLETED)
            await second.saw(Event.COMPLETED)
    assert {request.payout_id for request, _ in harness.sent} == {first.id, second.id}


def test_a_child_starts_beside_its_parent() -> None:
    parent = queue_of(Domain.TASKS, "some-stack")
    assert sibling(parent, Domain.PAYOUTS) == queue_of(Domain.PAYOUTS, "some-stack")


def test_a_worker_serves_all_queues_unless_some_are_named() -> None:
    assert set(worker_settings(TOKEN).worker_domains) == set(Domain)
    some = worker_settings(TOKEN, worker_domains="payouts, disputes").worker_domains
    assert set(some) == {Domain.PAYOUTS, Domain.DISPUTES}


@pytest.mark.parametrize("named", ["", "payout", "payouts,,tasks"])
def test_a_queue_that_does_not_exist_is_refused_at_the_start(named: str) -> None:
    with pytest.raises(ValidationError, match="worker_domains"):
        worker_settings(TOKEN, worker_domains=named)


class _Worker:
    """Drains when it is stopped, or fails."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.is_drained = False

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        if self.error is not None:
            raise self.error
        await asyncio.sleep(0)
        self.is_drained = True


async def test_all_workers_are_drained_when_one_has_failed() -> None:
    failed, other = _Worker(RuntimeError("lost")), _Worker()
    with pytest.raises(RuntimeError, match="lost"):
        async with running(failed, other, patience_seconds=5):  # type: ignore[arg-type]  # stand-ins
            pass
    assert other.is_drained
