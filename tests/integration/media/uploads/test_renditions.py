"""Renditions of accepted images, and who may read them."""

import hashlib

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.media.images.rules import RenditionKind
from tests.integration.media.conftest import ACCEPTED, Harness
from tests.integration.media.uploading import IMAGE, NAMELESS, downloaded, finalized
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg, opened, png

FEED, THUMBNAIL = pb.RENDITION_FEED, pb.RENDITION_THUMBNAIL


@pytest.mark.parametrize(
    ("content", "content_type"),
    [(jpeg(2400, 1200), "image/jpeg"), (png(2400, 1200), "image/png")],
    ids=["jpeg", "png"],
)
async def test_an_accepted_image_has_a_feed_and_a_thumbnail_rendition(
    served: Served, harness: Harness, content: bytes, content_type: str
) -> None:
    media = await finalized(served, content, content_type, IMAGE)
    anna = MediaServiceStub(served.as_creator("anna"))
    stored = await harness.store.get(media.name.removeprefix("mediaObjects/"))
    assert stored is not None
    assert stored.accepted is not None
    sizes = {}
    for rendition, kind in ((FEED, RenditionKind.FEED), (THUMBNAIL, RenditionKind.THUMBNAIL)):
        answer = await downloaded(anna, media.name, rendition)
        copy = opened(answer.content)
        sizes[kind] = (copy.width, copy.height)
        row = stored.accepted.renditions[kind]
        assert row.sha256 == hashlib.sha256(answer.content).hexdigest()
        assert row.size_bytes == len(answer.content) < media.size_bytes
        assert (row.width, row.height) == sizes[kind]
        assert answer.headers["content-type"] == row.content_type == "image/jpeg"
    assert sizes == {RenditionKind.FEED: (1080, 540), RenditionKind.THUMBNAIL: (320, 160)}


async def test_an_image_that_fits_is_its_own_rendition(served: Served) -> None:
    media = await finalized(served, jpeg(1000, 500))
    anna = MediaServiceStub(served.as_creator("anna"))
    feed = await downloaded(anna, media.name, FEED)
    assert hashlib.sha256(feed.content).hexdigest() == media.sha256


async def test_renditions_are_readable_by_those_who_may_read_the_object(served: Served) -> None:
    media = await finalized(served, jpeg(1300, 650))
    acme = MediaServiceStub(served.as_brand("acme"))
    boris = MediaServiceStub(served.as_creator("boris"))
    for stub, name in ((acme, media.name), (boris, media.name), (boris, NAMELESS)):
        with refused(Reason.NOT_YOURS):
            await downloaded(stub, name, FEED)
    await MediaServiceStub(served.as_service()).HoldMediaObjects(
        pb.HoldMediaObjectsRequest(
            names=[media.name], holder="assignments/a/submissions/1", brand="brands/acme"
        )
    )
    assert opened((await downloaded(acme, media.name, FEED)).content).width == 1080


async def test_an_object_without_renditions_reports_that(
    served: Served, database: Database
) -> None:
    media = await finalized(served, jpeg(1301, 651))
    await database.execute("DELETE FROM rendition")
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.NOT_FOUND) as caught:
        await downloaded(anna, media.name, FEED)
    assert caught.value.metadata == {"rendition": "FEED"}
    assert opened((await downloaded(anna, media.name)).content).width == 1301


async def test_a_rejected_image_has_no_renditions(served: Served, harness: Harness) -> None:
    media = await finalized(served, jpeg(400, 300))
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await downloaded(anna, media.name, THUMBNAIL)


async def test_every_copy_is_stored_before_the_verdict(served: Served, harness: Harness) -> None:
    media = await finalized(served, png(1302, 652), "image/png")
    stored = await harness.store.get(media.name.removeprefix("mediaObjects/"))
    assert stored is not None
    assert stored.accepted is not None
    for one in (stored.accepted, *stored.accepted.renditions.values()):
        found = await harness.objects.stat(ACCEPTED, one.key)
        assert found is not None
        assert (found.size_bytes, found.content_type) == (one.size_bytes, one.content_type)
