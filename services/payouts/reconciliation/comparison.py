"""The comparison of a provider's transactions with the ledger's postings. Pure. Its input is
everything that was not matched before."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from servicekit.money import Money
from services.payouts.attempts import FINAL, AttemptState
from services.payouts.providers.interface import Transaction
from services.payouts.reconciliation.domain import (
    MATCH_DEADLINE,
    AttemptPostings,
    AttributedTransaction,
    Comparison,
    Finding,
    FindingKind,
    Match,
    Movement,
    MovementKey,
    Posting,
    movement_of,
    negated,
    totals_of,
)


def compare(
    attributed: Sequence[AttributedTransaction],
    postings: Sequence[Posting],
    end_time: datetime,
    *,
    corrected: Collection[MovementKey] = (),
    unavailable: Collection[tuple[str, int]] = (),
    found_transaction_ids: Collection[str] = (),
    found_transfer_ids: Collection[int] = (),
) -> Comparison:
    """Compares everything that was not matched yet.

    `end_time` is until when the report is complete. `corrected` are movements that were posted
    during this reconciliation; `unavailable` are attempts that the provider did not show. Findings
    about `found_transaction_ids` and `found_transfer_ids` were made by earlier reconciliations and
    are not repeated.
    """
    comparer = _Comparer(postings, end_time, corrected, unavailable, found_transaction_ids)
    for posted, group in _by_attempt(attributed):
        if posted is None:
            for each in group:
                comparer.find_unknown(each)
        else:
            comparer.compare_attempt(posted, [each.transaction for each in group])
    comparer.find_missing(found_transfer_ids)
    return comparer.comparison()


def _by_attempt(
    attributed: Iterable[AttributedTransaction],
) -> list[tuple[AttemptPostings | None, list[AttributedTransaction]]]:
    groups: dict[tuple[str, int] | None, list[AttributedTransaction]] = defaultdict(list)
    for each in sorted(attributed, key=lambda one: (one.transaction.time, one.transaction.id)):
        of = each.posted
        groups[(of.payout_id, of.attempt.number) if of else None].append(each)
    return [(group[0].posted, group) for group in groups.values()]


class _Comparer:
    def __init__(
        self,
        postings: Sequence[Posting],
        end_time: datetime,
        corrected: Collection[MovementKey],
        unavailable: Collection[tuple[str, int]],
        found_transaction_ids: Collection[str],
    ) -> None:
        self._postings = {posting.key: posting for posting in postings}
        self._end_time = end_time
        self._corrected = corrected
        self._unavailable = unavailable
        self._found_transaction_ids = found_transaction_ids
        self._result = Comparison()
        # Compared, of both sides; and left for a later reconciliation.
        self._theirs: list[Transaction] = []
        self._ours: list[Posting] = []
        self._waiting: list[Transaction] = []

    def comparison(self) -> Comparison:
        self._result.findings.sort(key=lambda finding: finding.time)
        self._result.totals = totals_of(self._theirs, self._ours, self._waiting)
        return self._result

    def compare_attempt(self, posted: AttemptPostings, transactions: list[Transaction]) -> None:
        left = list(transactions)
        for movement in (Movement.PAYMENT, Movement.RETURN):
            matching = [each for each in transactions if movement_of(each) is movement]
            posting = self._postings.get(posted.key(movement))
            if posting is not None and matching:
                same = min(matching, key=_dissimilarity(posted, posting))
                left.remove(same)
                self._compare(posted, same, self._postings.pop(posting.key))
        is_undelivered = posted.attempt.state in FINAL and not posted.is_settled
        for each in self._cancel_out(posted, left) if is_undelivered else left:
            self._classify(posted, each)

    def _compare(self, posted: AttemptPostings, theirs: Transaction, ours: Posting) -> None:
        self._theirs.append(theirs)
        self._ours.append(ours)
        self._match(posted, theirs, ours.transfer_id)
        if _is_same(theirs, ours):
            if ours.key in self._corrected:
                self._add(FindingKind.CORRECTED, posted, theirs, ours, _corrected_description(ours))
            return
        self._add(FindingKind.DIFFERENT, posted, theirs, ours, _different_description(theirs, ours))

    def _cancel_out(
        self, posted: AttemptPostings, transactions: list[Transaction]
    ) -> list[Transaction]:
        """For an attempt that was never delivered, cancels out payments and their returns, if the
        fee was returned as well. Returns the remaining transactions."""
        left, cancelled = list(transactions), list[Transaction]()
        for payment in transactions:
            back = next((each for each in left if payment.amount == negated(each.amount)), None)
            if movement_of(payment) is Movement.PAYMENT and back is not None:
                left.remove(payment)
                left.remove(back)
                cancelled += (payment, back)
        fees = [each for each in left if cancelled and movement_of(each) is Movement.FEE_RETURN]
        kept_minor = sum(each.fee.amount_minor for each in cancelled + fees)
        is_final = all(self._is_past_deadline(posted, each) for each in cancelled + fees)
        if kept_minor and not is_final:
            self._waiting += cancelled + fees
        else:
            for each in cancelled + fees:
                self._theirs.append(each)
                self._match(posted, each, None)
            if kept_minor:
                kept = Money(cancelled[0].fee.currency, kept_minor)
                description = f"The provider kept a fee of {kept} for an undelivered payment"
                self._add(FindingKind.DIFFERENT, posted, cancelled[-1], None, description, fee=kept)
        return [each for each in left if each not in fees]

    def _classify(self, posted: AttemptPostings, transaction: Transaction) -> None:
        """Decides about a transaction without a posting: a finding, or wait."""
        attempt, movement = posted.attempt, movement_of(transaction)
        amount_problem = _amount_problem(posted, transaction)
        if posted.has(movement):
            verb = "paid" if movement is Movement.PAYMENT else "returned"
            self._find(transaction, posted, f"The provider {verb} this attempt a second time")
        elif amount_problem:
            self._find(transaction, posted, amount_problem, FindingKind.DIFFERENT)
        elif (posted.payout_id, attempt.number) in self._unavailable:
            self._classify_unavailable(posted, transaction)
        elif movement is Movement.FEE_RETURN and posted.is_settled:
            description = f"The provider returned a fee ({transaction.fee}) that is not posted"
            self._find(transaction, posted, description, FindingKind.DIFFERENT)
        elif movement is Movement.RETURN and posted.is_settled:
            description = f"The provider returned {attempt.amount}, and shows the payment as made"
            self._find(transaction, posted, description)
        elif attempt.state in FINAL and (
            _is_delivered(transaction) or self._is_past_deadline(posted, transaction)
        ):
            description = f"In the ledger this attempt {_ended_as(attempt.state)}"
            self._find(transaction, posted, description)
        else:
            self._waiting.append(transaction)

    def _classify_unavailable(self, posted: AttemptPostings, transaction: Transaction) -> None:
        if transaction.is_pending or not self._is_past_deadline(posted, transaction):
            self._waiting.append(transaction)
        else:
            description = "The provider moved this over a day ago, and does not show its attempt"
            self._find(transaction, posted, description)

    def _is_past_deadline(self, posted: AttemptPostings, transaction: Transaction) -> bool:
        """Whether related transactions must have been reported by now."""
        since = max(posted.attempt.update_time, transaction.time)
        return self._end_time - since >= MATCH_DEADLINE

    def find_unknown(self, attributed: AttributedTransaction) -> None:
        """Adds a finding for a transaction that belongs to no attempt."""
        description = "It belongs to no payout"
        if attributed.payout_id:
            sender_batch_id = attributed.transaction.sender_batch_id
            description = f"It was ordered as {sender_batch_id}, an attempt that the ledger lacks"
        self._find(attributed.transaction, None, description, payout_id=attributed.payout_id)

    def find_missing(self, found_transfer_ids: Collection[int]) -> None:
        """Adds findings for postings whose transaction must have been reported by now."""
        for posting in self._postings.values():
            is_recent = self._end_time - posting.time < MATCH_DEADLINE
            if is_recent or posting.transfer_id in found_transfer_ids:
                continue
            self._ours.append(posting)
            verb = "returned" if posting.key.movement is Movement.RETURN else "paid"
            self._result.findings.append(
                Finding(
                    FindingKind.MISSING,
                    posting.time,
                    f"The ledger has this as {verb}, and the provider does not report it",
                    posting.key.payout_id,
                    posting.key.number,
                    transfer_id=posting.transfer_id,
                    ledger_amount=posting.amount,
                    ledger_fee=posting.fee,
                )
            )

    def _find(
        self,
        transaction: Transaction,
        posted: AttemptPostings | None,
        description: str,
        kind: FindingKind = FindingKind.UNMATCHED,
        *,
        payout_id: str = "",
    ) -> None:
        """Adds a finding for a transaction without a posting, unless it was found before."""
        if transaction.id in self._found_transaction_ids:
            return
        self._theirs.append(transaction)
        self._add(kind, posted, transaction, None, description, payout_id=payout_id)

    def _match(
        self, posted: AttemptPostings, transaction: Transaction, transfer_id: int | None
    ) -> None:
        self._result.matches.append(
            Match(transaction.id, posted.payout_id, posted.attempt.number, transfer_id)
        )

    def _add(
        self,
        kind: FindingKind,
        posted: AttemptPostings | None,
        theirs: Transaction,
        ours: Posting | None,
        description: str,
        *,
        payout_id: str = "",
        fee: Money | None = None,
    ) -> None:
        """`fee` is what the provider charged, if not only in this transaction."""
        self._result.findings.append(
            Finding(
                kind,
                theirs.time,
                description,
                posted.payout_id if posted else payout_id,
                posted.attempt.number if posted else 0,
                theirs.id,
                provider_amount=theirs.amount,
                ledger_amount=ours.amount if ours else None,
                provider_fee=fee or theirs.fee,
                ledger_fee=ours.fee if ours else None,
            )
        )


def _amount_problem(posted: AttemptPostings, transaction: Transaction) -> str:
    """Describes an amount that is not the attempt's; empty if it is, or if it need not be yet."""
    ordered, moved = posted.attempt.amount, transaction.amount
    if movement_of(transaction) is Movement.PAYMENT and moved != ordered:
        return f"The provider paid {moved}, but {ordered} was ordered"
    is_return = movement_of(transaction) is Movement.RETURN and posted.is_settled
    if is_return and negated(moved) != ordered:
        return f"The provider returned {negated(moved)}, but {ordered} was paid"
    return ""


def _is_delivered(transaction: Transaction) -> bool:
    """Whether the receiver has the money, so that no later line can undo it."""
    is_open = transaction.is_pending or transaction.is_reversed
    return movement_of(transaction) is Movement.PAYMENT and not is_open


def _dissimilarity(
    posted: AttemptPostings, posting: Posting
) -> Callable[[Transaction], tuple[bool, bool]]:
    """Sort key: smallest for the transaction that most likely is the posting's."""
    known_id = posted.attempt.provider_transaction_id
    return lambda each: (each.id != known_id, not _is_same(each, posting))


def _is_same(theirs: Transaction, ours: Posting) -> bool:
    return theirs.amount == ours.amount and _is_same_fee(theirs.fee, ours.fee)


def _is_same_fee(theirs: Money, ours: Money) -> bool:
    """Fees of zero are equal in all currencies."""
    return theirs == ours or theirs.amount_minor == ours.amount_minor == 0


def _ended_as(state: AttemptState) -> str:
    return "failed" if state is AttemptState.FAILED else "was returned without ever being paid"


def _corrected_description(ours: Posting) -> str:
    return "Returned; posted now" if ours.key.movement is Movement.RETURN else "Paid; posted now"


def _different_description(theirs: Transaction, ours: Posting) -> str:
    return (
        f"The provider says {theirs.amount} and a fee of {theirs.fee}, "
        f"the ledger {ours.amount} and a fee of {ours.fee}"
    )
