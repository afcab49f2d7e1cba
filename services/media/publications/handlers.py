"""What can be done with publications. How each of them goes is decided by its workflow; what became
of it is kept here, and a row's state decides between what happens at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    illegal_state,
    not_found,
    not_yours,
    require_found,
)
from servicekit.pagination import Page
from services.media.articles.domain import Article, Revision, RevisionHead
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
from services.media.publications.domain import (
    Channel,
    Publication,
    State,
    publication_id,
    publication_of,
)
from services.media.videos.rules import Client

log = structlog.get_logger()


@dataclass(frozen=True)
class Filter:
    """What is None or False does not narrow."""

    creator_id: str | None
    brand_id: str | None
    article_id: str | None
    state: State | None
    is_overdue: bool


class PublicationStore(Protocol):
    async def add(self, publications: Sequence[Publication]) -> None:
        """Those that are there already are left as they are."""

    async def add_posts(self, source_id: str, posts: Sequence[Publication]) -> bool:
        """As `add`, if the source is PUBLISHED and stays so meanwhile: False otherwise."""

    async def get(self, publication_id: str) -> Publication | None: ...

    async def list_publications(self, wanted: Filter, page: Page) -> list[Publication]:
        """Latest first."""

    async def publish(self, publication_id: str, url: str, now: datetime) -> bool:
        """False unless it was PENDING: published before, or withdrawn meanwhile. What a network
        took of one that was withdrawn is kept with it all the same."""

    async def mark_overdue(self, publication_id: str) -> bool:
        """False unless it is PENDING and was not marked before."""

    async def withdraw(
        self, publication_id: str, reason: str, command: str, now: datetime
    ) -> list[Publication]:
        """Withdraws it, what of it is still on its way to networks, and its placements. Answers
        with the publications. Nothing happens, and the answer is empty, when it is withdrawn, or
        posted to a network."""

    async def mark_run(self, publication: Publication) -> None:
        """Of the state that it is in: its delivery, or its withdrawal."""

    async def without_run(self) -> list[Publication]: ...


class Articles(Protocol):
    async def article(self, article_id: str) -> Article | None: ...

    async def revision_heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        """By article and revision; unknown ones are left out."""


class Sealer(Protocol):
    async def seal_own(self, who: Principal, article_id: str) -> Revision:
        """The creator's own article as it is now, if it is valid and written for no assignment."""


class Delivery(Protocol):
    """The way to the readers."""

    async def deliver(self, publication: Publication) -> str:
        """Answers once readers see it, with its address. May be repeated, and has done all that it
        does once it has answered or failed."""

    async def take_back(self, publication: Publication) -> None:
        """May be repeated, and of what never arrived."""


class PublicationRuns(Protocol):
    async def start(self, publication: Publication) -> None:
        """The workflow that its state calls for: of delivery, or of withdrawal. Repeating is
        harmless."""


@dataclass(frozen=True)
class Promises:
    """`window` is what R99 promises; `repost_levels` are those of creators who may repost (R94)."""

    window: timedelta
    repost_levels: frozenset[str]


class PublicationHandlers:
    def __init__(
        self,
        store: PublicationStore,
        articles: Articles,
        sealer: Sealer,
        levels: Levels,
        delivery: Delivery,
        runs: PublicationRuns,
        promises: Promises,
        clock: Clock,
    ) -> None:
        self._store = store
        self._articles = articles
        self._sealer = sealer
        self._levels = levels
        self._delivery = delivery
        self._runs = runs
        self._promises = promises
        self._clock = clock
        self._in_hand: dict[str, asyncio.Task[None]] = {}

    async def publish_article(self, who: Principal, command: PublishArticle) -> Publication:
        """Once: what the draft became after that changes nothing of it.

        Raises:
            FailedPrecondition: the creator is not admitted (R2), or the post is not as it must be.
        """
        article = await self._articles.article(command.article_id)
        if article is None or article.creator_id != who.creator:
            raise not_yours(f"articles/{command.article_id}")
        id_ = publication_id(article.id, Channel.FEED)
        # What is written for an assignment is published when that is approved: sealing refuses it.
        if article.commission is not None or await self._store.get(id_) is None:
            await self._check_admitted(article.creator_id)
            revision = await self._sealer.seal_own(who, article.id)
            await self._store.add([self._requested(revision, Channel.FEED, self._clock())])
        return await self._under_way(id_)

    async def publish_approved_articles(self, command: PublishApprovedArticles) -> None:
        publications = [
            self._requested(head, Channel.FEED, command.approve_time)
            for head in await self._heads(command.revisions)
        ]
        await self._store.add(publications)
        for publication in publications:
            await self._under_way(publication.id)

    async def get_publication(self, who: Principal, command: GetPublication) -> Publication:
        name = f"publications/{command.id}"
        publication = who.require_found(name, await self._store.get(command.id))
        _require_party(who, publication)
        return publication

    async def list_publications(
        self, who: Principal, command: ListPublications, page: Page
    ) -> list[Publication]:
        """Brands and creators see their own, and can ask for nobody else's."""
        if command.creator_id is not None and who.creator is not None:
            who.require_party(f"creators/{command.creator_id}", creator=command.creator_id)
        if command.brand_id is not None and who.brand is not None:
            who.require_party(f"brands/{command.brand_id}", brand=command.brand_id)
        wanted = Filter(
            creator_id=who.creator or command.creator_id,
            brand_id=who.brand or command.brand_id,
            article_id=command.article_id,
            state=command.state,
            is_overdue=command.is_overdue,
        )
        return await self._store.list_publications(wanted, page)

    async def repost_article(self, who: Principal, command: RepostArticle) -> list[Publication]:
        source = await self.get_publication(who, GetPublication(name=f"publications/{command.id}"))
        await self._check_reposting(source, command.client)
        if source.channel is not Channel.FEED:
            detail = f"on {source.channel}"
            raise illegal_state(source.name, source.state, "RepostArticle", detail=detail)
        (head,) = await self._heads([(source.article_id, source.revision_id)])
        now = self._clock()
        posts = [self._requested(head, network, now) for network in command.networks]
        if not await self._store.add_posts(source.id, posts):
            state = (await self._existing(source.id)).state
            raise illegal_state(source.name, state, "RepostArticle")
        return [await self._under_way(post.id) for post in posts]

    async def withdraw_publication(
        self, who: Principal, command: WithdrawPublication
    ) -> Publication:
        """What is posted to a network is the network's: nobody takes it back from here."""
        publication = await self._existing(command.id)
        if publication.channel is not Channel.FEED and publication.state is State.PUBLISHED:
            detail = f"on {publication.channel}, which keeps what it was given"
            state = publication.state
            raise illegal_state(publication.name, state, "WithdrawPublication", detail=detail)
        key = f"{who.subject}:{command.request_id}"
        withdrawn = await self._store.withdraw(command.id, command.reason, key, self._clock())
        publication = await self._existing(command.id)
        if publication.withdraw_command != key:
            raise illegal_state(publication.name, publication.state, "WithdrawPublication")
        # Whatever of this does not happen now is done by the workflow, which the sweep starts.
        await self._delivery.take_back(publication)
        for one in withdrawn or [publication]:
            await self._start(one)
        return publication

    async def deliver_publication(self, command: GetPublication) -> Publication:
        """Whoever withdraws it meanwhile need not wait: what arrives after that is taken back here,
        and a workflow asks until it has been told PUBLISHED or WITHDRAWN.

        A delivery goes on to its end when the caller has no more time, since what it lays out late
        must not stay if it is withdrawn: the next call joins in here, or finds what became of it.
        """
        in_hand = self._in_hand.get(command.id)
        if in_hand is None:
            in_hand = asyncio.create_task(self._deliver(command.id))
            self._in_hand[command.id] = in_hand
            in_hand.add_done_callback(lambda done: self._delivered(command.id, done))
        await asyncio.shield(in_hand)
        return await self._existing(command.id)

    async def mark_publication_overdue(self, command: GetPublication) -> Publication:
        publication = await self._existing(command.id)
        await self._mark_overdue(publication)
        return await self._existing(command.id)

    async def start_missing_runs(self) -> int:
        """Starts what a crash between Postgres and Temporal left without its workflow; answers with
        how many there were."""
        found = await self._store.without_run()
        for publication in found:
            await self._start(publication)
        return len(found)

    async def _check_admitted(self, creator_id: str) -> None:
        if not await self._levels.level(creator_id):
            raise FailedPrecondition(
                Reason.CREATOR_NOT_ADMITTED, f"creators/{creator_id} is not admitted"
            )

    async def _deliver(self, publication_id: str) -> None:
        publication = await self._existing(publication_id)
        if publication.state is State.PENDING:
            try:
                await self._bring(publication)
            except Exception:
                # Half of it may be there, and nobody comes after one that was withdrawn meanwhile.
                if (await self._existing(publication_id)).state is State.PENDING:
                    raise
            publication = await self._existing(publication_id)
        if publication.state is State.WITHDRAWN:
            await self._delivery.take_back(publication)

    async def _bring(self, publication: Publication) -> None:
        url = await self._delivery.deliver(publication)
        now = self._clock()
        if publication.due_time < now:
            await self._mark_overdue(publication)
        if await self._store.publish(publication.id, url, now):
            metrics.published(publication, now)

    def _delivered(self, publication_id: str, done: "asyncio.Task[None]") -> None:
        """Perhaps nobody waits for it any more."""
        del self._in_hand[publication_id]
        if not done.cancelled() and (error := done.exception()):
            log.warning("not_delivered", publication=publication_id, error=type(error).__name__)

    async def _mark_overdue(self, publication: Publication) -> None:
        if await self._store.mark_overdue(publication.id):
            metrics.late(publication)

    async def _heads(self, ids: Sequence[tuple[str, str]]) -> list[RevisionHead]:
        heads = await self._articles.revision_heads(ids)
        if lacking := set(ids) - {(head.article_id, head.id) for head in heads}:
            article_id, id_ = min(lacking)
            raise not_found(f"articles/{article_id}/revisions/{id_}")
        return heads

    async def _check_reposting(self, publication: Publication, client: Client) -> None:
        if client is not Client.DESKTOP:
            raise _no_reposting("R96", "Reposting works on the AliExpress.com desktop site only")
        levels = self._promises.repost_levels
        if not levels or await self._levels.level(publication.creator_id) not in levels:
            raise _no_reposting("R94", "Reposting is not open to your level yet")

    def _requested(self, head: RevisionHead, channel: Channel, time: datetime) -> Publication:
        return publication_of(head, channel, time, self._promises.window)

    async def _under_way(self, publication_id: str) -> Publication:
        """The publication as it is kept, with its workflow started."""
        publication = await self._existing(publication_id)
        if publication.state is State.PENDING:
            await self._start(publication)
        return publication

    async def _start(self, publication: Publication) -> None:
        await self._runs.start(publication)
        await self._store.mark_run(publication)

    async def _existing(self, publication_id: str) -> Publication:
        publication = await self._store.get(publication_id)
        return require_found(f"publications/{publication_id}", publication)


def _require_party(who: Principal, publication: Publication) -> None:
    """Platforms show what is published: they may see all of them."""
    if who.role is not Role.PLATFORM:
        who.require_party(
            publication.name,
            brand=publication.brand_id or None,
            creator=publication.creator_id,
        )


def _no_reposting(rule: str, message: str) -> FailedPrecondition:
    return FailedPrecondition(Reason.REPOSTING_NOT_AVAILABLE, message, metadata={"rule_id": rule})
