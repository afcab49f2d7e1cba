"""The disputes process: serves without its dependencies, reports missing ones, and drains."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from liaison.disputes.v1 import disputes_pb2 as pb
from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceStub

from devstack import identity
from devstack.access import Access
from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.timestamps import to_timestamp
from tests.support.databases import Databases
from tests.support.serving import Served, refused, request_id

NOBODY = "127.0.0.1:1"


async def test_it_serves_without_temporal_and_drains(
    access: Access, databases: Databases, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(access.token("service", subject="services/disputes"))
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.disputes",
        env=os.environ
        | {
            "LIAISON_LISTEN_ADDRESS": "127.0.0.1:0",
            "LIAISON_AUTH_JWKS_FILE": str(access.home.jwks_file),
            "LIAISON_AUTH_ISSUER": identity.ISSUER,
            "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
            "LIAISON_SERVICE_TOKEN_FILE": str(token_file),
            "LIAISON_DATABASE_URL": await databases.fresh("disputes"),
            "LIAISON_TASKS_ADDRESS": NOBODY,
            "TEMPORAL_ADDRESS": NOBODY,
        },
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        served = Served(access, await _address_said_by(process))
        await _is_recorded_and_not_claimed(served)
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


async def _is_recorded_and_not_claimed(served: Served) -> None:
    dispute = _dispute()
    await DisputeServiceStub(served.as_service()).RecordDispute(
        pb.RecordDisputeRequest(dispute=dispute)
    )
    mediator = DisputeServiceStub(served.as_mediator())
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await mediator.ClaimDispute(
            pb.ClaimDisputeRequest(name=dispute.name, request_id=request_id())
        )
    found = await mediator.GetDispute(pb.GetDisputeRequest(name=dispute.name))
    assert found.state == pb.Dispute.STATE_OPEN


def _dispute() -> pb.Dispute:
    now = to_timestamp(utc_now())
    return pb.Dispute(
        name="disputes/d1",
        state=pb.Dispute.STATE_OPEN,
        assignment="assignments/a1",
        brand="brands/acme",
        creator="creators/bea",
        opener="creators/bea",
        ground=pb.GROUND_LATE_REWARD,
        statement="Nothing arrived",
        resolution_due_time=now,
        answer_due_time=now,
        sequence=1,
        create_time=now,
        update_time=now,
    )
