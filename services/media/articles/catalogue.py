"""AliExpress.com's own catalogue of products over HTTP: the one call we make.

`GET {base}/products/{item_id}`, where the base is the operator's setting and the item's number is
digits that `links` found: no request ever goes to an address that a user wrote.
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
from services.media.articles.links import product_address

_ASK_SECONDS = 5.0
# Of all that one call asks for: below the deadline of the call that waits.
_ASK_ALL_SECONDS = 10.0
# By all calls that look up many products, by one of them, and by those that look up just one: who
# adds a product need not wait until somebody's long list is done.
_MANY_ASKED_AT_ONCE = 16
_ASKED_AT_ONCE_BY_ONE = 8
_SINGLES_ASKED_AT_ONCE = 4
_ANSWER_MAXIMUM_BYTES = 64 * 1024
# Prices change; a creator who looks a product up and then adds it need not wait twice.
_KEPT_SECONDS = 60.0
_KEPT_MAXIMUM = 10_000

_ITEM_ID = re.compile(r"[0-9]{1,20}")

_tracer = trace.get_tracer(__name__)


def http_client() -> httpx.AsyncClient:
    """Redirects are not followed and no proxy is taken from the environment: whom we ask is told by
    our own settings alone."""
    return httpx.AsyncClient(
        timeout=_ASK_SECONDS,
        follow_redirects=False,
        trust_env=False,
        # As many bytes as were sent, and no more after decompression.
        headers={"accept": "application/json", "accept-encoding": "identity"},
    )


class _Away(Exception):
    """The catalogue does not answer, or not as it should."""


class _Answer(BaseModel):
    item_id: str
    title: Annotated[str, StringConstraints(min_length=1, max_length=1000)]
    image_url: Link | Literal[""] = ""
    price: Annotated[str, StringConstraints(max_length=100)] = ""


class HttpCatalogue:
    def __init__(
        self,
        base_url: str,
        http: httpx.AsyncClient,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._http = http
        self._monotonic_seconds = monotonic_seconds
        self._many = asyncio.Semaphore(_MANY_ASKED_AT_ONCE)
        self._singles = asyncio.Semaphore(_SINGLES_ASKED_AT_ONCE)
        # What was answered and until when it is good; the latest come last.
        self._kept: OrderedDict[str, tuple[CatalogueProduct | None, float]] = OrderedDict()

    async def products(self, item_ids: Iterable[str]) -> dict[str, CatalogueProduct]:
        """By item id; unknown ones are left out.

        Raises:
            Unavailable: the catalogue does not answer.
        """
        wanted = list(dict.fromkeys(item_ids))
        found = {item: self._kept[item][0] for item in wanted if self._is_kept(item)}
        found |= await self._answers([item for item in wanted if item not in found])
        return {item: product for item in wanted if (product := found[item]) is not None}

    async def _answers(self, item_ids: list[str]) -> dict[str, CatalogueProduct | None]:
        is_away = False
        tasks: list[asyncio.Task[CatalogueProduct | None]] = []
        turns = self._singles if len(item_ids) == 1 else self._many
        own_turns = asyncio.Semaphore(_ASKED_AT_ONCE_BY_ONE)

        async def answer(item_id: str) -> CatalogueProduct | None:
            async with own_turns, turns:
                return await self._answer(item_id)

        try:
            async with asyncio.timeout(_ASK_ALL_SECONDS), asyncio.TaskGroup() as group:
                tasks = [group.create_task(answer(item)) for item in item_ids]
        except* (_Away, TimeoutError):
            is_away = True
        if is_away:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The catalogue of products does not answer"
            )
        return {item: task.result() for item, task in zip(item_ids, tasks, strict=True)}

    async def _answer(self, item_id: str) -> CatalogueProduct | None:
        if not _ITEM_ID.fullmatch(item_id):
            raise AssertionError("only numbers go into an address")
        try:
            status, body = await self._get(f"{self._base_url}/products/{item_id}")
        except httpx.HTTPError as error:
            raise _Away from error
        if status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            raise _Away
        product = _product(item_id, body) if status == HTTPStatus.OK else None
        self._keep(item_id, product)
        return product

    async def _get(self, url: str) -> tuple[int, bytes]:
        with _tracer.start_as_current_span("ask catalogue"):
            async with self._http.stream("GET", url) as response:
                body = b""
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > _ANSWER_MAXIMUM_BYTES:
                        raise _Away
                return response.status_code, body

    def _is_kept(self, item_id: str) -> bool:
        return item_id in self._kept and self._monotonic_seconds() < self._kept[item_id][1]

    def _keep(self, item_id: str, product: CatalogueProduct | None) -> None:
        self._kept[item_id] = (product, self._monotonic_seconds() + _KEPT_SECONDS)
        self._kept.move_to_end(item_id)
        if len(self._kept) > _KEPT_MAXIMUM:
            self._kept.popitem(last=False)


def _product(item_id: str, body: bytes) -> CatalogueProduct:
    try:
        answer = _Answer.model_validate_json(body)
    except ValidationError as error:
        raise _Away from error
    if answer.item_id != item_id:
        raise _Away
    return CatalogueProduct(
        item_id=item_id,
        url=product_address(item_id),
        title=answer.title,
        image_url=answer.image_url,
        price=answer.price,
    )
