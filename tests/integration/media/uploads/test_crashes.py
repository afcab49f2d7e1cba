"""Finalization under crashes at any step, failing storage, and concurrent calls."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.auth import Principal, Role
from servicekit.errors import Reason, Unavailable
from servicekit.postgres.database import Database
from servicekit.s3.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from services.media.domain import MediaObject, State
from services.media.uploads.commands import FinalizeUpload
from services.media.uploads.handlers import MediaHandlers
from services.media.uploads.store import MediaStore
from tests.integration.media.conftest import ACCEPTED, QUARANTINE, Harness
from tests.integration.media.uploading import (
    IMAGE,
    downloaded,
    finalization,
    finalized,
    put,
    uploaded,
)
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg, opened, png

ANNA = Principal("creators/anna", Role.CREATOR, creator="anna")
# The lasting steps of a finalization, in order.
STEPS = ("read", "put", "put", "put", "finish", "remove")


class _Crash(BaseException):
    """Not caught by `except Exception`, so that nothing after it runs."""


class CrashPoint:
    """Raises after a given number of steps."""

    def __init__(self, steps: int, error: type[BaseException] = _Crash) -> None:
        self.left = steps
        self.done: list[str] = []
        self._error = error

    def after(self, step: str) -> None:
        self.done.append(step)
        self.left -= 1
        if self.left == 0:
            raise self._error


class CrashingObjectStore(ObjectStore):
    def __init__(self, settings: ObjectStoreSettings, crash_point: CrashPoint) -> None:
        super().__init__(settings)
        self._crash_point = crash_point

    async def read(self, *arguments: Any, **options: Any) -> bytes | None:
        content = await super().read(*arguments, **options)
        self._crash_point.after("read")
        return content

    async def put_immutable(self, *arguments: Any, **options: Any) -> None:
        await super().put_immutable(*arguments, **options)
        self._crash_point.after("put")

    async def remove(self, *arguments: Any, **options: Any) -> None:
        await super().remove(*arguments, **options)
        self._crash_point.after("remove")


class CrashingMediaStore(MediaStore):
    def __init__(self, database: Database, crash_point: CrashPoint) -> None:
        super().__init__(database)
        self._crash_point = crash_point

    async def finish(self, media: MediaObject, now: datetime) -> bool:
        finished = await super().finish(media, now)
        self._crash_point.after("finish")
        return finished


@asynccontextmanager
async def crashing_handlers(
    harness: Harness, database: Database, settings: ObjectStoreSettings, crash_point: CrashPoint
) -> AsyncIterator[MediaHandlers]:
    async with CrashingObjectStore(settings, crash_point) as objects:
        yield harness.handlers_with(objects, CrashingMediaStore(database, crash_point))


@pytest.mark.parametrize("steps", range(1, len(STEPS) + 1))
async def test_finalizing_again_succeeds_after_a_crash_at_any_step(
    served: Served,
    harness: Harness,
    database: Database,
    object_store_settings: ObjectStoreSettings,
    steps: int,
) -> None:
    upload = await uploaded(served, jpeg(2401, 1201 + steps), purpose=IMAGE)
    crash_point = CrashPoint(steps)
    async with crashing_handlers(harness, database, object_store_settings, crash_point) as handlers:
        with pytest.raises(_Crash):
            await handlers.finalize_upload(ANNA, FinalizeUpload(id=upload.name))
    assert crash_point.done == list(STEPS[:steps])

    anna = MediaServiceStub(served.as_creator("anna"))
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    for rendition, width in (
        (pb.RENDITION_UNSPECIFIED, 2000),
        (pb.RENDITION_FEED, 1080),
        (pb.RENDITION_THUMBNAIL, 320),
    ):
        answer = await downloaded(anna, media.name, rendition)
        assert opened(answer.content).width == width
    assert await harness.objects.stat(QUARANTINE, upload.name) is None


async def test_the_sweep_clears_quarantine_after_a_crash(
    served: Served, harness: Harness, database: Database, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg(820, 420))
    crash_point = CrashPoint(4)  # small enough to be its own feed rendition
    async with crashing_handlers(harness, database, object_store_settings, crash_point) as handlers:
        with pytest.raises(_Crash):
            await handlers.finalize_upload(ANNA, FinalizeUpload(id=upload.name))
    assert crash_point.done == ["read", "put", "put", "finish"]
    media = await harness.store.get(upload.name.removeprefix("uploads/"))
    assert media is not None
    assert media.state is State.ACCEPTED
    assert await harness.objects.stat(QUARANTINE, upload.name) is not None
    harness.passed = media.sweep_time - harness.now()
    assert await harness.handlers.sweep() == 1
    assert await harness.objects.stat(QUARANTINE, upload.name) is None
    assert await harness.store.get(media.id) == media


class _StorageUnavailable(Unavailable):
    def __init__(self) -> None:
        super().__init__(Reason.DEPENDENCY_UNAVAILABLE, "Object storage does not respond")


@pytest.mark.parametrize("steps", range(1, STEPS.index("finish") + 1))
async def test_no_verdict_is_written_if_storage_fails_before_it(
    served: Served,
    harness: Harness,
    database: Database,
    object_store_settings: ObjectStoreSettings,
    steps: int,
) -> None:
    upload = await uploaded(served, png(2400, 1210 + steps), "image/png", IMAGE)
    async with crashing_handlers(
        harness, database, object_store_settings, CrashPoint(steps, _StorageUnavailable)
    ) as handlers:
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await handlers.finalize_upload(ANNA, FinalizeUpload(id=upload.name))
    media = await harness.store.get(upload.name.removeprefix("uploads/"))
    assert media is not None
    assert (media.state, media.accepted, media.rejections) == (State.PENDING, None, ())
    anna = MediaServiceStub(served.as_creator("anna"))
    finished = await anna.FinalizeUpload(finalization(upload.name))
    assert finished.state == pb.MediaObject.STATE_ACCEPTED


async def test_the_verdict_is_returned_if_storage_fails_after_it(
    served: Served, harness: Harness, database: Database, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, png(2400, 1209), "image/png", IMAGE)
    crash_point = CrashPoint(len(STEPS), _StorageUnavailable)
    async with crashing_handlers(harness, database, object_store_settings, crash_point) as handlers:
        media = await handlers.finalize_upload(ANNA, FinalizeUpload(id=upload.name))
    assert crash_point.done == list(STEPS)
    assert media.state is State.ACCEPTED


async def test_concurrent_uploads_of_the_same_bytes_share_one_object(
    served: Served, harness: Harness
) -> None:
    content = jpeg(2402, 1202)
    names = ("anna", "boris", "clara", "dora")
    uploads = [await uploaded(served, content, purpose=IMAGE, creator=name) for name in names]
    answers = await asyncio.gather(
        *(
            MediaServiceStub(served.as_creator(name)).FinalizeUpload(finalization(upload.name))
            for name, upload in zip(names, uploads, strict=True)
            for _ in range(2)
        )
    )
    assert {media.state for media in answers} == {pb.MediaObject.STATE_ACCEPTED}
    assert len({media.sha256 for media in answers}) == 1
    assert len({media.name for media in answers}) == len(names)
    stored = await harness.objects.stat(ACCEPTED, f"sha256/{answers[0].sha256}")
    assert stored is not None
    assert stored.size_bytes == answers[0].size_bytes


async def test_a_cancelled_finalization_can_be_repeated(served: Served, harness: Harness) -> None:
    upload = await uploaded(served, jpeg(2403, 1203), purpose=IMAGE)
    call = asyncio.create_task(
        harness.handlers.finalize_upload(ANNA, FinalizeUpload(id=upload.name))
    )
    await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    anna = MediaServiceStub(served.as_creator("anna"))
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED


async def test_bytes_swapped_in_quarantine_get_no_verdict(served: Served, harness: Harness) -> None:
    content = jpeg(821, 421)
    upload = await uploaded(served, content)
    media = (await finalized(served, content)).sha256
    # Even if somebody can write to quarantine, the announced hash decides.
    await harness.objects.remove(QUARANTINE, upload.name)
    await harness.objects.put_immutable(
        QUARANTINE, upload.name, jpeg(822, 422), content_type="image/jpeg"
    )
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(finalization(upload.name))
    await harness.objects.remove(QUARANTINE, upload.name)
    assert await put(upload, content) == 200
    assert (await anna.FinalizeUpload(finalization(upload.name))).sha256 == media
