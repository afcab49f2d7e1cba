"""Interface of a payment provider, its data types and errors.

Errors differ in whether money may have left: with `NothingTaken` and `Rejected` it has not, with
`OutcomeUnknown` it may have.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from servicekit.money import Money

# Called just before an order is sent: whether its sender still may send it.
MayPost = Callable[[], Awaitable[bool]]
# Code of `NothingTaken` when `MayPost` returned False.
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
    # Id of the money movement in the provider's reports; empty before there is one.
    transaction_id: str = ""


@dataclass(frozen=True)
class Batch:
    id: str
    sender_batch_id: str
    state: str
    items: tuple[Item, ...]


@dataclass(frozen=True)
class Transaction:
    """A money movement in a provider's report: a payment, or the return of one.

    `amount` is negative when money came back, `fee` when a fee did. Each debit of our balance is
    reported once, with the time of the debit. That includes a payment that is still unclaimed,
    although the ledger settles it only once it is claimed; if it never is, a second transaction
    returns it and the two sum to zero.
    """

    id: str
    # Our own id of the payment; empty if the report lacks it.
    sender_batch_id: str
    # Id of the earlier transaction that this one reverses, or empty.
    reverses_id: str
    amount: Money
    fee: Money
    time: datetime
    # Not complete when the report was made: unclaimed, or held for review. Completion is not
    # reported again; polling the payment shows it.
    is_pending: bool = False
    # Returned since, by a separate transaction, which may not be reported yet.
    is_reversed: bool = False


@dataclass(frozen=True)
class Report:
    """All transactions of a period. Reports lag: this one is complete before `end_time`, which may
    be earlier than requested."""

    transactions: tuple[Transaction, ...]
    end_time: datetime


class ProviderError(Exception):
    """`code` is the provider's error name, or ours for a failure to reach it."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class NothingTaken(ProviderError):
    """No money has left, and the same order may succeed later: insufficient funds, rate limit,
    provider unreachable, or authentication failed."""


class Rejected(ProviderError):
    """No money has left, and the same order would be refused again."""


class OutcomeUnknown(ProviderError):
    """The provider may or may not have accepted the order."""


class AlreadyTaken(ProviderError):
    """The `sender_batch_id` is taken, most likely by an earlier POST of the same order."""

    def __init__(self, code: str, batch_id: str | None) -> None:
        super().__init__(code)
        self.batch_id = batch_id


class NotReadable(ProviderError):
    """A read returned no usable answer; it is safe to repeat."""


class NotCancellable(ProviderError):
    """The payment is not unclaimed, or no longer; poll it for its state."""


class Provider(Protocol):
    async def send(self, order: Order, may_post: MayPost) -> str:
        """Orders the payment and returns the provider's batch id.

        Calls `may_post` last, before each POST of the order.

        Raises:
            NothingTaken: with FENCE_LOST if `may_post` returned False.
            Rejected, OutcomeUnknown, AlreadyTaken.
        """

    async def batch(self, batch_id: str) -> Batch:
        """Reads a batch.

        Raises:
            NotReadable.
        """

    async def cancel(self, item_id: str) -> None:
        """Cancels an unclaimed payment. Poll the payment for the result, whatever the answer.

        Raises:
            NotCancellable, NotReadable.
        """

    async def report(self, start: datetime, end: datetime) -> Report:
        """Reports the money movements from `start` up to `end` or the report's own end, exclusive.

        Raises:
            NotReadable.
        """
