"""The time of a filtered page of tasks at a million tasks, beside the same page at ten thousand.

The service reads the one table and the other in turns, so that whatever else the machine does falls
on both alike.
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
from bench.load import RawClient, Wire
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
class Question:
    """What one kind of caller looks at, page after page."""

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
            growths = await _growths(client, rows, _questions(stack.access, lifecycles))
    return [
        *(
            Result(f"tasks.list.p99_growth.{name}", growth, "ratio", "<= 1.5")
            for name, growth in growths.items()
        ),
        Result("tasks.list.p99_growth", max(growths.values()), "ratio", "<= 1.5"),
    ]


def _questions(access: Access, lifecycles: Lifecycles) -> list[Question]:
    brand = access.token("brand", brand=lifecycles.brand_id)
    creator = access.token("creator", creator=lifecycles.creator_ids[0])
    operator = access.token("operator", subject="staff/olga")
    is_open = [pb.Task.STATE_OPEN]
    dollars = Money("USD", 50_00).to_message()
    return [
        Question("creator_takable", creator, pb.TaskFilter(is_takable=True)),
        Question(
            "creator_videos_by_reward",
            creator,
            pb.TaskFilter(
                is_takable=True,
                content_types=[pb.CONTENT_TYPE_VIDEO],
                currency_code="USD",
                minimum_reward=dollars,
            ),
            "reward desc",
        ),
        Question("creator_words", creator, pb.TaskFilter(is_takable=True, query="summer kitchen")),
        Question("brand_open", brand, pb.TaskFilter(states=is_open)),
        Question(
            "brand_ended",
            brand,
            pb.TaskFilter(states=[pb.Task.STATE_CLOSED, pb.Task.STATE_CANCELLED]),
            "create_time",
        ),
        Question(
            "operator_deadlines",
            operator,
            pb.TaskFilter(states=is_open, content_types=[pb.CONTENT_TYPE_ARTICLE]),
            "application_deadline_time",
        ),
        Question(
            "operator_in_progress_rewards",
            operator,
            pb.TaskFilter(states=[pb.Task.STATE_IN_PROGRESS], currency_code="EUR"),
            "reward desc",
        ),
    ]


async def _growths(
    client: RawClient, rows: TaskRows, questions: list[Question]
) -> dict[str, float]:
    """By question: the median of the runs, each of which compares many with few."""
    growths: dict[str, list[float]] = {one.name: [] for one in questions}
    for _ in range(_RUNS):
        for one in questions:
            await rows.show(_FEW)
            few = await _p99_seconds(client, one)
            await rows.show(_MANY)
            growths[one.name].append(await _p99_seconds(client, one) / few)
    return {name: statistics.median(runs) for name, runs in growths.items()}


async def _p99_seconds(client: RawClient, question: Question) -> float:
    wires = await _pages(client, question)
    for wire in itertools.islice(itertools.cycle(wires), _WARM_UP):
        await client.send(wire)
    seconds = []
    for wire in itertools.islice(itertools.cycle(wires), _REQUESTS):
        started = time.perf_counter()
        await client.send(wire)
        seconds.append(time.perf_counter() - started)
    return statistics.quantiles(seconds, n=100)[-1]


async def _pages(client: RawClient, question: Question) -> list[Wire]:
    """Requests for the first pages.

    Raises:
        RuntimeError: a page is not full, so that it would say nothing beside a full one.
    """
    wires: list[Wire] = []
    request = pb.ListTasksRequest(
        page_size=_PAGE_SIZE, filter=question.filter, order_by=question.order_by
    )
    for _ in range(_PAGES):
        wires.append(Wire(request.SerializeToString(), question.token))
        page = pb.ListTasksResponse.FromString(await client.send(wires[-1]))
        if len(page.tasks) != _PAGE_SIZE:
            raise RuntimeError(f"{question.name}: a page of {len(page.tasks)} tasks")
        request.page_token = page.next_page_token
    return wires
