"""What each provider needs from the outside for its payments to come to an end. A provider joins the
suite by a driver in DRIVERS."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Protocol

import httpx

from devstack.paypal_sandbox.server import Sandbox
from devstack.paypal_sandbox.settings import Settings as SandboxSettings
from servicekit.database import Database
from servicekit.money import Money
from services.payouts.domain import ProviderName
from services.payouts.manual import Manual
from services.payouts.paypal import Paypal, http_client
from services.payouts.provider import Order, Provider
from tests.integration.payouts.house import free_port, paypal_settings


class Fate(StrEnum):
    """What becomes of a payment; the provider shows it by this word."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class Driver(Protocol):
    @property
    def provider(self) -> Provider: ...

    # What a payment of `Driver.order` costs on top.
    @property
    def fee_minor(self) -> int: ...

    async def order(self) -> Order:
        """A new one, that stays in flight until `carry_out`."""

    async def carry_out(self, order: Order, fate: Fate) -> None: ...


async def may_always() -> bool:
    return True


async def may_never() -> bool:
    return False


class PaypalDriver:
    """Reviews every payment at the sandbox, and decides it by the sandbox's admin call."""

    fee_minor = 200

    def __init__(self, paypal: Paypal, url: str, http: httpx.AsyncClient) -> None:
        self.provider = paypal
        self._url, self._http = url, http
        self._numbers = count(1)

    async def order(self) -> Order:
        number = next(self._numbers)
        order = Order(f"po-c{number}-1", f"onhold-{number}@example.com", Money("USD", 10_000))
        return order

    async def carry_out(self, order: Order, fate: Fate) -> None:
        ...


class ManualDriver:
    """Confirms and rejects, as an operator does."""

    fee_minor = 150

    def __init__(self, manual: Manual) -> None:
        self.provider = manual
        self._numbers = count(1)

    async def order(self) -> Order:
        return Order(f"po-c{next(self._numbers)}-1", "ES91 2100 0418", Money("USD", 10_000))

    async def carry_out(self, order: Order, fate: Fate) -> None:
        ours = order.sender_batch_id
        if fate is Fate.SUCCESS:
            assert await self.provider.confirm(ours, f"BANK-{ours}", self.fee_minor)
        else:
            await self.provider.reject(ours)
