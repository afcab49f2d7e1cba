"""The sweep of quarantine: expired uploads, failures, and finalizations in progress."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.auth import Principal, Role
from servicekit.errors import LiaisonError, Reason
from servicekit.s3.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from services.media.domain import SWEEP_DELAY, UPLOAD_LIFETIME, VALIDATION_TIMEOUT
from services.media.uploads.commands import FinalizeUpload
from tests.integration.media.conftest import ACCEPTED, QUARANTINE, Harness
from tests.integration.media.uploading import announcement, finalization, uploaded
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg

ANNA = Principal("creators/anna", Role.CREATOR, creator="anna")
LATER = UPLOAD_LIFETIME + SWEEP_DELAY + timedelta(seconds=1)


class PausingObjectStore(ObjectStore):
    """Pauses after each read until `may_go_on` is set."""

    def __init__(self, settings: ObjectStoreSettings) -> None:
        super().__init__(settings)
        self.has_read, self.may_go_on = asyncio.Event(), asyncio.Event()

    async def read(self, *arguments: Any, **options: Any) -> bytes | None:
        content = await super().read(*arguments, **options)
        self.has_read.set()
        await self.may_go_on.wait()
        return content


class RetainingObjectStore(ObjectStore):
    """Fails to remove one object."""

    kept = ""

    async def remove(self, bucket: str, key: str) -> None:
        if key == self.kept:
            raise PermissionError("retention")
        await super().remove(bucket, key)


async def test_an_upload_without_bytes_is_swept(served: Served, harness: Harness) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(jpeg()))
    assert await harness.handlers.sweep() == 0
    harness.passed = LATER
    assert await harness.handlers.sweep() == 1
    with refused(Reason.NOT_YOURS):
        await anna.FinalizeUpload(finalization(upload.name))
    with refused(Reason.NOT_YOURS):
        await anna.GetMediaObject(
            pb.GetMediaObjectRequest(name=upload.name.replace("uploads", "mediaObjects"))
        )


async def test_an_object_that_cannot_be_removed_does_not_block_the_sweep(
    served: Served, harness: Harness, object_store_settings: ObjectStoreSettings
) -> None:
    uploads = [await uploaded(served, jpeg()) for _ in range(3)]
    harness.passed = LATER
    async with RetainingObjectStore(object_store_settings) as objects:
        objects.kept = uploads[0].name
        handlers = harness.handlers_with(objects)
        assert await handlers.sweep() == 2
        assert await handlers.sweep() == 0
    found = [await harness.objects.stat(QUARANTINE, upload.name) for upload in uploads]
    assert [one is not None for one in found] == [True, False, False]
    assert await harness.handlers.sweep() == 1
    assert await harness.objects.stat(QUARANTINE, uploads[0].name) is None


async def test_the_sweep_is_repeated_if_storage_is_unavailable(
    served: Served, harness: Harness, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg())
    harness.passed = LATER
    unreachable = object_store_settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(unreachable) as objects:
        with pytest.raises(LiaisonError) as caught:
            await harness.handlers_with(objects).sweep()
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert await harness.handlers.sweep() == 1
    assert await harness.objects.stat(QUARANTINE, upload.name) is None


async def test_a_finalization_that_began_before_expiry_completes(
    served: Served, harness: Harness, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg(823, 423))
    harness.passed = UPLOAD_LIFETIME - timedelta(seconds=30)
    command = FinalizeUpload(id=upload.name)
    async with PausingObjectStore(object_store_settings) as objects:
        finalizing = asyncio.create_task(
            harness.handlers_with(objects).finalize_upload(ANNA, command)
        )
        await objects.has_read.wait()
        # Longer than validation may take.
        harness.passed = UPLOAD_LIFETIME + VALIDATION_TIMEOUT + timedelta(minutes=15)
        assert await harness.handlers.sweep() == 0
        # A finalization that begins now is too late, and changes nothing.
        with refused(Reason.NOT_YOURS):
            await harness.handlers.finalize_upload(ANNA, command)
        objects.may_go_on.set()
        media = await finalizing
    assert media.state == "ACCEPTED"
    assert await harness.objects.stat(QUARANTINE, upload.name) is None
    assert media.accepted is not None
    assert await harness.objects.stat(ACCEPTED, media.accepted.key) is not None
    harness.passed = LATER
    assert await harness.handlers.sweep() == 1
    anna = MediaServiceStub(served.as_creator("anna"))
    assert (await anna.FinalizeUpload(finalization(upload.name))).state == (
        pb.MediaObject.STATE_ACCEPTED
    )


async def test_a_validation_that_times_out_can_be_repeated(
    served: Served,
    harness: Harness,
    object_store_settings: ObjectStoreSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    upload = await uploaded(served, jpeg(824, 424))
    command = FinalizeUpload(id=upload.name)
    async with PausingObjectStore(object_store_settings) as objects:
        handlers = harness.handlers_with(objects)
        with monkeypatch.context() as patched:
            limit = "services.media.uploads.handlers.VALIDATION_TIMEOUT"
            patched.setattr(limit, timedelta(milliseconds=100))
            with refused(Reason.DEPENDENCY_UNAVAILABLE):
                await handlers.finalize_upload(ANNA, command)
        objects.may_go_on.set()
        assert (await handlers.finalize_upload(ANNA, command)).state == "ACCEPTED"
