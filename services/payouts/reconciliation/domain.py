"""Reconciliation: the transactions of a provider's report and the ledger's postings. Pure.

They are matched by identity, never by time: the provider's time is when money moved, a posting's is
when we learned of it. A matched transaction and its posting are never compared again; what is not
settled yet waits for the next reconciliation.
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

# A posting that is older than the end of a report by this much must have its transaction in it.
# PayPal's reports lag by at most 3 hours, and say until when they are complete.
MATCH_DEADLINE = timedelta(hours=24)

_SENDER_BATCH_ID = re.compile(r"po-(.+)-([1-9][0-9]{0,3})")


class FindingKind(StrEnum):
    """See payouts.v1.Finding.Kind."""

    UNMATCHED = "UNMATCHED"
    MISSING = "MISSING"
    DIFFERENT = "DIFFERENT"
    CORRECTED = "CORRECTED"


class Movement(StrEnum):
    """The movements of money of one attempt, each at most once. A FEE_RETURN is never posted."""

    PAYMENT = "PAYMENT"
    RETURN = "RETURN"
    FEE_RETURN = "FEE_RETURN"


@dataclass(frozen=True)
class MovementKey:
    """Identifies one movement of one attempt."""

    payout_id: str
    number: int
    movement: Movement


@dataclass(frozen=True)
class Posting:
    """A movement in the ledger; the amount is negative if it was returned."""

    transfer_id: int
    key: MovementKey
    amount: Money
    fee: Money
    time: datetime


@dataclass(frozen=True)
class AttemptPostings:
    """An attempt, and which of its movements are posted."""

    payout_id: str
    attempt: Attempt
    is_settled: bool
    is_returned: bool

    def key(self, movement: Movement) -> MovementKey:
        return MovementKey(self.payout_id, self.attempt.number, movement)

    def has(self, movement: Movement) -> bool:
        is_posted = {Movement.PAYMENT: self.is_settled, Movement.RETURN: self.is_returned}
        return is_posted.get(movement, False)


@dataclass(frozen=True)
class AttributedTransaction:
    """A transaction and its attempt, if known. `payout_id` is also set if the transaction has our
    id of an attempt that the ledger lacks, such as after a restore."""

    transaction: Transaction
    posted: AttemptPostings | None = None
    payout_id: str = ""


@dataclass(frozen=True)
class Match:
    """A transaction that was compared, and its posting, if it has one."""

    transaction_id: str
    payout_id: str
    number: int
    transfer_id: int | None


@dataclass(frozen=True)
class Finding:
    """See payouts.v1.Finding; `number` is the attempt's."""

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
    """Totals of both sides in one currency, in minor units. The others exclude `open_minor`."""

    currency: str
    provider_minor: int = 0
    ledger_minor: int = 0
    provider_fee_minor: int = 0
    ledger_fee_minor: int = 0
    open_minor: int = 0


@dataclass(frozen=True)
class Reconciliation:
    """One recorded comparison. In a list it has no findings."""

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


def movement_of(transaction: Transaction) -> Movement:
    if transaction.amount.amount_minor == 0:
        return Movement.FEE_RETURN
    return Movement.RETURN if transaction.amount.amount_minor < 0 else Movement.PAYMENT


def negated(amount: Money) -> Money:
    return Money(amount.currency, -amount.amount_minor)


def parse_sender_batch_id(sender_batch_id: str) -> tuple[str, int] | None:
    """The payout id and the attempt number in one of our ids; None if it is not ours."""
    match = _SENDER_BATCH_ID.fullmatch(sender_batch_id)
    return (match[1], int(match[2])) if match else None


def proven_change(attempt: Attempt, transaction: Transaction, now: datetime) -> StatusChange:
    """The change that a transaction alone proves for an attempt without a batch id, which cannot be
    synced: paid or returned, in full; else no change.

    Attempts that are being sent are left to their sender, which learns more. Attempts whose id the
    provider has shown on another payment are left to an operator.
    """
    # A sync takes REFUNDED for the full amount: an item has one amount and no partial state,
    # neither in PayPal's contract (payments_payouts_batch_v1) nor in its list of payout statuses
    # ("the recipient refunds the payout; the money returns"). If a part were shown that way, the
    # full amount would be posted, and the report's line would be DIFFERENT.
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
    if transaction.amount == negated(attempt.amount) and attempt.state is AttemptState.PAID:
        return StatusChange(replace(attempt, state=AttemptState.RETURNED), returns=True)
    return StatusChange(attempt)


class Attribution:
    """Attributes transactions to attempts: by the provider's id, else by ours, else by the
    transaction that they reverse. `reversed_attempts` are the attempts, as (payout id, number), of
    transactions in earlier reports, by transaction id."""

    def __init__(
        self,
        attempt_postings: Iterable[AttemptPostings],
        payout_ids: Iterable[str],
        reversed_attempts: dict[str, tuple[str, int]],
    ) -> None:
        known = list(attempt_postings)
        self._by_attempt = {(each.payout_id, each.attempt.number): each for each in known}
        self._by_sender_id = {each.attempt.sender_batch_id: each for each in known}
        self._by_transaction = {
            each.attempt.provider_transaction_id: each
            for each in known
            if each.attempt.provider_transaction_id
        }
        self._payout_ids = frozenset(payout_ids)
        self._reversed_attempts = reversed_attempts

    def attribute(self, transactions: Sequence[Transaction]) -> list[AttributedTransaction]:
        found = {each.id: self._postings_of(each) for each in transactions}
        return [
            AttributedTransaction(
                each, found[each.id] or found.get(each.reverses_id), self._payout_of(each)
            )
            for each in transactions
        ]

    def _postings_of(self, transaction: Transaction) -> AttemptPostings | None:
        reversed_attempt = self._reversed_attempts.get(transaction.reverses_id)
        return (
            self._by_transaction.get(transaction.id)
            or self._by_sender_id.get(transaction.sender_batch_id)
            or self._by_transaction.get(transaction.reverses_id)
            or (self._by_attempt.get(reversed_attempt) if reversed_attempt else None)
        )

    def _payout_of(self, transaction: Transaction) -> str:
        named = parse_sender_batch_id(transaction.sender_batch_id)
        return named[0] if named and named[0] in self._payout_ids else ""


def totals_of(
    provider: Iterable[Transaction], ledger: Iterable[Posting], waiting: Iterable[Transaction]
) -> tuple[Total, ...]:
    sums: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for transaction in provider:
        sums[transaction.amount.currency]["provider_minor"] += transaction.amount.amount_minor
        sums[transaction.fee.currency]["provider_fee_minor"] += transaction.fee.amount_minor
    for posting in ledger:
        sums[posting.amount.currency]["ledger_minor"] += posting.amount.amount_minor
        sums[posting.fee.currency]["ledger_fee_minor"] += posting.fee.amount_minor
    for transaction in waiting:
        sums[transaction.amount.currency]["open_minor"] += transaction.amount.amount_minor
    return tuple(Total(currency, **sums[currency]) for currency in sorted(sums))


@dataclass
class Comparison:
    """The result: transactions that are now matched, findings, and totals."""

    matches: list[Match] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    totals: tuple[Total, ...] = ()

    @property
    def mismatch_count(self) -> int:
        return sum(finding.is_mismatch for finding in self.findings)
