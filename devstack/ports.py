"""The ports of a stack: each listener's usual port, or a free one that the data directory keeps.

A port is reserved while the stack runs, so that two stacks that start at the same time cannot
choose the same one.
"""

import json
import random
import secrets
import socket
from collections.abc import Iterator

from devstack.home import Home, write_private
from services.processes import PROCESSES, Listener, Process

LOOPBACK = "127.0.0.1"


def port_name(process: Process, listener: Listener) -> str:
    """The name of a listener's port: the process's own name for gRPC, else `payouts-webhook`."""
    return process.name if listener.name == "grpc" else f"{process.name}-{listener.name}"


# All below Linux' range for outgoing connections (32768 and up), whose ports may be in use when a
# server wants them.
USUAL = {
    "temporal": 7233,
    "temporal-ui": 8233,
    "postgres": 15432,
    "s3": 8333,
    "traces": 16686,
    "traces-otlp": 4317,
    "paypal": 8091,
    "storefront": 8093,
    **{
        port_name(process, listener): listener.port
        for process in PROCESSES
        for listener in process.listeners
    },
}

# Still below that range with 10,000 added, as some servers do for a second port.
_SPARE = range(20_000, 22_768)
_ATTEMPTS = 200


class Ports:
    """The ports of one data directory. `close` releases the reservations."""

    def __init__(self, home: Home) -> None:
        self._file = home.path / "ports.json"
        self._kept: dict[str, int] = {}
        self._chosen: dict[str, int] = {}
        self._reservations: list[socket.socket] = []
        if self._file.exists():
            self._kept = json.loads(self._file.read_text(encoding="utf-8"))

    def port(self, name: str, preferred: int | None = None) -> int:
        """Reserves a port: the kept one, else `preferred`, else the usual one, else any free
        one."""
        if name not in self._chosen:
            candidates = self._candidates(name, preferred)
            self._chosen[name] = next(filter(self._reserve, candidates))
        return self._chosen[name]

    def address(self, name: str) -> str:
        return f"{LOOPBACK}:{self.port(name)}"

    def save(self) -> None:
        write_private(self._file, json.dumps({**self._kept, **self._chosen}, indent=2) + "\n")

    def close(self) -> None:
        for reservation in self._reservations:
            reservation.close()
        self._reservations.clear()

    def _candidates(self, name: str, preferred: int | None) -> Iterator[int]:
        for port in (self._kept.get(name), preferred, USUAL.get(name)):
            if port is not None:
                yield port
        yield from random.sample(_SPARE, _ATTEMPTS)
        raise OSError(f"no free port found for {name}")

    def _reserve(self, port: int) -> bool:
        # An abstract socket serves as a lock: its scope is the network namespace, like that of
        # ports, and the kernel releases it when this process ends.
        reservation = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            reservation.bind(f"\0liaison-port-{port}")
        except OSError:
            reservation.close()
            return False
        if not is_free(port):
            reservation.close()
            return False
        self._reservations.append(reservation)
        return True


def is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port with connections in TIME_WAIT is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port below Linux's ephemeral range, which begins at 32768: no outgoing connection and no
    listener on port 0 takes it before its caller does."""
    while not is_free(port := 10_000 + secrets.randbelow(22_000)):
        pass
    return port
