"""Activities of the dispute workflow: calls of the disputes and notifications services.

Every failure is retried: a change must be recorded, and a refusal such as an expired token is for
operators to fix and must not end the dispute.
"""

from typing import TYPE_CHECKING

from liaison.disputes.v1 import disputes_pb2 as pb
from temporalio import activity

from workflows.clients import send_notices, try_to_send
from workflows.dispute.activity_interface import DisputeActivityInterface
from workflows.dispute.messages import to_message
from workflows.dispute.model import Change
from workflows.dispute.notices import notices_of
from workflows.notices import Batch

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceAsyncStub
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub


class DisputeActivities(DisputeActivityInterface):
    def __init__(
        self, disputes: "DisputeServiceAsyncStub", notifications: "NotificationServiceAsyncStub"
    ) -> None:
        self._disputes = disputes
        self._notifications = notifications

    @activity.defn
    async def record_dispute(self, change: Change) -> Batch:
        """Records a change and sends its notices; returns those that could not be sent."""
        await self._disputes.RecordDispute(
            pb.RecordDisputeRequest(dispute=to_message(change.dispute))
        )
        return await try_to_send(self._notifications, notices_of(change))

    @activity.defn
    async def send_dispute_notices(self, batch: Batch) -> None:
        await send_notices(self._notifications, batch.notices)
