"""Delivers the recorded webhook events: signed, concurrently, and repeated until a 2xx response.

The queue is the `event` table, so what was not delivered when the sandbox stopped is delivered by
the next one. An event whose response was lost is sent twice, as PayPal does.
"""

import asyncio
import logging
import time

import aiohttp

from devstack.paypal_sandbox.alarm import Alarm
from devstack.paypal_sandbox.records import Event
from devstack.paypal_sandbox.representations import timestamp
from devstack.paypal_sandbox.signing import Signer
from devstack.paypal_sandbox.store import Store

MAX_ATTEMPTS = 25

_CONCURRENCY = 8
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_FIRST_RETRY_SECONDS = 0.25
_MAX_RETRY_SECONDS = 30.0

_log = logging.getLogger(__name__)


def retry_delay_seconds(attempts: int) -> float:
    """Doubling from a quarter of a second to half a minute: about ten minutes over all tries."""
    return float(min(_MAX_RETRY_SECONDS, _FIRST_RETRY_SECONDS * 2 ** min(attempts - 1, 10)))


class WebhookDelivery:
    """`run` it as a task; ring `events_waiting` when an event was recorded."""

    def __init__(self, store: Store, signer: Signer, url: str, events_waiting: Alarm) -> None:
        self._store = store
        self._signer = signer
        self._url = url
        self._events_waiting = events_waiting
        self._running: set[str] = set()

    async def run(self) -> None:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, asyncio.TaskGroup() as group:
            while True:
                await self._events_waiting.wait_until(self._start_due(http, group))

    def _start_due(self, http: aiohttp.ClientSession, group: asyncio.TaskGroup) -> float | None:
        """Starts due deliveries; returns when to run again, unless a ring comes earlier."""
        for event in self._store.waiting_events(_CONCURRENCY + len(self._running)):
            if event.event_id in self._running:
                continue
            if len(self._running) == _CONCURRENCY:
                return None  # a delivery that ends rings
            if event.next_attempt_at is not None and event.next_attempt_at > time.time():
                return event.next_attempt_at
            self._running.add(event.event_id)
            group.create_task(self._deliver(http, event))
        return None

    async def _deliver(self, http: aiohttp.ClientSession, event: Event) -> None:
        try:
            result, is_delivered = await self._post(http, event)
            self._record(event, result, is_delivered=is_delivered)
        finally:
            self._running.discard(event.event_id)
            self._events_waiting.ring()

    async def _post(self, http: aiohttp.ClientSession, event: Event) -> tuple[str, bool]:
        body = event.body.encode()
        headers = self._signer.headers(event.event_id, body, timestamp(time.time()))
        headers["Content-Type"] = "application/json"
        try:
            async with http.post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as response:
                return str(response.status), 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return type(error).__name__, False

    def _record(self, event: Event, result: str, *, is_delivered: bool) -> None:
        now = time.time()
        attempts = event.attempts + 1
        is_given_up = not is_delivered and attempts >= MAX_ATTEMPTS
        if is_given_up:
            _log.warning("gave up on %s %s: %s", event.event_type, event.event_id, result)
        with self._store.transaction():
            self._store.record_attempt(
                event.event_id,
                result,
                delivered_at=now if is_delivered else None,
                next_attempt_at=None
                if is_delivered or is_given_up
                else now + retry_delay_seconds(attempts),
            )
