"""Command models of the notification RPCs."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

from servicekit.commands import Command, bounded_text, unique_items, violation
from servicekit.errors import InvalidArgument
from servicekit.resource_names import parse_id
from services.notifications.domain import MEDIATORS, OPERATORS

_SIDES = ("brands/{brand}", "creators/{creator}")


def _recipient(name: str) -> str:
    if name not in ("", MEDIATORS, OPERATORS) and not any(_matches(side, name) for side in _SIDES):
        raise violation("AIP-122", f"Must look like {' or '.join((*_SIDES, MEDIATORS, OPERATORS))}")
    return name


def _matches(pattern: str, name: str) -> bool:
    try:
        return bool(parse_id(pattern, name))
    except InvalidArgument:
        return False


def _event(name: str) -> str:
    if not re.fullmatch(r"[A-Z][A-Z0-9_]{0,59}", name):
        raise violation("EVENT", "Must be upper case with underscores, such as WORK_SUBMITTED")
    return name


Recipient = Annotated[str, AfterValidator(_recipient)]


class NotificationInput(Command):
    recipient: Recipient
    event: Annotated[str, AfterValidator(_event)]
    subject: Annotated[str, bounded_text(1, 200)]
    # More than the longest text that users write, which a notification may quote.
    text: Annotated[str, bounded_text(1, 10_000)]


class OutgoingInput(Command):
    deduplication_id: Annotated[str, bounded_text(1, 300)]
    notification: NotificationInput


class SendNotifications(Command):
    notifications: Annotated[list[OutgoingInput], unique_items(1, 500)]


class ListNotifications(Command):
    """An empty recipient means the caller."""

    recipient: Recipient = Field(default="")
