"""Accepted media objects as the files of publications."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

from services.media.domain import Accepted, StoredImage
from services.media.images.rules import RenditionKind
from services.media.publications.documents import Pictures, StoredFile, Upload
from services.media.uploads.store import MediaStore


class AcceptedMedia:
    def __init__(self, store: MediaStore) -> None:
        self._store = store

    async def uploads(self, media_object_ids: Sequence[str]) -> Mapping[str, Upload]:
        found = await self._store.list_by_id(media_object_ids)
        return {media.id: _upload(media.accepted) for media in found if media.accepted}


def _upload(accepted: Accepted) -> Upload:
    """Images that were accepted before renditions existed are used unscaled in every size."""
    renditions = accepted.renditions
    if accepted.duration is not None:
        return _video(accepted, accepted.duration)
    return Upload(
        Pictures(
            full=_file(accepted),
            feed=_file(renditions.get(RenditionKind.FEED, accepted)),
            thumbnail=_file(renditions.get(RenditionKind.THUMBNAIL, accepted)),
        )
    )


def _video(accepted: Accepted, duration: timedelta) -> Upload:
    """A video's pictures are renditions of its poster frame."""
    feed = _file(accepted.renditions[RenditionKind.FEED])
    thumbnail = _file(accepted.renditions[RenditionKind.THUMBNAIL])
    return Upload(
        Pictures(full=feed, feed=feed, thumbnail=thumbnail),
        video=_file(accepted),
        duration_seconds=duration.total_seconds(),
    )


def _file(image: StoredImage) -> StoredFile:
    return StoredFile(image.sha256, image.content_type, image.size_bytes, image.width, image.height)
