"""`liaison demo`: starts the stack or uses the running one, plays the story, and verifies it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.table import Table

from cli.demo.actors import Actors
from cli.demo.applicants import SELECTED
from cli.demo.outcomes import Account, Outcome, read_ledger, read_outcomes, sums
from cli.demo.story import Story
from cli.demo.timeline import Timeline
from cli.stack import up_detached
from devstack.access import Access, attach
from devstack.home import Home, default_home
from devstack.stack import Stack

_KEEPS_RUNNING = "The stack keeps running: `liaison status` shows where, `liaison down` stops it."
_STOPS = (
    "The stack stops now. To look at its workflows, traces and articles: `liaison demo --keep`."
)


def play(*, keep: bool) -> int:
    """0 when every outcome was verified, else 1. With `keep`, a stack that was not running before
    goes on running."""
    console = Console(highlight=False)
    if keep and attach(Home(default_home())) is None:
        console.print("Starting the stack; it keeps running after the demo.")
        if code := up_detached(None):
            return code
    return asyncio.run(_play(console))


async def _play(console: Console) -> int:
    async with AsyncExitStack() as stack, _access(console) as (access, keeps_running):
        actors = Actors(secrets.token_hex(3), access, stack)
        story = Story(actors, Timeline(console))
        console.print(f"Run [bold]{actors.run_id}[/]: a day of the platform lasts four seconds.")
        await story.play()
        outcomes = await read_outcomes(story)
        ledger = await read_ledger(story)
        console.print()
        console.print(_outcome_table(outcomes))
        console.print(_ledger_table(ledger, actors.run_id))
        if keeps_running:
            _print_addresses(console, story)
        is_good = all(outcome.is_verified for outcome in outcomes)
        is_balanced = all(total.amount_minor == 0 for total in sums(ledger))
        if is_good and is_balanced:
            console.print("\n[bold green]Every outcome was verified by reading it back.[/]")
        else:
            console.print("\n[bold red]Not everything came out as it should.[/]")
        console.print(_KEEPS_RUNNING if keeps_running else _STOPS)
        return 0 if is_good and is_balanced else 1


@asynccontextmanager
async def _access(console: Console) -> AsyncIterator[tuple[Access, bool]]:
    """The stack's addresses and keys, and whether the stack keeps running afterwards."""
    home = Home(default_home())
    running = attach(home)
    if running is not None:
        console.print("Using the running stack.")
        yield running, True
        return
    console.print("Starting the stack; it stops when the demo ends.")
    async with Stack(home) as own:
        yield own.access, False


def _outcome_table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Outcomes", title_justify="left", title_style="bold")
    for column in ("who", "what", "found", ""):
        table.add_column(column)
    for outcome in outcomes:
        mark = "[green]verified" if outcome.is_verified else f"[red]expected {outcome.expected}"
        table.add_row(outcome.subject, outcome.what, outcome.found, mark)
    return table


def _ledger_table(ledger: list[Account], run_id: str) -> Table:
    """This run's accounts and the platform's own; other runs' in one line."""
    table = Table(title="Ledger", title_justify="left", title_style="bold")
    table.add_column("account")
    table.add_column("balance", justify="right")
    others = [one for one in ledger if one.name.startswith("brands/") and run_id not in one.name]
    for account in ledger:
        if account not in others:
            table.add_row(account.name, str(account.balance))
    for total in sums(others):
        table.add_row("[dim]brands of earlier runs", f"[dim]{total}")
    table.add_section()
    for total in sums(ledger):
        table.add_row("[bold]sum", f"[bold]{total}")
    return table


def _print_addresses(console: Console, story: Story) -> None:
    addresses = story.actors.access.addresses
    workflows = f"http://{addresses['temporal-ui']}/namespaces/default/workflows"
    console.print("\n[bold]Look at it[/]")
    for name, publication in story.publications.items():
        console.print(f"  {name}'s article".ljust(24) + publication.url, soft_wrap=True)
    console.print(f"  the task's workflow   {workflows}/{_workflow(story.task)}", soft_wrap=True)
    for name in SELECTED:
        assignment = story.assignment(name)
        assignment_id = assignment.rpartition("/")[2]
        query = urlencode({"attribute": f"assignment.id={assignment_id}", "min_duration_ms": 10})
        traces = f"http://{addresses['traces']}/?{query}"
        console.print(
            f"  {name}'s workflow".ljust(24) + f"{workflows}/{_workflow(assignment)}",
            soft_wrap=True,
        )
        console.print(f"  {name}'s traces".ljust(24) + traces, soft_wrap=True)


def _workflow(resource: str) -> str:
    """`tasks/x` is run by the workflow `task/x`."""
    collection, _, id_ = resource.partition("/")
    return quote(f"{collection.removesuffix('s')}/{id_}", safe="")
