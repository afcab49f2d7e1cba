"""Drivers that complete or fail a provider's payments from outside. To add a provider to the suite
in `test_conformance`, add its driver to DRIVERS."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Protocol

from devstack.paypal_sandbox.settings import Settings as SandboxSettings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Order, Provider
from services.payouts.providers.paypal.client import PaypalProvider, http_client
from tests.integration.payouts.harness import WEBHOOK_ID, eventually, paypal_settings
from tests.support.sandbox import change_item
from workflows.payout.providers import ProviderName


class Outcome(StrEnum):
    """The final state of a payment's item."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class Driver(Protocol):
    @property
    def provider(self) -> Provider: ...

    @property
    def fee_minor(self) -> int:
        """What a payment of `order` costs on top."""

    def order(self) -> Order:
        """A new order, whose payment stays in flight until `finish`."""

    async def finish(self, batch_id: str, outcome: Outcome) -> None: ...


@dataclass(frozen=True)
class Environment:
    """What a driver needs to start its provider."""

    database: Database
    folder: Path


async def may_always() -> bool:
    return True


async def may_never() -> bool:
    return False


class PaypalDriver:
    """The sandbox holds every payment for review until its admin call sets the final state."""

    fee_minor = 200

    def __init__(self, provider: PaypalProvider, url: str) -> None:
        self.provider = provider
        self._url = url
        self._numbers = count(1)

    def order(self) -> Order:
        number = next(self._numbers)
        return Order(f"po-c{number}-1", f"onhold-{number}@example.com", Money("USD", 10_000))

    async def finish(self, batch_id: str, outcome: Outcome) -> None:
        async def is_in_review() -> bool:
            (item,) = (await self.provider.batch(batch_id)).items
            return item.state == "ONHOLD"

        await eventually(is_in_review)
        (item,) = (await self.provider.batch(batch_id)).items
        await change_item(self._url, item.id, outcome)


@asynccontextmanager
async def _paypal(environment: Environment) -> AsyncIterator[Driver]:
    port = free_port()
    settings = paypal_settings(f"http://127.0.0.1:{port}")
    sandbox = Sandbox(
        SandboxSettings(
            address=f"127.0.0.1:{port}",
            public_url=settings.paypal_base_url,
            client_id=settings.paypal_client_id,
            client_secret=settings.paypal_client_secret,
            webhook_url=None,
            webhook_id=WEBHOOK_ID,
            data_dir=environment.folder,
            step_seconds=0.02,
        )
    )
    async with sandbox, http_client() as http:
        yield PaypalDriver(PaypalProvider(settings, http), settings.paypal_base_url)


class BankTransferDriver:
    """Confirms and rejects, as an operator does."""

    fee_minor = 150

    def __init__(self, provider: BankTransferProvider) -> None:
        self.provider = provider
        self._numbers = count(1)

    def order(self) -> Order:
        return Order(f"po-c{next(self._numbers)}-1", "ES91 2100 0418", Money("USD", 10_000))

    async def finish(self, batch_id: str, outcome: Outcome) -> None:
        if outcome is Outcome.SUCCESS:
            assert await self.provider.confirm(batch_id, f"BANK-{batch_id}", self.fee_minor)
        else:
            await self.provider.reject(batch_id)


@asynccontextmanager
async def _bank_transfer(environment: Environment) -> AsyncIterator[Driver]:
    yield BankTransferDriver(BankTransferProvider(environment.database))


DRIVERS: Mapping[ProviderName, Callable[[Environment], AbstractAsyncContextManager[Driver]]] = {
    ProviderName.PAYPAL: _paypal,
    ProviderName.BANK_TRANSFER: _bank_transfer,
}
