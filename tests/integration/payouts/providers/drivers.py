"""What each provider needs from the outside for its payments to come to an end. A provider joins
the suite in `test_provider_conformance` by a driver in DRIVERS."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Protocol

from devstack.paypal_sandbox.settings import Settings as SandboxSettings
from devstack.paypal_sandbox.web.server import Sandbox
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Order, Provider
from services.payouts.providers.paypal.client import PaypalProvider, http_client
from tests.integration.payouts.harness import WEBHOOK_ID, eventually, free_port, paypal_settings
from tests.support.sandbox import change_item
from workflows.payout.providers import ProviderName


class Fate(StrEnum):
    """What becomes of a payment, by the word that an item's state has for it."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"


class Driver(Protocol):
    @property
    def provider(self) -> Provider: ...

    @property
    def fee_minor(self) -> int:
        """What a payment of `order` costs on top."""

    def order(self) -> Order:
        """A new one, which stays in flight until it is carried out."""

    async def carry_out(self, batch_id: str, fate: Fate) -> None: ...


@dataclass(frozen=True)
class Surroundings:
    """What there is to start a provider in."""

    database: Database
    folder: Path


async def may_always() -> bool:
    return True


async def may_never() -> bool:
    return False


class PaypalDriver:
    """The sandbox holds every payment for review, and its admin call ends that."""

    fee_minor = 200

    def __init__(self, provider: PaypalProvider, url: str) -> None:
        self.provider = provider
        self._url = url
        self._numbers = count(1)

    def order(self) -> Order:
        number = next(self._numbers)
        return Order(f"po-c{number}-1", f"onhold-{number}@example.com", Money("USD", 10_000))

    async def carry_out(self, batch_id: str, fate: Fate) -> None:
        async def is_in_review() -> bool:
            (item,) = (await self.provider.batch(batch_id)).items
            return item.state == "ONHOLD"

        await eventually(is_in_review)
        (item,) = (await self.provider.batch(batch_id)).items
        await change_item(self._url, item.id, fate)


@asynccontextmanager
async def _paypal(around: Surroundings) -> AsyncIterator[Driver]:
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
            data_dir=around.folder,
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

    async def carry_out(self, batch_id: str, fate: Fate) -> None:
        if fate is Fate.SUCCESS:
            assert await self.provider.confirm(batch_id, f"BANK-{batch_id}", self.fee_minor)
        else:
            await self.provider.reject(batch_id)


@asynccontextmanager
async def _bank_transfer(around: Surroundings) -> AsyncIterator[Driver]:
    yield BankTransferDriver(BankTransferProvider(around.database))


DRIVERS: Mapping[ProviderName, Callable[[Surroundings], AbstractAsyncContextManager[Driver]]] = {
    ProviderName.PAYPAL: _paypal,
    ProviderName.BANK_TRANSFER: _bank_transfer,
}
