"""Use cases of notifications: send and list them."""

from datetime import datetime
from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import not_yours
from servicekit.pagination import Page
from services.notifications.commands import ListNotifications, SendNotifications
from services.notifications.domain import (
    MEDIATORS,
    OPERATORS,
    Notification,
    OutgoingNotification,
)


class Notifications(Protocol):
    async def add(self, outgoing: list[OutgoingNotification], now: datetime) -> None:
        """Skips those that were added before."""

    async def list(self, recipient: str, page: Page) -> list[Notification]: ...


class NotificationHandlers:
    def __init__(self, notifications: Notifications, clock: Clock) -> None:
        self._notifications = notifications
        self._clock = clock

    async def send_notifications(self, command: SendNotifications) -> None:
        outgoing = [
            OutgoingNotification(item.deduplication_id, **item.notification.model_dump())
            for item in command.notifications
        ]
        await self._notifications.add(outgoing, self._clock())

    async def list_notifications(self, recipient: str, page: Page) -> list[Notification]:
        return await self._notifications.list(recipient, page)


def recipient_of(who: Principal, command: ListNotifications) -> str:
    """The recipient whose notifications are listed.

    Raises:
        PermissionDenied: it is not the caller's own, and the caller is no operator.
    """
    own = {Role.MEDIATOR: MEDIATORS, Role.OPERATOR: OPERATORS}.get(who.role, who.actor)
    recipient = command.recipient or own
    if recipient != own and who.role is not Role.OPERATOR:
        raise not_yours(f"Notifications for {recipient}")
    return recipient
