"""Activities of publications and withdrawals: calls of the media service, all idempotent, and of
notifications."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from liaison.media.v1 import publications_pb2 as pb
from temporalio import activity

from servicekit.errors import LiaisonError
from workflows.clients import send_notices, try_to_send
from workflows.notices import OPERATORS, Batch, Notice
from workflows.publication import notices
from workflows.publication.activity_interface import PublicationActivityInterface
from workflows.publication.model import (
    FEED,
    DeliveryResult,
    PublicationTerms,
    State,
    WithdrawalTerms,
)
from workflows.temporal.failures import retrying_all_but

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.media.v1.publications_pb2_grpc import PublicationServiceAsyncStub
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub


@dataclass(frozen=True)
class PublicationActivities(PublicationActivityInterface):
    publications: "PublicationServiceAsyncStub"
    notifications: "NotificationServiceAsyncStub"

    @activity.defn
    async def deliver_publication(self, terms: PublicationTerms) -> DeliveryResult:
        with retrying_all_but():
            publication = await self._deliver(terms.publication_id)
            if publication.state == pb.Publication.STATE_PUBLISHED:
                sent = notices.published(terms, publication.url)
            else:
                sent = _posted_despite_withdrawal(terms, publication)
            return await self._result(publication, sent)

    @activity.defn
    async def mark_publication_overdue(self, terms: PublicationTerms) -> DeliveryResult:
        """Sends no notice of a publication that was delivered at the last moment."""
        with retrying_all_but():
            try:
                publication = await self.publications.MarkPublicationOverdue(
                    pb.MarkPublicationOverdueRequest(name=f"publications/{terms.publication_id}")
                )
            except LiaisonError:
                # The media service itself fails: operators, who can repair it, are notified now.
                to_operators = [one for one in notices.overdue(terms) if one.recipient == OPERATORS]
                await try_to_send(self.notifications, to_operators)
                raise
            is_late = publication.state == pb.Publication.STATE_PENDING
            return await self._result(publication, notices.overdue(terms) if is_late else [])

    @activity.defn
    async def remove_publication(self, terms: WithdrawalTerms) -> DeliveryResult:
        with retrying_all_but():
            publication = await self._deliver(terms.publication_id)
            sent = notices.withdrawn(terms) + _posted_despite_withdrawal(terms, publication)
            return await self._result(publication, sent)

    @activity.defn
    async def send_publication_notices(self, batch: Batch) -> None:
        with retrying_all_but():
            await send_notices(self.notifications, batch.notices)

    async def _deliver(self, publication_id: str) -> pb.Publication:
        """Delivers a publication; of a withdrawn one, removes whatever is left."""
        request = pb.DeliverPublicationRequest(name=f"publications/{publication_id}")
        publication: pb.Publication = await self.publications.DeliverPublication(request)
        return publication

    async def _result(self, publication: pb.Publication, sent: list[Notice]) -> DeliveryResult:
        pending = await try_to_send(self.notifications, sent) if sent else Batch()
        return DeliveryResult(_state(publication), publication.url, pending.notices)


def _posted_despite_withdrawal(
    terms: PublicationTerms | WithdrawalTerms, publication: pb.Publication
) -> list[Notice]:
    """A notice for a post that the network accepted while it was being withdrawn; posts cannot be
    removed."""
    if terms.channel == FEED or not publication.url:
        return []
    return notices.posted_despite_withdrawal(terms, publication.url)


def _state(publication: pb.Publication) -> State:
    return State(pb.Publication.State.Name(publication.state).removeprefix("STATE_"))
