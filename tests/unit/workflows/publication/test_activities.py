"""What a publication's activities ask of the services, and whom they tell."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from liaison.media.v1 import publications_pb2 as pb
from temporalio.exceptions import ApplicationError

from servicekit.errors import FailedPrecondition, LiaisonError, Reason
from tests.unit.workflows.test_activities import AWAY, Service
from workflows.notices import Batch
from workflows.publication import notices
from workflows.publication.activities import PublicationActivities
from workflows.publication.model import DeliveryResult, PublicationTerms, State, WithdrawalTerms

TERMS = PublicationTerms("a1-feed", "bea", "acme", "FEED", datetime(2026, 3, 2, tzinfo=UTC))
NAME, URL = "publications/a1-feed", "https://media.example.com/articles/a1/r1.json"


def said(state: State, url: str = "") -> pb.Publication:
    return pb.Publication(name=NAME, state=pb.Publication.State.Value(f"STATE_{state}"), url=url)


def acting(publications: Service, notifications: Service | None = None) -> Any:
    return PublicationActivities(publications, notifications or Service())  # type: ignore[arg-type]  # stand-ins


def recipients(notifications: Service) -> list[str]:
    return [
        outgoing.notification.recipient
        for request in notifications.requests
        for outgoing in request.notifications  # type: ignore[attr-defined]  # their message
    ]


async def test_what_arrived_is_told_with_its_address() -> None:
    publications = Service({"DeliverPublication": [said(State.PUBLISHED, URL)]})
    notifications = Service()
    arrival = await acting(publications, notifications).deliver_publication(TERMS)
    assert arrival == DeliveryResult(State.PUBLISHED, URL)
    assert publications.requests == [pb.DeliverPublicationRequest(name=NAME)]
    assert recipients(notifications) == ["creators/bea", "brands/acme"]


async def test_what_cannot_be_told_now_is_left_for_later() -> None:
    publications = Service({"DeliverPublication": [said(State.PUBLISHED, URL)]})
    notifications = Service({"SendNotifications": [AWAY]})
    arrival = await acting(publications, notifications).deliver_publication(TERMS)
    assert arrival == DeliveryResult(State.PUBLISHED, URL, notices.published(TERMS, URL))


async def test_nobody_is_told_that_a_withdrawn_one_arrived() -> None:
    notifications = Service()
    activities = acting(Service({"DeliverPublication": [said(State.WITHDRAWN)]}), notifications)
    assert await activities.deliver_publication(TERMS) == DeliveryResult(State.WITHDRAWN)
    assert notifications.requests == []


@pytest.mark.parametrize("method", ["deliver_publication", "remove_publication"])
async def test_a_post_that_came_before_its_withdrawal_is_told_once(method: str) -> None:
    url = "https://vk.example/1"
    notifications = Service()
    activities = acting(
        Service({"DeliverPublication": [said(State.WITHDRAWN, url)]}), notifications
    )
    terms: Any = (
        replace(TERMS, channel="VK")
        if method == "deliver_publication"
        else WithdrawalTerms("a1-feed", "bea", "acme", "VK", "A complaint", was_published=False)
    )
    assert await getattr(activities, method)(terms) == DeliveryResult(State.WITHDRAWN, url)
    (slipped,) = notices.posted_despite_withdrawal(terms, url)
    sent = [one for request in notifications.requests for one in request.notifications]  # type: ignore[attr-defined]  # their message
    assert slipped.deduplication_id in {one.deduplication_id for one in sent}


async def test_an_article_that_readers_saw_before_its_withdrawal_is_told_as_withdrawn() -> None:
    notifications = Service()
    activities = acting(
        Service({"DeliverPublication": [said(State.WITHDRAWN, URL)]}), notifications
    )
    assert (await activities.deliver_publication(TERMS)).state is State.WITHDRAWN
    assert notifications.requests == []


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (State.PENDING, ["creators/bea", "staff/operators"]),
        (State.PUBLISHED, []),
        (State.WITHDRAWN, []),
    ],
)
async def test_only_what_is_still_on_its_way_is_late(state: State, told: list[str]) -> None:
    notifications = Service()
    activities = acting(Service({"MarkPublicationOverdue": [said(state)]}), notifications)
    assert (await activities.mark_publication_overdue(TERMS)).state is state
    assert recipients(notifications) == told


async def test_operators_hear_of_a_media_service_that_is_away_itself() -> None:
    publications = Service({"MarkPublicationOverdue": [AWAY, said(State.PENDING)]})
    notifications = Service({"SendNotifications": [None, None]})
    activities = acting(publications, notifications)
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
    assert len(set(ids)) == 2  # operators are told once


@pytest.mark.parametrize(
    "error",
    [AWAY, FailedPrecondition(Reason.ILLEGAL_STATE, ""), FailedPrecondition(Reason.NOT_FOUND, "")],
)
async def test_no_answer_ends_a_publication(error: LiaisonError) -> None:
    activities = acting(Service({"DeliverPublication": [error]}))
    with pytest.raises(ApplicationError) as ended:
        await activities.deliver_publication(TERMS)
    assert not ended.value.non_retryable


async def test_a_withdrawal_is_told_once_nothing_is_left() -> None:
    terms = WithdrawalTerms("a1-feed", "bea", "acme", "FEED", "A complaint", was_published=True)
    publications = Service({"DeliverPublication": [AWAY, said(State.WITHDRAWN, URL)]})
    notifications = Service()
    activities = acting(publications, notifications)
    with pytest.raises(ApplicationError):
        await activities.remove_publication(terms)
    assert notifications.requests == []
    await activities.remove_publication(terms)
    assert recipients(notifications) == ["creators/bea", "brands/acme"]


async def test_notices_are_sent_later_until_they_are_kept() -> None:
    notifications = Service({"SendNotifications": [AWAY, None]})
    activities, batch = acting(Service(), notifications), Batch(notices.published(TERMS, URL))
    with pytest.raises(ApplicationError):
        await activities.send_publication_notices(batch)
    await activities.send_publication_notices(batch)
    assert len(notifications.requests) == 2
