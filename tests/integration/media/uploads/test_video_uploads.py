"""Video uploads through the real servers of media and creators."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from liaison.creators.v1 import creators_pb2
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from devstack.access import Access
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.media.clients import CreatorLevelClient
from services.media.levels import Levels
from tests.integration.creators.harness import Harness as CreatorsHarness
from tests.integration.creators.harness import approval, harness_of
from tests.integration.media.conftest import ACCEPTED, QUARANTINE, VIDEO_LIMITS, Harness
from tests.integration.media.uploading import downloaded, finalization, put, reasons
from tests.support.databases import Databases
from tests.support.serving import Served, refused, request_id
from tests.unit.media.pictures import jpeg, opened
from tests.unit.media.sample_videos import sample_video, sound_only, with_duration

DESKTOP, APP = pb.CLIENT_DESKTOP, pb.CLIENT_APP
INTERMEDIATE = creators_pb2.CREATOR_LEVEL_INTERMEDIATE


@pytest.fixture
async def creators(access: Access, databases: Databases) -> AsyncIterator[CreatorsHarness]:
    """The creators service, with `anna` at level INTERMEDIATE."""
    async with (
        Database(await databases.fresh("creators"), pool_size=2) as database,
        harness_of(access, database) as creators,
    ):
        await admit(creators, "anna", INTERMEDIATE)
        yield creators


@pytest.fixture
def levels(creators: CreatorsHarness) -> Levels:
    return CreatorLevelClient(CreatorServiceStub(creators.served.as_service("media")))


async def admit(creators: CreatorsHarness, name: str, level: int) -> None:
    await creators.applied(name)
    await creators.operator().ReviewAdmission(approval(name, level=level))


def announcement(
    content: bytes, content_type: str = "video/mp4", client: pb.Client.ValueType = DESKTOP
) -> pb.CreateUploadRequest:
    return pb.CreateUploadRequest(
        purpose=pb.PURPOSE_VIDEO,
        size_bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content_type=content_type,
        client=client,
        request_id=request_id(),
    )


async def uploaded(served: Served, content: bytes, **announced: Any) -> pb.Upload:
    request = announcement(content, **announced)
    upload: pb.Upload = await anna(served).CreateUpload(request)
    assert await put(upload, content) == 200
    return upload


async def finalized(served: Served, content: bytes, **announced: Any) -> pb.MediaObject:
    upload = await uploaded(served, content, **announced)
    media: pb.MediaObject = await anna(served).FinalizeUpload(finalization(upload.name))
    return media


def anna(served: Served) -> Any:
    return MediaServiceStub(served.as_creator("anna"))


@pytest.mark.parametrize(
    ("form", "codec", "content_type"),
    [
        ("mp4", "libx264", "video/mp4"),
        ("mov", "libx264", "video/quicktime"),
        ("webm", "libvpx", "video/webm"),
        ("matroska", "libx264", "video/x-matroska"),
    ],
)
async def test_an_accepted_video_has_a_duration_and_renditions(
    served: Served, harness: Harness, form: str, codec: str, content_type: str
) -> None:
    content = sample_video(form, codec)
    # The content type follows from the bytes.
    media = await finalized(served, content, content_type="video/webm")
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert (media.owner, media.purpose) == ("creators/anna", pb.PURPOSE_VIDEO)
    assert (media.width, media.height, media.content_type) == (320, 240, content_type)
    assert media.duration.ToTimedelta().seconds == 3
    assert (media.size_bytes, media.sha256) == (len(content), hashlib.sha256(content).hexdigest())

    answer = await downloaded(anna(served), media.name)
    assert answer.headers["content-type"] == content_type
    assert answer.content == content
    for rendition in (pb.RENDITION_FEED, pb.RENDITION_THUMBNAIL):
        answer = await downloaded(anna(served), media.name, rendition)
        assert answer.headers["content-type"] == "image/jpeg"
        picture = opened(answer.content)
        assert (picture.width, picture.height) == (320, 240)
        assert not [field for field in picture.get_fields() if field.startswith("exif")]
    key = media.name.replace("mediaObjects", "uploads")
    assert await harness.objects.stat(QUARANTINE, key) is None


async def test_a_rotated_video_has_rotated_renditions(served: Served) -> None:
    content = sample_video(codec="mpeg4", seconds=1, size=(1920, 1080), turned_degrees=-90)
    media = await finalized(served, content)
    assert (media.width, media.height) == (1080, 1920)
    for rendition, size in (
        (pb.RENDITION_FEED, (608, 1080)),
        (pb.RENDITION_THUMBNAIL, (180, 320)),
    ):
        picture = opened((await downloaded(anna(served), media.name, rendition)).content)
        assert (picture.width, picture.height) == size


@pytest.mark.rule("R87")
async def test_videos_require_the_level_intermediate_r87(
    served: Served, creators: CreatorsHarness
) -> None:
    await admit(creators, "nina", creators_pb2.CREATOR_LEVEL_NEWCOMER)
    await admit(creators, "juno", creators_pb2.CREATOR_LEVEL_JUNIOR)
    await creators.applied("pia")
    request = announcement(sample_video())
    for name in ("nina", "juno", "pia", "nobody"):
        with refused(Reason.CREATOR_NOT_ELIGIBLE) as caught:
            await MediaServiceStub(served.as_creator(name)).CreateUpload(request)
        assert caught.value.code == "FAILED_PRECONDITION"
        assert caught.value.metadata == {"missing": "level", "rule_id": "R87"}
    for level in (
        INTERMEDIATE,
        creators_pb2.CREATOR_LEVEL_ADVANCED,
        creators_pb2.CREATOR_LEVEL_EXPERT,
        creators_pb2.CREATOR_LEVEL_STAR,
    ):
        name = f"level-{level}"
        await admit(creators, name, level)
        upload = await MediaServiceStub(served.as_creator(name)).CreateUpload(request)
        assert upload.url


async def test_an_image_needs_no_level(served: Served) -> None:
    content = jpeg()
    request = announcement(content, content_type="image/jpeg")
    request.purpose = pb.PURPOSE_IMAGE
    request.client = pb.CLIENT_UNSPECIFIED
    assert (await MediaServiceStub(served.as_creator("nobody")).CreateUpload(request)).url


@pytest.mark.rule("R88")
async def test_create_upload_reports_every_violation_r88(served: Served) -> None:
    request = announcement(b"", content_type="video/x-msvideo")
    request.sha256 = ""
    request.client = pb.CLIENT_UNSPECIFIED
    request.size_bytes = max(limits.maximum_bytes for limits in VIDEO_LIMITS.values()) + 1
    fields = ("size_bytes", "sha256", "content_type", "client")
    with refused(Reason.INVALID_FIELDS, *fields) as caught:
        await anna(served).CreateUpload(request)
    rules = {violation.field: violation.rule for violation in caught.value.violations}
    assert rules == {
        "size_bytes": "R88",
        "sha256": "SHA-256",
        "content_type": "R88",
        "client": "R88",
    }


@pytest.mark.rule("R88")
async def test_sizes_are_limited_by_client_r88(served: Served) -> None:
    for client, limits in VIDEO_LIMITS.items():
        request = announcement(b"", client=pb.Client.Value(f"CLIENT_{client}"))
        request.sha256 = 64 * "0"
        request.size_bytes = limits.maximum_bytes
        assert (await anna(served).CreateUpload(request)).url
        request.request_id = request_id()
        request.size_bytes += 1
        with refused(Reason.INVALID_FIELDS, "size_bytes") as caught:
            await anna(served).CreateUpload(request)
        assert caught.value.violations[0].rule == "R88"


@pytest.mark.rule("R88")
async def test_lengths_are_limited_by_client_r88(served: Served) -> None:
    content = sample_video(seconds=10)
    media = await finalized(served, content, client=DESKTOP)
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    media = await finalized(served, content, client=APP)
    assert reasons(media) == [("TOO_LONG", "R88")]
    assert media.rejections[0].description == (
        "10.0 seconds long; at most 8 are allowed in the app: shorten the video"
    )
    # Sound that ends a moment after the pictures does not count.
    media = await finalized(served, sample_video(seconds=8), client=APP)
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    media = await finalized(served, with_duration(sample_video("webm", "libvpx"), 21))
    assert reasons(media) == [("TOO_LONG", "R88")]


def _not_videos() -> Iterator[tuple[str, bytes, str]]:
    yield "avi", sample_video("avi", "mpeg4"), "an AVI video"
    yield "mpegts", sample_video("mpegts", "libx264"), "an MPEG transport stream"
    yield "gif", b"GIF89a" + bytes(64), "a GIF image"
    yield "jpeg", jpeg(), "a JPEG image"
    yield "heic", b"\0\0\0\x18ftypheic" + bytes(64), "a HEIC image"
    yield "text", b"<html>no video</html>", "text"
    yield "nothing", bytes(64), "no known kind of video"
    yield "sound", sound_only(), "no moving pictures"
    yield "mjpeg", sample_video("mov", "mjpeg"), "encoded as mjpeg"


@pytest.mark.rule("R88")
@pytest.mark.parametrize(("_", "content", "description"), [*_not_videos()])
async def test_content_in_other_formats_is_described_r88(
    served: Served, _: str, content: bytes, description: str
) -> None:
    media = await finalized(served, content)
    assert reasons(media) == [("UNSUPPORTED_TYPE", "R88")]
    assert description in media.rejections[0].description


async def test_a_damaged_video_is_rejected(served: Served) -> None:
    content = sample_video(options={"movflags": "+faststart"})
    media = await finalized(served, content[:-1000])
    assert reasons(media) == [("CORRUPT", "R88")]
    assert "its last 1,000 bytes are missing" in media.rejections[0].description


@pytest.mark.parametrize("announced", [sample_video(), sample_video("avi", "mpeg4")])
async def test_other_bytes_than_announced_get_no_verdict(
    served: Served, harness: Harness, announced: bytes
) -> None:
    """Whether they would be accepted or rejected."""
    upload = await anna(served).CreateUpload(announcement(announced))
    swapped = announced[:-1] + bytes([announced[-1] ^ 1])
    assert await put(upload, swapped) in (400, 403)
    for sent in (swapped, announced + b"more"):
        # Even if storage had admitted them.
        await harness.objects.put_immutable(QUARANTINE, upload.name, sent, content_type="video/mp4")
        with refused(Reason.UPLOAD_INCOMPLETE):
            await anna(served).FinalizeUpload(finalization(upload.name))
        key = f"sha256/{hashlib.sha256(sent).hexdigest()}"
        assert await harness.objects.stat(ACCEPTED, key) is None
        await harness.objects.remove(QUARANTINE, upload.name)
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna(served).FinalizeUpload(finalization(upload.name))
    assert await put(upload, announced) == 200
    media = await anna(served).FinalizeUpload(finalization(upload.name))
    assert media.state != pb.MediaObject.STATE_PENDING


async def test_concurrent_finalizations_return_one_verdict(served: Served) -> None:
    upload = await uploaded(served, sample_video())
    calls = [anna(served).FinalizeUpload(finalization(upload.name)) for _ in range(4)]
    first, *others = await asyncio.gather(*calls)
    assert first.state == pb.MediaObject.STATE_ACCEPTED
    assert all(other == first for other in others)
    assert await anna(served).FinalizeUpload(finalization(upload.name)) == first


async def test_validation_continues_after_the_callers_deadline(
    served: Served, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    promote = harness.objects.promote
    reached, released = asyncio.Event(), asyncio.Event()
    promotions = 0

    async def slowly(*args: Any, **options: Any) -> None:
        nonlocal promotions
        promotions += 1
        reached.set()
        await released.wait()
        await promote(*args, **options)

    monkeypatch.setattr(harness.objects, "promote", slowly)
    upload = await uploaded(served, sample_video())
    request = finalization(upload.name)
    cancelled = anna(served).FinalizeUpload(request)
    await reached.wait()
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    again = anna(served).FinalizeUpload(request)
    released.set()
    media = await again
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert promotions == 1


async def test_finalizing_again_succeeds_after_a_crash_after_the_promotion(
    served: Served, harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crashing(*_: Any) -> bool:
        raise RuntimeError("crash")

    upload = await uploaded(served, sample_video())
    with monkeypatch.context() as broken:
        broken.setattr(harness.store, "finish", crashing)
        with refused(Reason.INTERNAL):
            await anna(served).FinalizeUpload(finalization(upload.name))
    media = await anna(served).FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED


async def test_a_repeated_create_upload_returns_the_same_upload(served: Served) -> None:
    request = announcement(sample_video())
    upload = await anna(served).CreateUpload(request)
    again = await anna(served).CreateUpload(request)
    assert (again.name, again.expire_time) == (upload.name, upload.expire_time)
    assert again.url
    request.client = APP
    with refused(Reason.REQUEST_ID_REUSED):
        await anna(served).CreateUpload(request)
