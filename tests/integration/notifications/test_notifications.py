"""Notifications through the real server and a real Postgres."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest
from liaison.notifications.v1 import notifications_pb2 as pb
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub

from devstack.access import Access
from servicekit.clock import utc_now
from servicekit.errors import Reason
from servicekit.postgres.database import Database
from services.notifications.handlers import NotificationHandlers
from services.notifications.servicer import service
from services.notifications.store import NotificationStore
from tests.support.databases import Databases
from tests.support.serving import Served, refused, serving
from workflows.clients import send_notices, try_to_send
from workflows.notices import MEDIATORS, OPERATORS, Batch, Notice

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceAsyncStub


@pytest.fixture
async def served(access: Access, databases: Databases) -> AsyncIterator[Served]:
    async with Database(await databases.fresh("notifications")) as database:
        handlers = NotificationHandlers(NotificationStore(database), utc_now)
        async with serving(access, [service(handlers)], database) as served:
            yield served


def _sender(served: Served) -> "NotificationServiceAsyncStub":
    return NotificationServiceStub(served.as_service())


def _notice(number: int = 1, recipient: str = "creators/bea", text: str = "Hello") -> Notice:
    return Notice(recipient, "WORK_SUBMITTED", "assignments/a1", text, f"{recipient}/{number}")


async def _read(channel: Any, **request: Any) -> pb.ListNotificationsResponse:
    stub: NotificationServiceAsyncStub = NotificationServiceStub(channel)
    return await stub.ListNotifications(pb.ListNotificationsRequest(**request))


async def test_what_is_sent_is_read_newest_first(served: Served) -> None:
    for number in range(3):
        await send_notices(_sender(served), [_notice(number, text=f"Number {number}")])
    page = await _read(served.as_creator("bea"))
    assert [one.text for one in page.notifications] == ["Number 2", "Number 1", "Number 0"]
    newest = page.notifications[0]
    assert (newest.recipient, newest.event, newest.subject) == (
        "creators/bea",
        "WORK_SUBMITTED",
        "assignments/a1",
    )
    assert newest.HasField("create_time")


async def test_a_deduplication_id_is_sent_once(served: Served) -> None:
    await send_notices(_sender(served), [_notice(1), _notice(2)])
    await send_notices(_sender(served), [_notice(2, text="Again"), _notice(3)])
    page = await _read(served.as_creator("bea"))
    assert [one.text for one in page.notifications] == ["Hello"] * 3


async def test_several_full_requests_are_all_kept(served: Served) -> None:
    await send_notices(_sender(served), [_notice(number) for number in range(501)])
    seen: set[str] = set()
    token = ""
    while True:
        page = await _read(served.as_creator("bea"), page_size=200, page_token=token)
        seen |= {one.name for one in page.notifications}
        if not (token := page.next_page_token):
            break
    assert len(seen) == 501


async def test_everybody_reads_their_own(served: Served) -> None:
    recipients = ["brands/acme", "creators/bea", MEDIATORS, OPERATORS]
    notices = [_notice(recipient=recipient) for recipient in recipients]
    assert await try_to_send(_sender(served), notices) == Batch()
    for channel, recipient in zip(
        (
            served.as_brand("acme"),
            served.as_creator("bea"),
            served.as_mediator(),
            served.as_operator(),
        ),
        recipients,
        strict=True,
    ):
        own = await _read(channel)
        assert [one.recipient for one in own.notifications] == [recipient]
        assert await _read(channel, recipient=recipient) == own
        everyone = await _read(served.as_operator(), recipient=recipient)
        assert everyone.notifications == own.notifications


@pytest.mark.parametrize("recipient", ["brands/other", "creators/bea", MEDIATORS, OPERATORS])
async def test_only_operators_read_notifications_of_others(served: Served, recipient: str) -> None:
    with refused(Reason.NOT_YOURS):
        await _read(served.as_brand("acme"), recipient=recipient)


async def test_only_services_send(served: Served) -> None:
    for channel in (served.as_brand("acme"), served.as_creator("bea"), served.as_operator()):
        with refused(Reason.ROLE_NOT_ALLOWED):
            await NotificationServiceStub(channel).SendNotifications(pb.SendNotificationsRequest())
    with refused(Reason.ROLE_NOT_ALLOWED):
        await _read(served.as_service())


async def test_bad_notices_are_refused_whole(served: Served) -> None:
    good = pb.OutgoingNotification(
        deduplication_id="good",
        notification=pb.Notification(
            recipient="creators/bea", event="HELLO", subject="tasks/t1", text="Hello"
        ),
    )
    bad = pb.OutgoingNotification(
        deduplication_id="bad",
        notification=pb.Notification(
            recipient="staff/mia", event="hello", subject="tasks/t1", text="x" * 10_001
        ),
    )
    path = "notifications[1].notification"
    with refused(Reason.INVALID_FIELDS, f"{path}.recipient", f"{path}.event", f"{path}.text"):
        await _sender(served).SendNotifications(
            pb.SendNotificationsRequest(notifications=[good, bad])
        )
    with refused(Reason.INVALID_FIELDS, "notifications"):
        await _sender(served).SendNotifications(pb.SendNotificationsRequest())
    with refused(Reason.INVALID_FIELDS, "notifications"):
        many = [pb.OutgoingNotification() for _ in range(501)]
        for number, outgoing in enumerate(many):
            outgoing.CopyFrom(good)
            outgoing.deduplication_id = str(number)
        await _sender(served).SendNotifications(pb.SendNotificationsRequest(notifications=many))
    assert not (await _read(served.as_creator("bea"))).notifications


async def test_a_page_token_belongs_to_its_recipient(served: Served) -> None:
    await send_notices(_sender(served), [_notice(number) for number in range(2)])
    page = await _read(served.as_creator("bea"), page_size=1)
    with refused(Reason.INVALID_FIELDS, "page_token"):
        await _read(served.as_operator(), page_size=1, page_token=page.next_page_token)
