"""The product catalogue of AliExpress.com over HTTP.

The only call is `GET {base}/products/{item_id}`. The base is a setting and the item id consists of
digits that `links` found: no request goes to a URL that a user wrote.
"""

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Annotated, Literal

import httpx
from opentelemetry import trace
from pydantic import BaseModel, StringConstraints, ValidationError

from servicekit.commands import Link
from servicekit.errors import Reason, Unavailable
from services.media.articles.domain import CatalogueProduct
from services.media.articles.links import product_url

_REQUEST_SECONDS = 5.0
# For all products of one RPC; below the deadline of that RPC.
_LOOKUP_SECONDS = 10.0
# Concurrent requests: of all lookups of several products, of one such lookup, and of all lookups of
# a single product. The latter do not wait for long lists of others.
_CONCURRENT_IN_LISTS = 16
_CONCURRENT_IN_ONE_LIST = 8
_CONCURRENT_SINGLE = 4
_RESPONSE_MAXIMUM_BYTES = 64 * 1024
# Short, since prices change; long enough for a creator to look a product up and then add it.
_CACHE_SECONDS = 60.0
_CACHE_MAXIMUM = 10_000

_ITEM_ID = re.compile(r"[0-9]{1,20}")

_tracer = trace.get_tracer(__name__)


def http_client() -> httpx.AsyncClient:
    """A client that follows no redirects and takes no proxy from the environment: only the settings
    say which servers are called."""
    return httpx.AsyncClient(
        timeout=_REQUEST_SECONDS,
        follow_redirects=False,
        trust_env=False,
        # Uncompressed, so that a small response cannot decompress to a large one.
        headers={"accept": "application/json", "accept-encoding": "identity"},
    )


class _CatalogueError(Exception):
    """The catalogue does not answer, or sends an invalid response."""


class _Response(BaseModel):
    item_id: str
    title: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    image_url: Link | Literal[""] = ""
    price: Annotated[str, StringConstraints(max_length=100)] = ""


class CatalogueClient:
    def __init__(
        self,
        base_url: str,
        http: httpx.AsyncClient,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._monotonic_seconds = monotonic_seconds
        self._lists = asyncio.Semaphore(_CONCURRENT_IN_LISTS)
        self._singles = asyncio.Semaphore(_CONCURRENT_SINGLE)
        # Results and their expiry in monotonic seconds; the latest come last.
        self._cache: OrderedDict[str, tuple[CatalogueProduct | None, float]] = OrderedDict()

    async def products(self, item_ids: Iterable[str]) -> dict[str, CatalogueProduct]:
        """By item id, without unknown ones.

        Raises:
            Unavailable: the catalogue does not answer.
        """
        wanted = list(dict.fromkeys(item_ids))
        found = {item: self._cache[item][0] for item in wanted if self._is_cached(item)}
        found |= await self._look_up_all([item for item in wanted if item not in found])
        return {item: product for item in wanted if (product := found[item]) is not None}

    async def _look_up_all(self, item_ids: list[str]) -> dict[str, CatalogueProduct | None]:
        has_failed = False
        tasks: list[asyncio.Task[CatalogueProduct | None]] = []
        shared = self._singles if len(item_ids) == 1 else self._lists
        own = asyncio.Semaphore(_CONCURRENT_IN_ONE_LIST)

        async def look_up(item_id: str) -> CatalogueProduct | None:
            async with own, shared:
                return await self._look_up(item_id)

        try:
            async with asyncio.timeout(_LOOKUP_SECONDS), asyncio.TaskGroup() as group:
                tasks = [group.create_task(look_up(item)) for item in item_ids]
        except* (_CatalogueError, TimeoutError):
            has_failed = True
        if has_failed:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The product catalogue does not answer"
            )
        return {item: task.result() for item, task in zip(item_ids, tasks, strict=True)}

    async def _look_up(self, item_id: str) -> CatalogueProduct | None:
        if not _ITEM_ID.fullmatch(item_id):
            raise AssertionError("an item id consists of digits")
        try:
            status, body = await self._get(f"{self._base_url}/products/{item_id}")
        except httpx.HTTPError as error:
            raise _CatalogueError from error
        if status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise _CatalogueError
        product = _product(item_id, body) if status == HTTPStatus.OK else None
        self._store(item_id, product)
        return product

    async def _get(self, url: str) -> tuple[int, bytes]:
        with _tracer.start_as_current_span("look up product"):
            async with self._http.stream("GET", url) as response:
                body = b""
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > _RESPONSE_MAXIMUM_BYTES:
                        raise _CatalogueError
                return response.status_code, body

    def _is_cached(self, item_id: str) -> bool:
        return item_id in self._cache and self._monotonic_seconds() < self._cache[item_id][1]

    def _store(self, item_id: str, product: CatalogueProduct | None) -> None:
        self._cache[item_id] = (product, self._monotonic_seconds() + _CACHE_SECONDS)
        self._cache.move_to_end(item_id)
        if len(self._cache) > _CACHE_MAXIMUM:
            self._cache.popitem(last=False)


def _product(item_id: str, body: bytes) -> CatalogueProduct:
    try:
        response = _Response.model_validate_json(body)
    except ValidationError as error:
        raise _CatalogueError from error
    if response.item_id != item_id:
        raise _CatalogueError
    return CatalogueProduct(
        item_id=item_id,
        url=product_url(item_id),
        title=response.title,
        image_url=response.image_url,
        price=response.price,
    )
