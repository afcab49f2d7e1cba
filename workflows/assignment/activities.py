"""Activities of the assignment workflow: calls of the tasks, media, payouts and notifications
services."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import records_pb2
from opentelemetry import metrics
from temporalio import activity

from servicekit.errors import LiaisonError, Reason
from servicekit.money import Money
from servicekit.timestamps import to_timestamp
from workflows.assignment.activity_interface import AssignmentActivityInterface
from workflows.assignment.inputs import Pending, RecordAssignment, SettleReward
from workflows.assignment.messages import assignment_message, transition_message
from workflows.assignment.model import Assignment, Event, PublishArticles, Submission
from workflows.clients import try_to_send
from workflows.temporal.failures import retrying_all_but

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.media.v1.articles_pb2_grpc import ArticleServiceAsyncStub
    from liaison.media.v1.media_pb2_grpc import MediaServiceAsyncStub
    from liaison.media.v1.publications_pb2_grpc import PublicationServiceAsyncStub
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceAsyncStub
    from liaison.tasks.v1.records_pb2_grpc import RecordServiceAsyncStub


log = structlog.get_logger()

# A brand that approves work waits for the record, and must not wait for a media outage.
_PUBLISH_TIMEOUT_SECONDS = 3.0
# Until the media service accepts an order there is no publication to monitor, so approved work that
# is not published would go unnoticed without this counter.
_DELAYED = metrics.get_meter(__name__).create_counter(
    "assignments.publication_orders.delayed",
    unit="{attempt}",
    description="Times that approved work could not be ordered to be published",
)


@dataclass(frozen=True)
class AssignmentActivities(AssignmentActivityInterface):
    records: "RecordServiceAsyncStub"
    media: "MediaServiceAsyncStub"
    articles: "ArticleServiceAsyncStub"
    publications: "PublicationServiceAsyncStub"
    payouts: "PayoutServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"

    @activity.defn
    async def record_assignment(self, request: RecordAssignment) -> Pending:
        """Holds submitted media, writes the transitions to the read model, sends the notices and
        orders publication. Returns the notices and orders that could not be sent, for a retry.

        The transitions are decided already, so notices do not wait for the record, and neither the
        approval nor its reward waits for publication. Every other failure is retried, even a
        refusal: the record must be written, and a bug can be fixed while the workflow waits.
        """
        sending = asyncio.create_task(try_to_send(self.notifications, request.notices))
        try:
            await self._record(request)
        finally:
            pending = await sending
        return Pending(pending.notices, await self._try_to_publish(request.publication))

    async def _record(self, request: RecordAssignment) -> None:
        a = request.assignment
        if any(transition.event == Event.WORK_SUBMITTED for transition in request.transitions):
            for submission in a.submissions:
                await self._hold(a, submission)
        if request.transitions:  # otherwise there are only notices or orders to retry
            await self.records.RecordAssignment(
                records_pb2.RecordAssignmentRequest(
                    assignment=assignment_message(a),
                    transitions=map(transition_message, request.transitions),
                )
            )

    async def _hold(self, a: Assignment, submission: Submission) -> None:
        """Idempotent: media that are held already stay held."""
        holder = f"{a.name}/submissions/{submission.version}"
        if submission.media_object_ids:
            await self.media.HoldMediaObjects(
                media_pb2.HoldMediaObjectsRequest(
                    names=[f"mediaObjects/{id_}" for id_ in submission.media_object_ids],
                    holder=holder,
                    brand=a.brand,
                )
            )
        if submission.article_revisions:
            await self.articles.HoldArticleRevisions(
                articles_pb2.HoldArticleRevisionsRequest(
                    names=submission.article_revisions, holder=holder, brand=a.brand
                )
            )

    async def _try_to_publish(self, order: PublishArticles | None) -> PublishArticles | None:
        """Returns the order if it must be retried. Idempotent."""
        if order is None:
            return None
        try:
            async with asyncio.timeout(_PUBLISH_TIMEOUT_SECONDS):
                await self.publications.PublishApprovedArticles(
                    publications_pb2.PublishApprovedArticlesRequest(
                        article_revisions=order.article_revisions,
                        approve_time=to_timestamp(order.approve_time),
                    )
                )
        except (LiaisonError, TimeoutError) as error:
            _DELAYED.add(1)
            log.warning("publication_delayed", names=order.article_revisions, error=str(error))
            return order
        return None

    @activity.defn
    async def settle_reward(self, request: SettleReward) -> bool:
        """Lowers a reward, or releases it if nothing is left of it.

        Returns False if it has been sent, or written off, which the payouts service accepts as
        done. Of a reward that is not reserved yet there is nothing to do here; the workflow signals
        the payout.
        """
        name = f"payouts/{request.payout_id}"
        amount = Money(request.currency, request.amount_minor).to_message()
        with retrying_all_but():
            try:
                if request.amount_minor:
                    await self.payouts.ReduceReward(
                        payouts_pb2.ReduceRewardRequest(name=name, amount=amount)
                    )
                else:
                    await self.payouts.ReleaseReward(payouts_pb2.ReleaseRewardRequest(name=name))
                payout = await self.payouts.GetPayout(payouts_pb2.GetPayoutRequest(name=name))
            except LiaisonError as error:
                if error.reason not in (Reason.ILLEGAL_STATE, Reason.NOT_FOUND):
                    raise
                return error.reason is Reason.NOT_FOUND
        return payout.state != payouts_pb2.Payout.STATE_WRITTEN_OFF
