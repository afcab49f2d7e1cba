"""Commands of the tasks service to workflows that do not run."""

import pytest
from temporalio.testing import WorkflowEnvironment

from servicekit.settings import TemporalSettings
from services.tasks.assignments.workflows import AssignmentWorkflowClient
from services.tasks.workflows import TaskWorkflowClient
from tests.workflows.drivers import BRAND
from workflows.assignment.commands import ApproveWork
from workflows.errors import NotRunning
from workflows.task.model import Selection
from workflows.temporal.client import Workflows


async def test_a_command_to_a_workflow_that_does_not_run_is_refused_without_naming_it(
    environment: WorkflowEnvironment,
) -> None:
    settings = TemporalSettings(
        otel_service_name="tests",
        temporal_address=environment.client.service_client.config.target_host,
        temporal_namespace="default",
    )
    workflows = Workflows(settings)
    tasks, assignments = TaskWorkflowClient(workflows), AssignmentWorkflowClient(workflows)
    commands = [
        tasks.select("nothing", BRAND, [Selection("a1", "bea")], "1"),
        tasks.cancel("nothing", BRAND, "No", "2"),
        tasks.end_selection("nothing", BRAND, "", "3"),
        assignments.send("nothing", ApproveWork(BRAND), "4"),
    ]
    for command in commands:
        with pytest.raises(NotRunning) as refused:
            await command
        assert refused.value.metadata == {}
