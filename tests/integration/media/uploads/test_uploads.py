"""Uploads and media objects through the real server."""

import asyncio
import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.auth import Principal, Role
from servicekit.errors import LiaisonError, Reason
from servicekit.s3.object_store import ObjectStore
from servicekit.settings import ObjectStoreSettings
from services.media.domain import SWEEP_DELAY, UPLOAD_LIFETIME, URL_LIFETIME
from services.media.images.rules import IMAGE_MAXIMUM_BYTES
from services.media.uploads.commands import FinalizeUpload
from tests.integration.media.conftest import QUARANTINE, Harness
from tests.integration.media.uploading import (
    BANNER,
    IMAGE,
    announcement,
    downloaded,
    finalization,
    finalized,
    post,
    put,
    reasons,
    uploaded,
)
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg, opened, png


@pytest.mark.rule("R67", "R69")
async def test_an_accepted_upload_is_sanitised_and_can_be_downloaded(
    served: Served, harness: Harness
) -> None:
    secret = b"taken at 47.3769, 8.5417"
    plain = jpeg(900, 500, orientation=6)
    content = plain[:2] + b"\xff\xfe" + struct.pack(">H", len(secret) + 2) + secret + plain[2:]
    media = await finalized(served, content)
    assert media.state == pb.MediaObject.STATE_REJECTED  # 500 pixels wide as displayed
    assert reasons(media) == [("TOO_SMALL", "R69")]

    content = content.replace(plain[2:], jpeg(900, 500)[2:])
    media = await finalized(served, content)
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert (media.owner, media.purpose) == ("creators/anna", BANNER)
    assert (media.width, media.height, media.content_type) == (900, 500, "image/jpeg")

    for channel in (served.as_creator("anna"), served.as_mediator(), served.as_operator()):
        reader = MediaServiceStub(channel)
        assert await reader.GetMediaObject(pb.GetMediaObjectRequest(name=media.name)) == media
        answer = await downloaded(reader, media.name)
        assert answer.headers["content-type"] == "image/jpeg"
        assert hashlib.sha256(answer.content).hexdigest() == media.sha256
        assert len(answer.content) == media.size_bytes
        assert secret in content
        assert secret not in answer.content
        assert opened(answer.content).width == 900
    key = media.name.replace("mediaObjects", "uploads")
    assert await harness.objects.stat(QUARANTINE, key) is None


@pytest.mark.rule("R67")
async def test_the_content_type_follows_from_the_bytes(served: Served) -> None:
    media = await finalized(served, png(), "image/jpeg")
    assert media.content_type == "image/png"


@pytest.mark.rule("R67")
async def test_text_declared_as_a_png_is_rejected_r67(served: Served) -> None:
    media = await finalized(served, b"<html>not a picture</html>", "image/png")
    assert media.state == pb.MediaObject.STATE_REJECTED
    assert reasons(media) == [("UNSUPPORTED_TYPE", "R67")]
    assert media.rejections[0].description == ("The content is text; save the image as JPEG or PNG")
    assert not media.sha256


@pytest.mark.rule("R69")
async def test_every_reason_is_listed_r69(served: Served) -> None:
    content = jpeg(400, 300)
    media = await finalized(served, content[:-300])
    assert reasons(media) == [("TOO_SMALL", "R69"), ("CORRUPT", "R67")]


@pytest.mark.rule("R82", "R83", "R84")
async def test_a_body_image_is_scaled_down_or_rejected_if_too_small_then_r83_r84(
    served: Served,
) -> None:
    media = await finalized(served, jpeg(4000, 1000), purpose=IMAGE)
    assert (media.state, media.width, media.height) == (pb.MediaObject.STATE_ACCEPTED, 2000, 500)
    media = await finalized(served, jpeg(5000, 400), purpose=IMAGE)
    assert reasons(media) == [("TOO_SMALL", "R84")]
    media = await finalized(served, jpeg(600, 400), purpose=IMAGE)
    assert reasons(media) == [("TOO_SMALL", "R82")]


async def test_finalizing_again_returns_the_first_verdict_after_further_uploads(
    served: Served, harness: Harness
) -> None:
    content = jpeg()
    upload = await uploaded(served, content)
    anna = MediaServiceStub(served.as_creator("anna"))
    request = finalization(upload.name)
    media = await anna.FinalizeUpload(request)
    assert await anna.FinalizeUpload(request) == media
    # The URL has not expired and quarantine is empty: the same bytes may be sent again.
    assert await put(upload, content) == 200
    assert await anna.FinalizeUpload(finalization(upload.name)) == media
    assert await harness.objects.stat(QUARANTINE, upload.name) is None


async def test_concurrent_finalizations_return_one_verdict(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    anna = MediaServiceStub(served.as_creator("anna"))
    calls = [anna.FinalizeUpload(finalization(upload.name)) for _ in range(4)]
    first, *others = await asyncio.gather(*calls)
    assert first.state == pb.MediaObject.STATE_ACCEPTED
    assert all(other == first for other in others)


async def test_finalizing_succeeds_if_the_accepted_object_exists_already(
    served: Served, harness: Harness
) -> None:
    content = jpeg(801, 401)
    before = await finalized(served, content)  # leaves the accepted object behind
    upload = await uploaded(served, content)
    anna = MediaServiceStub(served.as_creator("anna"))
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert media.sha256 == before.sha256
    assert media.name != before.name


async def test_finalizing_fails_until_the_bytes_have_arrived(served: Served) -> None:
    content = jpeg()
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(content))
    request = finalization(upload.name)
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(request)
    assert await put(upload, content) == 200
    media = await anna.FinalizeUpload(request)
    assert media.state == pb.MediaObject.STATE_ACCEPTED


@pytest.mark.parametrize("sent", [b"short", jpeg().swapcase(), jpeg() + b"more"])
async def test_other_bytes_than_announced_get_no_verdict(
    served: Served, harness: Harness, sent: bytes
) -> None:
    content = jpeg()
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(content))
    assert await put(upload, sent) in (400, 403)
    # Even if storage had admitted them.
    await harness.objects.put_immutable(QUARANTINE, upload.name, sent, content_type="image/jpeg")
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(finalization(upload.name))
    name = upload.name.replace("uploads", "mediaObjects")
    media = await anna.GetMediaObject(pb.GetMediaObjectRequest(name=name))
    assert media.state == pb.MediaObject.STATE_PENDING


@pytest.mark.rule("R67", "R68")
async def test_create_upload_reports_every_violation_r67_r68(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(b"")
    request.size_bytes = 5_242_881
    request.sha256 = "XYZ"
    request.content_type = "image/gif"
    with refused(Reason.INVALID_FIELDS, "size_bytes", "sha256", "content_type") as caught:
        await anna.CreateUpload(request)
    rules = {violation.field: violation.rule for violation in caught.value.violations}
    assert rules == {"size_bytes": "R68", "sha256": "SHA-256", "content_type": "R67"}
    request = announcement(jpeg(), purpose=IMAGE)
    request.size_bytes = IMAGE_MAXIMUM_BYTES + 1
    with refused(Reason.INVALID_FIELDS, "size_bytes"):
        await anna.CreateUpload(request)
    request.size_bytes = -1
    with refused(Reason.INVALID_FIELDS, "size_bytes"):
        await anna.CreateUpload(request)


async def test_missing_fields_are_reported(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.INVALID_FIELDS, "purpose", "size_bytes", "content_type", "request_id"):
        await anna.CreateUpload(pb.CreateUploadRequest())
    with refused(Reason.INVALID_FIELDS, "name", "request_id"):
        await anna.FinalizeUpload(pb.FinalizeUploadRequest())
    with refused(Reason.INVALID_FIELDS, "name"):
        await anna.FinalizeUpload(finalization("mediaObjects/a"))


async def test_a_request_id_belongs_to_one_upload(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    await anna.CreateUpload(request)
    for field, value in (
        ("purpose", IMAGE),
        ("size_bytes", request.size_bytes + 1),
        ("sha256", ""),
        ("sha256", "a" * 64),
        ("content_type", "image/png"),
        ("client", pb.CLIENT_APP),
    ):
        other = pb.CreateUploadRequest()
        other.CopyFrom(request)
        setattr(other, field, value)
        with refused(Reason.REQUEST_ID_REUSED):
            await anna.CreateUpload(other)
    # The same creator with another token has the same ids, another creator has others.
    other.CopyFrom(request)
    other.size_bytes += 1
    second = served.with_token(served.access.token("creator", creator="anna", subject="sessions/2"))
    with refused(Reason.REQUEST_ID_REUSED):
        await MediaServiceStub(second).CreateUpload(other)
    await MediaServiceStub(served.as_creator("boris")).CreateUpload(other)


async def test_concurrent_requests_with_one_request_id_create_one_upload(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    one, other = announcement(jpeg()), announcement(png(), "image/png")
    other.request_id = one.request_id
    answers = await asyncio.gather(
        *(anna.CreateUpload(request) for request in (one, other) * 3), return_exceptions=True
    )
    made = [answer for answer in answers if isinstance(answer, pb.Upload)]
    assert len(made) == 3
    assert len({upload.name for upload in made}) == 1
    errors = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert [error.reason for error in errors] == [Reason.REQUEST_ID_REUSED] * 3


@pytest.mark.parametrize("announced_sha256", [True, False])
async def test_a_repeated_create_upload_returns_a_new_url_until_the_verdict(
    served: Served, harness: Harness, announced_sha256: bool
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg(818, 418)
    request = announcement(content)
    if not announced_sha256:
        request.sha256 = ""
    send, status = (put, 200) if announced_sha256 else (post, 204)
    first = await anna.CreateUpload(request)
    begin_time = first.expire_time.ToDatetime(UTC) - UPLOAD_LIFETIME
    lifetime = first.url_expire_time.ToDatetime(UTC) - begin_time
    assert URL_LIFETIME - timedelta(seconds=1) < lifetime <= URL_LIFETIME

    harness.passed = timedelta(hours=10)
    again = await anna.CreateUpload(request)
    assert (again.name, again.expire_time) == (first.name, first.expire_time)
    assert again.url_expire_time.ToDatetime(UTC) > begin_time + timedelta(hours=10)
    harness.passed = UPLOAD_LIFETIME - timedelta(minutes=5)
    last = await anna.CreateUpload(request)
    # It does not outlive the upload.
    left = last.expire_time.ToDatetime(UTC) - last.url_expire_time.ToDatetime(UTC)
    assert timedelta() <= left < timedelta(seconds=2)
    assert signed_lifetime(last) <= timedelta(minutes=5)
    assert await send(last, content) == status

    media = await anna.FinalizeUpload(finalization(first.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert_no_url(await anna.CreateUpload(request), first)


async def test_a_repeated_create_upload_returns_no_url_after_expiry(
    served: Served, harness: Harness
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    first = await anna.CreateUpload(request)
    harness.passed = UPLOAD_LIFETIME + timedelta(seconds=1)
    assert_no_url(await anna.CreateUpload(request), first)
    harness.passed = UPLOAD_LIFETIME + SWEEP_DELAY + timedelta(seconds=1)
    assert await harness.handlers.sweep() == 1
    # The first upload has been deleted.
    anew = await anna.CreateUpload(request)
    assert anew.url
    assert anew.expire_time.ToDatetime() > first.expire_time.ToDatetime()
    # A concurrent sweep of another server keeps it.
    await harness.store.set_swept(anew.name.removeprefix("uploads/"), harness.now())
    assert (await anna.CreateUpload(request)).expire_time == anew.expire_time


def signed_lifetime(upload: pb.Upload) -> timedelta:
    """The lifetime in the signature, which storage enforces."""
    if upload.form_fields:
        policy = json.loads(base64.b64decode(upload.form_fields["policy"]))
        begin = datetime.strptime(upload.form_fields["x-amz-date"], "%Y%m%dT%H%M%S%z")
        return datetime.fromisoformat(policy["expiration"]) - begin
    (seconds,) = parse_qs(urlsplit(upload.url).query)["X-Amz-Expires"]
    return timedelta(seconds=int(seconds))


def assert_no_url(upload: pb.Upload, first: pb.Upload) -> None:
    assert upload == pb.Upload(name=first.name, expire_time=first.expire_time)


async def test_an_unfinished_upload_expires_after_a_day(served: Served, harness: Harness) -> None:
    content = jpeg()
    upload = await uploaded(served, content)
    upload_of_done = await uploaded(served, content)
    done = await MediaServiceStub(served.as_creator("anna")).FinalizeUpload(
        finalization(upload_of_done.name)
    )
    # Its URL has not expired and admits the same bytes.
    assert await put(upload_of_done, content) == 200
    harness.passed = UPLOAD_LIFETIME + timedelta(seconds=1)
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.NOT_YOURS):
        await anna.FinalizeUpload(finalization(upload.name))
    assert await harness.handlers.sweep() == 0
    harness.passed += SWEEP_DELAY
    assert await harness.handlers.sweep() == 2
    assert await harness.handlers.sweep() == 0
    for name in (upload.name, upload_of_done.name):
        assert await harness.objects.stat(QUARANTINE, name) is None
    assert await harness.store.get(upload.name.removeprefix("uploads/")) is None
    assert await anna.GetMediaObject(pb.GetMediaObjectRequest(name=done.name)) == done


async def test_finalizing_changes_nothing_if_storage_is_unavailable(
    served: Served, harness: Harness, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg())
    upload_id = upload.name.removeprefix("uploads/")
    unreachable = object_store_settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(unreachable) as objects:
        handlers = harness.handlers_with(objects)
        anna = Principal("creators/anna", Role.CREATOR, creator="anna")
        with pytest.raises(LiaisonError) as caught:
            await handlers.finalize_upload(anna, FinalizeUpload(id=upload.name))
    assert caught.value.reason is Reason.DEPENDENCY_UNAVAILABLE
    media = await harness.store.get(upload_id)
    assert media is not None
    assert media.state == "PENDING"
    stub = MediaServiceStub(served.as_creator("anna"))
    finished = await stub.FinalizeUpload(finalization(upload.name))
    assert finished.state == pb.MediaObject.STATE_ACCEPTED
