"""Notifications and their recipients: pure."""

from dataclasses import dataclass
from datetime import datetime

MEDIATORS = "staff/mediators"
OPERATORS = "staff/operators"


@dataclass(frozen=True)
class Outgoing:
    """Something to be said. The same `deduplication_id` is the same notification."""

    deduplication_id: str
    recipient: str
    event: str
    subject: str
    text: str


@dataclass(frozen=True)
class Notification:
    id: str
    recipient: str
    event: str
    subject: str
    text: str
    create_time: datetime
