"""The media process starts, serves, and ends with its decoders and probers."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from devstack import identity
from devstack.access import Access
from tests.support.databases import Databases


async def eventually(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not become true in time"
        await asyncio.sleep(0.02)


def environment(access: Access, database_url: str) -> dict[str, str]:
    access_key, secret_key = access.object_store_credentials
    return {
        "LIAISON_LISTEN_ADDRESS": "127.0.0.1:0",
        "LIAISON_AUTH_JWKS_FILE": str(access.home.jwks_file),
        "LIAISON_AUTH_ISSUER": identity.ISSUER,
        "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
        "LIAISON_SERVICE_TOKEN_FILE": str(identity.service_token_file(access.home, "media")),
        "LIAISON_DATABASE_URL": database_url,
        "LIAISON_OBJECT_STORE_ENDPOINT": access.addresses["s3"],
        "LIAISON_OBJECT_STORE_ACCESS_KEY": access_key,
        "LIAISON_OBJECT_STORE_SECRET_KEY": secret_key,
        "LIAISON_OBJECT_STORE_TLS": "false",
    }


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
async def test_the_process_serves_and_leaves_no_process_behind(
    access: Access, databases: Databases, signum: signal.Signals
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.media",
        env=os.environ | environment(access, await databases.fresh("media")),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    output = b""
    try:
        async with asyncio.timeout(20):
            while b'"serving"' not in output:
                line = await process.stderr.readline()
                assert line, output
                output += line
        children = psutil.Process(process.pid).children()
        modules = sorted(child.cmdline()[3] for child in children)
        assert modules == [*2 * ["services.media.images.decoder"], "services.media.videos.prober"]
    finally:
        process.send_signal(signum)
        _, rest = await process.communicate()
    if signum == signal.SIGTERM:
        assert process.returncode == 0, rest
    await eventually(lambda: not any(child.is_running() for child in children))
    _, secret_key = access.object_store_credentials
    assert secret_key.encode() not in output + rest
