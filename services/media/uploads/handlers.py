"""What can be done with media: the way of an upload, and the use of what came of it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Protocol
from uuid import UUID, uuid5

import structlog
from opentelemetry import metrics
from pydantic import Field

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import Command, count, proto_enum, resource_id, text
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    NotFound,
    Reason,
    Unavailable,
    invalid_fields,
    not_yours,
    request_id_reused,
)
from servicekit.s3.object_store import ObjectStore, TooManyBytes
from services.media.domain import (
    JUDGING_LIMIT,
    UPLOAD_LIFETIME,
    Announced,
    Buckets,
    MediaObject,
    State,
    accept,
    incomplete,
    reject,
    violations,
)
from services.media.images.pool import DecoderPool
from services.media.images.rules import Limits, Purpose, RenditionKind, limits_of
from services.media.images.text_detection import TextDetector
from services.media.uploads.addresses import Address, Addresses
from services.media.uploads.image_validator import examine, sha256_of
from services.media.uploads.quotas import Quota
from services.media.uploads.video_validator import VideoJudge
from services.media.videos.rules import Client

log = structlog.get_logger()

# What upload ids follow from.
_REQUESTS = UUID("5b0f6f0e-5a0c-4c6b-9a51-6a3c2d1c9be4")
_SWEEP_SIZE = 100
# Each holds its bytes in memory while it waits for a decoder.
_FINALIZED_AT_ONCE = 8
# An error travels in headers, which take little.
_NAMED_IN_ERRORS = 50
# Of one call, which may need thousands: storage has others to answer.
_CONFIRMED_AT_ONCE = 6
_FINISHED = metrics.get_meter(__name__).create_counter(
    "media.uploads.finished", unit="{upload}", description="Uploads by verdict"
)

MediaId = Annotated[str, resource_id("mediaObjects/{media_object}")]


class CreateUpload(Command):
    purpose: Annotated[Purpose, proto_enum("PURPOSE_")]
    size_bytes: int
    sha256: str | None = None
    content_type: str
    client: Annotated[Client, proto_enum("CLIENT_")] | None = None
    request_id: str


class FinalizeUpload(Command):
    id: Annotated[str, resource_id("uploads/{upload}")] = Field(alias="name")


class GetMediaObject(Command):
    id: MediaId = Field(alias="name")


class CreateDownload(GetMediaObject):
    rendition: Annotated[RenditionKind, proto_enum("RENDITION_")] | None = None


class BatchGetMediaObjects(Command):
    ids: Annotated[list[MediaId], count(1, 100)] = Field(alias="names")


class HoldMediaObjects(Command):
    ids: Annotated[list[MediaId], count(1, 100)] = Field(alias="names")
    holder: Annotated[str, text(1, 300)]
    brand_id: Annotated[str, resource_id("brands/{brand}")] | None = Field(None, alias="brand")


class MediaStore(Protocol):
    async def add(self, media: MediaObject, quota: Quota) -> MediaObject:
        """What lies under this id from now on: what came first, or else this. Meanwhile nobody adds
        for the same owner.

        Raises:
            ResourceExhausted: the owner's quota has no room for it.
        """

    async def get(self, media_id: str) -> MediaObject | None: ...

    async def list_by_id(self, media_ids: Sequence[str]) -> list[MediaObject]:
        """In this order; unknown ones are left out."""

    async def finish(self, media: MediaObject, now: datetime) -> bool:
        """Writes the verdict; False when another verdict came first."""

    async def find_resembled(self, dhash: int, owner: str) -> str | None:
        """The accepted image of somebody else that is nearest to this one, if one is near."""

    async def set_has_text(self, media_id: str, has_text: bool) -> None: ...

    async def hold(self, media_ids: Sequence[str], holder: str, brand_id: str | None) -> None: ...

    async def is_held_for(self, media_id: str, brand_id: str) -> bool: ...

    async def list_to_sweep(self, now: datetime, size: int) -> list[MediaObject]: ...

    async def set_swept(self, media_id: str, now: datetime) -> None:
        """Quarantine is empty for good: an upload that is still pending goes, too. One that was
        announced anew meanwhile stays."""


class MediaHandlers:
    def __init__(
        self,
        store: MediaStore,
        objects: ObjectStore,
        decoders: DecoderPool,
        videos: VideoJudge,
        buckets: Buckets,
        image_maximum_bytes: int,
        quota: Quota,
        clock: Clock,
        text_detector: TextDetector | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._decoders = decoders
        self._videos = videos
        self._buckets = buckets
        self._addresses = Addresses(objects, buckets)
        self._image_maximum_bytes = image_maximum_bytes
        self._quota = quota
        self._clock = clock
        self._text_detector = text_detector
        self._in_hand = asyncio.Semaphore(_FINALIZED_AT_ONCE)
        self._videos_in_hand: dict[str, asyncio.Task[None]] = {}

    async def create_upload(
        self, who: Principal, command: CreateUpload
    ) -> tuple[MediaObject, Address | None]:
        """A repetition finds the upload, with another address; without one where nothing may be
        uploaded any more.

        Raises:
            InvalidArgument: not such an upload, or another one was announced by this `request_id`.
            FailedPrecondition: a video, and not from this creator (R87).
            ResourceExhausted: a quota of the creator's is used up.
        """
        now = self._clock()
        asked = _media_object(who.creator or "", command, now)
        made = await self._store.get(asked.id)
        if made is None:
            await self._check(asked)
            made = await self._store.add(asked, self._quota)
        if (made.purpose, made.announced) != (asked.purpose, asked.announced):
            raise request_id_reused(command.request_id)
        return made, self._addresses.to_upload(made, now)

    async def finalize_upload(self, who: Principal, command: FinalizeUpload) -> MediaObject:
        """Judges an upload, once and for good; a repetition finds the verdict.

        Each step may be done again after a crash, and by two callers at once: the clean bytes' key
        is their content address, only one verdict is written, and the original goes after that.
        """
        media = await self._owned(who, command.id, f"uploads/{command.id}")
        if media.state is State.PENDING:
            if media.purpose is Purpose.VIDEO:
                await self._decide_video(media)
            else:
                await self._decide_image(media)
            media = await self._owned(who, command.id, f"uploads/{command.id}")
            if media.state is State.PENDING:
                raise incomplete(media, "its bytes have not arrived")
        await self._clear_quarantine(media)
        await self._look_for_text(media)
        return media

    async def get_media_object(self, who: Principal, command: GetMediaObject) -> MediaObject:
        return await self._visible(who, command.id)

    async def batch_get_media_objects(self, command: BatchGetMediaObjects) -> list[MediaObject]:
        now = self._clock()
        found = await self._store.list_by_id(command.ids)
        return [media for media in found if not media.is_gone(now)]

    async def hold_media_objects(self, command: HoldMediaObjects) -> None:
        await self.require_stored(command.ids)
        await self._store.hold(command.ids, command.holder, command.brand_id)

    async def require_stored(self, media_ids: Sequence[str]) -> None:
        """A row is not enough: storage itself must confirm that the bytes are there.

        Raises:
            FailedPrecondition: some are not accepted, or not there.
        """
        in_hand = asyncio.Semaphore(_CONFIRMED_AT_ONCE)

        async def is_stored(media: MediaObject) -> bool:
            async with in_hand:
                return await self._is_stored(media)

        found = await self._store.list_by_id(media_ids)
        confirmed = await asyncio.gather(*map(is_stored, found))
        kept = {media.id for media, is_kept in zip(found, confirmed, strict=True) if is_kept}
        if lacking := [media_id for media_id in media_ids if media_id not in kept]:
            raise _not_accepted(lacking)

    async def create_download(self, who: Principal, command: CreateDownload) -> Address:
        media = await self._visible(who, command.id)
        accepted = media.accepted
        if accepted is None:
            raise _not_accepted([media.id])
        stored = accepted.renditions.get(command.rendition) if command.rendition else accepted
        if stored is None:
            raise _no_rendition(media, command.rendition)
        return self._addresses.to_download(stored, self._clock())

    async def sweep(self) -> int:
        """Empties quarantine of what is left there after its time; answers with how much it swept.

        What cannot be swept is left for the next time and stands in no other's way.

        Raises:
            Unavailable: storage or the database does not answer, for any of them.
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

    async def _check(self, asked: MediaObject) -> None:
        """Everything that can be held against an upload before a byte of it is sent, but quotas."""
        if asked.purpose is Purpose.VIDEO:
            await self._videos.check(asked.owner, asked.announced)
        elif found := violations(self._limits(asked.purpose), asked.announced):
            raise invalid_fields(*found)

    def _limits(self, purpose: Purpose) -> Limits:
        return limits_of(purpose, self._image_maximum_bytes)

    async def _announced_content(self, media: MediaObject) -> bytes | None:
        """What lies in quarantine, if it is what was announced; None when nothing is there."""
        try:
            content = await self._objects.read(
                self._buckets.quarantine,
                media.quarantine_key,
                maximum_bytes=media.announced.size_bytes,
            )
        except TooManyBytes:
            raise incomplete(media, "there are more bytes than were announced") from None
        if content is None or media.announced.sha256 is None:
            return content
        if len(content) != media.announced.size_bytes:
            raise incomplete(media, "there are fewer bytes than were announced")
        # In a thread: 25 MB take long enough to hold up every other call.
        if await asyncio.to_thread(sha256_of, content) != media.announced.sha256:
            raise incomplete(media, "the bytes are not those that were announced")
        return content

    async def _decide_image(self, media: MediaObject) -> None:
        async with _in_time(media), self._in_hand:
            content = await self._announced_content(media)
            # Without content another caller has finished, or nothing was uploaded yet.
            if content is not None:
                await self._finish(await self._judged_image(media, content))

    async def _decide_video(self, media: MediaObject) -> None:
        """Goes on to its end when the caller has no more time: the next call joins in here, or
        finds the verdict."""

        async def decide() -> None:
            async with _in_time(media):
                decided = await self._videos.judged(media)
                if decided is not None:
                    await self._finish(decided)

        in_hand = self._videos_in_hand.get(media.id)
        if in_hand is None:
            in_hand = self._videos_in_hand[media.id] = asyncio.create_task(decide())
            in_hand.add_done_callback(lambda _: self._videos_in_hand.pop(media.id))
        await asyncio.shield(in_hand)

    async def _finish(self, decided: MediaObject) -> None:
        if await self._store.finish(decided, self._clock()):
            codes: list[str] = [rejection.code for rejection in decided.rejections]
            for verdict in codes or [State.ACCEPTED]:
                _FINISHED.add(1, {"purpose": decided.purpose, "verdict": verdict})

    async def _judged_image(self, media: MediaObject, content: bytes) -> MediaObject:
        """Rejected, or accepted with all that is kept of it in storage."""
        examined = await examine(self._decoders, self._limits(media.purpose), content)
        if examined.accepted is None:
            return reject(media, examined.rejections)
        for stored, copy in examined.contents:
            await self._objects.put_immutable(
                self._buckets.accepted, stored.key, copy, content_type=stored.content_type
            )
        dhash = examined.accepted.dhash
        resembled = None if dhash is None else await self._store.find_resembled(dhash, media.owner)
        return accept(media, examined.accepted, resembled)

    async def _clear_quarantine(self, media: MediaObject) -> None:
        """The verdict stands whether or not this works; the sweep does what is left."""
        try:
            await self._objects.remove(self._buckets.quarantine, media.quarantine_key)
        except LiaisonError:
            log.warning("quarantine_not_cleared", media_object=media.id)

    async def _look_for_text(self, media: MediaObject) -> None:
        """For advice on a banner (R65): the verdict stands whether or not this works, and a
        repetition makes up for it."""
        if self._text_detector is None or media.purpose is not Purpose.BANNER:
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
        has_text = await self._text_detector.has_text(clean) if clean else None
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
        """Also for the brands that the media object was submitted to: they have to review it."""
        name = f"mediaObjects/{media_id}"
        if who.brand is None:
            return await self._owned(who, media_id, name)
        media = await self._store.get(media_id)
        if media is None or not await self._store.is_held_for(media_id, who.brand):
            raise not_yours(name)
        return media

    async def _owned(self, who: Principal, media_id: str, name: str) -> MediaObject:
        """The media object, if it is the caller's own or the caller may see all of them."""
        media = await self._store.get(media_id)
        if media is not None and media.is_gone(self._clock()):
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
async def _in_time(media: MediaObject) -> AsyncIterator[None]:
    """The block ends well before the upload is swept.

    Raises:
        Unavailable: it took too long, and was cancelled.
    """
    try:
        async with asyncio.timeout(JUDGING_LIMIT.total_seconds()):
            yield
    except TimeoutError:
        raise Unavailable(
            Reason.DEPENDENCY_UNAVAILABLE,
            f"uploads/{media.id} was not judged in time: ask for it again",
        ) from None


def _not_accepted(media_ids: Sequence[str]) -> FailedPrecondition:
    names = ", ".join(f"mediaObjects/{media_id}" for media_id in media_ids[:_NAMED_IN_ERRORS])
    return FailedPrecondition(
        Reason.MEDIA_NOT_ACCEPTED, f"Not accepted: {names}", metadata={"media_objects": names}
    )


def _no_rendition(media: MediaObject, rendition: RenditionKind | None) -> NotFound:
    return NotFound(
        Reason.NOT_FOUND,
        f"mediaObjects/{media.id} has no rendition {rendition}: it was accepted before there were"
        " any, and is small enough itself or can be uploaded anew",
        metadata={"rendition": str(rendition)},
    )
