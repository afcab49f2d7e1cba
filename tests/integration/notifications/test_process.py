"""The notifications process starts, serves and drains."""

import asyncio
import json
import os
import signal
import sys

from liaison.notifications.v1 import notifications_pb2 as pb
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub

from devstack import identity
from devstack.access import Access
from tests.support.databases import Databases
from tests.support.serving import Served


async def test_it_serves_and_drains(access: Access, databases: Databases) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.notifications",
        env=os.environ
        | {
            "LIAISON_LISTEN_ADDRESS": "127.0.0.1:0",
            "LIAISON_AUTH_JWKS_FILE": str(access.home.jwks_file),
            "LIAISON_AUTH_ISSUER": identity.ISSUER,
            "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
            "LIAISON_DATABASE_URL": await databases.fresh("notifications"),
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        served = Served(access, await _address_said_by(process))
        stub = NotificationServiceStub(served.as_creator("bea"))
        assert not (await stub.ListNotifications(pb.ListNotificationsRequest())).notifications
        await served.close()
    finally:
        process.send_signal(signal.SIGTERM)
        _, rest = await process.communicate()
    assert process.returncode == 0, rest


async def _address_said_by(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while line := await process.stderr.readline():
            if b'"serving"' in line:
                return str(json.loads(line)["address"])
    raise AssertionError("it ended before it served")
