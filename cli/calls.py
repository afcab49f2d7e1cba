"""How the commands of operators call the running stack: as `staff/cli`, with errors in words."""

import asyncio
from collections.abc import Awaitable, Callable

import grpc
import typer

from cli.stack import NOT_RUNNING
from devstack.access import attach
from devstack.home import Home, default_home
from servicekit.errors import LiaisonError
from servicekit.grpc_client import TIMEOUT_SECONDS, open_channel


def call_payouts(
    command: Callable[[grpc.aio.Channel], Awaitable[int]],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> int:
    """Runs `command`, which answers with the exit code, on a channel to the payouts service. 1 when
    it is refused or nothing more can be written, 3 when no stack is running."""
    access = attach(Home(default_home()))
    if access is None or "payouts" not in access.addresses:
        typer.echo("The payouts service is not running: `liaison up` starts it.", err=True)
        return NOT_RUNNING

    async def run() -> int:
        channel = open_channel(
            access.addresses["payouts"],
            lambda: access.token("operator", subject="staff/cli"),
            timeout_seconds=timeout_seconds,
        )
        try:
            return await command(channel)
        finally:
            await channel.close()

    try:
        return asyncio.run(run())
    except OSError as error:  # a full disk, or a pipe that nobody reads any more
        typer.echo(f"standard output: {error.strerror}", err=True)
        return 1
    except LiaisonError as error:
        details = [f"{each.field}: {each.description}" for each in error.violations]
        typer.echo("; ".join(details) or error.message, err=True)
        return 1
