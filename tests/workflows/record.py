"""Records histories of real workflows, to be replayed by `test_replay`.

`make histories` runs `tests/time_skipping` and records every workflow of it. A history keeps events
and payloads, and nothing about the machine that made it.
"""

import gzip
import json
import re
from pathlib import Path
from typing import Any

from temporalio.client import Client, WorkflowHistory

HISTORIES = Path(__file__).with_name("histories")
# While this is set, `tests/time_skipping` records.
RECORDING = "LIAISON_RECORD_HISTORIES"
_SUFFIX = ".json.gz"
# A worker calls itself so, and its own queue too: process and host.
_MACHINE = re.compile(r"\d+@\S+")


def recorded() -> dict[str, Path]:
    """All histories by name, such as `assignment-both-may-agree`."""
    files = sorted(HISTORIES.glob(f"*{_SUFFIX}"))
    return {file.name.removesuffix(_SUFFIX): file for file in files}


def read(file: Path) -> dict[str, Any]:
    """A history as JSON, and its `workflowId`."""
    content: dict[str, Any] = json.loads(gzip.decompress(file.read_bytes()))
    return content


def history_of(content: dict[str, Any]) -> WorkflowHistory:
    events = {key: value for key, value in content.items() if key != "workflowId"}
    return WorkflowHistory.from_json(content["workflowId"], events)


async def record(client: Client, workflow_id: str, name: str) -> Path:
    """Writes the workflow's history so far to a file."""
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    HISTORIES.mkdir(exist_ok=True)
    file = HISTORIES / f"{name}{_SUFFIX}"
    content = {"workflowId": workflow_id, **anonymous(json.loads(history.to_json()))}
    text = json.dumps(content, separators=(",", ":"))
    file.write_bytes(gzip.compress(text.encode(), mtime=0))
    return file


def anonymous(value: Any) -> Any:
    """The same history without process ids, host names and stack traces."""
    if isinstance(value, dict):
        return {
            key: _anonymous_identity(key, anonymous(inner))
            for key, inner in value.items()
            if key != "stackTrace"
        }
    if isinstance(value, list):
        return [anonymous(inner) for inner in value]
    if isinstance(value, str) and _MACHINE.fullmatch(value):
        return "worker"
    return value


def _anonymous_identity(key: str, value: Any) -> Any:
    return "worker" if key == "identity" and value else value
