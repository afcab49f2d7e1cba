"""Runs the trace viewer until SIGTERM or SIGINT: wiring only."""

import asyncio
import logging
import signal

from devstack.trace_viewer.server import TraceViewer
from devstack.trace_viewer.settings import Settings

_log = logging.getLogger("trace_viewer")


async def _serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with TraceViewer(Settings()) as viewer:
        _log.info(
            "ready: pages on http://%s/, OTLP on %s", viewer.http_address, viewer.otlp_address
        )
        await stop.wait()
    _log.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve())
