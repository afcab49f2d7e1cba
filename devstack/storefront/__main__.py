"""Runs the storefront until SIGTERM or SIGINT: wiring only."""

import asyncio
import logging
import signal

from devstack.storefront.server import Storefront
from devstack.storefront.settings import Settings

_log = logging.getLogger("storefront")


async def _serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    settings = Settings()  # type: ignore[call-arg]  # the environment gives the required ones
    async with Storefront(settings) as storefront:
        _log.info("ready on http://%s/", storefront.address)
        await stop.wait()
    _log.info("stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    asyncio.run(_serve())
