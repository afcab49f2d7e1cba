"""Rate of settled payouts through the PayPal sandbox, relative to the sandbox alone.

Ours: payouts are sent over gRPC and settled in the ledger after the sandbox's webhooks. The
baseline: a bare client orders as many payouts from a second sandbox without webhooks. Both end when
the last one is paid.
"""

import asyncio
import os
import sqlite3
import statistics
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import psycopg
from liaison.payouts.v1 import payouts_pb2 as pb

from bench.ledger import CREATOR, REWARD, reservations
from bench.load import EncodedRequest, RawClient
from devstack.access import Access
from devstack.child import launch_argv
from devstack.home import SOURCE_ROOT
from devstack.ports import free_port
from devstack.probes import accepts_tcp
from servicekit.postgres.database import Database
from services.payouts.ledger.store import LedgerStore

_PATH = "/liaison.payouts.v1.PayoutService/SendPayout"
_PAYOUTS = 400
_RUNS = 3
_AT_ONCE = 64
_POLL_SECONDS = 0.02
_PATIENCE_SECONDS = 120.0
_RECEIVER = "bench@example.com"
_CLIENT = ("bench", "bench")


async def settled_ratio(access: Access, folder: Path) -> float:
    await _introduce_creator(access)
    async with (
        Database(access.service_url("payouts"), pool_size=2) as database,
        RawClient(access.addresses["payouts"], _PATH) as ours,
        _baseline_sandbox(folder / "baseline") as address,
        aiohttp.ClientSession(f"http://{address}") as baseline,
    ):
        headers = {"Authorization": await _authorization(baseline)}
        ratios = []
        for _ in range(1 + _RUNS):
            requests = await _due(access, database)
            rate = await _rate(ours.rate_of(requests), lambda: _settled(database))
            ratios.append(rate / await _baseline_rate(baseline, headers, folder / "baseline"))
    return statistics.median(ratios[1:])  # the first warms up


async def _introduce_creator(access: Access) -> None:
    """Inserts an admitted creator by SQL: admission is not what is measured."""
    async with await psycopg.AsyncConnection.connect(access.service_url("creators")) as connection:
        await connection.execute(
            """
            INSERT INTO creator (id, state, display_name, mobile_number, dingtalk_id, account,
                                 statistics, level, paypal_receiver, create_time, update_time)
            VALUES (%s, 'ADMITTED', 'bench', '+34612345678', '+34612345678',
                    '{"account_class": "EXTERNAL", "handle": "@bench", "post_count": 100,
                      "follower_count": 10000}',
                    jsonb_build_object('post_count', 100, 'follower_count', 10000,
                                       'observe_time', now(), 'source', 'DECLARED'),
                    'NEWCOMER', %s, now(), now())
            """,
            (CREATOR, _RECEIVER),
        )


async def _due(access: Access, database: Database) -> list[EncodedRequest]:
    """SendPayout requests for reserved rewards."""
    ledger = LedgerStore(database)
    token = access.token("service", subject="services/bench")
    requests = []
    for transfer in await reservations(ledger, database, _PAYOUTS):
        await ledger.post(transfer)
        request = pb.SendPayoutRequest(name=f"payouts/{transfer.payout_id}", attempt=1)
        requests.append(EncodedRequest(request.SerializeToString(), token))
    return requests


async def _settled(database: Database) -> int:
    row = await database.fetch_one("SELECT count(*) AS n FROM transfer WHERE kind = 'SETTLE'")
    count: int = row["n"] if row else 0
    return count


async def _baseline_rate(http: aiohttp.ClientSession, headers: dict[str, str], data: Path) -> float:
    left = iter([f"baseline-{uuid4().hex}" for _ in range(_PAYOUTS)])

    async def work() -> None:
        for id_ in left:
            response = await http.post("/v1/payments/payouts", json=_order(id_), headers=headers)
            await response.read()
            response.raise_for_status()

    async def paid() -> int:
        with closing(sqlite3.connect(data / "sandbox.sqlite3")) as state:
            (count,) = state.execute(
                "SELECT count(*) FROM item WHERE status = 'SUCCESS'"
            ).fetchone()
        return int(count)

    return await _rate(asyncio.gather(*(work() for _ in range(_AT_ONCE))), paid)


async def _rate(orders: Awaitable[Any], count: Callable[[], Awaitable[int]]) -> float:
    """Payouts per second, from the first order until `count` has grown by _PAYOUTS.

    Raises:
        TimeoutError: some were not paid.
    """
    before = await count()
    started = time.perf_counter()
    await orders
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while await count() < before + _PAYOUTS:  # noqa: ASYNC110  another process pays
            await asyncio.sleep(_POLL_SECONDS)
    return _PAYOUTS / (time.perf_counter() - started)


def _order(id_: str) -> dict[str, Any]:
    amount = {"currency": REWARD.currency, "value": str(REWARD).partition(" ")[0]}
    return {
        "sender_batch_header": {"sender_batch_id": id_, "email_subject": "A reward"},
        "items": [{"recipient_type": "EMAIL", "receiver": _RECEIVER, "amount": amount}],
    }


async def _authorization(http: aiohttp.ClientSession) -> str:
    response = await http.post(
        "/v1/oauth2/token",
        data={"grant_type": "client_credentials"},
        auth=aiohttp.BasicAuth(*_CLIENT),
    )
    response.raise_for_status()
    return f"Bearer {(await response.json())['access_token']}"


@asynccontextmanager
async def _baseline_sandbox(data: Path) -> AsyncIterator[str]:
    """Runs a second sandbox, without webhooks, in a process of its own; yields its address."""
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        *launch_argv([sys.executable, "-m", "devstack.paypal_sandbox"]),
        cwd=SOURCE_ROOT,
        stderr=asyncio.subprocess.DEVNULL,
        env={
            **os.environ,
            "SANDBOX_ADDRESS": address,
            "SANDBOX_PUBLIC_URL": f"http://{address}",
            "SANDBOX_CLIENT_ID": _CLIENT[0],
            "SANDBOX_CLIENT_SECRET": _CLIENT[1],
            "SANDBOX_DATA_DIR": str(data),
        },
    )
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not await accepts_tcp(address):  # noqa: ASYNC110  another process starts
                await asyncio.sleep(_POLL_SECONDS)
        yield address
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
