"""Dispute rules of the service. Those of a dispute itself are in `workflows.dispute`. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

# Within this time after a dispute is recorded, its workflow may not have started yet.
START_GRACE = timedelta(minutes=1)


@dataclass(frozen=True)
class Parties:
    """The two sides of an assignment."""

    brand_id: str
    creator_id: str


def command_id(subject: str, request_id: str) -> str:
    """The same id for a repeated request of this caller, and for no other caller."""
    return str(uuid5(NAMESPACE_URL, f"{subject} {request_id}"))
