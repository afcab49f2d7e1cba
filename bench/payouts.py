"""Rates of the ledger relative to bare inserts, and of payouts relative to the sandbox alone."""

import tempfile
from pathlib import Path

from bench.ledger import ledger_ratio
from bench.result import Result
from bench.settlement import settled_ratio
from devstack.home import Home
from devstack.stack import Stack

_PROCESSES = ("payouts", "creators")


async def results() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        async with Stack(Home(Path(folder) / "home"), processes=_PROCESSES, durable=False) as stack:
            ledger = await ledger_ratio(stack.access)
            settled = await settled_ratio(stack.access, Path(folder))
    return [
        Result("payouts.ledger.ratio_to_insert", ledger, "ratio", ">= 0.4"),
        Result("payouts.settled_ratio", settled, "ratio", ">= 0.3"),
    ]
