"""Runs the sandbox until SIGTERM or SIGINT: wiring only."""

import asyncio
import logging
import signal

from devstack.paypal_sandbox.settings import Settings
from devstack.paypal_sandbox.web.server import Sandbox

_log = logging.getLogger("paypal_sandbox")


async def _serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = Settings()  # type: ignore[call-arg]  # the environment gives the required ones
    async with Sandbox(settings) as sandbox:
        _log.info("ready on http://%s/", sandbox.address)
        await sandbox.serve_until(stop)
    _log.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve())
