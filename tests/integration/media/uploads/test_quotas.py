"""Quotas of uploads, under concurrent calls."""

import asyncio
from dataclasses import replace
from datetime import timedelta

from liaison.media.v1 import media_pb2 as pb
from liaison.media.v1.media_pb2_grpc import MediaServiceStub

from servicekit.errors import LiaisonError, Reason
from servicekit.postgres.database import Database
from services.media.domain import Announced, MediaObject
from services.media.images.rules import Purpose
from services.media.uploads.quotas import HOUR
from tests.integration.media.conftest import QUOTA, Harness
from tests.integration.media.uploading import IMAGE, announcement, finalization, finalized, put
from tests.support.serving import Served, refused
from tests.unit.media.pictures import jpeg

MIB = 1024 * 1024


def large(size_bytes: int) -> pb.CreateUploadRequest:
    request = announcement(jpeg(), purpose=IMAGE)
    request.size_bytes = size_bytes
    return request


async def test_concurrent_calls_do_not_exceed_the_quota_of_open_uploads(
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


async def test_a_finished_or_expired_upload_is_no_longer_open(
    served: Served, harness: Harness
) -> None:
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
    harness.passed = timedelta(seconds=int(caught.value.metadata["retry_after_seconds"]))
    await anna.CreateUpload(announcement(content))


async def test_a_repeated_request_uses_no_quota(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    request = announcement(jpeg())
    answers = [await anna.CreateUpload(request) for _ in range(QUOTA.open_uploads + 1)]
    assert {answer.name for answer in answers} == {answers[0].name}


async def test_each_creator_has_a_quota(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    for _ in range(QUOTA.open_uploads):
        await anna.CreateUpload(announcement(jpeg()))
    await MediaServiceStub(served.as_creator("boris")).CreateUpload(announcement(jpeg()))


async def test_uploads_an_hour_are_counted_whatever_their_outcome(
    served: Served, harness: Harness, database: Database
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
    (reported,) = {
        (error.metadata["quota"], error.metadata["limit"])
        for error in answers
        if isinstance(error, LiaisonError)
    }
    assert reported == ("uploads_an_hour", str(QUOTA.uploads_an_hour))
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await anna.CreateUpload(announcement(jpeg()))
    seconds = int(caught.value.metadata["retry_after_seconds"])
    assert 3500 < seconds <= 3600
    harness.passed = timedelta(seconds=seconds)
    await anna.CreateUpload(announcement(jpeg()))


async def test_bytes_count_for_a_month_from_the_creation_of_the_upload(
    served: Served, harness: Harness
) -> None:
    media = await finalized(served, jpeg(817, 417))
    anna = MediaServiceStub(served.as_creator("anna"))
    room = QUOTA.bytes_a_month - media.size_bytes
    calls = [anna.CreateUpload(large(room // 2)) for _ in range(4)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, pb.Upload) for answer in answers) == 2
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await anna.CreateUpload(large(2))
    metadata = caught.value.metadata
    assert (metadata["quota"], metadata["limit"]) == ("bytes_a_month", str(QUOTA.bytes_a_month))
    # An open upload ends at its expiry at the latest.
    assert 86_000 < int(metadata["retry_after_seconds"]) <= 86_400
    harness.passed = timedelta(seconds=int(metadata["retry_after_seconds"]))
    await anna.CreateUpload(large(20 * MIB))


async def test_retry_after_is_when_enough_bytes_are_a_month_old(
    served: Served, harness: Harness, database: Database
) -> None:
    days, size_bytes = (29, 20, 10, 1), 10 * MIB
    assert len(days) * size_bytes == QUOTA.bytes_a_month
    for ago in days:
        await _add_accepted(database, ago, size_bytes)
    anna = MediaServiceStub(served.as_creator("anna"))
    for wanted_bytes, days_left in ((1, 1), (10 * MIB, 1), (10 * MIB + 1, 10), (20 * MIB + 1, 20)):
        harness.passed = timedelta()
        request = large(wanted_bytes)
        with refused(Reason.QUOTA_EXCEEDED) as caught:
            await anna.CreateUpload(request)
        assert caught.value.metadata["quota"] == "bytes_a_month"
        passed = timedelta(seconds=int(caught.value.metadata["retry_after_seconds"]))
        assert timedelta(days=days_left) - passed < timedelta(minutes=1)
        harness.passed = passed - timedelta(minutes=1)
        with refused(Reason.QUOTA_EXCEEDED):
            await anna.CreateUpload(request)
        harness.passed = passed
        await anna.CreateUpload(request)
        await database.execute("DELETE FROM media_object WHERE state = 'PENDING'")


async def test_an_upload_larger_than_the_quota_has_no_retry_time(harness: Harness) -> None:
    quota = replace(QUOTA, bytes_a_month=MIB)
    now = harness.now()
    asked = MediaObject(
        "a" * 32, "anna", Purpose.IMAGE, Announced(MIB + 1, None, "image/jpeg"), now, now + HOUR
    )
    with refused(Reason.QUOTA_EXCEEDED) as caught:
        await harness.store.add(asked, quota)
    assert caught.value.metadata == {"quota": "bytes_a_month", "limit": str(MIB)}


async def _add_accepted(database: Database, days_ago: int, size_bytes: int) -> None:
    await database.execute(
        """
        INSERT INTO media_object (id, owner, purpose, state, announced_size_bytes,
                                  announced_content_type, size_bytes, sha256, content_type, width,
                                  height, create_time, expire_time, finish_time)
        SELECT md5(%(days)s::text), 'anna', 'IMAGE', 'ACCEPTED', 1, 'image/png', %(size)s, 'a',
               'image/png', 1, 1, announced, announced, announced
          FROM (SELECT now() - make_interval(days => %(days)s) AS announced) AS at
        """,
        {"days": days_ago, "size": size_bytes},
    )


async def test_violations_are_reported_before_the_quota(served: Served) -> None:
    anna = MediaServiceStub(served.as_creator("anna"))
    for _ in range(QUOTA.open_uploads):
        await anna.CreateUpload(announcement(jpeg()))
    with refused(Reason.INVALID_FIELDS, "content_type"):
        await anna.CreateUpload(announcement(jpeg(), "image/gif"))
