"""Task queues: one per domain, so that a burst of payouts cannot delay an assignment's commands.

A workflow and its activities stay on their domain's queue; a child workflow of another domain
starts on that domain's queue. A worker process serves any subset of the queues
(`LIAISON_WORKER_DOMAINS`).
"""

from enum import StrEnum

_PREFIX = "liaison"


class Domain(StrEnum):
    TASKS = "tasks"  # tasks and their assignments
    PAYOUTS = "payouts"  # payouts and reconciliations
    DISPUTES = "disputes"
    MEDIA = "media"  # publications and withdrawals


def queue_of(domain: Domain, prefix: str = _PREFIX) -> str:
    """Such as `liaison-payouts`. Tests that share a server use other prefixes."""
    return f"{prefix}-{domain}"


def sibling(queue: str, domain: Domain) -> str:
    """The queue of `domain` with the same prefix as `queue`."""
    return queue_of(domain, queue.rpartition("-")[0])
