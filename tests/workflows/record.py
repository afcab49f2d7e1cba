"""Records histories of real workflows, to be replayed by `test_replay`:

    python -m tests.workflows.record ADDRESS WORKFLOW_ID…

Replaying needs the events and what they carry; of the machines that made them nothing is kept.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from temporalio.client import Client

from servicekit.process import run

HISTORIES = Path(__file__).with_name("histories")
# A worker calls itself so, and its own queue too: process and host.
_MACHINE = re.compile(r"\d+@\S+")


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


async def record(address: str, workflow_ids: list[str]) -> list[Path]:
    client = await Client.connect(address)
    HISTORIES.mkdir(exist_ok=True)
    return [await _record(client, workflow_id) for workflow_id in workflow_ids]


async def _record(client: Client, workflow_id: str) -> Path:
    history = await client.get_workflow_handle(workflow_id).fetch_history()
    file = HISTORIES / f"{workflow_id.replace('/', '-')}.json"
    events = anonymous(json.loads(history.to_json()))
    file.write_text(json.dumps({"workflowId": workflow_id, **events}, indent=1) + "\n")
    return file


async def _main(address: str, workflow_ids: list[str]) -> None:
    for file in await record(address, workflow_ids):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    run(_main(sys.argv[1], sys.argv[2:]))
