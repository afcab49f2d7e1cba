"""Uploads by form, for clients that cannot hash beforehand."""

import pytest
from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import Reason
from tests.integration.media.conftest import QUARANTINE, Harness
from tests.integration.media.uploading import (
    announcement,
    downloaded,
    finalization,
    post,
    put,
    reasons,
)
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg, opened, png


async def create_form_upload(stub: MediaServiceStub, content: bytes) -> pb.Upload:
    request = announcement(content)
    request.sha256 = ""
    upload: pb.Upload = await stub.CreateUpload(request)
    assert upload.form_fields
    assert not upload.headers
    return upload


async def test_a_posted_image_is_accepted(served: Served, harness: Harness) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg(815, 415)
    upload = await create_form_upload(anna, content)
    assert await post(upload, content) == 204
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert (media.width, media.height) == (815, 415)
    assert await harness.objects.stat(QUARANTINE, upload.name) is None


async def test_an_upload_by_put_has_no_form(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await anna.CreateUpload(announcement(jpeg()))
    assert upload.headers
    assert not upload.form_fields


async def test_a_form_takes_no_more_bytes_than_were_announced(
    served: Served, harness: Harness
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg()
    upload = await create_form_upload(anna, content)
    assert await post(upload, content + b"1") in (400, 413)
    assert await harness.objects.stat(QUARANTINE, upload.name) is None
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(finalization(upload.name))
    # Even if storage had admitted them.
    await harness.objects.put_immutable(
        QUARANTINE, upload.name, content + b"1", content_type="image/jpeg"
    )
    with refused(Reason.UPLOAD_INCOMPLETE):
        await anna.FinalizeUpload(finalization(upload.name))


async def test_fewer_bytes_than_announced_are_validated_as_they_are(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg()
    upload = await create_form_upload(anna, content + bytes(1000))
    assert await post(upload, content) == 204
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED

    upload = await create_form_upload(anna, content)
    assert await post(upload, content[:-300]) == 204
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert reasons(media) == [("CORRUPT", "R67")]


async def test_the_validated_bytes_are_the_ones_that_are_stored(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await create_form_upload(anna, jpeg(1200, 600))
    assert await post(upload, jpeg(900, 500)) == 204
    media = await anna.FinalizeUpload(finalization(upload.name))
    # The form has not expired, but a post after the verdict changes nothing.
    assert await post(upload, jpeg(1000, 501)) == 204
    assert await anna.FinalizeUpload(finalization(upload.name)) == media
    kept = opened((await downloaded(anna, media.name)).content)
    assert (kept.width, kept.height) == (900, 500) == (media.width, media.height)


@pytest.mark.parametrize(
    "name", ["../../accepted/x.jpg", "/etc/passwd", "a\\b\0.jpg", "\u202egnp.exe", ""]
)
async def test_a_file_name_does_not_affect_the_key(
    served: Served, harness: Harness, name: str
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = png(816, 416)
    upload = await create_form_upload(anna, content)
    status = await post(upload, content, name)
    if status != 204:  # storage refused the form itself
        assert await harness.objects.stat(QUARANTINE, upload.name) is None
        return
    media = await anna.FinalizeUpload(finalization(upload.name))
    assert media.state == pb.MediaObject.STATE_ACCEPTED
    assert upload.form_fields["key"] == upload.name


@pytest.mark.parametrize(
    ("field", "value"),
    [("key", "uploads/elsewhere"), ("key", "../media-accepted/x"), ("Content-Type", "text/html")],
)
async def test_a_modified_form_is_refused(
    served: Served, harness: Harness, field: str, value: str
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg()
    upload = await create_form_upload(anna, content)
    assert field in upload.form_fields
    upload.form_fields[field] = value
    assert await post(upload, content) in (400, 403)
    assert await harness.objects.stat(QUARANTINE, upload.name) is None
    assert await harness.objects.stat(QUARANTINE, "uploads/elsewhere") is None


async def test_a_form_does_not_admit_a_put(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    upload = await create_form_upload(anna, jpeg())
    assert await put(upload, jpeg()) in (400, 403, 405)


async def test_an_image_must_not_name_a_client(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    request.client = pb.CLIENT_APP
    with refused(Reason.INVALID_FIELDS, "client") as caught:
        await anna.CreateUpload(request)
    assert caught.value.violations[0].rule == "VIDEO_ONLY"
