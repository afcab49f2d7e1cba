"""What a dispute's workflow has done for it: calls to the disputes and notifications services.

What a service answers with is retried whatever it is: a change that happened must be recorded, and
a refusal (a token that expired, a version too old) is for operators to mend, not for the dispute
to die of.
"""

import asyncio

import structlog
from liaison.disputes.v1 import disputes_pb2 as pb
from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceAsyncStub
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
from temporalio import activity

from servicekit.errors import LiaisonError
from workflows.delivery import send_notices
from workflows.dispute.messages import to_message
from workflows.dispute.state import Change
from workflows.dispute.wording import notices_of
from workflows.dispute.workflow import RECORD_DISPUTE, SEND_DISPUTE_NOTICES
from workflows.notices import Batch

log = structlog.get_logger()

# Who commands a dispute waits for its record, and must not wait for notifications that are away.
_PATIENCE_SECONDS = 2.0


class DisputeActivities:
    def __init__(
        self, disputes: DisputeServiceAsyncStub, notifications: NotificationServiceAsyncStub
    ) -> None:
        self._disputes = disputes
        self._notifications = notifications

    @activity.defn(name=RECORD_DISPUTE)
    async def record_dispute(self, change: Change) -> Batch:
        """Records a change, tells whom it concerns, and answers with what could not be told."""
        await self._disputes.RecordDispute(
            pb.RecordDisputeRequest(dispute=to_message(change.dispute))
        )
        notices = notices_of(change)
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await send_notices(self._notifications, notices)
        except (LiaisonError, TimeoutError) as error:
            log.warning("notices_delayed", dispute=change.dispute.name, error=str(error))
            return Batch(notices)
        return Batch()

    @activity.defn(name=SEND_DISPUTE_NOTICES)
    async def send_dispute_notices(self, batch: Batch) -> None:
        await send_notices(self._notifications, batch.notices)
