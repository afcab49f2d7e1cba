"""Use cases of uploads and media objects.

An upload takes three steps. `create_upload` writes a PENDING row and returns a presigned URL; the
client sends the bytes to quarantine; `finalize_upload` has them validated, stores what is accepted
in the accepted bucket, writes the verdict to the row, and clears quarantine.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from uuid import UUID, uuid5

import structlog
from opentelemetry import metrics

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    NotFound,
    Reason,
    Unavailable,
    not_yours,
    request_id_reused,
)
from servicekit.s3.objects import ObjectStorage, TooManyBytes
from services.media.domain import (
    UPLOAD_LIFETIME,
    VALIDATION_TIMEOUT,
    Announced,
    Buckets,
    MediaObject,
    State,
    incomplete,
)
from services.media.images.rules import Purpose, RenditionKind
from services.media.uploads.commands import (
    BatchGetMediaObjects,
    CreateDownload,
    CreateUpload,
    FinalizeUpload,
    GetMediaObject,
    HoldMediaObjects,
)
from services.media.uploads.image_validator import ImageValidator
from services.media.uploads.presigned_urls import PresignedUrl, UrlSigner
from services.media.uploads.quotas import Quota
from services.media.uploads.store import MediaStore
from services.media.uploads.video_validator import VideoValidator

log = structlog.get_logger()

# `services.media.images.text_detection.TextDetector.has_text`.
DetectText = Callable[[bytes], Awaitable[bool | None]]

# Namespace of upload ids, which are derived from owner and request id.
_REQUESTS = UUID("5b0f6f0e-5a0c-4c6b-9a51-6a3c2d1c9be4")
_SWEEP_SIZE = 100
# Errors travel in HTTP/2 headers, whose size is limited.
_NAMED_IN_ERRORS = 50
# Of one call, which may need thousands: it must not occupy all of the object store's threads.
_CONCURRENT_STATS = 6
_FINISHED = metrics.get_meter(__name__).create_counter(
    "media.uploads.finished", unit="{upload}", description="Uploads by verdict"
)


class MediaHandlers:
    def __init__(
        self,
        store: MediaStore,
        objects: ObjectStorage,
        images: ImageValidator,
        videos: VideoValidator,
        buckets: Buckets,
        quota: Quota,
        clock: Clock,
        detect_text: DetectText | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._images = images
        self._videos = videos
        self._buckets = buckets
        self._urls = UrlSigner(objects, buckets)
        self._quota = quota
        self._clock = clock
        self._detect_text = detect_text
        self._running_videos: dict[str, asyncio.Task[None]] = {}

    async def create_upload(
        self, who: Principal, command: CreateUpload
    ) -> tuple[MediaObject, PresignedUrl | None]:
        """Creates an upload. A repeated request returns the same upload with a new URL; without one
        if nothing may be uploaded any more.

        Raises:
            InvalidArgument: no such upload is accepted, or this `request_id` was used for another.
            FailedPrecondition: this creator may not upload videos (R87).
            ResourceExhausted: a quota of the creator is used up.
        """
        now = self._clock()
        requested = _media_object(who.creator or "", command, now)
        media = await self._store.get(requested.id)
        if media is None:
            await self._validate_announced(requested)
            media = await self._store.add(requested, self._quota)
        if (media.purpose, media.announced) != (requested.purpose, requested.announced):
            raise request_id_reused(command.request_id)
        return media, self._urls.for_upload(media, now)

    async def finalize_upload(self, who: Principal, command: FinalizeUpload) -> MediaObject:
        """Validates an upload, once; a repeated request returns the first verdict.

        Each step may be repeated after a crash or run concurrently: keys of accepted objects are
        content addresses, only the first verdict is written, and quarantine is cleared after that.

        Raises:
            FailedPrecondition: the bytes are missing or are not those that were announced.
            Unavailable: validation took too long, or storage does not respond.
        """
        media = await self._owned(who, command.id, f"uploads/{command.id}")
        if media.state is State.PENDING:
            if media.purpose is Purpose.VIDEO:
                await self._validate_video(media)
            else:
                await self._validate_image(media)
            media = await self._owned(who, command.id, f"uploads/{command.id}")
            if media.state is State.PENDING:
                raise incomplete(media, "its bytes have not arrived")
        await self._clear_quarantine(media)
        await self._set_has_text(media)
        return media

    async def get_media_object(self, who: Principal, command: GetMediaObject) -> MediaObject:
        return await self._visible(who, command.id)

    async def batch_get_media_objects(self, command: BatchGetMediaObjects) -> list[MediaObject]:
        now = self._clock()
        found = await self._store.list_by_id(command.ids)
        return [media for media in found if not media.is_expired(now)]

    async def hold_media_objects(self, command: HoldMediaObjects) -> None:
        await self.require_stored(command.ids)
        await self._store.hold(command.ids, command.holder, command.brand_id)

    async def require_stored(self, media_ids: Sequence[str]) -> None:
        """Requires that all are accepted and that storage confirms that their bytes exist.

        Raises:
            FailedPrecondition: some are not accepted, or not in storage.
        """
        slots = asyncio.Semaphore(_CONCURRENT_STATS)

        async def is_stored(media: MediaObject) -> bool:
            async with slots:
                return await self._is_stored(media)

        found = await self._store.list_by_id(media_ids)
        confirmed = await asyncio.gather(*map(is_stored, found))
        stored = {media.id for media, is_kept in zip(found, confirmed, strict=True) if is_kept}
        if missing := [media_id for media_id in media_ids if media_id not in stored]:
            raise _not_accepted(missing)

    async def create_download(self, who: Principal, command: CreateDownload) -> PresignedUrl:
        media = await self._visible(who, command.id)
        accepted = media.accepted
        if accepted is None:
            raise _not_accepted([media.id])
        stored = accepted.renditions.get(command.rendition) if command.rendition else accepted
        if stored is None:
            raise _no_rendition(media, command.rendition)
        return self._urls.for_download(stored, self._clock())

    async def sweep(self) -> int:
        """Clears quarantine of uploads whose sweep time has come; returns how many it cleared.

        An upload that cannot be cleared does not block others and is tried again next time.

        Raises:
            Unavailable: storage or the database does not respond.
        """
        now = self._clock()
        due = await self._store.list_to_sweep(now, _SWEEP_SIZE)
        swept = 0
        for media in due:
            try:
                await self._objects.remove(self._buckets.quarantine, media.quarantine_key)
                await self._store.set_swept(media.id, now)
                swept += 1
            except LiaisonError:
                raise
            except Exception:
                log.exception("upload_not_swept", media_object=media.id)
        return swept

    async def _validate_announced(self, requested: MediaObject) -> None:
        if requested.purpose is Purpose.VIDEO:
            await self._videos.validate_announced(requested.owner, requested.announced)
        else:
            self._images.validate_announced(requested.purpose, requested.announced)

    async def _validate_image(self, media: MediaObject) -> None:
        async with _validation_timeout(media):
            await self._finish(await self._images.validate(media))

    async def _validate_video(self, media: MediaObject) -> None:
        """Goes on after the caller's deadline: the next call waits for the same task, or finds the
        verdict."""

        async def validate() -> None:
            async with _validation_timeout(media):
                await self._finish(await self._videos.validate(media))

        task = self._running_videos.get(media.id)
        if task is None:
            task = self._running_videos[media.id] = asyncio.create_task(validate())
            task.add_done_callback(lambda _: self._running_videos.pop(media.id))
        await asyncio.shield(task)

    async def _finish(self, media: MediaObject | None) -> None:
        """Writes the verdict. Without one, nothing was uploaded yet, or another call has finished
        and cleared quarantine."""
        if media is not None and await self._store.finish(media, self._clock()):
            codes: list[str] = [rejection.code for rejection in media.rejections]
            for verdict in codes or [State.ACCEPTED]:
                _FINISHED.add(1, {"purpose": media.purpose, "verdict": verdict})

    async def _clear_quarantine(self, media: MediaObject) -> None:
        """A failure does not change the verdict: the sweep will clear the rest."""
        try:
            await self._objects.remove(self._buckets.quarantine, media.quarantine_key)
        except LiaisonError:
            log.warning("quarantine_not_cleared", media_object=media.id)

    async def _set_has_text(self, media: MediaObject) -> None:
        """Detects text in a banner, for advice (R65). A failure does not change the verdict; a
        repeated request tries again."""
        if self._detect_text is None or media.purpose is not Purpose.BANNER:
            return
        if media.accepted is None or media.has_text is not None:
            return
        try:
            clean = await self._objects.read(
                self._buckets.accepted,
                media.accepted.key,
                maximum_bytes=media.accepted.size_bytes,
            )
        except (LiaisonError, TooManyBytes):
            clean = None
        has_text = await self._detect_text(clean) if clean else None
        if has_text is not None:
            await self._store.set_has_text(media.id, has_text)

    async def _is_stored(self, media: MediaObject) -> bool:
        accepted = media.accepted
        if accepted is None:
            return False
        stored = await self._objects.stat(self._buckets.accepted, accepted.key)
        if stored is None or stored.size_bytes != accepted.size_bytes:
            log.error("accepted_object_missing", media_object=media.id)
            return False
        return True

    async def _visible(self, who: Principal, media_id: str) -> MediaObject:
        """The media object, if the caller may read it: its owner, staff, services, and the brands
        that it was submitted to."""
        name = f"mediaObjects/{media_id}"
        if who.brand is None:
            return await self._owned(who, media_id, name)
        media = await self._store.get(media_id)
        if media is None or not await self._store.is_held_for(media_id, who.brand):
            raise not_yours(name)
        return media

    async def _owned(self, who: Principal, media_id: str, name: str) -> MediaObject:
        """The media object, if it is the caller's own or the caller may read all of them."""
        media = await self._store.get(media_id)
        if media is not None and media.is_expired(self._clock()):
            media = None
        media = who.require_found(name, media)
        who.require_party(name, creator=media.owner)
        return media


def _media_object(owner: str, command: CreateUpload, now: datetime) -> MediaObject:
    return MediaObject(
        id=uuid5(_REQUESTS, f"{owner} {command.request_id.lower()}").hex,
        owner=owner,
        purpose=command.purpose,
        announced=Announced(
            command.size_bytes, command.sha256, command.content_type, command.client
        ),
        create_time=now,
        expire_time=now + UPLOAD_LIFETIME,
    )


@asynccontextmanager
async def _validation_timeout(media: MediaObject) -> AsyncIterator[None]:
    """Limits the block to `VALIDATION_TIMEOUT`, so that it ends before the upload is swept.

    Raises:
        Unavailable: the block was cancelled.
    """
    try:
        async with asyncio.timeout(VALIDATION_TIMEOUT.total_seconds()):
            yield
    except TimeoutError:
        raise Unavailable(
            Reason.DEPENDENCY_UNAVAILABLE,
            f"uploads/{media.id} was not validated in time; try again",
        ) from None


def _not_accepted(media_ids: Sequence[str]) -> FailedPrecondition:
    names = ", ".join(f"mediaObjects/{media_id}" for media_id in media_ids[:_NAMED_IN_ERRORS])
    return FailedPrecondition(
        Reason.MEDIA_NOT_ACCEPTED, f"Not accepted: {names}", metadata={"media_objects": names}
    )


def _no_rendition(media: MediaObject, rendition: RenditionKind | None) -> NotFound:
    return NotFound(
        Reason.NOT_FOUND,
        f"mediaObjects/{media.id} has no rendition {rendition}: it was accepted before renditions"
        " were made; use the object itself or upload it again",
        metadata={"rendition": str(rendition)},
    )
