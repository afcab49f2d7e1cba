"""A small streaming service for tests: journals, whose entries can be watched as they are written.

Its proto is built here, so that tests of server streams do not depend on the API.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import grpc
from google.api.field_behavior_pb2 import REQUIRED, field_behavior
from google.protobuf import descriptor_pool
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FieldOptions,
    FileDescriptorProto,
    MethodDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message_factory import GetMessageClass

from devstack.access import Access
from servicekit.auth import Role
from servicekit.errors import illegal_state
from servicekit.postgres.changes import ChangeListener, notify
from servicekit.postgres.database import Database
from servicekit.rpc.access import allow
from servicekit.rpc.server import GrpcServer, Service
from tests.support.serving import Served, server_settings

CHANNEL = "journals"
# A shutdown that waits for open streams would take this long.
DRAIN_SECONDS = 60.0
_NAME = "liaison.testing.v1.JournalService"


def _field(name: str, number: int, kind: Any, *, is_required: bool = False) -> FieldDescriptorProto:
    options = FieldOptions()
    if is_required:
        options.Extensions[field_behavior].append(REQUIRED)
    return FieldDescriptorProto(
        name=name,
        number=number,
        type=kind,
        label=FieldDescriptorProto.LABEL_OPTIONAL,
        options=options,
    )


def _message(name: str, *fields: FieldDescriptorProto) -> DescriptorProto:
    return DescriptorProto(name=name, field=fields)


_TEXT, _NUMBER = FieldDescriptorProto.TYPE_STRING, FieldDescriptorProto.TYPE_INT64
_FILE = descriptor_pool.Default().AddSerializedFile(
    FileDescriptorProto(
        name="liaison/testing/v1/journal.proto",
        package="liaison.testing.v1",
        syntax="proto3",
        dependency=["google/api/field_behavior.proto"],
        message_type=[
            _message("Entry", _field("sequence", 1, _NUMBER), _field("text", 2, _TEXT)),
            _message(
                "WatchJournalRequest",
                _field("name", 1, _TEXT, is_required=True),
                _field("after", 2, _NUMBER),
            ),
        ],
        service=[
            ServiceDescriptorProto(
                name="JournalService",
                method=[
                    MethodDescriptorProto(
                        name="WatchJournal",
                        input_type=".liaison.testing.v1.WatchJournalRequest",
                        output_type=".liaison.testing.v1.Entry",
                        server_streaming=True,
                    )
                ],
            )
        ],
    ).SerializeToString()
)
_DESCRIPTOR = descriptor_pool.Default().FindServiceByName(_NAME)
Entry = GetMessageClass(descriptor_pool.Default().FindMessageTypeByName("liaison.testing.v1.Entry"))
WatchJournalRequest = GetMessageClass(
    descriptor_pool.Default().FindMessageTypeByName("liaison.testing.v1.WatchJournalRequest")
)


@dataclass(frozen=True)
class JournalEntry:
    sequence: int
    text: str


class JournalStore:
    """The table of journals."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self) -> None:
        await self._database.execute(
            "CREATE TABLE entry"
            " (journal text, sequence bigint, text text, UNIQUE (journal, sequence))"
        )

    async def write(self, journal: str, *texts: str) -> None:
        async with self._database.transaction():
            await self._database.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (journal,))
            for text in texts:
                await self._database.execute(
                    "INSERT INTO entry SELECT %(journal)s, coalesce(max(sequence), 0) + 1, %(text)s"
                    " FROM entry WHERE journal = %(journal)s",
                    {"journal": journal, "text": text},
                )
            await notify(self._database, CHANNEL, journal)

    async def read_after(self, journal: str, after: int) -> list[JournalEntry]:
        rows = await self._database.fetch_all(
            "SELECT sequence, text FROM entry WHERE journal = %s AND sequence > %s"
            " ORDER BY sequence LIMIT 10",
            (journal, after),
        )
        return [JournalEntry(**row) for row in rows]


class JournalServicer:
    def __init__(self, journals: JournalStore, changes: ChangeListener) -> None:
        self._journals = journals
        self._changes = changes

    async def watch_journal(self, request: Any, context: object) -> AsyncIterator[Any]:
        async def read_after(after: int) -> list[JournalEntry]:
            return await self._journals.read_after(request.name, after)

        async with aclosing(self._changes.follow(request.name, read_after, request.after)) as lines:
            async for line in lines:
                if line.text == "refuse":
                    raise illegal_state(request.name, "CLOSED", "WatchJournal")
                if line.text == "crash":
                    raise RuntimeError("a secret")
                if line.text == "end":
                    return
                yield Entry(sequence=line.sequence, text=line.text)


def _register(servicer: Any, server: grpc.aio.Server) -> None:
    handler = grpc.unary_stream_rpc_method_handler(
        servicer.watch_journal, WatchJournalRequest.FromString, Entry.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_NAME, {"WatchJournal": handler}),)
    )


def watch(channel: grpc.aio.Channel, name: str, *, after: int = 0) -> Any:
    """Opens a stream, like a generated stub."""
    method = channel.unary_stream(
        f"/{_NAME}/WatchJournal", WatchJournalRequest.SerializeToString, Entry.FromString
    )
    return method(WatchJournalRequest(name=name, after=after))


@dataclass(frozen=True)
class Harness:
    """The running service and its dependencies."""

    access: Access
    database: Database
    journals: JournalStore
    changes: ChangeListener
    server: GrpcServer
    served: Served

    def another_server(self, drain_seconds: float = DRAIN_SECONDS) -> GrpcServer:
        """A server for the same address, to start after the first has stopped."""
        servicer = JournalServicer(self.journals, self.changes)
        return _server(self.access, servicer, self.database, self.served.address, drain_seconds)


def _server(
    access: Access,
    servicer: JournalServicer,
    database: Database,
    address: str,
    drain_seconds: float = DRAIN_SECONDS,
) -> GrpcServer:
    service = Service(_DESCRIPTOR, _register, servicer, {"WatchJournal": allow(Role.BRAND)})
    settings = server_settings(access).model_copy(
        update={"drain_seconds": drain_seconds, "listen_address": address}
    )
    return GrpcServer(settings, [service], database)


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  subscribing sets no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def harness_of(access: Access, database_url: str) -> AsyncIterator[Harness]:
    async with (
        Database(database_url) as database,
        ChangeListener(database_url, CHANNEL, poll_interval_seconds=3600) as changes,
    ):
        journals = JournalStore(database)
        await journals.create()
        server = _server(access, JournalServicer(journals, changes), database, "127.0.0.1:0")
        await server.start()
        served = Served(access, server.address)
        try:
            yield Harness(access, database, journals, changes, server, served)
        finally:
            await served.close()
            await server.stop()
