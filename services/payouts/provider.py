"""The payment provider as payouts see it: what is asked of it, and what its answers can mean.

The difference that decides everything is whether money may have left: `NothingTaken` and `Rejected`
are sure that it has not, `OutcomeUnknown` is not.
"""

from dataclasses import dataclass
from typing import Protocol

from servicekit.money import Money


@dataclass(frozen=True)
class Order:
    """One payment: a batch of one item."""

    sender_batch_id: str
    receiver: str
    amount: Money


@dataclass(frozen=True)
class Item:
    id: str
    state: str
    receiver: str
    amount: Money
    fee: Money
    error_code: str


@dataclass(frozen=True)
class Batch:
    id: str
    sender_batch_id: str
    state: str
    items: tuple[Item, ...]


class ProviderError(Exception):
    """`code` is the provider's own word, or ours for what kept it from answering."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NothingTaken(ProviderError):
    """No money has left, and the same may pass later: funds are short, it is too busy, it cannot
    be reached, or it does not know us."""


class Rejected(ProviderError):
    """No money has left for this order, and the same will be refused again."""


class OutcomeUnknown(ProviderError):
    """The order may have been taken or not."""


class AlreadyTaken(ProviderError):
    """Another order has this `sender_batch_id`, in all likelihood this very one."""

    def __init__(self, code: str, batch_id: str | None) -> None:
        super().__init__(code)
        self.batch_id = batch_id


class NotReadable(ProviderError):
    """A question got no answer that can be used; nothing is changed by asking again."""


class Provider(Protocol):
    async def send(self, order: Order) -> str:
        """Orders the payment; answers with the provider's batch id.

        Raises:
            NothingTaken, Rejected, OutcomeUnknown, AlreadyTaken.
        """

    async def batch(self, batch_id: str) -> Batch:
        """
        Raises:
            NotReadable.
        """
