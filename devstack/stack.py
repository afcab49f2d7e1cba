"""Starts and stops the embedded stack, or some of its processes.

async with Stack(home, processes={"postgres", "s3"}, durable=False) as stack:
    stack.access.addresses["s3"]
"""

import os
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from functools import partial
from typing import Self
from urllib.parse import urlsplit

import psutil

from devstack import database, identity, state
from devstack.access import Access, store_administrator_url
from devstack.home import Home, default_home
from devstack.object_store import object_store
from devstack.ports import Ports, port_name
from devstack.postgres import accepts_logins, postgres, superuser_url
from devstack.process import ProcessSpec
from devstack.services import Dependencies, paypal_sandbox, services, storefront, trace_viewer
from devstack.supervisor import ProcessStatus, Supervisor
from devstack.temporal import temporal
from services.processes import PROCESSES

SERVERS = ("temporal", "postgres", "s3", "paypal", "storefront", "traces")
ALL_PROCESSES = (*SERVERS, *(process.name for process in PROCESSES))

# Further addresses of a process, beside its main one.
_FURTHER_ADDRESSES = {
    "temporal": ("temporal-ui", "temporal-http"),
    "traces": ("traces-otlp",),
    **{
        process.name: tuple(port_name(process, listener) for listener in process.listeners[1:])
        for process in PROCESSES
    },
}


class Stack:
    """Starts the chosen processes and those they need. `durable=False` may lose data on power loss.

    Start it in the main thread: the kernel kills the processes when the thread that started them
    ends.
    """

    def __init__(
        self,
        home: Home | None = None,
        *,
        processes: Collection[str] | None = None,
        durable: bool = True,
        observe: Callable[[ProcessStatus], None] = lambda _: None,
    ) -> None:
        self.home = home or Home(default_home())
        self._wanted = frozenset(ALL_PROCESSES if processes is None else processes)
        if unknown := self._wanted.difference(ALL_PROCESSES):
            raise ValueError(f"no such process: {', '.join(sorted(unknown))}")
        self._durable = durable
        self._observe = observe
        self._database_url = os.environ.get("DATABASE_URL")
        self._lock = state.Lock(self.home)
        self._ports: Ports | None = None
        self._access: Access | None = None
        self._supervisor: Supervisor | None = None
        self._started_time = time.time()
        self._is_ready = False

    @property
    def access(self) -> Access:
        if self._access is None:
            raise RuntimeError("the stack is not started")
        return self._access

    @property
    def statuses(self) -> list[ProcessStatus]:
        return self._supervisor.statuses if self._supervisor else []

    async def start(self) -> None:
        """Returns when all processes are ready. Raises AlreadyRunning or ProcessFailed after
        stopping what it had started."""
        self.home.prepare()
        await self._lock.acquire()
        try:
            self._supervisor = self._assemble()
            await self._start(self._supervisor)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        self._is_ready = False
        if self._supervisor is not None:
            await self._supervisor.stop()
        self.home.state_file.unlink(missing_ok=True)
        if self._ports is not None:
            self._ports.close()
        self._lock.release()

    def kill(self) -> None:
        """Ends a running `stop` at once, by killing all processes."""
        if self._supervisor is not None:
            self._supervisor.kill()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _assemble(self) -> Supervisor:
        """Chooses ports, creates keys and passwords, and stores what is about to run."""
        identity.ensure_key(self.home)
        ports = self._ports = Ports(self.home)
        url = self._database_url or superuser_url(self.home, ports.address("postgres"))
        store_administrator_url(self.home, url)
        processes = _with_dependencies(self._all_processes(ports, url), self._wanted)
        ports.save()
        addresses = {process.name: process.address for process in processes}
        for name in list(addresses):
            further = _FURTHER_ADDRESSES.get(name, ())
            addresses |= {each: ports.address(each) for each in further}
        for process in processes:
            self.home.rotate_log(process.name)
        self._access = Access(self.home, addresses)
        return Supervisor(processes, self.home, self._changed)

    async def _start(self, supervisor: Supervisor) -> None:
        self._save_state()
        await supervisor.start()
        self._is_ready = True
        self._save_state()

    def _all_processes(self, ports: Ports, administrator_url: str) -> list[ProcessSpec]:
        home, durable = self.home, self._durable
        is_traced = "traces" in self._wanted
        return [
            temporal(home, ports, durable=durable),
            self._database_server(ports, administrator_url),
            object_store(home, ports),
            paypal_sandbox(home, ports),
            storefront(home, ports),
            trace_viewer(home, ports),
            *services(Dependencies(home, ports, administrator_url, is_traced)),
        ]

    def _database_server(self, ports: Ports, administrator_url: str) -> ProcessSpec:
        provision = partial(database.provision, administrator_url, database.passwords(self.home))
        if self._database_url is None:
            embedded = postgres(self.home, ports, durable=self._durable)
            return replace(embedded, provision=provision)
        location = urlsplit(administrator_url)
        return ProcessSpec(
            name="postgres",
            address=f"{location.hostname}:{location.port or 5432}",
            is_ready=accepts_logins(administrator_url),
            provision=provision,
        )

    def _changed(self, status: ProcessStatus) -> None:
        self._save_state()
        self._observe(status)

    def _save_state(self) -> None:
        pid = os.getpid()
        record = state.StackState(
            supervisor_pid=pid,
            supervisor_created_time=psutil.Process(pid).create_time(),
            started_time=self._started_time,
            is_ready=self._is_ready,
            addresses=self.access.addresses,
            processes=tuple(self.statuses),
        )
        state.write(self.home, record)


def _with_dependencies(processes: list[ProcessSpec], wanted: frozenset[str]) -> list[ProcessSpec]:
    by_name = {process.name: process for process in processes}
    chosen: set[str] = set()
    pending = set(wanted)
    while pending:
        name = pending.pop()
        chosen.add(name)
        pending |= by_name[name].needs - chosen
    return [process for process in processes if process.name in chosen]
