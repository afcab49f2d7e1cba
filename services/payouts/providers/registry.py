"""Provider registry: the implementation of each provider.

To add one, see `workflows.payout.providers`, which declares the names.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from servicekit.postgres.database import Database
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Provider
from services.payouts.providers.paypal.client import PaypalProvider
from services.payouts.settings import PaypalSettings
from workflows.payout.providers import ProviderName


@dataclass(frozen=True)
class Dependencies:
    """What an implementation may need."""

    settings: PaypalSettings
    http: httpx.AsyncClient
    database: Database


IMPLEMENTATIONS: dict[ProviderName, Callable[[Dependencies], Provider]] = {
    ProviderName.PAYPAL: lambda given: PaypalProvider(given.settings, given.http),
    ProviderName.BANK_TRANSFER: lambda given: BankTransferProvider(given.database),
}


def providers_of(
    settings: PaypalSettings, http: httpx.AsyncClient, database: Database
) -> Mapping[ProviderName, Provider]:
    given = Dependencies(settings, http, database)
    return {name: IMPLEMENTATIONS[name](given) for name in ProviderName}
