"""Reconciliation: what a provider says that it moved, held against the ledger. Pure.

Compared is by transaction, never by time: the provider's time is when money moved, a booking's is
when we learned of it. A transaction that is compared once is never compared again, and neither is
the booking that it is; what is not settled yet waits for the next reconciliation.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.money import Money
from services.payouts.attempts import SENDABLE, Attempt, AttemptState, StatusChange
from services.payouts.providers.interface import Transaction
from workflows.payout.providers import ProviderName

# By how much a booking is older than the end of a report that must have its transaction: PayPal's
# reports lag by at most 3 hours, and say themselves how far they are complete.
MARGIN = timedelta(hours=24)

_SENDER_BATCH_ID = re.compile(r"po-(.+)-([1-9][0-9]{0,3})")


class FindingKind(StrEnum):
    """See payouts.v1.Finding.Kind."""

    UNMATCHED = "UNMATCHED"
    MISSING = "MISSING"
    DIFFERENT = "DIFFERENT"
    CORRECTED = "CORRECTED"


class Part(StrEnum):
    """What moves for an attempt, each at most once. That a fee comes back is never booked."""

    PAYMENT = "PAYMENT"
    RETURN = "RETURN"
    FEE_RETURN = "FEE_RETURN"


@dataclass(frozen=True)
class Key:
    """One movement of one attempt."""

    payout_id: str
    number: int
    part: Part


@dataclass(frozen=True)
class Booking:
    """A movement as the ledger has it; negative amounts came back."""

    transfer_id: int
    key: Key
    amount: Money
    fee: Money
    time: datetime


@dataclass(frozen=True)
class Standing:
    """An attempt, and what the ledger has of it."""

    payout_id: str
    attempt: Attempt
    is_settled: bool
    is_returned: bool

    def key(self, part: Part) -> Key:
        return Key(self.payout_id, self.attempt.number, part)

    def has(self, part: Part) -> bool:
        return {Part.PAYMENT: self.is_settled, Part.RETURN: self.is_returned}.get(part, False)


@dataclass(frozen=True)
class Traced:
    """A transaction and the attempt that it is of, if that is known. `payout_id` is known where our
    own id is on a transaction of an attempt that the ledger has not, after a restore say."""

    transaction: Transaction
    standing: Standing | None = None
    payout_id: str = ""


@dataclass(frozen=True)
class Match:
    """A transaction that was compared, and the booking that it is, if it is one's."""

    transaction_id: str
    payout_id: str
    number: int
    transfer_id: int | None


@dataclass(frozen=True)
class Finding:
    kind: FindingKind
    time: datetime
    description: str
    payout_id: str = ""
    number: int = 0
    transaction_id: str = ""
    transfer_id: int | None = None
    provider_amount: Money | None = None
    ledger_amount: Money | None = None
    provider_fee: Money | None = None
    ledger_fee: Money | None = None

    @property
    def is_mismatch(self) -> bool:
        return self.kind is not FindingKind.CORRECTED


@dataclass(frozen=True)
class Total:
    """Both sides of one currency, in minor units. `open_minor` is in none of the other sums."""

    currency: str
    provider_minor: int = 0
    ledger_minor: int = 0
    provider_fee_minor: int = 0
    ledger_fee_minor: int = 0
    open_minor: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """One comparison. In a list it has no findings."""

    id: int
    provider: ProviderName
    start_time: datetime
    end_time: datetime
    create_time: datetime
    transaction_count: int
    mismatch_count: int
    totals: tuple[Total, ...]
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        return f"reconciliations/{self.id}"


def part_of(transaction: Transaction) -> Part:
    if transaction.amount.amount_minor == 0:
        return Part.FEE_RETURN
    return Part.RETURN if transaction.amount.amount_minor < 0 else Part.PAYMENT


def opposite(amount: Money) -> Money:
    return Money(amount.currency, -amount.amount_minor)


def named_in(sender_batch_id: str) -> tuple[str, int] | None:
    """The payout and the attempt that an id of ours is of; None when it is none of ours."""
    match = _SENDER_BATCH_ID.fullmatch(sender_batch_id)
    return (match[1], int(match[2])) if match else None


def proven(attempt: Attempt, transaction: Transaction, now: datetime) -> StatusChange:
    """What a transaction alone proves of an attempt whose batch nobody knows, so that it cannot be
    looked at: that it was paid, or that it came back, as a whole; else that it is as it was.

    Not of one that is being sent at this moment: its sender learns more. Nor of one whose id the
    provider has shown on another payment: a person decides.
    """
    # A look takes REFUNDED for all of it: an item has one amount and no word for a part, neither in
    # PayPal's contract (payments_payouts_batch_v1) nor in what it says of payout statuses ("the
    # recipient refunds the payout; the money returns"). If a part were shown so, all of it would be
    # booked, and the report's line be DIFFERENT.
    is_being_sent = attempt.lease_end_time is not None and attempt.lease_end_time > now
    if attempt.provider_batch_id or is_being_sent or transaction.is_pending:
        return StatusChange(attempt)
    is_undecided = attempt.state is AttemptState.BLOCKED and attempt.error_code != "OTHER_PAYMENT"
    if transaction.amount == attempt.amount and (attempt.state in SENDABLE or is_undecided):
        paid = replace(
            attempt,
            state=AttemptState.PAID,
            provider_transaction_id=transaction.id,
            error_code="",
            lease_end_time=None,
        )
        return StatusChange(paid, fee=transaction.fee)
    if transaction.amount == opposite(attempt.amount) and attempt.state is AttemptState.PAID:
        return StatusChange(replace(attempt, state=AttemptState.RETURNED), returns=True)
    return StatusChange(attempt)


class Traces:
    """Which attempts transactions are of: by the provider's id, else by ours, else by what they
    take back. `reversed_ids` are transactions of earlier reports, with their attempts."""

    def __init__(
        self,
        standings: Iterable[Standing],
        payout_ids: Iterable[str],
        earlier: dict[str, tuple[str, int]],
    ) -> None:
        known = list(standings)
        self._by_attempt = {(each.payout_id, each.attempt.number): each for each in known}
        self._by_sender_id = {each.attempt.sender_batch_id: each for each in known}
        self._by_transaction = {
            each.attempt.provider_transaction_id: each
            for each in known
            if each.attempt.provider_transaction_id
        }
        self._payout_ids = frozenset(payout_ids)
        self._earlier = earlier

    def trace(self, transactions: Sequence[Transaction]) -> list[Traced]:
        found = {each.id: self._standing_of(each) for each in transactions}
        return [
            Traced(each, found[each.id] or found.get(each.reverses_id), self._payout_of(each))
            for each in transactions
        ]

    def _standing_of(self, transaction: Transaction) -> Standing | None:
        reversed_attempt = self._earlier.get(transaction.reverses_id)
        return (
            self._by_transaction.get(transaction.id)
            or self._by_sender_id.get(transaction.sender_batch_id)
            or self._by_transaction.get(transaction.reverses_id)
            or (self._by_attempt.get(reversed_attempt) if reversed_attempt else None)
        )

    def _payout_of(self, transaction: Transaction) -> str:
        named = named_in(transaction.sender_batch_id)
        return named[0] if named and named[0] in self._payout_ids else ""


def totals_of(
    provider: Iterable[Transaction], ledger: Iterable[Booking], waiting: Iterable[Transaction]
) -> tuple[Total, ...]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for transaction in provider:
        sums[transaction.amount.currency]["provider_minor"] += transaction.amount.amount_minor
        sums[transaction.fee.currency]["provider_fee_minor"] += transaction.fee.amount_minor
    for booking in ledger:
        sums[booking.amount.currency]["ledger_minor"] += booking.amount.amount_minor
        sums[booking.fee.currency]["ledger_fee_minor"] += booking.fee.amount_minor
    for transaction in waiting:
        sums[transaction.amount.currency]["open_minor"] += transaction.amount.amount_minor
    return tuple(Total(currency, **sums[currency]) for currency in sorted(sums))


@dataclass
class Comparison:
    """What came of one: what is compared for good, what was found, and what waits."""

    matches: list[Match] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    totals: tuple[Total, ...] = ()

    @property
    def mismatch_count(self) -> int:
        return sum(finding.is_mismatch for finding in self.findings)
