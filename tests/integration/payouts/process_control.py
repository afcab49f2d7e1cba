"""Starts a second payouts process, and stops it at a chosen point to kill it there: before a
request reaches the provider, before its response arrives, or within a transaction."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, LiteralString

import httpx
import psycopg
from aiohttp import web
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub

from devstack import identity
from tests.integration.payouts.harness import Harness, eventually, usd
from tests.support.serving import Served

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub

UNUSED_ADDRESS = "127.0.0.1:1"
TOKEN_PATH = "/v1/oauth2/token"  # noqa: S105  # a path
PAYOUTS_PATH = "/v1/payments/payouts"


class Held(StrEnum):
    """Which message a gate holds back."""

    REQUEST = "REQUEST"
    RESPONSE = "RESPONSE"


class Gate:
    """A proxy before the sandbox. Holds requests to one path, or their responses, until opened."""

    def __init__(self, sandbox_url: str, path: str, held: Held) -> None:
        self._sandbox_url = sandbox_url
        self._path, self._held = path, held
        self.reached = asyncio.Event()
        self.opened = asyncio.Event()
        self._http = httpx.AsyncClient(trust_env=False)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.read()
        is_held = request.path == self._path
        if is_held and self._held is Held.REQUEST:
            await self._hold()
        answer = await self._http.request(
            request.method,
            f"{self._sandbox_url}{request.path_qs}",
            content=body,
            headers={
                name: request.headers[name]
                for name in ("Authorization", "Content-Type")
                if name in request.headers
            },
        )
        if is_held and self._held is Held.RESPONSE:
            await self._hold()
        return web.Response(
            status=answer.status_code, body=answer.content, content_type="application/json"
        )

    async def _hold(self) -> None:
        self.reached.set()
        await self.opened.wait()

    async def stop(self) -> None:
        self.opened.set()
        await self._http.aclose()


@asynccontextmanager
async def gate_to(harness: Harness, path: str, held: Held) -> AsyncIterator[tuple[Gate, str]]:
    """Yields the gate and its URL."""
    gate = Gate(harness.settings.paypal_base_url, path, held)
    application = web.Application()
    application.router.add_route("*", "/{rest:.*}", gate.handle)
    runner = web.AppRunner(
        application, access_log=None, handler_cancellation=True, shutdown_timeout=0
    )
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield gate, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await gate.stop()


class Victim:
    """A payouts process to be killed. Its calls are not retried."""

    def __init__(self, process: asyncio.subprocess.Process, served: Served) -> None:
        self._process = process
        self.served = served
        self._calls: list[asyncio.Task[None]] = []

    @property
    def worker(self) -> "PayoutServiceAsyncStub":
        return PayoutServiceStub(self.served.as_service())

    def reserve(self, *payouts: str) -> None:
        request = pb.ReserveRewardsRequest(
            brand="brands/acme",
            amount=usd(10_000),
            reservations=[
                pb.RewardReservation(payout=f"payouts/{payout}", creator="creators/anna")
                for payout in payouts
            ],
        )
        self._begin(self.worker.ReserveRewards(request))

    def send(self, payout: str) -> None:
        self._begin(
            self.worker.SendPayout(pb.SendPayoutRequest(name=f"payouts/{payout}", attempt=1))
        )

    def refresh(self, payout: str) -> None:
        self._begin(self.worker.RefreshPayout(pb.RefreshPayoutRequest(name=f"payouts/{payout}")))

    def _begin(self, call: Awaitable[Any]) -> None:
        async def follow() -> None:
            await call

        self._calls.append(asyncio.create_task(follow()))

    async def give_up(self) -> None:
        """Cancels the calls, as a client's time-out does."""
        for call in self._calls:
            call.cancel()
        await asyncio.gather(*self._calls, return_exceptions=True)

    async def kill(self) -> None:
        """Sends SIGKILL. Fails if one of its calls has ended before."""
        assert not any(call.done() for call in self._calls), self._calls
        await self.give_up()
        self._process.send_signal(signal.SIGKILL)
        assert await self._process.wait() == -signal.SIGKILL


def environment_of(harness: Harness, database_url: str, paypal_url: str = "") -> dict[str, str]:
    """Settings of a second payouts process on the harness's database and sandbox."""
    access = harness.served.access
    return {
        "LIAISON_LISTEN_ADDRESS": "127.0.0.1:0",
        "LIAISON_AUTH_JWKS_FILE": str(access.home.jwks_file),
        "LIAISON_AUTH_ISSUER": identity.ISSUER,
        "LIAISON_AUTH_AUDIENCE": identity.AUDIENCE,
        "LIAISON_SERVICE_TOKEN_FILE": str(identity.service_token_file(access.home, "payouts")),
        "LIAISON_DATABASE_URL": database_url,
        "LIAISON_CREATORS_ADDRESS": harness.creators.address,
        "LIAISON_PAYPAL_BASE_URL": paypal_url or harness.settings.paypal_base_url,
        "LIAISON_PAYPAL_CLIENT_ID": harness.settings.paypal_client_id,
        "LIAISON_PAYPAL_CLIENT_SECRET": harness.settings.paypal_client_secret.get_secret_value(),
        "LIAISON_PAYPAL_WEBHOOK_ID": harness.settings.paypal_webhook_id,
        "LIAISON_PAYPAL_WEBHOOK_LISTEN_ADDRESS": "127.0.0.1:0",
        "LIAISON_PAYPAL_CERTIFICATE_ORIGIN": harness.settings.paypal_certificate_origin,
        "TEMPORAL_ADDRESS": UNUSED_ADDRESS,
    }


async def start(environment: Mapping[str, str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.payouts",
        env=os.environ | environment,
        stderr=asyncio.subprocess.PIPE,
    )


@asynccontextmanager
async def victim_of(
    harness: Harness, database_url: str, paypal_url: str = ""
) -> AsyncIterator[Victim]:
    process = await start(environment_of(harness, database_url, paypal_url))
    served: Served | None = None
    try:
        served = Served(harness.served.access, await logged_address(process))
        yield Victim(process, served)
    finally:
        if served is not None:
            await served.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()


async def logged_address(process: asyncio.subprocess.Process) -> str:
    assert process.stderr is not None
    async with asyncio.timeout(20):
        while line := await process.stderr.readline():
            if b'"serving"' in line:
                return str(json.loads(line)["address"])
    raise AssertionError("the process ended before it served")


@asynccontextmanager
async def blocked_by(database_url: str, statement: LiteralString) -> AsyncIterator[None]:
    """Runs `statement` in a transaction, which keeps its locks inside the block and is rolled back
    at the end."""
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        await connection.execute(statement)
        try:
            yield
        finally:
            await connection.rollback()


async def until_a_lock_is_awaited(harness: Harness) -> None:
    """Waits until a transaction waits for a lock."""

    async def waits() -> bool:
        row = await harness.database.fetch_one(
            """
            SELECT FROM pg_stat_activity
             WHERE datname = current_database() AND wait_event_type = 'Lock'
            """
        )
        return row is not None

    await eventually(waits)
