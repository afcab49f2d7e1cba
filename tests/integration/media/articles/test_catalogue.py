"""The catalogue over HTTP: it is asked for numbers alone, and whatever it answers does no harm."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from devstack.storefront.server import Storefront
from servicekit.errors import LiaisonError, Reason
from services.media.articles.catalogue.client import CatalogueClient, http_client
from services.media.articles.domain import CatalogueProduct
from services.media.articles.validation.rules import PRODUCTS_MAXIMUM
from tests.integration.media.articles.harness import ABSENT_ITEM, ADDRESS, ITEM

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Scripted:
    """A catalogue with set responses, and a clock for its client."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.at_once = self.most_at_once = 0
        self.seconds = 0.0
        self.answer: Answer = self.usual

    async def usual(self, request: web.Request) -> web.StreamResponse:
        return web.json_response({"item_id": request.match_info["id"], "title": "Tea set"})

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            return await self.answer(request)
        finally:
            self.at_once -= 1


@asynccontextmanager
async def catalogue_of(scripted: Scripted) -> AsyncIterator[CatalogueClient]:
    app = web.Application()
    app.add_routes([web.get("/base/products/{id}", scripted.handle)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0]
        async with http_client() as http:
            yield CatalogueClient(f"http://{host}:{port}/base/", http, lambda: scripted.seconds)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def unavailable() -> AsyncIterator[None]:
    with pytest.raises(LiaisonError) as caught:
        yield
    assert (caught.value.code, caught.value.reason) == (
        "UNAVAILABLE",
        Reason.DEPENDENCY_UNAVAILABLE,
    )


async def test_known_products_are_told_and_unknown_ones_left_out(storefront: Storefront) -> None:
    async with http_client() as http:
        catalogue = CatalogueClient(f"http://{storefront.address}", http)
        found = await catalogue.products([ABSENT_ITEM, ITEM, ITEM])
        assert list(found) == [ITEM]
        assert found[ITEM].url == ADDRESS
        assert await catalogue.products([]) == {}


async def test_answers_are_kept_for_a_minute() -> None:
    scripted = Scripted()
    async with catalogue_of(scripted) as catalogue:
        expected = {ITEM: CatalogueProduct(ITEM, ADDRESS, "Tea set")}
        for _ in range(3):
            assert await catalogue.products([ITEM]) == expected
        assert scripted.asked == [f"/base/products/{ITEM}"]
        scripted.seconds = 59
        await catalogue.products([ITEM])
        assert len(scripted.asked) == 1
        scripted.seconds = 60
        await catalogue.products([ITEM])
        assert len(scripted.asked) == 2


async def test_a_few_are_asked_for_at_once() -> None:
    scripted = Scripted()
    gate = asyncio.Event()

    async def wait(request: web.Request) -> web.StreamResponse:
        if scripted.at_once == 8:
            gate.set()
        await gate.wait()
        return await scripted.usual(request)

    scripted.answer = wait
    async with catalogue_of(scripted) as catalogue:
        items = _items(50)
        assert list(await catalogue.products(items)) == items
    assert scripted.most_at_once == 8


def _items(count: int, first: int = 10**10) -> list[str]:
    return [str(first + number) for number in range(count)]


class Slow(Scripted):
    """It takes a tenth of a second to answer; `is_busy` once all turns of long lists are taken."""

    def __init__(self) -> None:
        super().__init__()
        self.is_busy = asyncio.Event()

    async def usual(self, request: web.Request) -> web.StreamResponse:
        if self.at_once == 16:
            self.is_busy.set()
        await asyncio.sleep(0.1)
        return await super().usual(request)


async def test_the_products_of_a_full_article_are_looked_up_in_time() -> None:
    async with catalogue_of(Slow()) as catalogue:
        items = _items(PRODUCTS_MAXIMUM)
        begin = time.monotonic()
        assert list(await catalogue.products(items)) == items
        # 200 by eights; a call has 10 seconds.
        assert time.monotonic() - begin < 5


async def test_who_looks_one_product_up_does_not_wait_for_long_lists() -> None:
    scripted = Slow()
    async with catalogue_of(scripted) as catalogue, asyncio.TaskGroup() as group:
        lists = [
            group.create_task(catalogue.products(_items(100, number * 10**10)))
            for number in range(1, 5)
        ]
        await scripted.is_busy.wait()
        asked = len(scripted.asked)
        for number in range(3):
            assert await catalogue.products([str(number + 1)])
        # Three turns of those lists, and one that was under way.
        assert len(scripted.asked) - asked < 5 * 16
        assert scripted.most_at_once == 17
        assert not any(one.done() for one in lists)


def _json(value: Any) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=json.dumps(value), content_type="application/json")

    return answer


async def _too_long(request: web.Request) -> web.StreamResponse:
    """Without end, if one listened."""
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b" " * 65536)


async def _redirect(_: web.Request) -> web.StreamResponse:
    raise web.HTTPFound("/base/products/1")


async def _failing(_: web.Request) -> web.StreamResponse:
    raise web.HTTPServiceUnavailable


async def _cut_off(request: web.Request) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


GOOD = {"item_id": ITEM, "title": "Tea set"}


@pytest.mark.parametrize(
    "answer",
    [
        _json(None),
        _json([]),
        _json({"title": "Tea set"}),
        _json({**GOOD, "item_id": "1005000000000000"}),
        _json({**GOOD, "title": ""}),
        _json({**GOOD, "title": "x" * 1001}),
        _json({**GOOD, "title": ["x"]}),
        _json({**GOOD, "image_url": "javascript:alert(1)"}),
        _json({**GOOD, "image_url": "http://pictures.example/1.jpg"}),
        _json({**GOOD, "price": "9" * 101}),
        _json({**GOOD, "other": "x" * 70_000}),
        _too_long,
        _redirect,
        _failing,
        _cut_off,
    ],
)
async def test_an_answer_that_is_none_is_as_good_as_no_catalogue(answer: Answer) -> None:
    scripted = Scripted()
    scripted.answer = answer
    async with catalogue_of(scripted) as catalogue:
        async with unavailable():
            await catalogue.products([ITEM])
        assert scripted.asked == [f"/base/products/{ITEM}"]  # once, and nowhere else
        scripted.answer = scripted.usual
        assert list(await catalogue.products([ITEM])) == [ITEM]


async def test_a_catalogue_that_is_away_is_told_as_such() -> None:
    async with http_client() as http, unavailable():
        await CatalogueClient("http://127.0.0.1:1", http).products([ITEM])


@pytest.mark.parametrize("item", ["", "../admin", "1/../2", "1?x", "a", "\u0661", "1" * 21])
async def test_nothing_but_a_number_goes_into_an_address(item: str) -> None:
    scripted = Scripted()
    async with catalogue_of(scripted) as catalogue:
        with pytest.raises(ExceptionGroup) as caught:
            await catalogue.products([item])
        assert caught.group_contains(AssertionError)
    assert scripted.asked == []
