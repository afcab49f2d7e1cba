"""Starts the workflows that deliver and withdraw publications."""

from datetime import datetime

from temporalio.common import SearchAttributePair, TypedSearchAttributes

from services.media.publications.domain import Publication, State
from workflows import ids
from workflows.publication.model import PublicationTerms, WithdrawalTerms
from workflows.publication.workflow import PublicationWorkflow, WithdrawalWorkflow
from workflows.task_queues import Domain
from workflows.temporal.client import Workflows
from workflows.temporal.search_attributes import BRAND, DEADLINE, STATE


class PublicationWorkflowStarter:
    def __init__(self, workflows: Workflows) -> None:
        self._workflows = workflows

    async def start(self, publication: Publication) -> None:
        if publication.state is State.WITHDRAWN:
            await self._start_withdrawal(publication)
        else:
            await self._start_delivery(publication)

    async def _start_delivery(self, publication: Publication) -> None:
        await self._workflows.start_workflow(
            PublicationWorkflow.run,
            PublicationTerms(
                publication_id=publication.id,
                creator_id=publication.creator_id,
                brand_id=publication.brand_id,
                channel=publication.channel,
                due_time=publication.due_time,
            ),
            workflow_id=ids.publication(publication.id),
            domain=Domain.MEDIA,
            static_summary=f"articles/{publication.article_id} to {publication.channel}",
            search_attributes=_attributes(
                publication, SearchAttributePair(DEADLINE, publication.due_time)
            ),
        )

    async def _start_withdrawal(self, publication: Publication) -> None:
        await self._workflows.start_workflow(
            WithdrawalWorkflow.run,
            WithdrawalTerms(
                publication_id=publication.id,
                creator_id=publication.creator_id,
                brand_id=publication.brand_id,
                channel=publication.channel,
                reason=publication.withdraw_reason,
                was_published=publication.publish_time is not None,
            ),
            workflow_id=ids.withdrawal(publication.id),
            domain=Domain.MEDIA,
            static_summary=f"articles/{publication.article_id} from {publication.channel}",
            search_attributes=_attributes(publication),
        )


def _attributes(
    publication: Publication, *deadline: SearchAttributePair[datetime]
) -> TypedSearchAttributes:
    brand = [SearchAttributePair(BRAND, publication.brand_id)] if publication.brand_id else []
    return TypedSearchAttributes([SearchAttributePair(STATE, publication.state), *brand, *deadline])
