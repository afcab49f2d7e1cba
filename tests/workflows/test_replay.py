"""Workflows that run for months meet code that was written after they began: what they did before
must follow from the new code too.

Recorded histories are replayed, and one made here shows that an edit which breaks running
workflows is found out.
"""

import base64
import json
import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.support.workers import ALL_WORKFLOWS
from tests.workflows import record
from tests.workflows.drivers import DAY
from tests.workflows.harness import Harness
from workflows import ids
from workflows.assignment import model as assignment_model
from workflows.assignment.inputs import AssignmentResult, StartAssignment
from workflows.assignment.workflow import AssignmentWorkflow
from workflows.dispute import model as dispute
from workflows.payout import model as payout
from workflows.task import model as task
from workflows.temporal.search_attributes import STATE
from workflows.worker import RUNNER

RECORDED = record.recorded()
_STATES: dict[str, type[StrEnum]] = {
    "assignment": assignment_model.State,
    "dispute": dispute.State,
    "payout": payout.State,
    "task": task.State,
}
_EVENTS: dict[str, type[StrEnum]] = {
    "assignment": assignment_model.Event,
    "dispute": dispute.Event,
    "task": task.Event,
}
# A task is published before its workflow begins. Every payout begins as RESERVED, is SENDING until
# an activity answers, and RELEASED only where none runs.
_NEVER_SAID = {
    task.Event.PUBLISHED,
    payout.State.RESERVED,
    payout.State.SENDING,
    payout.State.RELEASED,
}


async def _replay(history: WorkflowHistory) -> None:
    await Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER).replay_workflow(history)


@pytest.mark.parametrize("name", RECORDED)
async def test_a_recorded_history_follows_from_the_code_of_today(name: str) -> None:
    await _replay(record.history_of(record.read(RECORDED[name])))


def test_recorded_histories_name_no_host_or_process() -> None:
    for file in RECORDED.values():
        _assert_anonymous(file)


def _assert_anonymous(file: Path) -> None:
    text = json.dumps(record.read(file))
    assert not re.search(r'"\d+@', text)
    assert "site-packages" not in text
    assert set(re.findall(r'"identity": "([^"]*)"', text)) <= {"worker"}


@pytest.mark.parametrize("kind", _STATES)
def test_every_state_and_every_event_is_in_some_history(kind: str) -> None:
    said = set[str]()
    for name, file in RECORDED.items():
        if name.startswith(f"{kind}-"):
            said |= _words(record.read(file))
    wanted = {*_STATES[kind], *_EVENTS.get(kind, ())} - _NEVER_SAID
    assert {str(one) for one in wanted} - said == set()


_WAITING = {
    "assignment": {
        "IN_PROGRESS",
        "IN_REVIEW",
        "CHANGES_REQUESTED",
        "APPROVED",
        "REWARDED",
        "EXPIRED",
        "COMPLETED",
    },
    "dispute": {"OPEN", "UNDER_REVIEW"},
    "task": {"OPEN", "SELECTING", "IN_PROGRESS"},
}


@pytest.mark.parametrize("kind", _WAITING)
def test_there_is_a_history_of_a_workflow_that_still_waits_in_each_state(kind: str) -> None:
    contents = [record.read(file) for name, file in RECORDED.items() if name.startswith(kind)]
    waits_in = {_last_shown(content["events"]) for content in contents if not _is_over(content)}
    assert _WAITING[kind] - waits_in == set()


def _is_over(content: dict[str, Any]) -> bool:
    kind: str = content["events"][-1]["eventType"]
    return kind == "EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED"


def _last_shown(events: list[dict[str, Any]]) -> str:
    """The state in the search attributes."""
    shown = ""
    for event in events:
        for attributes in event.values():
            if isinstance(attributes, dict) and "searchAttributes" in attributes:
                found = attributes["searchAttributes"]["indexedFields"].get(STATE.name)
                shown = json.loads(base64.b64decode(found["data"])) if found else shown
    return shown


def _words(content: dict[str, Any]) -> set[str]:
    """What a workflow said of itself: the summaries of its records are events; its states are in
    search attributes and, of a payout, in what its activities answered and signals carried."""
    payloads = [*_payloads(content["events"])]
    return {word for payload in payloads for word in re.findall(r"[A-Z_]{3,}", payload)}


def _payloads(value: Any, *, is_input: bool = False) -> Iterator[str]:
    if isinstance(value, list):
        for inner in value:
            yield from _payloads(inner, is_input=is_input)
    elif isinstance(value, dict):
        if is_input and "data" in value:
            yield base64.b64decode(value["data"]).decode(errors="replace")
        for key, inner in value.items():
            yield from _payloads(inner, is_input=is_input or key in _INPUTS)


_INPUTS = {
    "userMetadata",
    "upsertWorkflowSearchAttributesEventAttributes",
    "searchAttributes",
    "activityTaskCompletedEventAttributes",
    "workflowExecutionSignaledEventAttributes",
    "signalExternalWorkflowExecutionInitiatedEventAttributes",
}


async def _lived(harness: Harness) -> WorkflowHistory:
    """An assignment with a reminder, a round of changes, an approval and a paid reward."""
    assignment = await harness.assignment()
    await assignment.submit()
    await harness.pass_time(3 * DAY)
    await assignment.saw(assignment_model.Event.REVIEW_REMINDED)
    await assignment.ask()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(assignment_model.Event.COMPLETED)
    await assignment.ended()
    return await assignment.handle.fetch_history()


@workflow.defn(name="Assignment")
class _Reordered(AssignmentWorkflow):
    """The incompatible edit: it waits before it records."""

    @workflow.init
    def __init__(self, start: StartAssignment) -> None:
        super().__init__(start)

    @workflow.run
    async def run(self, start: StartAssignment) -> AssignmentResult:
        await workflow.sleep(1)
        return await super().run(start)


async def _is_refused(history: WorkflowHistory) -> None:
    broken = Replayer(workflows=[_Reordered], workflow_runner=UnsandboxedWorkflowRunner())
    with pytest.raises(workflow.NondeterminismError):
        await broken.replay_workflow(history)


async def test_an_edit_that_breaks_running_workflows_is_detected(harness: Harness) -> None:
    history = await _lived(harness)
    await _replay(history)
    await _is_refused(history)


async def test_recorded_histories_detect_such_an_edit_too() -> None:
    of_assignments = [name for name in RECORDED if name.startswith("assignment-")]
    assert of_assignments
    await _is_refused(record.history_of(record.read(RECORDED[of_assignments[0]])))


async def test_a_history_is_recorded_completely_and_without_host_names(
    environment: WorkflowEnvironment,
    harness: Harness,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "HISTORIES", tmp_path / "histories")
    history = await _lived(harness)
    file = await record.record(environment.client, history.workflow_id, "assignment-lived")
    assert record.recorded() == {"assignment-lived": file}
    _assert_anonymous(file)
    kept = record.history_of(record.read(file))
    assert kept.workflow_id == history.workflow_id
    assert len(kept.events) == len(history.events)
    await _replay(kept)


def test_what_people_wrote_is_left_alone() -> None:
    said: dict[str, Any] = {"identity": "12@host", "data": ["aGVsbG8=", "1@host-4f"], "n": 3}
    assert record.anonymous(said) == {
        "identity": "worker",
        "data": ["aGVsbG8=", "worker"],
        "n": 3,
    }
    assert ids.assignment("a1") == record.anonymous("assignment/a1")
