"""A client of the sandbox, and a receiver of its webhooks."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from devstack.paypal_sandbox.settings import Settings
from tests.integration.paypal_sandbox.contracts import Contracts

CREDENTIALS = ("client", "secret")
WEBHOOK_ID = "WH-TEST"
DEADLINE_SECONDS = 10
ROOT = Path(__file__).resolve().parents[3]

Json = dict[str, Any]


async def eventually(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not await condition():  # noqa: ASYNC110  the condition is in another process
            await asyncio.sleep(0.01)


@dataclass
class Receiver:
    """A webhook endpoint. It responds with each of `statuses` in turn, then with 204."""

    port: int
    statuses: list[int] = field(default_factory=list)
    received: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/webhooks"

    async def handle(self, request: web.Request) -> web.Response:
        self.received.append((dict(request.headers), await request.read()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 204)

    @property
    def types(self) -> list[str]:
        return [json.loads(body)["event_type"] for _, body in self.received]

    async def until(self, event_type: str) -> Json:
        async def has_arrived() -> bool:
            return event_type in self.types

        await eventually(has_arrived)
        event: Json = json.loads(self.received[self.types.index(event_type)][1])
        return event


@asynccontextmanager
async def listening(receiver: Receiver) -> AsyncIterator[Receiver]:
    app = web.Application()
    app.router.add_post("/webhooks", receiver.handle)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", receiver.port).start()
    try:
        yield receiver
    finally:
        await runner.cleanup()


class Client:
    """PayPal's calls with a token, and the admin's; every call is held against the contracts."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def log_in(self) -> None:
        response = await self.http.post(
            "/v1/oauth2/token", auth=CREDENTIALS, data={"grant_type": "client_credentials"}
        )
        assert response.status_code == 200
        self.http.headers["Authorization"] = f"Bearer {response.json()['access_token']}"

    async def pay(
        self,
        *receivers: str,
        batch: str = "po-1-1",
        value: str = "10.00",
        expect: int = 201,
    ) -> Json:
        body = {
            "sender_batch_header": {"sender_batch_id": batch, "email_subject": "Your reward"},
            "items": [
                {
                    "recipient_type": "EMAIL",
                    "receiver": receiver,
                    "amount": {"currency": "USD", "value": value},
                    "sender_item_id": f"{batch}-{index}",
                }
                for index, receiver in enumerate(receivers)
            ],
        }
        return await self._call("POST", "/v1/payments/payouts", json=body, expect=expect)

    async def batch(self, batch_id: str, expect: int = 200, **query: Any) -> Json:
        path = f"/v1/payments/payouts/{batch_id}"
        return await self._call("GET", path, params=query, expect=expect)

    async def item(self, item_id: str, expect: int = 200) -> Json:
        return await self._call("GET", f"/v1/payments/payouts-item/{item_id}", expect=expect)

    async def cancel(self, item_id: str, expect: int = 200) -> Json:
        path = f"/v1/payments/payouts-item/{item_id}/cancel"
        return await self._call("POST", path, expect=expect)

    async def paid(self, receiver: str, batch: str, status: str = "SUCCESS") -> Json:
        """The one item of a payout that has come to `status`."""
        created = await self.pay(receiver, batch=batch)
        item: Json = (await self.until(created, "SUCCESS", status))["items"][0]
        return item

    async def report(self, expect: int = 200) -> Json:
        """Of the last day."""
        now = datetime.now(UTC)
        query = {
            "start_date": f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
            "end_date": f"{now + timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}",
        }
        return await self._call("GET", "/v1/reporting/transactions", params=query, expect=expect)

    async def lines(self, *codes: str) -> list[Json]:
        """Of the last day's report, those of these codes."""
        details = (await self.report()).get("transaction_details", ())
        lines = [detail["transaction_info"] for detail in details]
        return [line for line in lines if line["transaction_event_code"] in codes]

    async def admin(self, method: str, path: str, expect: int = 200, **body: Any) -> None:
        response = await self.http.request(method, f"/admin/{path}", json=body)
        assert response.status_code == expect, response.text

    async def set_behaviour(
        self, receiver: str, behaviour: str, delay_seconds: float | None = None
    ) -> None:
        wanted = {"behaviour": behaviour, "delay_seconds": delay_seconds}
        response = await self.http.put(f"/admin/behaviours/{receiver}", json=wanted)
        assert response.status_code == 200, response.text

    async def until(self, created: Json, batch_status: str, *item_statuses: str) -> Json:
        """The batch once it and its items have these states."""
        batch_id = created["batch_header"]["payout_batch_id"]
        seen: Json = {}

        async def is_there() -> bool:
            seen.update(await self.batch(batch_id))
            statuses = [item["transaction_status"] for item in seen["items"]]
            return (seen["batch_header"]["batch_status"], *statuses) == (
                batch_status,
                *item_statuses,
            )

        try:
            await eventually(is_there)
        except TimeoutError:
            raise AssertionError(f"the batch stayed {seen}") from None
        return seen

    async def _call(self, method: str, path: str, *, expect: int, **more: Any) -> Json:
        response = await self.http.request(method, path, **more)
        assert response.status_code == expect, response.text
        body: Json = response.json()
        return body


@asynccontextmanager
async def logged_in(settings: Settings) -> AsyncIterator[Client]:
    contracts = Contracts(checks_refused_requests=False)
    hooks = {"response": [contracts.check_response]}
    async with httpx.AsyncClient(base_url=settings.public_url, event_hooks=hooks) as http:
        client = Client(http)
        await client.log_in()
        yield client
    assert contracts.problems == []
