"""The way of a publication to its readers: its document is made, its media are laid out, and the
channel is given it; and the way back. Each step may be repeated, and one that was done before costs
little."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from servicekit.errors import Internal, Reason, Unavailable
from services.media.articles.domain import Revision
from services.media.publications.documents import (
    Document,
    PublicFile,
    StoredFile,
    Upload,
    document_of,
    key_of,
    public_file,
)
from services.media.publications.domain import Channel, Publication, publication_id


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
    def address(self, file: PublicFile) -> str:
        """Where readers find it once it is there."""

    async def show(self, file: PublicFile) -> None:
        """Lays it out for readers; may be repeated."""

    async def remove(self, file: PublicFile) -> None:
        """May be repeated, and of what was never there."""


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
        """Nothing of it goes on once it has answered or failed: what is taken back then is gone."""
        revision = await self._revision(publication)
        media_object_ids = sorted(set(revision.content.media_object_ids()))
        uploads = await self._shelf.uploads(media_object_ids)
        if lacking := set(media_object_ids) - uploads.keys():
            raise _lacking(publication, ", ".join(sorted(lacking)))
        document = document_of(revision, uploads, lambda file: self._address(publication, file))
        if publication.channel is not Channel.FEED:
            return await self._post(publication, document)
        await _all_of(self._files.show(file) for file in _files(publication, uploads))
        return await self._feed.publish(document)

    async def take_back(self, publication: Publication) -> None:
        """The document first, since it leads to the rest. A network keeps what it was given."""
        if publication.channel is not Channel.FEED:
            return
        await self._feed.withdraw(key_of(publication.article_id, publication.revision_id))
        revision = await self._revision(publication)
        uploads = await self._shelf.uploads(sorted(set(revision.content.media_object_ids())))
        await _all_of(self._files.remove(file) for file in _files(publication, uploads))

    async def _revision(self, publication: Publication) -> Revision:
        revision = await self._revisions.revision(publication.article_id, publication.revision_id)
        if revision is None:
            raise _lacking(publication, "its sealed revision")
        return revision

    def _address(self, publication: Publication, file: StoredFile) -> str:
        return self._files.address(public_file(publication.article_id, file))

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


def _files(publication: Publication, uploads: Mapping[str, Upload]) -> list[PublicFile]:
    """Each once."""
    stored = {file.file_name: file for upload in uploads.values() for file in upload.files()}
    return [public_file(publication.article_id, file) for file in stored.values()]


async def _all_of(steps: Iterable[Awaitable[None]]) -> None:
    """Waits for the end of each, also where one fails."""
    for end in await asyncio.gather(*steps, return_exceptions=True):
        if end is not None:
            raise end


def _lacking(publication: Publication, what: str) -> Internal:
    """A defect of ours: what is sealed is kept, and so is what is in it."""
    return Internal(Reason.INTERNAL, f"{publication.name} cannot be made without {what}")
