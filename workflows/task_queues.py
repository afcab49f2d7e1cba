"""Task queues: one a domain, so that a burst of payouts cannot delay an assignment's commands.

A workflow and its activities stay on their domain's queue; a child of another domain is started on
that domain's queue beside its parent's. A worker process may serve any of them.
"""

from enum import StrEnum

_PREFIX = "liaison"


class Domain(StrEnum):
    TASKS = "tasks"  # tasks and their assignments
    PAYOUTS = "payouts"  # payouts and reconciliations
    DISPUTES = "disputes"
    MEDIA = "media"  # publications and withdrawals


def queue_of(domain: Domain, prefix: str = _PREFIX) -> str:
    """Such as `liaison-payouts`. Tests that share a server take prefixes of their own."""
    return f"{prefix}-{domain}"


def sibling(queue: str, domain: Domain) -> str:
    """The queue of another domain under the same prefix."""
    return queue_of(domain, queue.rpartition("-")[0])
