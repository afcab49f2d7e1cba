"""What the supervisor must know about a part to start, watch and stop it. No part in particular."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

NOBODY = 65534  # the user and group id that owns nothing

Probe = Callable[[], Awaitable[bool]]
Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class Part:
    """One process of the stack. Without `argv` somebody else runs it, and it is only waited for."""

    name: str
    address: str
    is_ready: Probe
    argv: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    # Parts that must be ready first; at stop this one goes before them.
    needs: frozenset[str] = frozenset()
    # Parts this one comes up beside, but must not outlive: it still calls them while it drains.
    uses: frozenset[str] = frozenset()
    # Before every start, also after a crash, so it must be idempotent.
    prepare: Step | None = None
    # Once, when the part is ready for the first time and before anyone who needs it starts.
    provision: Step | None = None
    user_id: int | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_seconds: float = 15.0
