"""The storefront over its real port: stable products and an idempotent, durable gateway."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from devstack.storefront.server import Storefront
from devstack.storefront.settings import Settings

ITEM = "1005001234567890"
REPOST = {
    "network": "INSTAGRAM",
    "url": "https://feed.example/articles/1.json",
    "title": "Tea",
    "text": "It came in a week.",
    "image_url": "https://feed.example/1.jpg",
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(address="127.0.0.1:0", token=SecretStr("a-token"), data_dir=tmp_path)


@pytest.fixture
async def http(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    async with Storefront(settings) as storefront, _client(storefront) as client:
        yield client


def _client(storefront: Storefront) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=f"http://{storefront.address}", headers={"Authorization": "Bearer a-token"}
    )


async def _stored_reposts(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    reposts: list[dict[str, Any]] = (await http.get("/reposts")).json()["reposts"]
    return reposts


async def test_a_generated_product_is_always_the_same(http: httpx.AsyncClient) -> None:
    first = (await http.get(f"/products/{ITEM}")).json()
    assert first == (await http.get(f"/products/{ITEM}")).json()
    assert first["item_id"] == ITEM
    assert first["title"]
    assert first["image_url"].startswith("https://")
    assert first["price"].endswith(" USD")
    assert first != (await http.get("/products/1005001234567891")).json()


@pytest.mark.parametrize("item", ["1005001234567404", "12345", "0123456", "x", "1" * 21])
async def test_an_unknown_product_is_not_found(http: httpx.AsyncClient, item: str) -> None:
    assert (await http.get(f"/products/{item}")).status_code == 404


async def test_a_repost_is_stored_once_and_survives_a_restart(settings: Settings) -> None:
    async with Storefront(settings) as storefront, _client(storefront) as http:
        responses = await asyncio.gather(
            *(http.post("/reposts/a1-instagram", json=REPOST) for _ in range(5))
        )
        assert {response.status_code for response in responses} == {200}
        assert {response.json()["url"] for response in responses} == {
            "https://instagram.example/posts/a1-instagram"
        }
    async with Storefront(settings) as storefront, _client(storefront) as http:
        assert await _stored_reposts(http) == [{"id": "a1-instagram", **REPOST}]
        again = await http.post("/reposts/a1-instagram", json=REPOST)
        assert again.json() == responses[0].json()
        other = await http.post("/reposts/a1-instagram", json={**REPOST, "title": "Other"})
        assert other.status_code == 409
        await http.post("/reposts/a0-vk", json={"network": "VK", "url": "https://feed.example/0"})
        assert [repost["id"] for repost in await _stored_reposts(http)] == ["a0-vk", "a1-instagram"]


async def test_an_invalid_repost_is_refused(http: httpx.AsyncClient) -> None:
    for body in ({}, {**REPOST, "network": 1}, {**REPOST, "more": "x"}, []):
        assert (await http.post("/reposts/a1", json=body)).status_code == 400
    for id_ in (".hidden", "..%2Fa", "a" * 201, "a.b"):
        assert (await http.post(f"/reposts/{id_}", json=REPOST)).status_code == 400
    assert await _stored_reposts(http) == []


@pytest.mark.parametrize("sent", ["", "Bearer", "Bearer other", "a-token", "Bearer \udcff"])
async def test_the_gateway_requires_its_token(http: httpx.AsyncClient, sent: str) -> None:
    headers = {"Authorization": sent.encode(errors="surrogateescape")}
    assert (await http.post("/reposts/a1", json=REPOST, headers=headers)).status_code == 401
    assert (await http.get("/reposts", headers=headers)).status_code == 401
