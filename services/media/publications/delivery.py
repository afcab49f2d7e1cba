"""The way of a publication to its readers: its document is made, its media are laid out, and the
channel is given it. Each step may be repeated, and one that was done before costs little."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from servicekit.errors import Internal, Reason, Unavailable
from services.media.articles.domain import Revision
from services.media.publications.documents import (
    Document,
    StoredFile,
    Upload,
    document_of,
    key_of,
)
from services.media.publications.domain import Channel, Publication, publication_id

# Of one article's files: there may be thousands.
_FILES_AT_ONCE = 6


class Feed(Protocol):
    """The platform's own feed, in the app and on creators' profiles."""

    async def publish(self, document: Document) -> str:
        """Answers once readers see it, with its address."""

    async def withdraw(self, key: str) -> None: ...


@dataclass(frozen=True)
class Post:
    """What a social network is given; `url` leads to the article."""

    network: Channel
    url: str
    title: str
    text: str
    image_url: str


class SocialGateway(Protocol):
    """Posts to the creator's accounts on social networks."""

    async def post(self, publication_id: str, post: Post) -> str:
        """Answers with the post's address; the same id is the same post, however often."""


class MediaShelf(Protocol):
    async def uploads(self, media_object_ids: Sequence[str]) -> Mapping[str, Upload]:
        """Those that are accepted."""


class PublicFiles(Protocol):
    def address(self, file: StoredFile) -> str:
        """Where readers find it once it is there."""

    async def show(self, file: StoredFile) -> None:
        """Lays it out for readers, by its content; may be repeated."""


class Revisions(Protocol):
    async def revision(self, article_id: str, revision_id: str) -> Revision | None: ...


class Publications(Protocol):
    async def get(self, publication_id: str) -> Publication | None: ...


class ReaderDelivery:
    """`gateway` is None where no networks are connected."""

    def __init__(
        self,
        publications: Publications,
        revisions: Revisions,
        shelf: MediaShelf,
        files: PublicFiles,
        feed: Feed,
        gateway: SocialGateway | None,
    ) -> None:
        self._publications = publications
        self._revisions = revisions
        self._shelf = shelf
        self._files = files
        self._feed = feed
        self._gateway = gateway

    async def deliver(self, publication: Publication) -> str:
        document = await self._document(publication)
        if publication.channel is Channel.FEED:
            return await self._feed.publish(document)
        return await self._post(publication, document)

    async def take_back(self, publication: Publication) -> None:
        """A network keeps what it was given. Files may be in other articles, and stay: nobody finds
        them without a document."""
        if publication.channel is Channel.FEED:
            await self._feed.withdraw(key_of(publication.article_id, publication.revision_id))

    async def _document(self, publication: Publication) -> Document:
        revision = await self._revisions.revision(publication.article_id, publication.revision_id)
        if revision is None:
            raise _lacking(publication, "its sealed revision")
        media_object_ids = sorted(set(revision.content.media_object_ids()))
        uploads = await self._shelf.uploads(media_object_ids)
        if lacking := set(media_object_ids) - uploads.keys():
            raise _lacking(publication, ", ".join(sorted(lacking)))
        await self._show(file for upload in uploads.values() for file in upload.files())
        return document_of(revision, uploads, self._files.address)

    async def _show(self, files: Iterable[StoredFile]) -> None:
        in_hand = asyncio.Semaphore(_FILES_AT_ONCE)

        async def show(file: StoredFile) -> None:
            async with in_hand:
                await self._files.show(file)

        await asyncio.gather(*map(show, {file.key: file for file in files}.values()))

    async def _post(self, publication: Publication, document: Document) -> str:
        on_feed = publication_id(publication.article_id, Channel.FEED)
        source = await self._publications.get(on_feed)
        if source is None:
            raise _lacking(publication, f"publications/{on_feed}")
        if self._gateway is None:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "No social networks are connected")
        post = Post(
            publication.channel, source.url, document.title, document.sentence, document.image_url
        )
        return await self._gateway.post(publication.id, post)


def _lacking(publication: Publication, what: str) -> Internal:
    """A defect of ours: what is sealed is kept, and so is what is in it."""
    return Internal(Reason.INTERNAL, f"{publication.name} cannot be made without {what}")
