"""The demo's events on the terminal, one line each."""

import time

from rich.console import Console
from rich.text import Text

_COLOURS = {
    "brand": "bright_blue",
    "creator": "bright_green",
    "mediator": "bright_magenta",
    "operator": "yellow",
    "platform": "cyan",
}


class Timeline:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._started = time.monotonic()

    def section(self, title: str) -> None:
        self._console.print()
        self._console.rule(f"[bold]{title}", align="left", style="dim")

    def add(self, role: str, who: str, what: str) -> None:
        """`role` gives the colour: brand, creator, mediator, operator or platform."""
        elapsed = time.monotonic() - self._started
        line = Text(f"{elapsed:6.1f} s  ", style="dim")
        line.append(f"{role:<9}", style=_COLOURS[role])
        line.append(f"{who:<8}", style=f"bold {_COLOURS[role]}")
        line.append(what, style="default")
        self._console.print(line, soft_wrap=True)
