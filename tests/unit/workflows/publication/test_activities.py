"""Requests that a publication's activities send, and the notices that follow."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from liaison.media.v1 import publications_pb2 as pb
from temporalio.exceptions import ApplicationError

from servicekit.errors import FailedPrecondition, LiaisonError, Reason
from tests.unit.workflows.services import UNAVAILABLE, FakeService
from workflows.notices import Batch
from workflows.publication import notices
from workflows.publication.activities import PublicationActivities
from workflows.publication.model import DeliveryResult, PublicationTerms, State, WithdrawalTerms

TERMS = PublicationTerms("a1-feed", "bea", "acme", "FEED", datetime(2026, 3, 2, tzinfo=UTC))
NAME, URL = "publications/a1-feed", "https://media.example.com/articles/a1/r1.json"


def publication(state: State, url: str = "") -> pb.Publication:
    return pb.Publication(name=NAME, state=pb.Publication.State.Value(f"STATE_{state}"), url=url)


def activities_with(publications: FakeService, notifications: FakeService | None = None) -> Any:
    return PublicationActivities(publications, notifications or FakeService())  # type: ignore[arg-type]  # stand-ins


def recipients(notifications: FakeService) -> list[str]:
    return [
        outgoing.notification.recipient
        for request in notifications.requests
        for outgoing in request.notifications  # type: ignore[attr-defined]  # their message
    ]


async def test_a_delivered_publication_is_notified_with_its_url() -> None:
    publications = FakeService({"DeliverPublication": [publication(State.PUBLISHED, URL)]})
    notifications = FakeService()
    result = await activities_with(publications, notifications).deliver_publication(TERMS)
    assert result == DeliveryResult(State.PUBLISHED, URL)
    assert publications.requests == [pb.DeliverPublicationRequest(name=NAME)]
    assert recipients(notifications) == ["creators/bea", "brands/acme"]


async def test_notices_that_cannot_be_sent_are_returned_as_pending() -> None:
    publications = FakeService({"DeliverPublication": [publication(State.PUBLISHED, URL)]})
    notifications = FakeService({"SendNotifications": [UNAVAILABLE]})
    result = await activities_with(publications, notifications).deliver_publication(TERMS)
    assert result == DeliveryResult(State.PUBLISHED, URL, notices.published(TERMS, URL))


async def test_a_withdrawn_publication_is_not_notified_as_delivered() -> None:
    notifications = FakeService()
    activities = activities_with(
        FakeService({"DeliverPublication": [publication(State.WITHDRAWN)]}), notifications
    )
    assert await activities.deliver_publication(TERMS) == DeliveryResult(State.WITHDRAWN)
    assert notifications.requests == []


@pytest.mark.parametrize("method", ["deliver_publication", "remove_publication"])
async def test_a_post_made_before_its_withdrawal_is_notified_once(method: str) -> None:
    url = "https://vk.example/1"
    notifications = FakeService()
    activities = activities_with(
        FakeService({"DeliverPublication": [publication(State.WITHDRAWN, url)]}), notifications
    )
    terms: Any = (
        replace(TERMS, channel="VK")
        if method == "deliver_publication"
        else WithdrawalTerms("a1-feed", "bea", "acme", "VK", "A complaint", was_published=False)
    )
    assert await getattr(activities, method)(terms) == DeliveryResult(State.WITHDRAWN, url)
    (notice,) = notices.posted_despite_withdrawal(terms, url)
    sent = [one for request in notifications.requests for one in request.notifications]  # type: ignore[attr-defined]  # their message
    assert notice.deduplication_id in {one.deduplication_id for one in sent}


async def test_an_article_published_before_its_withdrawal_is_reported_as_withdrawn() -> None:
    notifications = FakeService()
    activities = activities_with(
        FakeService({"DeliverPublication": [publication(State.WITHDRAWN, URL)]}), notifications
    )
    assert (await activities.deliver_publication(TERMS)).state is State.WITHDRAWN
    assert notifications.requests == []


@pytest.mark.parametrize(
    ("state", "notified"),
    [
        (State.PENDING, ["creators/bea", "staff/operators"]),
        (State.PUBLISHED, []),
        (State.WITHDRAWN, []),
    ],
)
async def test_only_a_pending_publication_is_notified_as_overdue(
    state: State, notified: list[str]
) -> None:
    notifications = FakeService()
    activities = activities_with(
        FakeService({"MarkPublicationOverdue": [publication(state)]}), notifications
    )
    assert (await activities.mark_publication_overdue(TERMS)).state is state
    assert recipients(notifications) == notified


async def test_operators_are_notified_of_an_unavailable_media_service() -> None:
    publications = FakeService(
        {"MarkPublicationOverdue": [UNAVAILABLE, publication(State.PENDING)]}
    )
    notifications = FakeService({"SendNotifications": [None, None]})
    activities = activities_with(publications, notifications)
    with pytest.raises(ApplicationError) as ended:
        await activities.mark_publication_overdue(TERMS)
    assert not ended.value.non_retryable
    assert recipients(notifications) == ["staff/operators"]
    await activities.mark_publication_overdue(TERMS)
    ids = [
        outgoing.deduplication_id
        for request in notifications.requests
        for outgoing in request.notifications  # type: ignore[attr-defined]  # their message
    ]
    assert len(ids) == 3
    assert len(set(ids)) == 2  # operators are notified once


@pytest.mark.parametrize(
    "error",
    [
        UNAVAILABLE,
        FailedPrecondition(Reason.ILLEGAL_STATE, ""),
        FailedPrecondition(Reason.NOT_FOUND, ""),
    ],
)
async def test_no_error_ends_a_publication(error: LiaisonError) -> None:
    activities = activities_with(FakeService({"DeliverPublication": [error]}))
    with pytest.raises(ApplicationError) as ended:
        await activities.deliver_publication(TERMS)
    assert not ended.value.non_retryable


async def test_a_withdrawal_is_notified_after_the_removal_succeeds() -> None:
    terms = WithdrawalTerms("a1-feed", "bea", "acme", "FEED", "A complaint", was_published=True)
    publications = FakeService(
        {"DeliverPublication": [UNAVAILABLE, publication(State.WITHDRAWN, URL)]}
    )
    notifications = FakeService()
    activities = activities_with(publications, notifications)
    with pytest.raises(ApplicationError):
        await activities.remove_publication(terms)
    assert notifications.requests == []
    await activities.remove_publication(terms)
    assert recipients(notifications) == ["creators/bea", "brands/acme"]


async def test_pending_notices_are_retried_until_they_are_accepted() -> None:
    notifications = FakeService({"SendNotifications": [UNAVAILABLE, None]})
    activities, batch = (
        activities_with(FakeService(), notifications),
        Batch(notices.published(TERMS, URL)),
    )
    with pytest.raises(ApplicationError):
        await activities.send_publication_notices(batch)
    await activities.send_publication_notices(batch)
    assert len(notifications.requests) == 2
