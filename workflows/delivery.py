"""Sends notices, for activities."""

from collections.abc import Sequence

from liaison.notifications.v1 import notifications_pb2 as pb
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub

from workflows.notices import Notice

# What one SendNotifications takes.
_BATCH_SIZE = 500


async def send_notices(stub: NotificationServiceAsyncStub, notices: Sequence[Notice]) -> None:
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
