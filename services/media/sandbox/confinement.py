"""What a process may use that reads strangers' bytes, and how it gives up the rest.

Imported by both sides: the pool that starts such processes and the processes themselves, which
must import next to nothing.
"""

import resource
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Confinement:
    """What one process may use. Processor and wall time are for one file, memory is for good."""

    memory_bytes: int
    cpu_seconds: int
    wall_seconds: float


def confine(memory_bytes: int, *, open_files: int) -> None:
    """What this process may not exceed from now on, whatever the bytes make it do.

    `open_files` counts those that are open already.
    """
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    resource.setrlimit(resource.RLIMIT_NOFILE, (open_files, open_files))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def grant_processor_time(seconds: int) -> None:
    """The limit is on the whole process, so each file gets its share on top of what is spent."""
    limit = int(time.process_time()) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
