"""The demo's callers of the API, each with its own token."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

import grpc
from liaison.creators.v1.creators_pb2_grpc import CreatorServiceStub
from liaison.disputes.v1.disputes_pb2_grpc import DisputeServiceStub
from liaison.media.v1.articles_pb2_grpc import ArticleServiceStub
from liaison.media.v1.media_pb2_grpc import MediaServiceStub
from liaison.media.v1.publications_pb2_grpc import PublicationServiceStub
from liaison.notifications.v1.notifications_pb2_grpc import NotificationServiceStub
from liaison.payouts.v1.payouts_pb2_grpc import PayoutServiceStub
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub

from devstack.access import Access
from devstack.identity import Role
from servicekit.errors import Unavailable
from servicekit.rpc.client import open_channel

Request = TypeVar("Request")
Response = TypeVar("Response")

# Longer than any process of ours needs to restart after it was killed.
PATIENCE_SECONDS = 60.0


class Caller:
    """One caller's stubs; `Actors` opens and closes them."""

    def __init__(self, access: Access, token: str, stack: AsyncExitStack) -> None:
        def channel(service: str) -> grpc.aio.Channel:
            opened = open_channel(
                access.addresses[service], lambda: token, timeout_seconds=PATIENCE_SECONDS
            )
            stack.push_async_callback(opened.close)
            return opened

        tasks, media = channel("tasks"), channel("media")
        self.creators = CreatorServiceStub(channel("creators"))
        self.tasks = TaskServiceStub(tasks)
        self.assignments = AssignmentServiceStub(tasks)
        self.media = MediaServiceStub(media)
        self.articles = ArticleServiceStub(media)
        self.publications = PublicationServiceStub(media)
        self.payouts = PayoutServiceStub(channel("payouts"))
        self.disputes = DisputeServiceStub(channel("disputes"))
        self.notifications = NotificationServiceStub(channel("notifications"))


@dataclass(frozen=True)
class Actors:
    """The callers of one run; names carry the run's id, so that runs do not interfere."""

    run_id: str
    access: Access
    stack: AsyncExitStack

    def brand(self, name: str) -> Caller:
        return self._caller("brand", brand=self.id_of(name))

    def creator(self, name: str) -> Caller:
        return self._caller("creator", creator=self.id_of(name))

    def staff(self, role: Role, name: str) -> Caller:
        return self._caller(role, subject=f"staff/{name}")

    def id_of(self, name: str) -> str:
        return f"{name}-{self.run_id}"

    def _caller(
        self, role: Role, *, subject: str = "", brand: str = "", creator: str = ""
    ) -> Caller:
        token = self.access.token(role, subject=subject, brand=brand, creator=creator)
        return Caller(self.access, token, self.stack)


async def call_until_answered(
    method: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    """Repeats a call with an unknown outcome with the same `request_id`, as every client should."""
    give_up = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return await method(request)
        except Unavailable:
            if time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.5)


async def until(
    read: Callable[[], Awaitable[Response]],
    is_so: Callable[[Response], bool],
    *,
    timeout_seconds: float = 2 * PATIENCE_SECONDS,
) -> Response:
    """Polls until the predicate holds.

    Raises:
        TimeoutError: it did not in time.
    """
    async with asyncio.timeout(timeout_seconds):
        while not is_so(found := await read()):  # noqa: ASYNC110 - the API has no event to await
            await asyncio.sleep(0.5)
    return found


def new_request_id() -> str:
    return str(uuid4())
