"""Applications for one task by thousands of creators: the rate relative to a bare echo server.

Every application must be stored exactly once.
"""

import statistics
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import uuid4

import psycopg
from liaison.tasks.v1 import tasks_pb2

from bench import echo
from bench.lifecycles import Lifecycles
from bench.load import EncodedRequest, RawClient
from bench.processes import PROCESSES
from bench.result import Result
from cli.demo.actors import Caller, new_request_id
from devstack.access import Access
from devstack.home import Home
from devstack.stack import Stack

_CREATORS = 5_000
_SLICES = 5
_WARM_UP_CREATORS = 1_000
_ECHO_SECONDS = 1.0
_PATH = "/liaison.tasks.v1.TaskService/CreateApplication"
_PAGE_SIZE = 200


async def results() -> list[Result]:
    with tempfile.TemporaryDirectory(prefix="liaison-bench-") as folder:
        async with (
            Stack(Home(Path(folder) / "home"), processes=PROCESSES, durable=False) as stack,
            echo.echo_server() as echo_address,
            AsyncExitStack() as exits,
        ):
            lifecycles = await Lifecycles.prepare(stack.access, exits, creators=0)
            tokens = await _admitted(stack.access, _CREATORS)
            ours = await exits.enter_async_context(
                RawClient(stack.access.addresses["tasks"], _PATH)
            )
            baseline = await exits.enter_async_context(RawClient(echo_address, echo.PATH))
            warm_up = await lifecycles.open_task()
            await ours.rate_of(_requests(warm_up, tokens[:_WARM_UP_CREATORS]))
            await baseline.rate_for(_ECHO_SECONDS, _echoes(warm_up, tokens))
            task = await lifecycles.open_task()
            ratios = await _ratios(ours, baseline, task, tokens)
            await _require_each_once(lifecycles.brand, task)
    return [Result("tasks.apply.ratio_to_echo", statistics.median(ratios), "ratio", ">= 0.3")]


async def _ratios(
    ours: RawClient, baseline: RawClient, task: str, tokens: list[str]
) -> list[float]:
    size = len(tokens) // _SLICES
    slices = [tokens[start : start + size] for start in range(0, len(tokens), size)]
    echoes = _echoes(task, tokens)
    return [
        await ours.rate_of(_requests(task, slice_)) / await baseline.rate_for(_ECHO_SECONDS, echoes)
        for slice_ in slices
    ]


def _requests(task: str, tokens: list[str]) -> list[EncodedRequest]:
    return [
        EncodedRequest(
            tasks_pb2.CreateApplicationRequest(
                parent=task, request_id=new_request_id()
            ).SerializeToString(),
            token,
        )
        for token in tokens
    ]


def _echoes(task: str, tokens: list[str]) -> list[EncodedRequest]:
    """Requests to the echo server, of the size of an application."""
    name = f"{task}/applications/{uuid4().hex}"
    size = tasks_pb2.Application(name=name, creator=f"creators/{uuid4().hex}").ByteSize() + 30
    return [EncodedRequest(bytes(size), token) for token in tokens]


async def _admitted(access: Access, count: int) -> list[str]:
    """Inserts admitted creators by SQL; returns their tokens. Admitting thousands over the API
    would take minutes, and is not what is measured."""
    ids = [uuid4().hex for _ in range(count)]
    async with await psycopg.AsyncConnection.connect(access.service_url("creators")) as connection:
        await connection.execute(
            """
            INSERT INTO creator (id, state, display_name, mobile_number, dingtalk_id, account,
                                 statistics, level, paypal_receiver, create_time, update_time)
            SELECT id, 'ADMITTED', id, '+34612345678', '+34612345678',
                   '{"account_class": "EXTERNAL", "handle": "@bench", "post_count": 100,
                     "follower_count": 10000}',
                   jsonb_build_object('post_count', 100, 'follower_count', 10000,
                                      'observe_time', now(), 'source', 'DECLARED'),
                   'NEWCOMER', id || '@example.com', now(), now()
              FROM unnest(%s::text[]) AS id
            """,
            (ids,),
        )
        await connection.execute("ANALYZE creator")
    return [access.token("creator", creator=id_) for id_ in ids]


async def _require_each_once(brand: Caller, task: str) -> None:
    """
    Raises:
        RuntimeError: applications were lost or duplicated.
    """
    creators: list[str] = []
    page_token = ""
    while True:
        page = await brand.tasks.ListApplications(
            tasks_pb2.ListApplicationsRequest(
                parent=task, page_size=_PAGE_SIZE, page_token=page_token
            )
        )
        creators += [application.creator for application in page.applications]
        if not (page_token := page.next_page_token):
            break
    if len(creators) != _CREATORS or len(set(creators)) != _CREATORS:
        raise RuntimeError(
            f"{_CREATORS} creators applied for {task}; found {len(creators)} applications"
            f" of {len(set(creators))} creators"
        )
