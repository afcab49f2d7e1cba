"""Watch RPCs: every transition once and in order, through failures of streams and servers."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import grpc
import psycopg
import pytest
from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import AssignmentServiceStub
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceStub
from psycopg.conninfo import conninfo_to_dict

from devstack.access import Access
from servicekit.errors import Reason, Unavailable
from servicekit.postgres.database import Database
from servicekit.rpc.client import _StreamCaller, open_channel
from tests.integration.tasks.harness import Harness, harness_of, id_of
from tests.support.databases import Databases
from tests.support.serving import refused
from workflows.assignment.model import Event, Transition
from workflows.assignment.model import State as AssignmentState
from workflows.task import model as task_model
from workflows.task.messages import transition_message
from workflows.task.model import Transition as TaskTransition

# Well below the interval at which a watcher polls without a notification.
_PATIENCE_SECONDS = 20.0
# Opens a stream that resumes after a sequence number.
Open = Callable[[int], Any]


@dataclass
class Site:
    """A tasks service that can be restarted on the same database."""

    access: Access
    url: str

    @asynccontextmanager
    async def harness(self) -> AsyncIterator[Harness]:
        async with (
            Database(self.url) as database,
            harness_of(self.access, database, self.url) as one,
        ):
            yield one

    def channel(self, harness: Harness) -> grpc.aio.Channel:
        """A channel of the brand, which outlives the server."""
        token = self.access.token("brand", brand="acme")
        return open_channel(harness.served.address, lambda: token)

    async def break_listening(self) -> int:
        """Waits for a connection that listens, and terminates it. Returns how many there were."""
        async with asyncio.timeout(_PATIENCE_SECONDS):
            while not (ended := await self._end_listening()):  # noqa: ASYNC110 - it says nothing
                await asyncio.sleep(0.01)
        return ended

    async def _end_listening(self) -> int:
        async with await psycopg.AsyncConnection.connect(
            self.access.administrator_url, autocommit=True
        ) as connection:
            cursor = await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE query LIKE 'LISTEN%%' AND datname = %s",
                (conninfo_to_dict(self.url)["dbname"],),
            )
            return len(await cursor.fetchall())


@pytest.fixture
async def site(access: Access, databases: Databases) -> Site:
    return Site(access, await databases.fresh("tasks"))


@pytest.fixture
async def harness(site: Site) -> AsyncIterator[Harness]:
    async with site.harness() as harness:
        yield harness


def _transition(harness: Harness, sequence: int, comment: str = "") -> TaskTransition:
    open_ = task_model.State.OPEN
    event = task_model.Event.CREATORS_SELECTED
    return TaskTransition(
        sequence, event, open_, open_, "brands/acme", comment, harness.now, [f"app{sequence}"]
    )


async def _record(harness: Harness, task: pb.Task, *sequences: int, comment: str = "") -> None:
    """As the task's workflow does it, which may repeat it."""
    await harness.worker().RecordTask(
        records_pb2.RecordTaskRequest(
            name=task.name,
            sequence=sequences[-1],
            state=pb.Task.STATE_OPEN,
            transitions=[
                transition_message(id_of(task), _transition(harness, number, comment))
                for number in sequences
            ],
        )
    )


async def _record_assignment(harness: Harness, task: pb.Task, *sequences: int) -> None:
    begun, first = harness.begun(task, "a1")
    working = AssignmentState.IN_PROGRESS
    transitions = [
        first
        if number == 1
        else Transition(number, Event.REVIEW_REMINDED, working, working, "system", "", harness.now)
        for number in sequences
    ]
    await harness.record(replace(begun, sequence=sequences[-1]), *transitions)


def _watch(channel: grpc.aio.Channel, task: pb.Task, after: int = 0) -> Any:
    request = pb.WatchTaskRequest(name=task.name, after_sequence=after)
    return TaskServiceStub(channel).WatchTask(request)


def _watch_assignment(channel: grpc.aio.Channel, after: int = 0) -> Any:
    request = assignments_pb2.WatchAssignmentRequest(name="assignments/a1", after_sequence=after)
    return AssignmentServiceStub(channel).WatchAssignment(request)


async def _read(call: Any, count: int) -> list[Any]:
    messages = aiter(call)
    async with asyncio.timeout(_PATIENCE_SECONDS):
        return [await anext(messages) for _ in range(count)]


def _numbers(transitions: Sequence[Any]) -> list[int]:
    return [transition.sequence for transition in transitions]


async def _read_between_breaks(open_: Open, last: int, chance: random.Random) -> list[int]:
    """Up to the last one, over streams that are torn at any point: between messages, in the middle
    of a wait, or before anything came."""
    seen: list[int] = []
    async with asyncio.timeout(2 * _PATIENCE_SECONDS):
        while not seen or seen[-1] < last:
            call = open_(seen[-1] if seen else 0)
            try:
                async with asyncio.timeout(chance.choice([0.002, 0.02, 0.1, 1.0])):
                    for _ in range(chance.randint(1, 8)):
                        seen.append((await anext(aiter(call))).sequence)
                        if seen[-1] == last:
                            break
            except (TimeoutError, Unavailable):
                pass
            finally:
                call.cancel()
    return seen


async def _write_in_bits(
    record: Callable[..., Awaitable[None]], begin: int, last: int, chance: random.Random
) -> None:
    """One to three at a time, sometimes repeated."""
    number = begin
    while number <= last:
        following = min(number + chance.randint(1, 3), last + 1)
        for _ in range(chance.choice([1, 1, 2])):
            await record(*range(number, following))
        number = following


# Visibility


async def test_publishing_is_the_first_of_a_tasks_history(harness: Harness) -> None:
    draft = await harness.draft()
    call = _watch(harness.served.as_brand("acme"), draft)
    first = asyncio.ensure_future(_read(call, 1))
    task = await harness.publish(draft)
    (published,) = await first
    assert (published.sequence, published.event) == (1, "PUBLISHED")
    assert (published.from_state, published.to_state) == (
        pb.Task.STATE_DRAFT,
        pb.Task.STATE_OPEN,
    )
    assert (published.actor, published.time) == ("brands/acme", task.publish_time)


async def test_what_is_listed_is_what_is_watched(harness: Harness) -> None:
    task = await harness.task()
    await _record(harness, task, 2, 3)
    await _record(harness, task, 2, 3, 4)
    request = pb.ListTaskTransitionsRequest(parent=task.name)
    listed = list((await harness.brand().ListTaskTransitions(request)).transitions)
    assert _numbers(listed) == [1, 2, 3, 4]
    assert await _read(_watch(harness.served.as_brand("acme"), task), 4) == listed
    request.after_sequence = 3
    assert (await harness.brand().ListTaskTransitions(request)).transitions == listed[3:]


async def test_creators_do_not_see_who_was_selected(harness: Harness) -> None:
    task = await harness.task()
    await _record(harness, task, 2)
    channels = {
        "brand": harness.served.as_brand("acme"),
        "mediator": harness.served.as_mediator(),
        "operator": harness.served.as_operator(),
        "creator": harness.served.as_creator("bea"),
    }
    for role, channel in channels.items():
        _, watched = await _read(_watch(channel, task), 2)
        request = pb.ListTaskTransitionsRequest(parent=task.name, after_sequence=1)
        answer = await TaskServiceStub(channel).ListTaskTransitions(request)
        names = [] if role == "creator" else [f"{task.name}/applications/app2"]
        assert watched.event == "CREATORS_SELECTED"
        assert list(answer.transitions) == [watched]
        assert watched.applications == names


async def test_only_readers_of_a_resource_can_watch_it(harness: Harness) -> None:
    draft, task = await harness.draft(), await harness.task()
    absent = pb.Task(name="tasks/absent")
    brand, other = harness.served.as_brand("acme"), harness.served.as_brand("other")
    creator, operator = harness.served.as_creator("bea"), harness.served.as_operator()
    for channel, hidden, reason in (
        (other, task, Reason.NOT_YOURS),
        (creator, draft, Reason.NOT_YOURS),
        (brand, absent, Reason.NOT_YOURS),
        (operator, absent, Reason.NOT_FOUND),
        (harness.served.as_service(), task, Reason.ROLE_NOT_ALLOWED),
    ):
        with refused(reason):
            await _read(_watch(channel, hidden), 1)
        with refused(reason):
            await TaskServiceStub(channel).ListTaskTransitions(
                pb.ListTaskTransitionsRequest(parent=hidden.name)
            )


async def test_an_assignment_is_watched_by_its_sides_and_staff(harness: Harness) -> None:
    await _record_assignment(harness, await harness.task(), 1, 2)
    served = harness.served
    sides = (served.as_creator("bea"), served.as_brand("acme"))
    for channel in (*sides, served.as_mediator(), served.as_operator()):
        assert _numbers(await _read(_watch_assignment(channel), 2)) == [1, 2]
    for channel in (served.as_creator("cem"), served.as_brand("other")):
        with refused(Reason.NOT_YOURS):
            await _read(_watch_assignment(channel), 1)


async def test_a_watcher_after_a_future_sequence_waits_for_it(harness: Harness) -> None:
    task = await harness.task()
    call = _watch(harness.served.as_brand("acme"), task, after=3)
    read = asyncio.ensure_future(_read(call, 1))
    await _record(harness, task, 2, 3)
    await _record(harness, task, 4)
    assert _numbers(await read) == [4]


async def test_a_sequence_is_never_negative(harness: Harness) -> None:
    task = await harness.task()
    with refused(Reason.INVALID_FIELDS, "after_sequence"):
        await _read(_watch(harness.served.as_brand("acme"), task, after=-1), 1)
    with refused(Reason.INVALID_FIELDS, "after_sequence"):
        await _read(_watch_assignment(harness.served.as_brand("acme"), after=-1), 1)


# Failures


@pytest.mark.parametrize("seed", range(4))
async def test_resumed_streams_neither_miss_nor_repeat_transitions(
    harness: Harness, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
    task, last = await harness.task(), 60
    brand, creator = harness.served.as_brand("acme"), harness.served.as_creator("bea")
    await _record_assignment(harness, task, 1)
    watchers = [
        *(
            _read_between_breaks(lambda after: _watch(brand, task, after), last, chance)
            for _ in range(3)
        ),
        *(
            _read_between_breaks(lambda after: _watch_assignment(creator, after), last, chance)
            for _ in range(3)
        ),
    ]
    reading = asyncio.gather(*watchers)
    await asyncio.gather(
        _write_in_bits(lambda *some: _record(harness, task, *some), 2, last, chance),
        _write_in_bits(lambda *some: _record_assignment(harness, task, *some), 2, last, chance),
    )
    assert await reading == [list(range(1, last + 1))] * 6


async def test_watchers_resume_at_a_restarted_server(site: Site) -> None:
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    channels: list[grpc.aio.Channel] = []
    reading: asyncio.Future[list[int]] | None = None
    async with AsyncExitStack() as stack:
        async with site.harness() as harness:
            task = await harness.task()
        for begin in (2, 12, 22):
            async with site.harness() as harness:
                channels.append(await stack.enter_async_context(site.channel(harness)))
                reading = reading or asyncio.ensure_future(
                    _read_between_breaks(
                        lambda after: _watch(channels[-1], task, after), 31, chance
                    )
                )
                await _write_in_bits(
                    lambda *some, at=harness: _record(at, task, *some), begin, begin + 9, chance
                )
        async with site.harness() as harness:
            channels.append(await stack.enter_async_context(site.channel(harness)))
            assert reading is not None
            assert await reading == list(range(1, 32))


async def test_a_stream_ends_with_unavailable_when_its_server_stops(site: Site) -> None:
    async with AsyncExitStack() as stack:
        harness = await stack.enter_async_context(site.harness())
        async with site.channel(harness) as channel:
            call = _watch(channel, await harness.task())
            await _read(call, 1)
            waiting = asyncio.ensure_future(_read(call, 1))
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await stack.aclose()
            with pytest.raises(Unavailable):
                await waiting


async def test_a_broken_listening_connection_loses_nothing(site: Site, harness: Harness) -> None:
    task = await harness.task()
    reading = asyncio.ensure_future(_read(_watch(harness.served.as_brand("acme"), task), 40))
    broken = 0
    for number in range(2, 41):
        if number % 10 == 5:
            broken += await site.break_listening()
        await _record(harness, task, number)
    assert _numbers(await reading) == list(range(1, 41))
    assert broken >= 4


# Many watchers, and slow ones


async def test_two_hundred_watchers_each_see_all_of_it(harness: Harness) -> None:
    task = await harness.task()
    await _record_assignment(harness, task, 1)
    channels = [harness.served.as_brand("acme"), harness.served.as_operator()]
    reading = [
        asyncio.ensure_future(_read(_watch(channels[number % 2], task), 10))
        if number % 4 < 2
        else asyncio.ensure_future(_read(_watch_assignment(channels[number % 2]), 10))
        for number in range(200)
    ]
    for number in range(2, 11):
        await _record(harness, task, number)
        await _record_assignment(harness, task, number)
    for seen in await asyncio.gather(*reading):
        assert _numbers(seen) == list(range(1, 11))


async def test_a_watcher_that_does_not_read_delays_no_other(harness: Harness) -> None:
    """The comments exceed a connection's flow-control window."""
    task = await harness.task()
    token = harness.served.access.token("brand", brand="acme")
    async with grpc.aio.insecure_channel(
        harness.served.address,
        [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 65_536)],
        interceptors=[_StreamCaller(lambda: token)],
    ) as narrow:
        slow = [_watch(narrow, task) for _ in range(10)]
        for call in slow:
            await _read(call, 1)
        quick = asyncio.ensure_future(_read(_watch(harness.served.as_operator(), task), 30))
        async with asyncio.timeout(_PATIENCE_SECONDS):
            for number in range(2, 31):
                await _record(harness, task, number, comment="x" * 100_000)
        assert _numbers(await quick) == list(range(1, 31))
        # Once it reads, it receives everything.
        assert _numbers(await _read(slow[0], 29)) == list(range(2, 31))
