"""NotificationService over gRPC."""

from typing import Any

from liaison.notifications.v1 import notifications_pb2 as pb
from liaison.notifications.v1.notifications_pb2_grpc import (
    NotificationServiceServicer,
    add_NotificationServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.notifications import commands
from services.notifications.domain import Notification
from services.notifications.handlers import NotificationHandlers, recipient_of

ACCESS = {
    "SendNotifications": allow(Role.SERVICE),
    "ListNotifications": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
}


class NotificationServicer(NotificationServiceServicer):
    def __init__(self, notifications: NotificationHandlers) -> None:
        self._notifications = notifications

    async def SendNotifications(
        self, request: pb.SendNotificationsRequest, context: Any
    ) -> pb.SendNotificationsResponse:
        await self._notifications.send_notifications(parse(commands.SendNotifications, request))
        return pb.SendNotificationsResponse()

    async def ListNotifications(
        self, request: pb.ListNotificationsRequest, context: Any
    ) -> pb.ListNotificationsResponse:
        command = parse(commands.ListNotifications, request)
        recipient = recipient_of(current_principal(), command)
        page = page_of(request.page_size, request.page_token, recipient)
        notifications = await self._notifications.list_notifications(recipient, page)
        return pb.ListNotificationsResponse(
            notifications=map(to_message, notifications),
            next_page_token=page.token_after(
                notifications,
                lambda notification: Cursor(notification.create_time, notification.id),
            ),
        )


def service(notifications: NotificationHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["NotificationService"],
        add_NotificationServiceServicer_to_server,
        NotificationServicer(notifications),
        ACCESS,
    )


def to_message(notification: Notification) -> pb.Notification:
    return pb.Notification(
        name=f"notifications/{notification.id}",
        recipient=notification.recipient,
        event=notification.event,
        subject=notification.subject,
        text=notification.text,
        create_time=to_timestamp(notification.create_time),
    )
