"""Use cases of publications.

The workflow of a publication decides when it is delivered and when it is overdue. Its row is kept
here, and the row's state decides between concurrent deliveries and withdrawals.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import FailedPrecondition, Reason, illegal_state, not_yours, require_found
from servicekit.pagination import Page
from services.media.articles.domain import RevisionHead
from services.media.articles.drafts.handlers import Drafts
from services.media.articles.revisions.handlers import (
    RevisionHandlers,
    Revisions,
    require_heads,
)
from services.media.levels import Levels
from services.media.publications import metrics
from services.media.publications.commands import (
    GetPublication,
    ListPublications,
    PublishApprovedArticles,
    PublishArticle,
    RepostArticle,
    WithdrawPublication,
)
from services.media.publications.delivery import Delivery
from services.media.publications.domain import (
    Channel,
    Publication,
    PublicationFilter,
    State,
    publication_id,
    publication_of,
)
from services.media.videos.rules import Client

log = structlog.get_logger()

# Starts the workflow that the publication's state calls for, of delivery or of withdrawal. Another
# start has no effect.
StartWorkflow = Callable[[Publication], Awaitable[None]]


class Publications(Protocol):
    """Stores publications."""

    async def add(self, publications: Sequence[Publication]) -> None:
        """Publications that exist stay as they are."""

    async def add_posts(self, source_id: str, posts: Sequence[Publication]) -> bool:
        """As `add`, if the source is PUBLISHED and stays so meanwhile; False otherwise."""

    async def get(self, publication_id: str) -> Publication | None: ...

    async def list_publications(self, wanted: PublicationFilter, page: Page) -> list[Publication]:
        """Latest first."""

    async def publish(self, publication_id: str, url: str, now: datetime) -> bool:
        """Marks a PENDING publication as PUBLISHED; False when it was published or withdrawn
        before. The URL of a post that a network accepted during its withdrawal is stored all the
        same."""

    async def mark_overdue(self, publication_id: str) -> bool:
        """False unless it is PENDING and was not marked before."""

    async def withdraw(
        self, publication_id: str, reason: str, command: str, now: datetime
    ) -> list[Publication]:
        """Withdraws a publication, its pending posts to networks, and its placements; returns the
        withdrawn publications. Does nothing, and returns none, when it is withdrawn already or a
        published post."""

    async def mark_workflow_started(self, publication: Publication) -> None:
        """Marks the workflow of the given state: of delivery, or of withdrawal."""

    async def without_workflow(self) -> list[Publication]:
        """Publications whose workflow was not started, at most 100."""


@dataclass(frozen=True)
class PublicationPolicy:
    """`window` is the time within which articles are published (R99); `repost_levels` are the
    levels of creators who may repost (R94)."""

    window: timedelta
    repost_levels: frozenset[str]


class PublicationHandlers:
    def __init__(
        self,
        publications: Publications,
        drafts: Drafts,
        revisions: Revisions,
        sealing: RevisionHandlers,
        levels: Levels,
        delivery: Delivery,
        start_workflow: StartWorkflow,
        policy: PublicationPolicy,
        clock: Clock,
    ) -> None:
        self._publications = publications
        self._drafts = drafts
        self._revisions = revisions
        self._sealing = sealing
        self._levels = levels
        self._delivery = delivery
        self._start_workflow = start_workflow
        self._policy = policy
        self._clock = clock
        self._deliveries: dict[str, asyncio.Task[None]] = {}

    async def publish_article(self, who: Principal, command: PublishArticle) -> Publication:
        """Publishes an article once: later changes of the draft do not change the publication.

        Raises:
            FailedPrecondition: the creator is not admitted (R2), or the article is invalid or is
                written for an assignment.
        """
        article = await self._drafts.get(command.article_id)
        if article is None or article.creator_id != who.creator:
            raise not_yours(f"articles/{command.article_id}")
        id_ = publication_id(article.id, Channel.FEED)
        # An article for an assignment is published when the work is approved: sealing refuses it.
        is_for_assignment = article.assignment_context is not None
        if is_for_assignment or await self._publications.get(id_) is None:
            await self._require_admitted(article.creator_id)
            revision = await self._sealing.seal_own_post(who, article.id)
            requested = self._requested(revision, Channel.FEED, self._clock())
            await self._publications.add([requested])
        return await self._start_delivery(id_)

    async def publish_approved_articles(self, command: PublishApprovedArticles) -> None:
        publications = [
            self._requested(head, Channel.FEED, command.approve_time)
            for head in await require_heads(self._revisions, command.revisions)
        ]
        await self._publications.add(publications)
        for publication in publications:
            await self._start_delivery(publication.id)

    async def get_publication(self, who: Principal, command: GetPublication) -> Publication:
        name = f"publications/{command.id}"
        publication = who.require_found(name, await self._publications.get(command.id))
        _require_party(who, publication)
        return publication

    async def list_publications(
        self, who: Principal, command: ListPublications, page: Page
    ) -> list[Publication]:
        """Brands and creators get their own, and may not ask for those of others."""
        if command.creator_id is not None and who.creator is not None:
            who.require_party(f"creators/{command.creator_id}", creator=command.creator_id)
        if command.brand_id is not None and who.brand is not None:
            who.require_party(f"brands/{command.brand_id}", brand=command.brand_id)
        wanted = PublicationFilter(
            creator_id=who.creator or command.creator_id,
            brand_id=who.brand or command.brand_id,
            article_id=command.article_id,
            state=command.state,
            is_overdue=command.is_overdue,
        )
        return await self._publications.list_publications(wanted, page)

    async def repost_article(self, who: Principal, command: RepostArticle) -> list[Publication]:
        source = await self.get_publication(who, GetPublication(name=f"publications/{command.id}"))
        await self._require_reposting(source, command.client)
        if source.channel is not Channel.FEED:
            detail = f"on {source.channel}"
            raise illegal_state(source.name, source.state, "RepostArticle", detail=detail)
        (head,) = await require_heads(self._revisions, [(source.article_id, source.revision_id)])
        now = self._clock()
        posts = [self._requested(head, network, now) for network in command.networks]
        if not await self._publications.add_posts(source.id, posts):
            state = (await self._require(source.id)).state
            raise illegal_state(source.name, state, "RepostArticle")
        return [await self._start_delivery(post.id) for post in posts]

    async def withdraw_publication(
        self, who: Principal, command: WithdrawPublication
    ) -> Publication:
        """A post that a network has published cannot be withdrawn from here."""
        publication = await self._require(command.id)
        if publication.channel is not Channel.FEED and publication.state is State.PUBLISHED:
            detail = f"on {publication.channel}, from where posts cannot be withdrawn"
            state = publication.state
            raise illegal_state(publication.name, state, "WithdrawPublication", detail=detail)
        key = f"{who.subject}:{command.request_id}"
        withdrawn = await self._publications.withdraw(
            command.id, command.reason, key, self._clock()
        )
        publication = await self._require(command.id)
        if publication.withdraw_command != key:
            raise illegal_state(publication.name, publication.state, "WithdrawPublication")
        # If one of the next steps fails, the workflow, which the sweep starts, does it later.
        await self._delivery.withdraw(publication)
        for one in withdrawn or [publication]:
            await self._start(one)
        return publication

    async def deliver_publication(self, command: GetPublication) -> Publication:
        """Delivers a publication, or joins the delivery that runs already.

        A withdrawal need not wait: what is delivered after it is removed here, and the workflow
        repeats the call until the answer is PUBLISHED or WITHDRAWN. A delivery goes on when its
        caller has timed out, since what it publishes late must be removed if the publication is
        withdrawn.
        """
        delivery = self._deliveries.get(command.id)
        if delivery is None:
            delivery = asyncio.create_task(self._deliver(command.id))
            self._deliveries[command.id] = delivery
            delivery.add_done_callback(lambda done: self._delivery_ended(command.id, done))
        await asyncio.shield(delivery)
        return await self._require(command.id)

    async def mark_publication_overdue(self, command: GetPublication) -> Publication:
        publication = await self._require(command.id)
        await self._mark_overdue(publication)
        return await self._require(command.id)

    async def start_missing_workflows(self) -> int:
        """Starts one batch of the workflows that a crash between commit and start left unstarted;
        returns how many."""
        found = await self._publications.without_workflow()
        for publication in found:
            await self._start(publication)
        return len(found)

    async def _require_admitted(self, creator_id: str) -> None:
        if not await self._levels.level(creator_id):
            raise FailedPrecondition(
                Reason.CREATOR_NOT_ADMITTED, f"creators/{creator_id} is not admitted"
            )

    async def _require_reposting(self, publication: Publication, client: Client) -> None:
        if client is not Client.DESKTOP:
            raise _no_reposting("R96", "Reposting works on the AliExpress.com desktop site only")
        levels = self._policy.repost_levels
        if not levels or await self._levels.level(publication.creator_id) not in levels:
            raise _no_reposting("R94", "Reposting is not open to your level yet")

    async def _deliver(self, publication_id: str) -> None:
        publication = await self._require(publication_id)
        if publication.state is State.PENDING:
            try:
                await self._publish(publication)
            except Exception:
                # What was published of it stays for the next try, but not if it was withdrawn.
                if (await self._require(publication_id)).state is State.PENDING:
                    raise
            publication = await self._require(publication_id)
        if publication.state is State.WITHDRAWN:
            await self._delivery.withdraw(publication)

    async def _publish(self, publication: Publication) -> None:
        url = await self._delivery.deliver(publication)
        now = self._clock()
        if publication.due_time < now:
            await self._mark_overdue(publication)
        if await self._publications.publish(publication.id, url, now):
            metrics.record_published(publication, now)

    def _delivery_ended(self, publication_id: str, done: "asyncio.Task[None]") -> None:
        """Logs the error: its caller may have timed out."""
        del self._deliveries[publication_id]
        if not done.cancelled() and (error := done.exception()):
            log.warning(
                "publication_delivery_failed",
                publication=publication_id,
                error=type(error).__name__,
            )

    async def _mark_overdue(self, publication: Publication) -> None:
        if await self._publications.mark_overdue(publication.id):
            metrics.record_overdue(publication)

    def _requested(self, head: RevisionHead, channel: Channel, time: datetime) -> Publication:
        return publication_of(head, channel, time, self._policy.window)

    async def _start_delivery(self, publication_id: str) -> Publication:
        """The stored publication; its workflow is started if it is PENDING."""
        publication = await self._require(publication_id)
        if publication.state is State.PENDING:
            await self._start(publication)
        return publication

    async def _start(self, publication: Publication) -> None:
        await self._start_workflow(publication)
        await self._publications.mark_workflow_started(publication)

    async def _require(self, publication_id: str) -> Publication:
        return require_found(
            f"publications/{publication_id}", await self._publications.get(publication_id)
        )


def _require_party(who: Principal, publication: Publication) -> None:
    """Platforms may read every publication: they show them to readers."""
    if who.role is not Role.PLATFORM:
        who.require_party(
            publication.name,
            brand=publication.brand_id or None,
            creator=publication.creator_id,
        )


def _no_reposting(rule: str, message: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.REPOSTING_NOT_AVAILABLE, message, metadata={"rule_id": rule})
