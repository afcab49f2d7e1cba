"""Baseline of RPCs: a grpc.aio server in a process of its own, whose one method returns its
request. No interceptors, no database."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import grpc

from devstack.child import launch_argv
from devstack.home import SOURCE_ROOT
from servicekit.process import run

PATH = "/bench.Echo/Echo"


@asynccontextmanager
async def echo_server() -> AsyncIterator[str]:
    """Runs an echo server; yields its address."""
    process = await asyncio.create_subprocess_exec(
        *launch_argv([sys.executable, "-m", "bench.echo"]),
        cwd=SOURCE_ROOT,
        stdout=asyncio.subprocess.PIPE,
        env=os.environ,
    )
    if process.stdout is None:
        raise RuntimeError("the process has no standard output")
    try:
        yield (await process.stdout.readline()).decode().strip()
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _serve() -> None:
    server = grpc.aio.server()
    handler: Any = grpc.unary_unary_rpc_method_handler(_echo)
    service, method = PATH.removeprefix("/").split("/")
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


async def _echo(request: bytes, _context: object) -> bytes:
    return request


if __name__ == "__main__":
    run(_serve())
