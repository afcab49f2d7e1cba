"""Sends notices to the notifications service. Used by activities."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

import structlog
from liaison.notifications.v1 import notifications_pb2 as pb

from servicekit.errors import LiaisonError
from workflows.notices import Batch, Notice

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub

log = structlog.get_logger()

# Notices per SendNotifications call.
_BATCH_SIZE = 500
# A caller waits until its command is recorded, and must not wait for a notifications outage.
_TIMEOUT_SECONDS = 2.0


async def try_to_send(stub: "NotificationServiceAsyncStub", notices: list[Notice]) -> Batch:
    """Sends the notices within a short time; returns them as pending if that fails."""
    try:
        async with asyncio.timeout(_TIMEOUT_SECONDS):
            await send_notices(stub, notices)
    except (LiaisonError, TimeoutError) as error:
        log.warning("notices_delayed", count=len(notices), error=str(error))
        return Batch(notices)
    return Batch()


async def send_notices(stub: "NotificationServiceAsyncStub", notices: Sequence[Notice]) -> None:
    """Sends all notices. Repeating is safe: the service deduplicates them.

    Raises:
        LiaisonError: at least one may not have been stored.
    """
    for start in range(0, len(notices), _BATCH_SIZE):
        batch = notices[start : start + _BATCH_SIZE]
        await stub.SendNotifications(
            pb.SendNotificationsRequest(notifications=map(_outgoing, batch))
        )


def _outgoing(notice: Notice) -> pb.OutgoingNotification:
    return pb.OutgoingNotification(
        deduplication_id=notice.deduplication_id,
        notification=pb.Notification(
            recipient=notice.recipient,
            event=notice.event,
            subject=notice.subject,
            text=notice.text,
        ),
    )
