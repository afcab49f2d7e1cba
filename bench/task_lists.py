"""Latency of filtered pages of tasks with a million tasks, relative to ten thousand.

The service reads the two tables alternately, so that other load on the machine affects both alike.
"""

import itertools
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from liaison.tasks.v1 import tasks_pb2 as pb

from bench.lifecycles import Lifecycles
from bench.load import EncodedRequest, RawClient
from bench.processes import PROCESSES
from bench.result import Result
from bench.task_rows import TaskRows
from devstack.access import Access
from devstack.home import Home
from devstack.stack import Stack
from servicekit.money import Money

_FEW = 10_000
_MANY = 1_000_000
_WARM_UP = 15
_RUNS = 7
_REQUESTS = 150
_PAGES = 3
_PAGE_SIZE = 20
_PATH = "/liaison.tasks.v1.TaskService/ListTasks"


@dataclass(frozen=True)
class Query:
    """A list that one kind of caller reads, page by page."""

    name: str
    token: str
    filter: pb.TaskFilter
    order_by: str = ""


async def results() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        async with (
            Stack(Home(Path(folder) / "home"), processes=PROCESSES, durable=False) as stack,
            AsyncExitStack() as exits,
        ):
            lifecycles = await Lifecycles.prepare(stack.access, exits, creators=1)
            rows = TaskRows(stack.access)
            await rows.prepare(lifecycles)
            for count in (_FEW, _MANY):
                await rows.fill(count)
            client = await exits.enter_async_context(
                RawClient(stack.access.addresses["tasks"], _PATH)
            )
            growths = await _growths(client, rows, _queries(stack.access, lifecycles))
    return [
        *(
            Result(f"tasks.list.p99_growth.{name}", growth, "ratio", "<= 1.5")
            for name, growth in growths.items()
        ),
        Result("tasks.list.p99_growth", max(growths.values()), "ratio", "<= 1.5"),
    ]


def _queries(access: Access, lifecycles: Lifecycles) -> list[Query]:
    brand = access.token("brand", brand=lifecycles.brand_id)
    creator = access.token("creator", creator=lifecycles.creator_ids[0])
    operator = access.token("operator", subject="staff/olga")
    takable = pb.TaskFilter(is_takable=True)
    videos = pb.TaskFilter(
        is_takable=True,
        content_types=[pb.CONTENT_TYPE_VIDEO],
        currency_code="USD",
        minimum_reward=Money("USD", 50_00).to_message(),
    )
    words = pb.TaskFilter(is_takable=True, query="summer kitchen")
    is_open = pb.TaskFilter(states=[pb.Task.STATE_OPEN])
    ended = pb.TaskFilter(states=[pb.Task.STATE_CLOSED, pb.Task.STATE_CANCELLED])
    articles = pb.TaskFilter(states=[pb.Task.STATE_OPEN], content_types=[pb.CONTENT_TYPE_ARTICLE])
    in_progress = pb.TaskFilter(states=[pb.Task.STATE_IN_PROGRESS], currency_code="EUR")
    return [
        Query("creator_takable", creator, takable),
        Query("creator_videos_by_reward", creator, videos, "reward desc"),
        Query("creator_words", creator, words),
        Query("brand_open", brand, is_open),
        Query("brand_ended", brand, ended, "create_time"),
        Query("operator_deadlines", operator, articles, "application_deadline_time"),
        Query("operator_in_progress_rewards", operator, in_progress, "reward desc"),
    ]


async def _growths(client: RawClient, rows: TaskRows, queries: list[Query]) -> dict[str, float]:
    """By query: the median over the runs of the ratio between many and few tasks."""
    growths: dict[str, list[float]] = {one.name: [] for one in queries}
    for _ in range(_RUNS):
        for one in queries:
            await rows.use(_FEW)
            few = await _p99_seconds(client, one)
            await rows.use(_MANY)
            growths[one.name].append(await _p99_seconds(client, one) / few)
    return {name: statistics.median(runs) for name, runs in growths.items()}


async def _p99_seconds(client: RawClient, query: Query) -> float:
    requests = await _pages(client, query)
    for request in itertools.islice(itertools.cycle(requests), _WARM_UP):
        await client.send(request)
    seconds = []
    for request in itertools.islice(itertools.cycle(requests), _REQUESTS):
        started = time.perf_counter()
        await client.send(request)
        seconds.append(time.perf_counter() - started)
    return statistics.quantiles(seconds, n=100)[-1]


async def _pages(client: RawClient, query: Query) -> list[EncodedRequest]:
    """Requests for the first pages.

    Raises:
        RuntimeError: a page is not full, so that it cannot be compared.
    """
    requests: list[EncodedRequest] = []
    request = pb.ListTasksRequest(
        page_size=_PAGE_SIZE, filter=query.filter, order_by=query.order_by
    )
    for _ in range(_PAGES):
        requests.append(EncodedRequest(request.SerializeToString(), query.token))
        page = pb.ListTasksResponse.FromString(await client.send(requests[-1]))
        if len(page.tasks) != _PAGE_SIZE:
            raise RuntimeError(f"{query.name}: a page of {len(page.tasks)} tasks")
        request.page_token = page.next_page_token
    return requests
