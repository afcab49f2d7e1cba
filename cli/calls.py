"""How the commands of operators call the running stack: as who is logged in here, with errors in
words."""

import asyncio
import getpass
import re
import sys
from collections.abc import Awaitable, Callable

import grpc
import typer

from cli.stack import NOT_RUNNING
from devstack.access import attach
from devstack.home import Home, default_home
from servicekit.errors import LiaisonError
from servicekit.rpc.client import TIMEOUT_SECONDS, open_channel


def call_payouts(
    command: Callable[[grpc.aio.Channel], Awaitable[int]],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    request_id: str = "",
) -> int:
    """Runs `command`, which answers with the exit code, on a channel to the payouts service. 1 when
    it is refused or nothing more can be written, 3 when no stack is running. `request_id` is by
    which the same command can be given again."""
    access = attach(Home(default_home()))
    if access is None or "payouts" not in access.addresses:
        typer.echo("The payouts service is not running: `liaison up` starts it.", err=True)
        return NOT_RUNNING

    async def run() -> int:
        channel = open_channel(
            access.addresses["payouts"],
            lambda: access.token("operator", subject=operator()),
            timeout_seconds=timeout_seconds,
        )
        try:
            return await command(channel)
        finally:
            await channel.close()

    try:
        code = asyncio.run(run())
        sys.stdout.flush()
    except OSError as error:  # a full disk, or a pipe that nobody reads any more
        typer.echo(f"standard output: {error.strerror}", err=True)
    except LiaisonError as error:
        _tell(error, request_id)
    else:
        return code
    return 1


def _tell(error: LiaisonError, request_id: str) -> None:
    details = [f"{each.field}: {each.description}" for each in error.violations]
    typer.echo("; ".join(details) or error.message, err=True)
    if request_id and error.is_retryable:
        repeat = f"It may have been decided: repeat it with --request-id {request_id}"
        typer.echo(repeat, err=True)


def operator() -> str:
    """Whom all that is decided here names: who is logged in on this machine."""
    try:
        name = re.sub(r"[^A-Za-z0-9]", "-", getpass.getuser()).strip("-")
    except (OSError, KeyError):  # a user id without a name
        name = ""
    return f"staff/{name[:60].strip('-') or 'cli'}"
