"""What the supervisor must know about a process to start, watch and stop it."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

NOBODY = 65534  # the user and group id that owns no files

Probe = Callable[[], Awaitable[bool]]
Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class ProcessSpec:
    """One process of the stack. Without `argv` others run it, and the stack only waits for it."""

    name: str
    address: str
    is_ready: Probe
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    # Processes that must be ready before this one starts, and that stop after it.
    needs: frozenset[str] = frozenset()
    # Processes that stop after this one, which still calls them while it drains; they need not be
    # ready first.
    uses: frozenset[str] = frozenset()
    # Runs before every start, also after a crash, so it must be idempotent.
    prepare: Step | None = None
    # Runs once, when the process is ready for the first time, before those that need it start.
    provision: Step | None = None
    user_id: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 15.0
