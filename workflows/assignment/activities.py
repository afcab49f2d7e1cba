"""What an assignment's workflow does to the outside, over gRPC."""

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

# Who approves work waits for its record, and must not wait for a media service that is away.
_PATIENCE_SECONDS = 3.0
# Until an order is taken no publication is there that could be watched: nobody else would hear of
# work that is approved and goes nowhere.
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
        """Keeps what new submissions deliver, writes the transitions into the tasks' book, tells
        those concerned and has approved articles published; answers with what could not be told or
        asked for, for another try. What happened is decided: telling and recording do not wait for
        each other, and neither do the approved work and its reward for its publication.

        Every other failure is retried, a refusal too: what was decided must be recorded, and a
        defect that stands in the way can be mended while the workflow waits.
        """
        telling = asyncio.create_task(try_to_send(self.notifications, request.notices))
        try:
            await self._record(request)
        finally:
            undelivered = await telling
        return Pending(undelivered.notices, await self._try_to_publish(request.publication))

    async def _record(self, request: RecordAssignment) -> None:
        a = request.assignment
        if any(transition.event == Event.WORK_SUBMITTED for transition in request.transitions):
            for submission in a.submissions:
                await self._hold(a, submission)
        if request.transitions:  # else there are only notices to be sent again
            await self.records.RecordAssignment(
                records_pb2.RecordAssignmentRequest(
                    assignment=assignment_message(a),
                    transitions=map(transition_message, request.transitions),
                )
            )

    async def _hold(self, a: Assignment, submission: Submission) -> None:
        """Held before is held still."""
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
        """Answers with what must be asked for later. Asked for before is asked for still."""
        if order is None:
            return None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
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
        """Lowers a reward, or gives it back where nothing is left of it; False when it has been
        sent, or written off, which the payouts service takes for done. What is not reserved yet is
        no more to be reserved: that is for the payout's workflow."""
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
