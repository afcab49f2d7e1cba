"""Starts and stops the sandbox: store, scheduled changes, webhook delivery and HTTP."""

import asyncio
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from aiohttp import web

from devstack.paypal_sandbox.alarm import Alarm
from devstack.paypal_sandbox.payouts import Payouts
from devstack.paypal_sandbox.representations import Representations
from devstack.paypal_sandbox.settings import Settings
from devstack.paypal_sandbox.signing import load_signer
from devstack.paypal_sandbox.store import Store
from devstack.paypal_sandbox.transactions.reporting import Reporting
from devstack.paypal_sandbox.web import admin, api, pages
from devstack.paypal_sandbox.web.throttle import Throttle
from devstack.paypal_sandbox.web.tokens import Tokens
from devstack.paypal_sandbox.webhooks import WebhookDelivery

_MAX_BODY_BYTES = 64 * 1024 * 1024  # 15,000 items with their notes
_STOP_GRACE_SECONDS = 2.0


class Sandbox:
    """An async context manager; inside it the port accepts requests and scheduled changes run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exits = AsyncExitStack()
        self.address = settings.address
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as exits:
            await self._start(exits)
            self._exits = exits.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._exits.aclose()

    async def serve_until(self, stop: asyncio.Event) -> None:
        """Raises if scheduled changes or webhook delivery stop: exiting is better than hanging."""
        stopping = asyncio.create_task(stop.wait())
        try:
            everything = [stopping, *self._tasks]
            done, _ = await asyncio.wait(everything, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            stopping.cancel()

    async def _start(self, exits: AsyncExitStack) -> None:
        settings = self._settings
        settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        store = Store(settings.data_dir / "sandbox.sqlite3")
        exits.callback(store.close)
        signer = load_signer(
            settings.data_dir, public_url=settings.public_url, webhook_id=settings.webhook_id
        )
        shapes = Representations(settings.public_url)
        events_waiting = Alarm()
        payouts = Payouts(
            store, shapes, step_seconds=settings.step_seconds, events_waiting=events_waiting
        )

        app = web.Application(
            client_max_size=_MAX_BODY_BYTES, middlewares=[api.paypal_errors, admin.loopback_only]
        )
        app[api.STORE] = store
        app[api.SIGNER] = signer
        app[api.SHAPES] = shapes
        app[api.PAYOUTS] = payouts
        app[api.REPORTING] = Reporting(store.movements, store.conditions, settings.public_url)
        app[api.THROTTLE] = Throttle()
        app[admin.EVENTS_WAITING] = events_waiting
        app[api.TOKENS] = Tokens(
            store,
            client_id=settings.client_id,
            client_secret=settings.client_secret.get_secret_value(),
            lifetime_seconds=settings.token_seconds,
        )
        app.add_routes([*api.routes, *admin.routes, *pages.routes])
        self.address = await self._listen(app, exits)

        loops = [payouts.run()]
        if settings.webhook_url:
            delivery = WebhookDelivery(store, signer, settings.webhook_url, events_waiting)
            loops.append(delivery.run())
        self._tasks = [asyncio.create_task(loop) for loop in loops]
        exits.push_async_callback(_cancel, self._tasks)

    async def _listen(self, app: web.Application, exits: AsyncExitStack) -> str:
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_GRACE_SECONDS)
        exits.push_async_callback(runner.cleanup)
        await runner.setup()
        host, _, port = self._settings.address.rpartition(":")
        await web.TCPSite(runner, host, int(port)).start()
        return f"{host}:{runner.addresses[0][1]}"


async def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
