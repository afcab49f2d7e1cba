"""The demo succeeds although each of our processes is killed during it."""

import asyncio
import functools
import os
import signal
from pathlib import Path

import pytest

from cli.demo.actors import until
from cli.demo.assignments import play
from devstack.stack import Stack
from devstack.supervisor import ProcessStatus
from tests.support.demo import failures, story_on, whole_stack

pytestmark = pytest.mark.xdist_group("story")

# Our own processes, which keep no state: it is in Postgres, Temporal, S3 or the sandbox.
VICTIMS = (
    "tasks",
    "worker",
    "media",
    "creators",
    "payouts",
    "notifications",
    "disputes",
    "paypal",
    "storefront",
    "traces",
)


async def test_every_process_is_killed_twice_and_nothing_is_lost(tmp_path: Path) -> None:
    async with whole_stack(tmp_path) as stack, story_on(stack, "chaos") as story:
        killer = asyncio.create_task(_kill_in_turn(stack, 2 * VICTIMS))
        await play(story)
        await killer
        assert await failures(story) == []


async def _kill_in_turn(stack: Stack, victims: tuple[str, ...]) -> None:
    """Kills one after the other, each as soon as the previous one is ready again."""
    for victim in victims:
        before = _status(stack, victim)
        restarts = before.restarts
        assert before.pid is not None
        os.kill(before.pid, signal.SIGKILL)
        await until(
            functools.partial(_read_status, stack, victim),
            lambda status, restarts=restarts: (
                status.restarts > restarts and status.condition == "ready"
            ),
        )


async def _read_status(stack: Stack, name: str) -> ProcessStatus:
    return _status(stack, name)


def _status(stack: Stack, name: str) -> ProcessStatus:
    return next(status for status in stack.statuses if status.name == name)
