"""Accepted media objects, as publications show them."""

from collections.abc import Mapping, Sequence

from services.media.domain import MediaObject
from services.media.publications.documents import Pictures, StoredFile, Upload
from services.media.store import PostgresMediaStore


class AcceptedMedia:
    def __init__(self, store: PostgresMediaStore) -> None:
        self._store = store

    async def uploads(self, media_object_ids: Sequence[str]) -> Mapping[str, Upload]:
        found = await self._store.list_by_id(media_object_ids)
        return {media.id: _upload(media) for media in found if media.accepted}


def _upload(media: MediaObject) -> Upload:
    accepted = media.accepted
    if accepted is None:
        raise ValueError(f"{media.id} is not accepted")
    full = StoredFile(
        accepted.sha256,
        accepted.content_type,
        accepted.size_bytes,
        accepted.width,
        accepted.height,
    )
    return Upload(Pictures(full, full, full))
