"""The way of an upload through the real server, and everything that can be wrong with it."""

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
from tests.integration.media.conftest import ACCEPTED, QUARANTINE, Harness
from tests.integration.media.uploading import (
    BANNER,
    IMAGE,
    NAMELESS,
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
async def test_an_upload_is_accepted_sanitised_and_read_back(
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
async def test_the_bytes_decide_and_not_the_declared_type(served: Served) -> None:
    media = await finalized(served, png(), "image/jpeg")
    assert media.content_type == "image/png"


@pytest.mark.rule("R67")
async def test_a_text_that_calls_itself_a_png_is_rejected_r67(served: Served) -> None:
    media = await finalized(served, b"<html>not a picture</html>", "image/png")
    assert media.state == pb.MediaObject.STATE_REJECTED
    assert reasons(media) == [("UNSUPPORTED_TYPE", "R67")]
    assert media.rejections[0].description == ("The content is text; save the image as JPEG or PNG")
    assert not media.sha256


@pytest.mark.rule("R69")
async def test_every_reason_is_told_at_once_r69(served: Served) -> None:
    content = jpeg(400, 300)
    media = await finalized(served, content[:-300])
    assert reasons(media) == [("TOO_SMALL", "R69"), ("CORRUPT", "R67")]


@pytest.mark.rule("R82", "R83", "R84")
async def test_a_body_image_is_scaled_down_or_rejected_where_that_ruins_it_r83_r84(
    served: Served,
) -> None:
    media = await finalized(served, jpeg(4000, 1000), purpose=IMAGE)
    assert (media.state, media.width, media.height) == (pb.MediaObject.STATE_ACCEPTED, 2000, 500)
    media = await finalized(served, jpeg(5000, 400), purpose=IMAGE)
    assert reasons(media) == [("TOO_SMALL", "R84")]
    media = await finalized(served, jpeg(600, 400), purpose=IMAGE)
    assert reasons(media) == [("TOO_SMALL", "R82")]


async def test_a_finished_upload_answers_the_same_whatever_comes_after(
    served: Served, harness: Harness
) -> None:
    content = jpeg()
    upload = await uploaded(served, content)
    anna = MediaServiceStub(served.as_creator("anna"))
    request = finalization(upload.name)
    media = await anna.FinalizeUpload(request)
    assert await anna.FinalizeUpload(request) == media
    # The address is still good, and quarantine empty: the same bytes may come again.
    assert await put(upload, content) == 200
    assert await anna.FinalizeUpload(finalization(upload.name)) == media
    assert await harness.objects.stat(QUARANTINE, upload.name) is None


async def test_several_finalizations_at_once_reach_one_verdict(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    anna = MediaServiceStub(served.as_creator("anna"))
    calls = [anna.FinalizeUpload(finalization(upload.name)) for _ in range(4)]
    first, *others = await asyncio.gather(*calls)
    assert first.state == pb.MediaObject.STATE_ACCEPTED
    assert all(other == first for other in others)


async def test_a_crash_before_the_verdict_was_written_is_made_good(
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


async def test_a_missing_upload_is_incomplete_and_may_still_come(served: Served) -> None:
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
async def test_swapped_bytes_are_not_judged(served: Served, harness: Harness, sent: bytes) -> None:
    content = jpeg()
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(content))
    assert await put(upload, sent) in (400, 403)
    # Even where storage let them in.
    await harness.objects.put_immutable(QUARANTINE, upload.name, sent, content_type="image/jpeg")
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(finalization(upload.name))
    name = upload.name.replace("uploads", "mediaObjects")
    media = await anna.GetMediaObject(pb.GetMediaObjectRequest(name=name))
    assert media.state == pb.MediaObject.STATE_PENDING


@pytest.mark.rule("R67", "R68")
async def test_an_announcement_is_refused_for_everything_it_tells_r67_r68(served: Served) -> None:
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


async def test_missing_fields_are_named(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    with refused(Reason.INVALID_FIELDS, "purpose", "size_bytes", "content_type", "request_id"):
        await anna.CreateUpload(pb.CreateUploadRequest())
    with refused(Reason.INVALID_FIELDS, "name", "request_id"):
        await anna.FinalizeUpload(pb.FinalizeUploadRequest())
    with refused(Reason.INVALID_FIELDS, "name"):
        await anna.FinalizeUpload(finalization("mediaObjects/a"))


async def test_a_request_id_is_good_for_one_announcement(served: Served) -> None:
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
    # Another token of the same creator's makes no difference, and another creator has other ids.
    other.CopyFrom(request)
    other.size_bytes += 1
    second = served.with_token(served.access.token("creator", creator="anna", subject="sessions/2"))
    with refused(Reason.REQUEST_ID_REUSED):
        await MediaServiceStub(second).CreateUpload(other)
    await MediaServiceStub(served.as_creator("boris")).CreateUpload(other)


async def test_of_two_announcements_at_once_by_one_request_id_one_is_made(served: Served) -> None:
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
async def test_a_repeated_announcement_has_a_new_address_while_bytes_may_come(
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
    # No longer than the upload.
    left = last.expire_time.ToDatetime(UTC) - last.url_expire_time.ToDatetime(UTC)
    assert timedelta() <= left < timedelta(seconds=2)
    assert signed_lifetime(last) <= timedelta(minutes=5)
    assert await send(last, content) == status

    media = await anna.FinalizeUpload(finalization(first.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert_no_address(await anna.CreateUpload(request), first)


async def test_a_repeated_announcement_of_what_is_gone_has_no_address(
    served: Served, harness: Harness
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    first = await anna.CreateUpload(request)
    harness.passed = UPLOAD_LIFETIME + timedelta(seconds=1)
    assert_no_address(await anna.CreateUpload(request), first)
    harness.passed = UPLOAD_LIFETIME + SWEEP_DELAY + timedelta(seconds=1)
    assert await harness.handlers.sweep() == 1
    # Nothing is known of the first any more.
    anew = await anna.CreateUpload(request)
    assert anew.url
    assert anew.expire_time.ToDatetime() > first.expire_time.ToDatetime()
    # Another server that was sweeping meanwhile leaves it alone.
    await harness.store.set_swept(anew.name.removeprefix("uploads/"), harness.now())
    assert (await anna.CreateUpload(request)).expire_time == anew.expire_time


def signed_lifetime(upload: pb.Upload) -> timedelta:
    """What storage will go by."""
    if upload.form_fields:
        policy = json.loads(base64.b64decode(upload.form_fields["policy"]))
        begin = datetime.strptime(upload.form_fields["x-amz-date"], "%Y%m%dT%H%M%S%z")
        return datetime.fromisoformat(policy["expiration"]) - begin
    (seconds,) = parse_qs(urlsplit(upload.url).query)["X-Amz-Expires"]
    return timedelta(seconds=int(seconds))


def assert_no_address(upload: pb.Upload, first: pb.Upload) -> None:
    assert upload == pb.Upload(name=first.name, expire_time=first.expire_time)


async def test_somebody_elses_and_unknown_media_look_the_same(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    name = upload.name.replace("uploads", "mediaObjects")
    boris = MediaServiceStub(served.as_creator("boris"))
    for theirs in (upload.name, NAMELESS.replace("mediaObjects", "uploads")):
        with refused(Reason.NOT_YOURS):
            await boris.FinalizeUpload(finalization(theirs))
    for theirs in (name, NAMELESS):
        with refused(Reason.NOT_YOURS):
            await boris.GetMediaObject(pb.GetMediaObjectRequest(name=theirs))
        with refused(Reason.NOT_YOURS):
            await boris.CreateDownload(pb.CreateDownloadRequest(name=theirs))
    with refused(Reason.NOT_FOUND):
        await MediaServiceStub(served.as_operator()).GetMediaObject(
            pb.GetMediaObjectRequest(name=NAMELESS)
        )


async def test_roles_are_kept_apart(served: Served) -> None:
    upload = await uploaded(served, jpeg())
    for channel in (served.as_brand("acme"), served.as_mediator(), served.as_service()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await MediaServiceStub(channel).FinalizeUpload(finalization(upload.name))
    for channel in (served.as_creator("anna"), served.as_operator()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await MediaServiceStub(channel).HoldMediaObjects(
                pb.HoldMediaObjectsRequest(names=[NAMELESS], holder="assignments/a")
            )


async def test_a_download_needs_an_accepted_object(served: Served) -> None:
    media = await finalized(served, png(100, 100), "image/png")
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await MediaServiceStub(served.as_creator("anna")).CreateDownload(
            pb.CreateDownloadRequest(name=media.name)
        )


async def test_media_are_got_in_the_order_asked_for(served: Served) -> None:
    one, two = await finalized(served, jpeg()), await finalized(served, png(), "image/png")
    answer = await MediaServiceStub(served.as_service()).BatchGetMediaObjects(
        pb.BatchGetMediaObjectsRequest(names=[two.name, NAMELESS, one.name])
    )
    assert list(answer.media_objects) == [two, one]


async def test_holding_is_confirmed_by_storage_and_may_be_repeated(
    served: Served, harness: Harness
) -> None:
    good = await finalized(served, jpeg(811, 411))
    bad = await finalized(served, png(100, 100), "image/png")
    worker = MediaServiceStub(served.as_service())
    holder = "assignments/a/submissions/1"
    request = pb.HoldMediaObjectsRequest(names=[good.name], holder=holder)
    await worker.HoldMediaObjects(request)
    await worker.HoldMediaObjects(request)
    request.names.extend([bad.name, NAMELESS])
    with refused(Reason.MEDIA_NOT_ACCEPTED) as caught:
        await worker.HoldMediaObjects(request)
    assert caught.value.metadata == {"media_objects": f"{bad.name}, {NAMELESS}"}
    await harness.objects.remove(ACCEPTED, f"sha256/{good.sha256}")
    with refused(Reason.MEDIA_NOT_ACCEPTED):
        await worker.HoldMediaObjects(pb.HoldMediaObjectsRequest(names=[good.name], holder=holder))


async def test_a_brand_sees_what_was_submitted_to_it_r27(served: Served) -> None:
    good = await finalized(served, jpeg(812, 412))
    acme, other = (MediaServiceStub(served.as_brand(name)) for name in ("acme", "other"))
    request = pb.GetMediaObjectRequest(name=good.name)
    with refused(Reason.NOT_YOURS):
        await acme.GetMediaObject(request)
    await MediaServiceStub(served.as_service()).HoldMediaObjects(
        pb.HoldMediaObjectsRequest(
            names=[good.name], holder="assignments/a/submissions/1", brand="brands/acme"
        )
    )
    assert await acme.GetMediaObject(request) == good
    assert (await acme.CreateDownload(pb.CreateDownloadRequest(name=good.name))).url
    with refused(Reason.NOT_YOURS):
        await other.GetMediaObject(request)


async def test_an_unfinished_upload_is_gone_after_a_day(served: Served, harness: Harness) -> None:
    content = jpeg()
    upload = await uploaded(served, content)
    upload_of_done = await uploaded(served, content)
    done = await MediaServiceStub(served.as_creator("anna")).FinalizeUpload(
        finalization(upload_of_done.name)
    )
    # Its address is still good, for the same bytes.
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


async def test_storage_that_is_away_changes_nothing(
    served: Served, harness: Harness, object_store_settings: ObjectStoreSettings
) -> None:
    upload = await uploaded(served, jpeg())
    upload_id = upload.name.removeprefix("uploads/")
    away = object_store_settings.model_copy(update={"object_store_endpoint": "127.0.0.1:1"})
    async with ObjectStore(away) as objects:
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
