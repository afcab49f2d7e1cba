"""`python -m bench [AREA…]`: runs the named areas, or all."""

import asyncio
import sys

from bench import applications, lifecycle, media, payouts, rpc, stack, task_lists
from servicekit.process import exit_immediately

_AREAS = {
    "stack": stack.results,
    "lifecycle": lifecycle.results,
    "rpc": rpc.results,
    "applications": applications.results,
    "tasks": task_lists.results,
    "media": media.results,
    "payouts": payouts.results,
}


async def _main(areas: list[str]) -> None:
    for area in areas:
        for result in await _AREAS[area]():
            print(result.line(), flush=True)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1:] or list(_AREAS)))
    exit_immediately(0)
