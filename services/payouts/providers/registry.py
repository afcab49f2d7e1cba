"""The providers that there are. One more joins by an entry here, a name in `domain.ProviderName`,
payouts.v1.Provider and the database, and a driver in the suite that all of them pass."""

from collections.abc import Mapping

import httpx

from servicekit.postgres.database import Database
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Provider
from services.payouts.providers.paypal.client import PaypalProvider
from services.payouts.settings import PaypalSettings
from workflows.payout.providers import ProviderName


def providers_of(
    settings: PaypalSettings, http: httpx.AsyncClient, database: Database
) -> Mapping[ProviderName, Provider]:
    return {
        ProviderName.PAYPAL: PaypalProvider(settings, http),
        ProviderName.BANK_TRANSFER: BankTransferProvider(database),
    }
