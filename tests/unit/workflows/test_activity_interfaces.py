"""Workflows call activities by an interface; what a worker registers implements all of it."""

import inspect
import re
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from temporalio import activity

from services.disputes import workflows as dispute_commands
from services.tasks.assignments import workflows as assignment_commands
from tests.support.workers import worker_settings
from workflows import worker
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.activity_interface import AssignmentActivityInterface
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.dispute.activities import DisputeActivities
from workflows.dispute.activity_interface import DisputeActivityInterface
from workflows.dispute.workflow import DisputeWorkflow
from workflows.payout.activities import PayoutActivities
from workflows.payout.activity_interface import PayoutActivityInterface
from workflows.publication.activities import PublicationActivities
from workflows.publication.activity_interface import PublicationActivityInterface
from workflows.reconciliation.activities import ReconciliationActivities
from workflows.reconciliation.activity_interface import ReconciliationActivityInterface
from workflows.task.activities import TaskActivities
from workflows.task.activity_interface import TaskActivityInterface
from workflows.task_queues import Domain
from workflows.temporal.client import update_id
from workflows.worker import activities_of

PAIRS: list[tuple[type, type]] = [
    (AssignmentActivityInterface, AssignmentActivities),
    (DisputeActivityInterface, DisputeActivities),
    (PayoutActivityInterface, PayoutActivities),
    (PublicationActivityInterface, PublicationActivities),
    (ReconciliationActivityInterface, ReconciliationActivities),
    (TaskActivityInterface, TaskActivities),
]


def _declared(interface: type) -> list[str]:
    return sorted(name for name, _ in inspect.getmembers(interface, inspect.isfunction))


@pytest.mark.parametrize(("interface", "implementation"), PAIRS)
def test_an_interface_is_implemented_with_the_same_names_and_types(
    interface: type, implementation: type
) -> None:
    for name in _declared(interface):
        declared, implemented = getattr(interface, name), getattr(implementation, name)
        assert implemented is not declared
        assert get_type_hints(implemented) == get_type_hints(declared)
        parameters = (inspect.signature(each).parameters for each in (declared, implemented))
        assert len({tuple(each) for each in parameters}) == 1
        definitions = (activity._Definition.must_from_callable(e) for e in (declared, implemented))
        assert {definition.name for definition in definitions} == {name}


@pytest.mark.parametrize(("interface", "implementation"), PAIRS)
def test_a_worker_registers_what_is_declared_and_nothing_else(
    interface: type, implementation: type
) -> None:
    stubs = [object()] * len(inspect.signature(implementation).parameters)
    registered = activities_of(implementation(*stubs))
    assert sorted(each.__name__ for each in registered) == _declared(interface)


@pytest.mark.parametrize(
    ("updates", "workflow"),
    [
        (assignment_commands.UPDATES, AssignmentWorkflow),
        (dispute_commands.UPDATES, DisputeWorkflow),
    ],
)
def test_each_command_goes_to_the_update_that_takes_it(
    updates: dict[type, Any], workflow: type
) -> None:
    for command, update in updates.items():
        hints = get_type_hints(getattr(workflow, update.__name__))
        hints.pop("return")
        assert list(hints.values()) == [command]


def _called_by(workflow: type) -> set[str]:
    """The activities that the modules of a workflow's package call."""
    folder = Path(inspect.getfile(workflow)).parent
    source = "".join(file.read_text() for file in folder.glob("*.py"))
    return set(re.findall(r"\b[A-Z]\w+ActivityInterface\.(\w+)", source))


@pytest.mark.parametrize("domain", Domain)
async def test_a_queues_worker_has_every_activity_that_its_workflows_call(
    domain: Domain, tmp_path: Path
) -> None:
    """One that is missing would be retried for ever, since another worker might have it."""
    token = tmp_path / "token"
    token.write_text("token")
    async with AsyncExitStack() as stack:
        activities = await worker.activities_by_domain(worker_settings(token), stack)
    registered = {activity.__name__ for activity in activities[domain]}
    called = set().union(*map(_called_by, worker.WORKFLOWS[domain]))
    assert called
    assert called <= registered


def test_the_id_of_an_update_is_its_name_and_the_callers_key() -> None:
    """Deployed clients repeat requests across releases: the format must not change."""
    assert update_id(AssignmentWorkflow.submit_work, "c1:r1") == "submit_work:c1:r1"
    assert update_id(DisputeWorkflow.claim, "r1") == "claim:r1"
