"""Resource limits of worker processes that read untrusted bytes.

Imported by the pools that start such processes and by the processes themselves, which must import
as little as possible.
"""

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Confinement:
    """Limits of one process: memory for its lifetime, CPU and wall time for each file."""

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: float


def confine(memory_bytes: int, *, open_files: int) -> None:
    """Limits this process irrevocably: memory, open files, no file writes, no core dumps.

    `open_files` includes those that are open already.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def grant_cpu_seconds(seconds: int) -> None:
    """Raises the CPU limit for the next file: RLIMIT_CPU counts from the start of the process."""
    limit = int(time.process_time()) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
