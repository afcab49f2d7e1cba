"""The payment provider as payouts see it: what is asked of it, and what its answers can mean.

The difference that decides everything is whether money may have left: `NothingTaken` and `Rejected`
are sure that it has not, `OutcomeUnknown` is not.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from servicekit.money import Money

# Asked just before an order leaves us: whether its sender may still send it.
MayPost = Callable[[], Awaitable[bool]]
# The code of `NothingTaken` where it may not.
FENCE_LOST = "FENCE_LOST"


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
    # By which the provider's reports know the movement of money; empty before there is one.
    transaction_id: str = ""


@dataclass(frozen=True)
class Batch:
    id: str
    sender_batch_id: str
    state: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Transaction:
    """A movement of money as a provider reports it: of a payment, or of one that came back.

    `amount` is negative where money came back; `fee` is negative where a fee did. What a provider
    takes from our balance is reported at once, and once only, with the time at which it did: a
    payment that nobody has claimed is in it like any other, though we settle it only when it is
    claimed. If it is not, a second transaction brings it back, and both together are nothing.
    """

    id: str
    # Our own id of the payment, where the report has it.
    sender_batch_id: str
    # The earlier transaction that this one takes back, if it does.
    reverses_id: str
    amount: Money
    fee: Money
    time: datetime
    # Not done when the report was made: a payment that is still unclaimed, or held for a look. That
    # it was done later is not reported again; a look at the payment tells.
    is_pending: bool = False
    # It has come back since, by a transaction of its own, which may not be reported yet.
    is_reversed: bool = False


@dataclass(frozen=True)
class Report:
    """All transactions of a time. Reports lag behind: `end_time` is the moment before which this
    one is complete, which may be earlier than was asked for."""

    transactions: tuple[Transaction, ...]
    end_time: datetime


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


class NotCancellable(ProviderError):
    """The payment is not unclaimed, or no longer: only a look tells what it is."""


class Provider(Protocol):
    async def send(self, order: Order, may_post: MayPost) -> str:
        """Orders the payment; answers with the provider's batch id.

        `may_post` is asked when all else is ready, each time that an order is about to leave us.

        Raises:
            NothingTaken: with FENCE_LOST where `may_post` said no.
            Rejected, OutcomeUnknown, AlreadyTaken.
        """

    async def batch(self, batch_id: str) -> Batch:
        """
        Raises:
            NotReadable.
        """

    async def cancel(self, item_id: str) -> None:
        """Takes an unclaimed payment back. Whatever the answer was, a look tells what came of it.

        Raises:
            NotCancellable, NotReadable.
        """

    async def report(self, start: datetime, end: datetime) -> Report:
        """What moved from `start` on and before `end`, or before where the report ends.

        Raises:
            NotReadable.
        """
