"""How operators' commands call the running stack: as the logged-in user, with errors printed as
text."""

import asyncio
import getpass
import re
import sys
from collections.abc import Awaitable, Callable

import grpc
import typer

from cli.stack import NOT_RUNNING
from devstack.access import Access, attach
from devstack.home import Home, default_home
from servicekit.errors import LiaisonError
from servicekit.rpc.client import TIMEOUT_SECONDS, open_channel


def call_payouts(
    command: Callable[[grpc.aio.Channel], Awaitable[int]],
    *,
    timeout_seconds: float = TIMEOUT_SECONDS,
    request_id: str = "",
) -> int:
    """Runs `command` with a channel to the payouts service.

    Returns its exit code; 1 if refused or standard output cannot be written, 3 if no stack is
    running. `request_id` is printed after an error with which the call can be repeated.
    """
    access = attach(Home(default_home()))
    if access is None or "payouts" not in access.addresses:
        typer.echo("The payouts service is not running; start it with `liaison up`.", err=True)
        return NOT_RUNNING

    try:
        code = asyncio.run(_call(access, command, timeout_seconds))
        sys.stdout.flush()
    except OSError as error:  # a full disk, or a pipe whose reader is gone
        typer.echo(f"standard output: {error.strerror}", err=True)
    except LiaisonError as error:
        _print_error(error, request_id)
    else:
        return code
    return 1


async def _call(
    access: Access, command: Callable[[grpc.aio.Channel], Awaitable[int]], timeout_seconds: float
) -> int:
    channel = open_channel(
        access.addresses["payouts"],
        lambda: access.token("operator", subject=operator()),
        timeout_seconds=timeout_seconds,
    )
    try:
        return await command(channel)
    finally:
        await channel.close()


def _print_error(error: LiaisonError, request_id: str) -> None:
    details = [f"{each.field}: {each.description}" for each in error.violations]
    typer.echo("; ".join(details) or error.message, err=True)
    if request_id and error.is_retryable:
        hint = f"It may have been carried out; repeat it with --request-id {request_id}"
        typer.echo(hint, err=True)


def operator() -> str:
    """The actor of every decision made here: the user logged in on this machine."""
    try:
        name = re.sub(r"[^A-Za-z0-9]", "-", getpass.getuser()).strip("-")
    except (OSError, KeyError):  # a user id without a name
        name = ""
    return f"staff/{name[:60].strip('-') or 'cli'}"
