"""No creator is ever over the quota, however many calls come at once."""

import asyncio
from datetime import timedelta

from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.database import Database
from servicekit.errors import LiaisonError, Reason
from tests.integration.media.conftest import QUOTA, House
from tests.integration.media.uploading import IMAGE, announcement, finalization, finalized, put
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg

MIB = 1024 * 1024


def large(size_bytes: int) -> pb.CreateUploadRequest:
    request = announcement(jpeg(), purpose=IMAGE)
    request.size_bytes = size_bytes
    return request


async def test_of_many_calls_at_once_just_as_many_open_uploads_come(
    served: Served, database: Database
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    calls = [anna.CreateUpload(announcement(jpeg())) for _ in range(30)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    made = [answer for answer in answers if isinstance(answer, pb.Upload)]
    errors = [answer for answer in answers if isinstance(answer, LiaisonError)]
    assert len(made) == QUOTA.open_uploads
    assert len(errors) == 30 - QUOTA.open_uploads
    for error in errors:
        assert (error.code, error.reason) == ("RESOURCE_EXHAUSTED", Reason.QUOTA_EXCEEDED)
        assert error.metadata["quota"] == "open_uploads"
        assert error.metadata["limit"] == str(QUOTA.open_uploads)
        assert 86_000 < int(error.metadata["retry_after_seconds"]) <= 86_400
    row = await database.fetch_one("SELECT count(*) AS uploads FROM media_object")
    assert row == {"uploads": QUOTA.open_uploads}


async def test_a_finished_or_expired_upload_makes_room(served: Served, house: House) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    content = jpeg()
    uploads = [await anna.CreateUpload(announcement(content)) for _ in range(QUOTA.open_uploads)]
    with refused(Reason.QUOTA_EXCEEDED):
        await anna.CreateUpload(announcement(content))
    assert await put(uploads[0], content) == 200
    await anna.FinalizeUpload(finalization(uploads[0].name))
    await anna.CreateUpload(announcement(content))
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await anna.CreateUpload(announcement(content))
    house.passed = timedelta(seconds=int(caught.value.metadata["retry_after_seconds"]))
    await anna.CreateUpload(announcement(content))


async def test_an_answer_that_is_repeated_uses_no_quota(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    answers = [await anna.CreateUpload(request) for _ in range(QUOTA.open_uploads + 1)]
    assert all(answer == answers[0] for answer in answers)


async def test_others_have_their_own(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    for _ in range(QUOTA.open_uploads):
        await anna.CreateUpload(announcement(jpeg()))
    await MediaServiceStub(served.as_creator("boris")).CreateUpload(announcement(jpeg()))


async def test_uploads_an_hour_are_counted_whatever_became_of_them(
    served: Served, house: House, database: Database
) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    await database.execute(
        """
        INSERT INTO media_object (id, owner, purpose, state, announced_size_bytes,
                                  announced_content_type, rejections,
                                  create_time, expire_time, finish_time)
        SELECT md5(number::text), 'anna', 'IMAGE', 'REJECTED', 1, 'image/png', '[{}]', now(),
               now(), now()
          FROM generate_series(1, %s) AS number
        """,
        (QUOTA.uploads_an_hour - 2,),
    )
    calls = [anna.CreateUpload(announcement(jpeg())) for _ in range(10)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, pb.Upload) for answer in answers) == 2
    (told,) = {
        (error.metadata["quota"], error.metadata["limit"])
        for error in answers
        if isinstance(error, LiaisonError)
    }
    assert told == ("uploads_an_hour", str(QUOTA.uploads_an_hour))
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await anna.CreateUpload(announcement(jpeg()))
    seconds = int(caught.value.metadata["retry_after_seconds"])
    assert 3500 < seconds <= 3600
    house.passed = timedelta(seconds=seconds)
    await anna.CreateUpload(announcement(jpeg()))


async def test_bytes_are_counted_when_they_are_announced_and_while_they_are_kept(
    served: Served, database: Database
) -> None:
    media = await finalized(served, jpeg(817, 417))
    anna = MediaServiceStub(served.as_creator("anna"))
    room = QUOTA.bytes_kept - media.size_bytes
    calls = [anna.CreateUpload(large(room // 2)) for _ in range(4)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, pb.Upload) for answer in answers) == 2
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await anna.CreateUpload(large(2))
    assert caught.value.metadata == {"quota": "bytes_kept", "limit": str(QUOTA.bytes_kept)}
    await database.execute("UPDATE media_object SET expire_time = now() WHERE state = 'PENDING'")
    await anna.CreateUpload(large(20 * MIB))


async def test_what_is_wrong_with_an_announcement_is_told_before_the_quota(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    for _ in range(QUOTA.open_uploads):
        await anna.CreateUpload(announcement(jpeg()))
    with refused(Reason.INVALID_FIELDS, "content_type"):
        await anna.CreateUpload(announcement(jpeg(), "image/gif"))
