"""Starts and stops the viewer: the store, the OTLP port and the HTTP port."""

from types import TracebackType
from typing import Self

import grpc
from aiohttp import web

from devstack.trace_viewer import api, collector, pages
from devstack.trace_viewer.settings import Settings
from devstack.trace_viewer.store import TraceStore

_STOP_GRACE_SECONDS = 1.0


class TraceViewer:
    """An async context manager; inside it both ports accept requests."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store = TraceStore(
            max_traces=settings.max_traces,
            max_spans=settings.max_spans,
            max_spans_per_trace=settings.max_spans_per_trace,
        )
        self._grpc_server: grpc.aio.Server | None = None
        self._runner: web.AppRunner | None = None
        self.otlp_address = settings.otlp_address
        self.http_address = settings.http_address

    async def __aenter__(self) -> Self:
        otlp_host = self._settings.otlp_address.rpartition(":")[0]
        self._grpc_server, port = await collector.start(self._store, self._settings.otlp_address)
        self.otlp_address = f"{otlp_host}:{port}"
        try:
            self.http_address = await self._start_http()
        except BaseException:
            await self._stop()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stop()

    async def _start_http(self) -> str:
        app = web.Application()
        app[api.STORE] = self._store
        app.add_routes([*api.routes, *pages.routes])
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_STOP_GRACE_SECONDS)
        await self._runner.setup()
        host, _, port = self._settings.http_address.rpartition(":")
        await web.TCPSite(self._runner, host, int(port)).start()
        return f"{host}:{self._runner.addresses[0][1]}"

    async def _stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._grpc_server is not None:
            await self._grpc_server.stop(_STOP_GRACE_SECONDS)
