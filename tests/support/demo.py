"""Runs the demo on a separate stack, for tests of the whole stack."""

import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from rich.console import Console

from cli.demo.actors import Actors
from cli.demo.outcomes import Outcome, read_ledger, read_outcomes, sums
from cli.demo.story import Story
from cli.demo.timeline import Timeline
from devstack.home import Home
from devstack.stack import Stack


@asynccontextmanager
async def whole_stack(home: Path) -> AsyncIterator[Stack]:
    async with Stack(Home(home), durable=False) as stack:
        yield stack


@asynccontextmanager
async def story_on(stack: Stack, run_id: str) -> AsyncIterator[Story]:
    async with AsyncExitStack() as exits:
        actors = Actors(run_id, stack.access, exits)
        yield Story(actors, Timeline(Console(file=io.StringIO())))


async def failures(story: Story) -> list[Outcome | str]:
    """Outcomes that are not as expected, and ledger sums that are not 0."""
    outcomes = await read_outcomes(story)
    ledger = sums(await read_ledger(story))
    return [
        *(outcome for outcome in outcomes if not outcome.is_verified),
        *(f"ledger sums to {total}" for total in ledger if total.amount_minor),
    ]
