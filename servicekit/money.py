"""Amounts of money in minor units, and their conversion to and from google.type.Money."""

from dataclasses import dataclass

from google.type.money_pb2 import Money as MoneyMessage

NANOS_PER_MINOR = 10_000_000


@dataclass(frozen=True)
class Money:
    """An amount in 1/100 of `currency`, an ISO 4217 code."""

    currency: str
    amount_minor: int

    def __str__(self) -> str:
        sign = "-" if self.amount_minor < 0 else ""
        whole, minor = divmod(abs(self.amount_minor), 100)
        return f"{sign}{whole}.{minor:02d} {self.currency}"

    def to_message(self) -> MoneyMessage:
        whole, minor = divmod(abs(self.amount_minor), 100)
        sign = -1 if self.amount_minor < 0 else 1
        return MoneyMessage(
            currency_code=self.currency, units=sign * whole, nanos=sign * minor * NANOS_PER_MINOR
        )

    @classmethod
    def from_message(cls, message: MoneyMessage) -> "Money":
        """Converts an amount from one of the platform's services, which is already validated."""
        return cls(message.currency_code, message.units * 100 + message.nanos // NANOS_PER_MINOR)
