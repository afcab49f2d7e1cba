"""The services' Temporal client: answers, refusals, and unknown outcomes."""

from uuid import uuid4

import pytest
from temporalio.testing import WorkflowEnvironment

from servicekit.errors import FailedPrecondition, Reason, Unavailable
from servicekit.settings import TemporalSettings
from tests.workflows.drivers import BRAND, CREATOR, DAY
from tests.workflows.harness import Harness, running_harness, terms
from workflows import ids
from workflows.assignment.commands import ApproveWork, OpenDispute, SubmitWork
from workflows.assignment.inputs import StartAssignment
from workflows.assignment.model import State
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.dispute.model import Ground
from workflows.errors import NotRunning
from workflows.payout.workflow import PayoutWorkflow
from workflows.task_queues import Domain
from workflows.temporal.client import Workflows


def _workflows(address: str) -> Workflows:
    return Workflows(
        TemporalSettings(
            otel_service_name="tests", temporal_address=address, temporal_namespace="default"
        )
    )


def _at(environment: WorkflowEnvironment) -> Workflows:
    return _workflows(environment.client.service_client.config.target_host)


async def _start(workflows: Workflows, harness: Harness, id_: str) -> None:
    now = await harness.now()
    await workflows.start_workflow(
        AssignmentWorkflow.run,
        StartAssignment(id_, "bea", terms(now + 10 * DAY), now),
        workflow_id=ids.assignment(id_),
        domain=Domain.TASKS,
        static_summary="creators/bea on tasks/t1",
    )


async def test_starting_again_is_harmless(environment: WorkflowEnvironment) -> None:
    workflows, id_ = _at(environment), uuid4().hex
    async with running_harness(environment, "liaison") as harness:
        for _ in range(2):
            await _start(workflows, harness, id_)
        await harness.pass_time(41 * DAY)
        await harness.until(lambda: harness.released)
        await _start(workflows, harness, id_)
        assert [one.to_state for one in harness.transitions[id_]] == [
            State.IN_PROGRESS,
            State.EXPIRED,
            State.EXPIRED,  # closed for good
        ]


async def test_a_command_is_answered_refused_and_repeated(
    environment: WorkflowEnvironment,
) -> None:
    workflows, id_ = _at(environment), uuid4().hex
    submit = SubmitWork(CREATOR, "Done", [], ["https://example.com"])
    async with running_harness(environment, "liaison") as harness:
        await _start(workflows, harness, id_)
        with pytest.raises(FailedPrecondition) as refused:
            await workflows.execute_update(
                ids.assignment(id_),
                AssignmentWorkflow.approve_work,
                ApproveWork(BRAND),
                update_id="approve_work:1",
            )
        assert refused.value.reason is Reason.ILLEGAL_STATE
        assert refused.value.metadata["state"] == State.IN_PROGRESS
        for _ in range(2):
            await workflows.execute_update(
                ids.assignment(id_),
                AssignmentWorkflow.submit_work,
                submit,
                update_id="submit_work:1",
            )
        assert len(harness.assignments[id_].submissions) == 1
        dispute = await workflows.execute_update(
            ids.assignment(id_),
            AssignmentWorkflow.open_dispute,
            OpenDispute("d1", Ground.FRAUD, "Copied", BRAND),
            update_id="open_dispute:1",
        )
        assert (dispute.id, dispute.opener) == ("d1", BRAND)


async def test_a_command_to_an_ended_workflow_is_refused(environment: WorkflowEnvironment) -> None:
    with pytest.raises(NotRunning) as refused:
        await _at(environment).execute_update(
            ids.assignment("nobody"),
            AssignmentWorkflow.approve_work,
            ApproveWork(BRAND),
            update_id="approve_work:1",
        )
    assert refused.value.reason is Reason.ILLEGAL_STATE
    with pytest.raises(NotRunning):
        await _at(environment).signal(ids.payout("nobody"), PayoutWorkflow.retry)


async def test_an_unavailable_temporal_is_reported_as_unavailable() -> None:
    with pytest.raises(Unavailable) as refused:
        await _workflows("127.0.0.1:1").signal(ids.payout("p1"), PayoutWorkflow.retry)
    assert refused.value.reason is Reason.DEPENDENCY_UNAVAILABLE
