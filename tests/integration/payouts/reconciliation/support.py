"""Reads the kill switch and the number of reconciliations."""

from liaison.payouts.v1 import reconciliation_pb2 as pb

from servicekit.postgres.database import Database
from tests.integration.payouts.harness import Harness


async def kill_switch(harness: Harness) -> pb.KillSwitch:
    return await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())


async def count(database: Database) -> int:
    row = await database.fetch_one("SELECT count(*) AS count FROM reconciliation")
    assert row is not None
    number: int = row["count"]
    return number
