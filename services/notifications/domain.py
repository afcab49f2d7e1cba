"""Notifications and their recipients. Pure."""

from dataclasses import dataclass
from datetime import datetime

MEDIATORS = "staff/mediators"
OPERATORS = "staff/operators"


@dataclass(frozen=True)
class OutgoingNotification:
    """A notification to be sent, once for each `deduplication_id`."""

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
