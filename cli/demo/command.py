"""`liaison demo`: plays the demo on the running stack or on one of its own, and verifies it."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import quote, urlencode

from rich.console import Console
from rich.table import Table

from cli.demo.actors import Actors
from cli.demo.applicants import SELECTED
from cli.demo.assignments import play
from cli.demo.outcomes import Account, Outcome, read_ledger, read_outcomes, sums
from cli.demo.story import Story
from cli.demo.timeline import Timeline
from cli.stack import up_detached
from cli.stack_view import complain, shown
from devstack.access import Access, attach
from devstack.home import Home, default_home
from devstack.stack import Stack
from devstack.supervisor import ProcessFailed

_KEPT = "The stack keeps running: `liaison status` shows its addresses, `liaison down` stops it."
_STOPPED = """\
The stack was stopped; its data stays in {home}.
`liaison demo --keep` keeps it running, to look at workflows, traces and articles."""


def run(*, keep: bool) -> int:
    """Plays the demo on the running stack, or else on one that it starts and, unless `keep`, stops.

    Returns 0 if every outcome was verified, else 1.
    """
    console = Console(highlight=False)
    home = Home(default_home())
    if keep and attach(home) is None:
        console.print("Starting the stack; it keeps running after the demo.")
        if code := up_detached(None):
            return code
    keeps_running = attach(home) is not None
    try:
        code = asyncio.run(_run(console, home, keeps_running=keeps_running))
    except ProcessFailed as failure:
        complain(f"The stack did not start: {failure}")
        return 1
    end = _KEPT if keeps_running else _STOPPED.format(home=shown(home.path))
    console.print(f"\n{end}", soft_wrap=True)
    return code


async def _run(console: Console, home: Home, *, keeps_running: bool) -> int:
    async with AsyncExitStack() as exits, _access(console, home) as access:
        actors = Actors(secrets.token_hex(3), access, exits)
        story = Story(actors, Timeline(console))
        console.print(f"Run [bold]{actors.run_id}[/]. One day of the platform lasts four seconds.")
        await play(story)
        outcomes = await read_outcomes(story)
        ledger = await read_ledger(story)
        console.print()
        console.print(_outcome_table(outcomes))
        console.print(_ledger_table(ledger, actors.run_id))
        if keeps_running:
            _print_links(console, story)
    is_balanced = all(total.amount_minor == 0 for total in sums(ledger))
    if is_balanced and all(outcome.is_verified for outcome in outcomes):
        console.print("\n[bold green]All outcomes were read back over the API and verified.[/]")
        return 0
    console.print("\n[bold red]Some outcomes are not as expected, or the ledger sum is not 0.[/]")
    return 1


@asynccontextmanager
async def _access(console: Console, home: Home) -> AsyncIterator[Access]:
    """The addresses and keys of the running stack, or of one that is started for the demo."""
    running = attach(home)
    if running is not None:
        console.print("Using the running stack.")
        yield running
        return
    console.print("Starting the stack; it stops when the demo ends. This takes some seconds.")
    async with Stack(home) as own:
        yield own.access


def _outcome_table(outcomes: list[Outcome]) -> Table:
    table = Table(title="Outcomes", title_justify="left", title_style="bold")
    for column in ("who", "what", "found", ""):
        table.add_column(column)
    for outcome in outcomes:
        mark = "[green]verified" if outcome.is_verified else f"[red]expected {outcome.expected}"
        table.add_row(outcome.subject, outcome.what, outcome.found, mark)
    return table


def _ledger_table(ledger: list[Account], run_id: str) -> Table:
    """The accounts of this run and of the platform; one line for the brands of earlier runs."""
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


def _print_links(console: Console, story: Story) -> None:
    addresses = story.actors.access.addresses
    workflows = f"http://{addresses['temporal-ui']}/namespaces/default/workflows"
    links = [
        ("All workflows", workflows),
        ("All traces", f"http://{addresses['traces']}"),
        ("The task's workflow", f"{workflows}/{_workflow(story.task)}"),
    ]
    for name in SELECTED:
        assignment = story.assignment(name)
        assignment_id = assignment.rpartition("/")[2]
        query = urlencode({"attribute": f"assignment.id={assignment_id}", "min_duration_ms": 10})
        links.append((f"{name}'s workflow", f"{workflows}/{_workflow(assignment)}"))
        links.append((f"{name}'s traces", f"http://{addresses['traces']}/?{query}"))
    links += [(f"{name}'s article", one.url) for name, one in story.publications.items()]
    console.print("\n[bold]Where to look[/]")
    for what, url in links:
        console.print(f"  {what:<20} {url}", soft_wrap=True)


def _workflow(resource: str) -> str:
    """The workflow of `tasks/x` is `task/x`; as a path segment."""
    collection, _, id_ = resource.partition("/")
    return quote(f"{collection.removesuffix('s')}/{id_}", safe="")
