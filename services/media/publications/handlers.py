"""What can be done with publications. How each of them goes is decided by its workflow; what became
of it is kept here, and a row's state decides between what happens at once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    illegal_state,
    not_found,
    not_yours,
)
from servicekit.pagination import Page
from services.media.articles.domain import Article, Revision
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
from services.media.videos import Client


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
        """False unless it was PENDING: published before, or withdrawn meanwhile. One that is due
        before `now` is overdue."""

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

    async def revision(self, article_id: str, revision_id: str) -> Revision | None: ...


class Sealer(Protocol):
    async def seal_own(self, who: Principal, article_id: str) -> Revision:
        """The creator's own article as it is now, if it is valid and written for no assignment."""


class Delivery(Protocol):
    """The way to the readers."""

    async def deliver(self, publication: Publication) -> str:
        """Answers once readers see it, with its address. May be repeated."""

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
        publications = []
        for article_id, revision_id in command.revisions:
            revision = await self._articles.revision(article_id, revision_id)
            if revision is None:
                raise not_found(f"articles/{article_id}/revisions/{revision_id}")
            publications.append(self._requested(revision, Channel.FEED, command.approve_time))
        await self._store.add(publications)
        for publication in publications:
            await self._under_way(publication.id)

    async def get_publication(self, who: Principal, command: GetPublication) -> Publication:
        name = f"publications/{command.id}"
        publication = await self._store.get(command.id)
        if publication is None:
            raise not_yours(name) if who.creator or who.brand else not_found(name)
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
        revision = await self._articles.revision(source.article_id, source.revision_id)
        if revision is None:
            raise not_found(f"articles/{source.article_id}/revisions/{source.revision_id}")
        now = self._clock()
        posts = [self._requested(revision, network, now) for network in command.networks]
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
        and a workflow asks until it has been told PUBLISHED or WITHDRAWN."""
        publication = await self._existing(command.id)
        if publication.state is State.PENDING:
            url = await self._delivery.deliver(publication)
            now = self._clock()
            if await self._store.publish(publication.id, url, now):
                metrics.published(publication, now)
                if not publication.is_overdue and publication.due_time < now:
                    metrics.late(publication)
            publication = await self._existing(command.id)
        if publication.state is State.WITHDRAWN:
            await self._delivery.take_back(publication)
        return publication

    async def mark_publication_overdue(self, command: GetPublication) -> Publication:
        publication = await self._existing(command.id)
        if await self._store.mark_overdue(publication.id):
            metrics.late(publication)
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

    async def _check_reposting(self, publication: Publication, client: Client) -> None:
        if client is not Client.DESKTOP:
            raise _no_reposting("R96", "Reposting works on the AliExpress.com desktop site only")
        levels = self._promises.repost_levels
        if not levels or await self._levels.level(publication.creator_id) not in levels:
            raise _no_reposting("R94", "Reposting is not open to your level yet")

    def _requested(self, revision: Revision, channel: Channel, time: datetime) -> Publication:
        return publication_of(revision, channel, time, self._promises.window)

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
        if publication is None:
            raise not_found(f"publications/{publication_id}")
        return publication


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
