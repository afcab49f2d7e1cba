"""Sends notices, for activities."""

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

# What one SendNotifications takes.
_BATCH_SIZE = 500
# Who commands a workflow waits for its record, and must not wait for notifications that are away.
_PATIENCE_SECONDS = 2.0


async def try_to_send(stub: "NotificationServiceAsyncStub", notices: list[Notice]) -> Batch:
    """Sends what can be sent at once; answers with what must be sent later."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await send_notices(stub, notices)
    except (LiaisonError, TimeoutError) as error:
        log.warning("notices_delayed", count=len(notices), error=str(error))
        return Batch(notices)
    return Batch()


async def send_notices(stub: "NotificationServiceAsyncStub", notices: Sequence[Notice]) -> None:
    """Sends all of them; sending some again is harmless.

    Raises:
        LiaisonError: at least one may not have been kept.
    """
    for start in range(0, len(notices), _BATCH_SIZE):
        batch = notices[start : start + _BATCH_SIZE]
        await stub.SendNotifications(
            pb.SendNotificationsRequest(notifications=map(_outgoing, batch))
        )


def _outgoing(notice: Notice) -> pb.Outgoing:
    return pb.Outgoing(
        deduplication_id=notice.deduplication_id,
        notification=pb.Notification(
            recipient=notice.recipient,
            event=notice.event,
            subject=notice.subject,
            text=notice.text,
        ),
    )
