"""Delivers publications to readers and withdraws them.

A delivery builds the document, copies its media to the public bucket and passes it to the channel.
Every step may be repeated; one that was done before costs little.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
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

# By their ids; `GetRevision` takes the ids of the article and of the revision.
GetPublication = Callable[[str], Awaitable[Publication | None]]
GetRevision = Callable[[str, str], Awaitable[Revision | None]]
# The accepted ones of the media objects with these ids.
AcceptedUploads = Callable[[Sequence[str]], Awaitable[Mapping[str, Upload]]]


class Feed(Protocol):
    """The platform's own feed, in the app and on creators' profiles."""

    async def publish(self, document: Document) -> str:
        """Returns the document's URL once readers can see it."""

    async def withdraw(self, key: str) -> None: ...


@dataclass(frozen=True)
class Post:
    """What a social network gets; `url` leads to the article."""

    network: Channel
    url: str
    title: str
    text: str
    image_url: str


class SocialGateway(Protocol):
    """Posts to the creator's accounts on social networks."""

    async def post(self, publication_id: str, post: Post) -> str:
        """Returns the post's URL. The same id is the same post: repeating it posts nothing more."""


class PublicFiles(Protocol):
    """Public copies of media files."""

    def url(self, file: PublicFile) -> str:
        """Where readers find the file once it is published."""

    async def publish(self, file: PublicFile) -> None:
        """May be repeated."""

    async def remove(self, file: PublicFile) -> None:
        """May be repeated, and called for a file that was never published."""


class Delivery:
    """`gateway` is None where no social networks are connected."""

    def __init__(
        self,
        get_publication: GetPublication,
        get_revision: GetRevision,
        accepted_uploads: AcceptedUploads,
        files: PublicFiles,
        feed: Feed,
        gateway: SocialGateway | None,
    ) -> None:
        self._get_publication = get_publication
        self._get_revision = get_revision
        self._accepted_uploads = accepted_uploads
        self._files = files
        self._feed = feed
        self._gateway = gateway

    async def deliver(self, publication: Publication) -> str:
        """Returns the URL once readers can see the publication. Nothing of it runs on after it has
        returned or raised, so that a withdrawal afterwards removes everything."""
        revision = await self._require_revision(publication)
        media_object_ids = sorted(set(revision.content.media_object_ids()))
        uploads = await self._accepted_uploads(media_object_ids)
        if missing := set(media_object_ids) - uploads.keys():
            raise _missing(publication, ", ".join(sorted(missing)))
        document = document_of(revision, uploads, lambda file: self._url(publication, file))
        if publication.channel is not Channel.FEED:
            return await self._post(publication, document)
        await _wait_for_all(self._files.publish(file) for file in _files(publication, uploads))
        return await self._feed.publish(document)

    async def withdraw(self, publication: Publication) -> None:
        """Removes the document first, since it links to the files. Does nothing for a post to a
        network, which cannot be taken back. May be repeated, and called for a publication that was
        never delivered."""
        if publication.channel is not Channel.FEED:
            return
        await self._feed.withdraw(key_of(publication.article_id, publication.revision_id))
        revision = await self._require_revision(publication)
        uploads = await self._accepted_uploads(sorted(set(revision.content.media_object_ids())))
        await _wait_for_all(self._files.remove(file) for file in _files(publication, uploads))

    async def _require_revision(self, publication: Publication) -> Revision:
        revision = await self._get_revision(publication.article_id, publication.revision_id)
        if revision is None:
            raise _missing(publication, "its sealed revision")
        return revision

    def _url(self, publication: Publication, file: StoredFile) -> str:
        return self._files.url(public_file(publication.article_id, file))

    async def _post(self, publication: Publication, document: Document) -> str:
        source_id = publication_id(publication.article_id, Channel.FEED)
        source = await self._get_publication(source_id)
        if source is None:
            raise _missing(publication, f"publications/{source_id}")
        if self._gateway is None:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "No social networks are connected")
        post = Post(
            publication.channel, source.url, document.title, document.sentence, document.image_url
        )
        return await self._gateway.post(publication.id, post)


def _files(publication: Publication, uploads: Mapping[str, Upload]) -> list[PublicFile]:
    """Each file once."""
    stored = {file.file_name: file for upload in uploads.values() for file in upload.files()}
    return [public_file(publication.article_id, file) for file in stored.values()]


async def _wait_for_all(steps: Iterable[Awaitable[None]]) -> None:
    """Waits until every step has ended, then raises the first error, if any."""
    for result in await asyncio.gather(*steps, return_exceptions=True):
        if result is not None:
            raise result


def _missing(publication: Publication, what: str) -> Internal:
    """A defect of this service: sealed revisions and their media are never deleted."""
    return Internal(Reason.INTERNAL, f"{publication.name} cannot be delivered without {what}")
