"""Workflows that run for months meet code that was written after they began: what they did before
must follow from the new code too.

Recorded histories are replayed, and one made here shows that an edit which breaks running
workflows is found out.
"""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.workflows import record
from tests.workflows.world import DAY, World
from workflows import ids
from workflows.assignment.model import Event
from workflows.assignment.orders import AssignmentResult, StartAssignment
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.worker import RUNNER, WORKFLOWS

RECORDED = sorted(record.HISTORIES.glob("*.json"))


def _history(file: Path) -> WorkflowHistory:
    recorded = json.loads(file.read_text())
    return WorkflowHistory.from_json(recorded.pop("workflowId"), recorded)


async def _replay(history: WorkflowHistory) -> None:
    await Replayer(workflows=WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


@pytest.mark.parametrize("file", RECORDED, ids=[file.stem for file in RECORDED])
async def test_a_recorded_history_follows_from_the_code_of_today(file: Path) -> None:
    await _replay(_history(file))


@pytest.mark.parametrize("file", RECORDED, ids=[file.stem for file in RECORDED])
def test_a_recorded_history_tells_nothing_of_the_machine_that_made_it(file: Path) -> None:
    text = file.read_text()
    assert not re.search(r'"\d+@', text)
    assert "site-packages" not in text
    assert set(re.findall(r'"identity": "([^"]*)"', text)) <= {"worker"}


async def _lived(world: World) -> WorkflowHistory:
    """A life with a reminder, a round of changes, an approval and a paid reward."""
    life = await world.assignment()
    await life.submit()
    await world.pass_time(3 * DAY)
    await life.saw(Event.REVIEW_REMINDED)
    await life.ask()
    await life.submit()
    await life.approve()
    await life.saw(Event.COMPLETED)
    await life.ended()
    return await life.handle.fetch_history()


@workflow.defn(name="Assignment")
class _Reordered(AssignmentWorkflow):
    """The edit: it waits before it records."""

    @workflow.init
    def __init__(self, start: StartAssignment) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartAssignment) -> AssignmentResult:
        await workflow.sleep(1)
        return await super().run(start)


async def test_an_edit_that_breaks_running_workflows_is_found_out(world: World) -> None:
    history = await _lived(world)
    await _replay(history)
    broken = Replayer(workflows=[_Reordered], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(workflow.NondeterminismError):
        await broken.replay_workflow(history)


async def test_a_history_is_recorded_whole_and_without_its_machine(
    environment: WorkflowEnvironment,
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "HISTORIES", tmp_path / "histories")
    history = await _lived(world)
    address = environment.client.service_client.config.target_host
    (file,) = await record.record(address, [history.workflow_id])
    test_a_recorded_history_tells_nothing_of_the_machine_that_made_it(file)
    recorded = _history(file)
    assert recorded.workflow_id == history.workflow_id
    assert file.stem == history.workflow_id.replace("/", "-")
    assert len(recorded.events) == len(history.events)
    await _replay(recorded)


def test_what_people_wrote_is_left_alone() -> None:
    said: dict[str, Any] = {"identity": "12@host", "data": ["aGVsbG8=", "1@host-4f"], "n": 3}
    assert record.anonymous(said) == {
        "identity": "worker",
        "data": ["aGVsbG8=", "worker"],
        "n": 3,
    }
    assert ids.assignment("a1") == record.anonymous("assignment/a1")
