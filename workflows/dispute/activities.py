"""What a dispute's workflow has done for it: calls to the disputes and notifications services.

What a service answers with is retried whatever it is: a change that happened must be recorded, and
a refusal (a token that expired, a version too old) is for operators to mend, not for the dispute
to die of.
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
        """Records a change, tells whom it concerns, and answers with what could not be told."""
        await self._disputes.RecordDispute(
            pb.RecordDisputeRequest(dispute=to_message(change.dispute))
        )
        return await try_to_send(self._notifications, notices_of(change))

    @activity.defn
    async def send_dispute_notices(self, batch: Batch) -> None:
        await send_notices(self._notifications, batch.notices)
