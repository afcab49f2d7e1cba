"""What an assignment's workflow does to the outside, over gRPC."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from liaison.media.v1 import media_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import records_pb2
from temporalio import activity

from workflows.assignment.messages import assignment_message, transition_message
from workflows.assignment.model import Assignment, Event, Submission
from workflows.assignment.orders import RecordAssignment
from workflows.delivery import try_to_send
from workflows.failures import retrying_all_but
from workflows.notices import Batch

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.media.v1.media_pb2_grpc import MediaServiceAsyncStub
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.tasks.v1.records_pb2_grpc import RecordServiceAsyncStub


@dataclass(frozen=True)
class AssignmentActivities:
    records: "RecordServiceAsyncStub"
    media: "MediaServiceAsyncStub"
    payouts: "PayoutServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"

    @activity.defn
    async def record_assignment(self, order: RecordAssignment) -> Batch:
        """Keeps the media of new submissions, writes the transitions into the tasks' book and tells
        those concerned; answers with what could not be told, for another try. What happened is
        decided: telling and recording do not wait for each other.

        Every failure is retried, a refusal too: what was decided must be recorded, and a defect
        that stands in the way can be mended while the workflow waits.
        """
        telling = asyncio.create_task(try_to_send(self.notifications, order.notices))
        try:
            await self._record(order)
        finally:
            undelivered = await telling
        return undelivered

    async def _record(self, order: RecordAssignment) -> None:
        a = order.assignment
        if any(transition.event == Event.WORK_SUBMITTED for transition in order.transitions):
            for submission in a.submissions:
                await self._hold_media(a, submission)
        if order.transitions:  # else there are only notices to be sent again
            await self.records.RecordAssignment(
                records_pb2.RecordAssignmentRequest(
                    assignment=assignment_message(a),
                    transitions=map(transition_message, order.transitions),
                )
            )

    async def _hold_media(self, a: Assignment, submission: Submission) -> None:
        """Held before is held still."""
        if submission.media_object_ids:
            await self.media.HoldMediaObjects(
                media_pb2.HoldMediaObjectsRequest(
                    names=[f"mediaObjects/{id_}" for id_ in submission.media_object_ids],
                    holder=f"{a.name}/submissions/{submission.version}",
                    brand=a.brand,
                )
            )

    @activity.defn
    async def release_reward(self, payout_id: str) -> None:
        with retrying_all_but():
            await self.payouts.ReleaseReward(
                payouts_pb2.ReleaseRewardRequest(name=f"payouts/{payout_id}")
            )
