"""A small service that streams: diaries, whose entries can be watched as they are written.

No proto of the API is needed, nor changed, to try what every server stream relies on.
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

CHANNEL = "diaries"
# A stop that waits for streams takes this long.
PATIENCE_SECONDS = 60.0
_NAME = "liaison.testing.v1.DiaryService"


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
        name="liaison/testing/v1/diary.proto",
        package="liaison.testing.v1",
        syntax="proto3",
        dependency=["google/api/field_behavior.proto"],
        message_type=[
            _message("Entry", _field("sequence", 1, _NUMBER), _field("text", 2, _TEXT)),
            _message(
                "WatchDiaryRequest",
                _field("name", 1, _TEXT, is_required=True),
                _field("after", 2, _NUMBER),
            ),
        ],
        service=[
            ServiceDescriptorProto(
                name="DiaryService",
                method=[
                    MethodDescriptorProto(
                        name="WatchDiary",
                        input_type=".liaison.testing.v1.WatchDiaryRequest",
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
WatchDiaryRequest = GetMessageClass(
    descriptor_pool.Default().FindMessageTypeByName("liaison.testing.v1.WatchDiaryRequest")
)


@dataclass(frozen=True)
class Line:
    sequence: int
    text: str


class Diaries:
    """The diaries' table."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(self) -> None:
        await self._database.execute(
            "CREATE TABLE entry (diary text, sequence bigint, text text, UNIQUE (diary, sequence))"
        )

    async def write(self, diary: str, *texts: str) -> None:
        async with self._database.transaction():
            await self._database.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (diary,))
            for text in texts:
                await self._database.execute(
                    "INSERT INTO entry SELECT %(diary)s, coalesce(max(sequence), 0) + 1, %(text)s"
                    " FROM entry WHERE diary = %(diary)s",
                    {"diary": diary, "text": text},
                )
            await notify(self._database, CHANNEL, diary)

    async def read_after(self, diary: str, after: int) -> list[Line]:
        rows = await self._database.fetch_all(
            "SELECT sequence, text FROM entry WHERE diary = %s AND sequence > %s"
            " ORDER BY sequence LIMIT 10",
            (diary, after),
        )
        return [Line(**row) for row in rows]


class DiaryServicer:
    def __init__(self, diaries: Diaries, changes: ChangeListener) -> None:
        self._diaries = diaries
        self._changes = changes

    async def watch_diary(self, request: Any, context: object) -> AsyncIterator[Any]:
        async def read_after(after: int) -> list[Line]:
            return await self._diaries.read_after(request.name, after)

        async with aclosing(self._changes.follow(request.name, read_after, request.after)) as lines:
            async for line in lines:
                if line.text == "refuse":
                    raise illegal_state(request.name, "BURNT", "WatchDiary")
                if line.text == "crash":
                    raise RuntimeError("a secret")
                if line.text == "end":
                    return
                yield Entry(sequence=line.sequence, text=line.text)


def _register(servicer: Any, server: grpc.aio.Server) -> None:
    handler = grpc.unary_stream_rpc_method_handler(
        servicer.watch_diary, WatchDiaryRequest.FromString, Entry.SerializeToString
    )
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_NAME, {"WatchDiary": handler}),)
    )


def watch(channel: grpc.aio.Channel, name: str, *, after: int = 0) -> Any:
    """Opens a stream, as a generated stub would."""
    method = channel.unary_stream(
        f"/{_NAME}/WatchDiary", WatchDiaryRequest.SerializeToString, Entry.FromString
    )
    return method(WatchDiaryRequest(name=name, after=after))


@dataclass(frozen=True)
class Harness:
    """The service, served, and what it stands on."""

    access: Access
    database: Database
    diaries: Diaries
    changes: ChangeListener
    server: GrpcServer
    served: Served

    def another_server(self, drain_seconds: float = PATIENCE_SECONDS) -> GrpcServer:
        """For the same address, once this one has gone."""
        servicer = DiaryServicer(self.diaries, self.changes)
        return _server(self.access, servicer, self.database, self.served.address, drain_seconds)


def _server(
    access: Access,
    servicer: DiaryServicer,
    database: Database,
    address: str,
    drain_seconds: float = PATIENCE_SECONDS,
) -> GrpcServer:
    service = Service(_DESCRIPTOR, _register, servicer, {"WatchDiary": allow(Role.BRAND)})
    settings = server_settings(access).model_copy(
        update={"drain_seconds": drain_seconds, "listen_address": address}
    )
    return GrpcServer(settings, [service], database)


async def eventually(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not is_so():  # noqa: ASYNC110  nobody is told of who subscribes
            await asyncio.sleep(0.01)


@asynccontextmanager
async def harness_of(access: Access, database_url: str) -> AsyncIterator[Harness]:
    async with (
        Database(database_url) as database,
        ChangeListener(database_url, CHANNEL, poll_interval_seconds=3600) as changes,
    ):
        diaries = Diaries(database)
        await diaries.create()
        server = _server(access, DiaryServicer(diaries, changes), database, "127.0.0.1:0")
        await server.start()
        served = Served(access, server.address)
        try:
            yield Harness(access, database, diaries, changes, server, served)
        finally:
            await served.close()
            await server.stop()
