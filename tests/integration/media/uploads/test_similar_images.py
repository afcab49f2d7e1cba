"""Images that resemble another creator's: a hint for their owner and for staff."""

import pytest
import pyvips
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from tests.integration.media.uploading import finalized
from tests.support.serving import Served
from tests.unit.media.pictures import jpeg, photo


def encoded(picture: pyvips.Image, quality: int = 90) -> bytes:
    content: bytes = picture.jpegsave_buffer(Q=quality)
    return content


async def seen(stub: MediaServiceStub, name: str) -> tuple[bool, str]:
    media = await stub.GetMediaObject(pb.GetMediaObjectRequest(name=name))
    return media.resembles_another, media.resembled_media_object


async def test_a_copy_of_anothers_image_is_flagged_and_accepted(
    served: Served,
) -> None:
    picture = photo(1200, 800, seed=1)
    first = await finalized(served, encoded(picture), creator="anna")
    assert not first.resembles_another
    copies = {
        "smaller, and of low quality": encoded(picture.resize(0.7), 40),
        "brighter": encoded((picture * 1.1).cast("uchar")),
        "a little cropped": encoded(picture.crop(8, 6, 1184, 788)),
        "the same bytes": encoded(picture),
    }
    for how, content in copies.items():
        media = await finalized(served, content, creator="boris")
        assert media.state == pb.MediaObject.STATE_ACCEPTED
        assert media.resembles_another, how
        assert not media.resembled_media_object


async def test_the_resembled_image_is_visible_to_staff_only(served: Served) -> None:
    content = encoded(photo(1200, 800, seed=2))
    first = await finalized(served, content, creator="anna")
    copy = await finalized(served, content, creator="boris")
    for staff in (served.as_mediator(), served.as_operator()):
        stub = MediaServiceStub(staff)
        assert await seen(stub, copy.name) == (True, first.name)
        assert await seen(stub, first.name) == (False, "")
    boris = MediaServiceStub(served.as_creator("boris"))
    assert await seen(boris, copy.name) == (True, "")
    service = MediaServiceStub(served.as_service())
    await service.HoldMediaObjects(
        pb.HoldMediaObjectsRequest(
            names=[copy.name], holder="assignments/a/submissions/1", brand="brands/acme"
        )
    )
    acme = MediaServiceStub(served.as_brand("acme"))
    assert await seen(acme, copy.name) == (False, "")
    answer = await service.BatchGetMediaObjects(pb.BatchGetMediaObjectsRequest(names=[copy.name]))
    assert not answer.media_objects[0].resembled_media_object


async def test_images_of_one_creator_are_not_compared(served: Served) -> None:
    picture = photo(1200, 800, seed=3)
    await finalized(served, encoded(picture), creator="anna")
    again = await finalized(served, encoded(picture, 60), creator="anna")
    assert not again.resembles_another


async def test_different_images_do_not_resemble(served: Served) -> None:
    for seed, creator in enumerate(("anna", "boris", "clara", "dora"), start=4):
        media = await finalized(served, encoded(photo(1200, 800, seed)), creator=creator)
        assert not media.resembles_another


async def test_the_nearest_image_is_named_and_the_first_of_equals(served: Served) -> None:
    picture = photo(1200, 800, seed=9)
    await finalized(served, encoded(picture.crop(30, 20, 1150, 770)), creator="a")
    first = await finalized(served, encoded(picture), creator="b")
    await finalized(served, encoded(picture), creator="c")
    copy = await finalized(served, encoded(picture), creator="d")
    operator = MediaServiceStub(served.as_operator())
    assert await seen(operator, copy.name) == (True, first.name)


@pytest.mark.parametrize("grey", [0, 128, 255])
async def test_images_without_contrast_resemble_none(served: Served, grey: int) -> None:
    flat = (pyvips.Image.black(800, 400, bands=3) + grey).cast("uchar").copy(interpretation="srgb")
    for creator in ("anna", "boris"):
        media = await finalized(served, encoded(flat), creator=creator)
        assert media.state == pb.MediaObject.STATE_ACCEPTED
        assert not media.resembles_another


async def test_a_rejected_image_resembles_none(served: Served) -> None:
    await finalized(served, jpeg(1200, 600), creator="anna")
    media = await finalized(served, jpeg(600, 300), creator="boris")
    assert media.state == pb.MediaObject.STATE_REJECTED
    assert not media.resembles_another
