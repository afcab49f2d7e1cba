"""The payment providers' names, declared once. Pure.

They are here and not in the payouts service because the reconciliation schedule needs them, and
workflows import no service. The service, its SQL, its metrics and the CLI take them from here;
`payouts.v1.Provider` mirrors them, which a test compares.

To add a provider: a member here, its value in `payouts.v1.Provider`, its implementation in
`services.payouts.providers.registry`, and a driver in the conformance suite of
tests/integration/payouts.
"""

from enum import StrEnum


class ProviderName(StrEnum):
    """Who moves the money of an attempt; see payouts.v1.Provider."""

    PAYPAL = "PAYPAL"
    BANK_TRANSFER = "BANK_TRANSFER"

    @property
    def option(self) -> str:
        """As it is written on the command line."""
        return self.lower().replace("_", "-")

    @classmethod
    def of_option(cls, option: str) -> "ProviderName":
        return cls(option.replace("-", "_").upper())

    @property
    def label(self) -> str:
        """As people read it."""
        return "PayPal" if self is ProviderName.PAYPAL else self.replace("_", " ").capitalize()
