"""Requests that an assignment's activities send to the services."""

from dataclasses import replace
from typing import Any

import pytest
from google.protobuf.message import Message
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2
from liaison.tasks.v1 import records_pb2

from servicekit.errors import Internal, LiaisonError, Reason
from servicekit.timestamps import to_timestamp
from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    BRAND,
    CHANGE,
    DAY,
    LATER,
    SUBMIT,
    begun,
    submitted,
    terms,
)
from tests.unit.workflows.services import UNAVAILABLE, FakeService
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.inputs import Pending, RecordAssignment
from workflows.assignment.model import Assignment, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import submissions, transitions


def _assignments(media: FakeService, records: FakeService, notifications: FakeService) -> Any:
    payouts = FakeService()
    return AssignmentActivities(records, media, media, media, payouts, notifications)  # type: ignore[arg-type]  # stand-ins


async def _record(
    command: RecordAssignment, notifications: FakeService
) -> tuple[list[Message], Pending]:
    """All that was asked of anybody, in command; the notices apart."""
    service = FakeService()
    pending = await _assignments(service, service, notifications).record_assignment(command)
    return service.requests, pending


async def test_a_submission_holds_its_media_and_is_recorded() -> None:
    a = begun()
    submission = submissions.submit_work(a, SUBMIT, LATER)
    expected = list(notices(a, submission))
    notifications = FakeService()
    requests, pending = await _record(RecordAssignment(a, [submission], expected), notifications)
    hold, record = requests
    assert hold == media_pb2.HoldMediaObjectsRequest(
        names=["mediaObjects/m1"], holder="assignments/a1/submissions/1", brand=BRAND
    )
    assert isinstance(record, records_pb2.RecordAssignmentRequest)
    assert [one.sequence for one in record.transitions] == [2]
    (sent,) = notifications.requests
    assert [one.notification.recipient for one in sent.notifications] == [BRAND]  # type: ignore[attr-defined]  # its message
    assert pending == Pending()


async def test_pending_notices_are_sent_again_without_a_record() -> None:
    a, first = submissions.start("a1", "bea", terms(), BEGIN)
    expected = list(notices(a, first))
    unavailable = FakeService({"SendNotifications": [UNAVAILABLE, None]})
    requests, pending = await _record(RecordAssignment(a, [first], expected), unavailable)
    assert (len(requests), pending.notices) == (1, expected)
    requests, pending = await _record(RecordAssignment(a, [], pending.notices), unavailable)
    assert (requests, pending) == ([], Pending())


SUBMIT_ARTICLE = replace(
    SUBMIT, media_object_ids=[], article_ids=["x"], article_revisions=["articles/x/revisions/r1"]
)


async def test_a_submission_holds_its_articles_for_the_brand() -> None:
    a = begun()
    submission = submissions.submit_work(a, SUBMIT_ARTICLE, LATER)
    requests, _ = await _record(RecordAssignment(a, [submission]), FakeService())
    hold, record = requests
    assert hold == articles_pb2.HoldArticleRevisionsRequest(
        names=["articles/x/revisions/r1"], holder="assignments/a1/submissions/1", brand=BRAND
    )
    (shown,) = record.assignment.submissions  # type: ignore[attr-defined]  # its message
    assert list(shown.articles) == ["articles/x"]
    assert list(shown.article_revisions) == ["articles/x/revisions/r1"]


def _approved() -> tuple[Assignment, Transition]:
    """An approved second version whose article revision differs from the first's."""
    a = begun()
    submissions.submit_work(a, SUBMIT_ARTICLE, LATER)
    submissions.request_changes(a, CHANGE, LATER)
    second = replace(SUBMIT_ARTICLE, article_revisions=["articles/x/revisions/r2"])
    submissions.submit_work(a, second, LATER)
    return a, submissions.approve_work(a, APPROVE, LATER + DAY)


def _published(a: Assignment, approval: Transition) -> RecordAssignment:
    return RecordAssignment(a, [approval], [], transitions.publication(a, approval))


async def test_an_approval_is_recorded_and_then_its_last_article_revision_is_published() -> None:
    requests, pending = await _record(_published(*_approved()), FakeService())
    record, publish = requests
    assert isinstance(record, records_pb2.RecordAssignmentRequest)
    assert publish == publications_pb2.PublishApprovedArticlesRequest(
        article_revisions=["articles/x/revisions/r2"], approve_time=to_timestamp(LATER + DAY)
    )
    assert pending == Pending()


@pytest.mark.parametrize("error", [UNAVAILABLE, Internal(Reason.INTERNAL, "A defect")])
async def test_a_publication_that_fails_is_returned_as_pending_for_a_retry(
    error: LiaisonError,
) -> None:
    media, records = FakeService({"PublishApprovedArticles": [error, None]}), FakeService()
    activities = _assignments(media, records, FakeService())
    command = _published(*_approved())
    pending = await activities.record_assignment(command)
    assert (pending.notices, pending.publication) == ([], command.publication)
    assert len(records.requests) == 1
    again = RecordAssignment(command.assignment, [], [], pending.publication)
    assert await activities.record_assignment(again) == Pending()
    first, second = media.requests
    assert first == second


async def test_work_without_an_article_is_not_published() -> None:
    a = submitted()
    approval = submissions.approve_work(a, APPROVE, LATER)
    assert transitions.publication(a, approval) is None


async def test_a_submission_without_media_holds_nothing() -> None:
    requests, _ = await _record(RecordAssignment(submitted(), []), FakeService())
    assert requests == []
