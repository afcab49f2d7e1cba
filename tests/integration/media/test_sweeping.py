"""Quarantine is emptied of what nobody finished, whatever stands in the way."""

from datetime import timedelta

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import LiaisonError, Reason
from servicekit.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from tests.integration.media.conftest import QUARANTINE, House
from tests.integration.media.uploading import announcement, finalization, uploaded
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg

LATER = timedelta(hours=24, seconds=1)


class Stubborn(ObjectStore):
    """Removes everything but one object."""

    kept = ""

    async def remove(self, bucket: str, key: str) -> None:
        if key == self.kept:
            raise PermissionError("retention")
        await super().remove(bucket, key)


async def test_what_was_announced_and_never_sent_is_gone_too(served: Served, house: House) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(jpeg()))
    assert await house.handlers.sweep() == 0
    house.passed = LATER
    assert await house.handlers.sweep() == 1
    with refused(Reason.NOT_YOURS):
        await anna.FinalizeUpload(finalization(upload.name))
    with refused(Reason.NOT_YOURS):
        await anna.GetMediaObject(
            pb.GetMediaObjectRequest(name=upload.name.replace("uploads", "mediaObjects"))
        )


async def test_one_object_that_cannot_be_removed_stands_in_no_others_way(
    served: Served, house: House, object_store_settings: ObjectStoreSettings
) -> None:
    uploads = [await uploaded(served, jpeg()) for _ in range(3)]
    house.passed = LATER
    async with Stubborn(object_store_settings) as objects:
        objects.kept = uploads[0].name
        handlers = house.handlers_with(objects)
        assert await handlers.sweep() == 2
        assert await handlers.sweep() == 0
    found = [await house.objects.stat(QUARANTINE, upload.name) for upload in uploads]
    assert [one is not None for one in found] == [True, False, False]
    assert await house.handlers.sweep() == 1
    assert await house.objects.stat(QUARANTINE, uploads[0].name) is None


async def test_storage_that_is_away_loses_no_upload_from_sight(
    served: Served, house: House, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg())
    house.passed = LATER
    away = object_store_settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(away) as objects:
        with pytest.raises(LiaisonError) as caught:
            await house.handlers_with(objects).sweep()
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    assert await house.handlers.sweep() == 1
    assert await house.objects.stat(QUARANTINE, upload.name) is None
