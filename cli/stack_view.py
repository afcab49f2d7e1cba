"""Output of `liaison up`, `down` and `status`: with colours on a terminal, else plain lines."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from devstack.home import Home
from devstack.state import StackState
from devstack.supervisor import ProcessStatus

_console = Console(highlight=False, soft_wrap=True)
_errors = Console(stderr=True, highlight=False, soft_wrap=True)

_COLOURS = {
    "waiting": "dim",
    "starting": "yellow",
    "ready": "green",
    "restarting": "yellow",
    "stopping": "yellow",
    "stopped": "dim",
    "failed": "bold red",
}
_LOG_COLOURS = ("cyan", "magenta", "blue", "green", "yellow", "bright_cyan", "bright_magenta")
_LOG_POLL_SECONDS = 0.1


class View(Protocol):
    """Reports what happens to a stack from its start to its stop."""

    def changed(self, status: ProcessStatus) -> None: ...
    def ready(self) -> None: ...
    def __enter__(self) -> object: ...
    def __exit__(self, *_: object) -> None: ...


class Progress:
    """A table of the starting processes; if not on a terminal, a line per process that is ready."""

    def __init__(self) -> None:
        self._statuses: dict[str, ProcessStatus] = {}
        self._live = Live(console=_console, auto_refresh=False) if _console.is_terminal else None
        self._is_ready = False
        self._reported_restarts: Counter[str] = Counter()

    def changed(self, status: ProcessStatus) -> None:
        if self._is_ready:
            self._report_restart(status)
        elif self._live is None:
            if status.condition == "ready":
                say(f"{status.name:<14} {status.address:<22} ready in {status.ready_seconds:.1f} s")
        else:
            self._statuses[status.name] = status
            self._live.update(self._table(), refresh=True)

    def ready(self) -> None:
        self._is_ready = True
        if self._live is not None:
            self._live.stop()

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def _report_restart(self, status: ProcessStatus) -> None:
        """After the start: processes that restart, and that are ready again."""
        if (
            status.condition == "restarting"
            and status.restarts > self._reported_restarts[status.name]
        ):
            self._reported_restarts[status.name] = status.restarts
            say(f"{status.name} exited and is being restarted")
        elif status.condition == "ready":
            say(f"{status.name} is ready again after {status.ready_seconds:.1f} s")

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for status in self._statuses.values():
            seconds = f"{status.ready_seconds:.1f} s" if status.ready_seconds is not None else ""
            table.add_row(status.name, status.address, _condition(status.condition), seconds)
        return table


class Following:
    """Every log line of every process, prefixed with the process's name."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._names: dict[str, str] = {}
        self._offsets: dict[str, int] = {}
        self._task: asyncio.Task[None] | None = None

    def changed(self, status: ProcessStatus) -> None:
        colour = _LOG_COLOURS[len(self._names) % len(_LOG_COLOURS)]
        self._names.setdefault(status.name, colour)
        say(f"{status.name} is {status.condition}")

    def ready(self) -> None:
        """Prints nothing: the log lines show it."""

    def __enter__(self) -> Self:
        self._task = asyncio.get_running_loop().create_task(self._follow())
        return self

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        self._print_new()

    async def _follow(self) -> None:
        while True:
            self._print_new()
            await asyncio.sleep(_LOG_POLL_SECONDS)

    def _print_new(self) -> None:
        for name, colour in self._names.items():
            for line in self._new_lines(name):
                _console.print(f"[{colour}]{name:>13}[/] {escape(line)}")

    def _new_lines(self, name: str) -> Iterator[str]:
        """New complete lines; an incomplete one is read with the next poll."""
        log = self._home.log_file(name)
        if not log.exists():
            return
        with log.open("rb") as file:
            file.seek(self._offsets.get(name, 0))
            whole, newline, _ = file.read().rpartition(b"\n")
        if newline:
            self._offsets[name] = self._offsets.get(name, 0) + len(whole) + 1
            yield from whole.decode(errors="replace").split("\n")


def say(text: str) -> None:
    _console.print(escape(text))


def complain(text: str) -> None:
    _errors.print(f"[red]{escape(text)}[/]")


def shown(path: Path) -> str:
    """The path, relative to the working directory if it is inside."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)


def show_addresses(home: Home, running: StackState) -> None:
    # Lines instead of a table: a command to copy must not be wrapped.
    _console.print()
    for name, address, hint in _addresses(home, running):
        _console.print(f"[bold]{name:<14}[/] {address:<24} [dim]{escape(hint)}[/]")
    _console.print()
    for command, purpose in (
        ("liaison demo", "play the main job end to end"),
        ("liaison status", "show what is running"),
        ("liaison token --role brand --brand acme", "print a token for calls by hand"),
        ("liaison down", "stop the stack (or Ctrl-C where it runs)"),
    ):
        _console.print(f"[cyan]{command:<40}[/] [dim]{purpose}[/]")


def show_status(running: StackState, unresponsive: set[str]) -> None:
    table = Table(box=None, padding=(0, 2), header_style="bold")
    for column in ("process", "state", "pid", "address", "uptime", "restarts"):
        table.add_column(column, no_wrap=True)
    now = time.time()
    for process in running.processes:
        condition = "[bold red]not answering[/]" if process.name in unresponsive else ""
        table.add_row(
            process.name,
            condition or _condition(process.condition),
            str(process.pid or "-"),
            process.address,
            _duration(now - process.started_time) if process.pid else "-",
            str(process.restarts),
        )
    _console.print(table)


def _addresses(home: Home, running: StackState) -> Iterator[tuple[str, str, str]]:
    """Name, address and a hint for each thing that can be opened or connected to."""
    at = running.addresses
    secrets = shown(home.secrets)
    places = {
        "temporal-ui": ("Temporal UI", "http://{}", "workflows: who must act, and by when"),
        "traces": ("Traces", "http://{}", "calls across services and workflows"),
        "paypal": ("PayPal sandbox", "http://{}", "payouts, and faults to inject"),
        "storefront": ("Storefront", "http://{}", "products, and reposts (/reposts)"),
        "s3": ("S3", "http://{}", f"keys: {secrets}/s3-access-key, {secrets}/s3-secret-key"),
        "postgres": ("Postgres", "{}", _psql(home, running)),
        "temporal": ("Temporal", "{}", "gRPC, namespace default"),
    }
    for name, (what, where, how) in places.items():
        if name in at:
            yield what, where.format(at[name]), how
    for process in running.processes:
        if process.name not in places:
            metrics = at.get(f"{process.name}-metrics")
            yield process.name, process.address, f"gRPC; metrics http://{metrics}/metrics"
    yield "Logs", shown(home.logs), "one file per process"


def _psql(home: Home, running: StackState) -> str:
    host, _, port = running.addresses.get("postgres", "").rpartition(":")
    if all(process.pid is None for process in running.processes if process.name == "postgres"):
        return 'the server of DATABASE_URL: psql "$DATABASE_URL"'
    password = f"$(cat {shown(home.secrets)}/postgres-password)"
    return f"PGPASSWORD={password} psql -h {host} -p {port} -U postgres liaison"


def _condition(condition: str) -> str:
    return f"[{_COLOURS[condition]}]{condition}[/]"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s"
