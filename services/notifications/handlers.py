"""What can be done with notifications."""

import re
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import AfterValidator, Field

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.commands import Command, bounded_text, unique_items, violation
from servicekit.errors import InvalidArgument, not_yours
from servicekit.pagination import Page
from servicekit.resource_names import parse_id
from services.notifications.domain import MEDIATORS, OPERATORS, Notification, Outgoing

_SIDES = ("brands/{brand}", "creators/{creator}")


def _recipient(name: str) -> str:
    if name not in ("", MEDIATORS, OPERATORS) and not any(_is_like(side, name) for side in _SIDES):
        raise violation("AIP-122", f"Must look like {' or '.join((*_SIDES, MEDIATORS, OPERATORS))}")
    return name


def _is_like(pattern: str, name: str) -> bool:
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
    # Longer than any words of people that a message quotes.
    text: Annotated[str, bounded_text(1, 10_000)]


class OutgoingInput(Command):
    deduplication_id: Annotated[str, bounded_text(1, 300)]
    notification: NotificationInput


class SendNotifications(Command):
    notifications: Annotated[list[OutgoingInput], unique_items(1, 500)]


class ListNotifications(Command):
    """An empty recipient is the caller."""

    recipient: Recipient = Field(default="")


class NotificationStore(Protocol):
    async def add(self, outgoing: list[Outgoing], now: datetime) -> None:
        """Leaves those that are kept already as they are."""

    async def list(self, recipient: str, page: Page) -> list[Notification]: ...


class NotificationHandlers:
    def __init__(self, store: NotificationStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def send_notifications(self, command: SendNotifications) -> None:
        outgoing = [
            Outgoing(item.deduplication_id, **item.notification.model_dump())
            for item in command.notifications
        ]
        await self._store.add(outgoing, self._clock())

    async def list_notifications(self, recipient: str, page: Page) -> list[Notification]:
        return await self._store.list(recipient, page)


def recipient_of(who: Principal, command: ListNotifications) -> str:
    """Whose notifications a caller gets.

    Raises:
        PermissionDenied: somebody else's, and the caller is no operator.
    """
    own = {Role.MEDIATOR: MEDIATORS, Role.OPERATOR: OPERATORS}.get(who.role, who.actor)
    recipient = command.recipient or own
    if recipient != own and who.role is not Role.OPERATOR:
        raise not_yours(f"What is told to {recipient}")
    return recipient
