"""What the service adds to a dispute's own rules, which are in `workflows.dispute.state`: pure."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

# After this a dispute whose workflow cannot be found has lost it.
START_GRACE = timedelta(minutes=1)


@dataclass(frozen=True)
class Parties:
    """The two sides of an assignment."""

    brand_id: str
    creator_id: str


def command_id(subject: str, request_id: str) -> str:
    """Who repeats a request gets the same id, and nobody else can meet it."""
    return str(uuid5(NAMESPACE_URL, f"{subject} {request_id}"))
