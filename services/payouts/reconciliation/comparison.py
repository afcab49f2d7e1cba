"""The comparison itself: a provider's transactions, one by one, with what the ledger has of them.
Pure; it is given everything that was not compared before."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime

from servicekit.money import Money
from services.payouts.attempts import FINAL, AttemptState
from services.payouts.providers.interface import Transaction
from services.payouts.reconciliation.domain import (
    MARGIN,
    Booking,
    Comparison,
    Finding,
    FindingKind,
    Key,
    Match,
    Part,
    Standing,
    Traced,
    opposite,
    part_of,
    totals_of,
)


def compare(
    traced: Sequence[Traced],
    bookings: Sequence[Booking],
    end_time: datetime,
    *,
    mended: Collection[Key] = (),
    unseen: Collection[tuple[str, int]] = (),
    told_transactions: Collection[str] = (),
    told_transfers: Collection[int] = (),
) -> Comparison:
    """Everything that was not compared yet. `end_time` is up to when the provider told all.

    `mended` is what was booked now, since the transactions told of it; `unseen` are the attempts
    that would have been looked at, and could not be. What was told is what an earlier
    reconciliation found, and is found no second time.
    """
    comparer = _Comparer(bookings, end_time, mended, unseen, told_transactions)
    for standing, group in _by_attempt(traced):
        if standing is None:
            for each in group:
                comparer.find_unknown(each)
        else:
            comparer.compare_attempt(standing, [each.transaction for each in group])
    comparer.find_missing(told_transfers)
    return comparer.comparison()


def _by_attempt(traced: Iterable[Traced]) -> list[tuple[Standing | None, list[Traced]]]:
    groups: dict[tuple[str, int] | None, list[Traced]] = defaultdict(list)
    for each in sorted(traced, key=lambda one: (one.transaction.time, one.transaction.id)):
        of = each.standing
        groups[(of.payout_id, of.attempt.number) if of else None].append(each)
    return [(group[0].standing, group) for group in groups.values()]


class _Comparer:
    def __init__(
        self,
        bookings: Sequence[Booking],
        end_time: datetime,
        mended: Collection[Key],
        unseen: Collection[tuple[str, int]],
        told: Collection[str],
    ) -> None:
        self._bookings = {booking.key: booking for booking in bookings}
        self._end_time = end_time
        self._mended = mended
        self._unseen = unseen
        self._told = told
        self._found = Comparison()
        # Of both sides, what was compared; and what waits.
        self._theirs: list[Transaction] = []
        self._ours: list[Booking] = []
        self._waiting: list[Transaction] = []

    def comparison(self) -> Comparison:
        self._found.findings.sort(key=lambda finding: finding.time)
        self._found.totals = totals_of(self._theirs, self._ours, self._waiting)
        return self._found

    def compare_attempt(self, standing: Standing, transactions: list[Transaction]) -> None:
        left = list(transactions)
        for part in (Part.PAYMENT, Part.RETURN):
            of_part = [each for each in transactions if part_of(each) is part]
            booking = self._bookings.get(standing.key(part))
            if booking is not None and of_part:
                same = min(of_part, key=_likeness(standing, booking))
                left.remove(same)
                self._compare(standing, same, self._bookings.pop(booking.key))
        is_undelivered = standing.attempt.state in FINAL and not standing.is_settled
        for each in self._set_off(standing, left) if is_undelivered else left:
            self._judge(standing, each)

    def _compare(self, standing: Standing, theirs: Transaction, ours: Booking) -> None:
        self._theirs.append(theirs)
        self._ours.append(ours)
        self._match(standing, theirs, ours.transfer_id)
        if _is_same(theirs, ours):
            if ours.key in self._mended:
                self._add(FindingKind.CORRECTED, standing, theirs, ours, _mended_words(ours))
            return
        self._add(FindingKind.DIFFERENT, standing, theirs, ours, _different_words(theirs, ours))

    def _set_off(self, standing: Standing, transactions: list[Transaction]) -> list[Transaction]:
        """Of an attempt that was never delivered: what left and came back is nothing together, if
        its fee came back as well. What is left over is answered."""
        left, pairs = list(transactions), list[Transaction]()
        for payment in transactions:
            back = next((each for each in left if payment.amount == opposite(each.amount)), None)
            if part_of(payment) is Part.PAYMENT and back is not None:
                left.remove(payment)
                left.remove(back)
                pairs += (payment, back)
        fees = [each for each in left if pairs and part_of(each) is Part.FEE_RETURN]
        kept_minor = sum(each.fee.amount_minor for each in pairs + fees)
        if kept_minor and not all(self._is_past_waiting(standing, each) for each in pairs + fees):
            self._waiting += pairs + fees
        else:
            for each in pairs + fees:
                self._theirs.append(each)
                self._match(standing, each, None)
            if kept_minor:
                kept = Money(pairs[0].fee.currency, kept_minor)
                words = f"The provider kept a fee of {kept} for what was not delivered"
                self._add(FindingKind.DIFFERENT, standing, pairs[-1], None, words, fee=kept)
        return [each for each in left if each not in fees]

    def _judge(self, standing: Standing, transaction: Transaction) -> None:
        """A transaction that no booking is."""
        attempt, part = standing.attempt, part_of(transaction)
        other = _other_amount_words(standing, transaction)
        if standing.has(part):
            again = "paid out" if part is Part.PAYMENT else "gave back"
            self._find(transaction, standing, f"The provider {again} this attempt a second time")
        elif other:
            self._find(transaction, standing, other, FindingKind.DIFFERENT)
        elif (standing.payout_id, attempt.number) in self._unseen:
            self._judge_unseen(standing, transaction)
        elif part is Part.FEE_RETURN and standing.is_settled:
            words = f"The provider gave a fee back ({transaction.fee}), which the ledger has not"
            self._find(transaction, standing, words, FindingKind.DIFFERENT)
        elif part is Part.RETURN and standing.is_settled:
            words = f"The provider gave {attempt.amount} back, and shows the payment as made"
            self._find(transaction, standing, words)
        elif attempt.state in FINAL and (
            _is_delivered(transaction) or self._is_past_waiting(standing, transaction)
        ):
            words = f"The ledger has this attempt as {_word(attempt.state)}"
            self._find(transaction, standing, words)
        else:
            self._waiting.append(transaction)

    def _judge_unseen(self, standing: Standing, transaction: Transaction) -> None:
        if transaction.is_pending or not self._is_past_waiting(standing, transaction):
            self._waiting.append(transaction)
        else:
            words = "The provider moved this long ago, and does not show the attempt that it is of"
            self._find(transaction, standing, words)

    def _is_past_waiting(self, standing: Standing, transaction: Transaction) -> bool:
        """Whether what belongs to it must have been reported, too."""
        since = max(standing.attempt.update_time, transaction.time)
        return self._end_time - since >= MARGIN

    def find_unknown(self, traced: Traced) -> None:
        """What belongs to no attempt of ours."""
        words = "It is of no payout of ours"
        if traced.payout_id:
            ordered_as = traced.transaction.sender_batch_id
            words = f"It was ordered as {ordered_as}, an attempt that the ledger has not"
        self._find(traced.transaction, None, words, payout_id=traced.payout_id)

    def find_missing(self, told: Collection[int]) -> None:
        """Bookings whose transaction must have been reported by now."""
        for booking in self._bookings.values():
            if self._end_time - booking.time < MARGIN or booking.transfer_id in told:
                continue
            self._ours.append(booking)
            moved = "came back" if booking.key.part is Part.RETURN else "was paid out"
            self._found.findings.append(
                Finding(
                    FindingKind.MISSING,
                    booking.time,
                    f"The ledger says that this {moved}, and the provider reports nothing",
                    booking.key.payout_id,
                    booking.key.number,
                    transfer_id=booking.transfer_id,
                    ledger_amount=booking.amount,
                    ledger_fee=booking.fee,
                )
            )

    def _find(
        self,
        transaction: Transaction,
        standing: Standing | None,
        words: str,
        kind: FindingKind = FindingKind.UNMATCHED,
        *,
        payout_id: str = "",
    ) -> None:
        """What no booking is, unless it was found before."""
        if transaction.id in self._told:
            return
        self._theirs.append(transaction)
        self._add(kind, standing, transaction, None, words, payout_id=payout_id)

    def _match(self, standing: Standing, transaction: Transaction, transfer_id: int | None) -> None:
        self._found.matches.append(
            Match(transaction.id, standing.payout_id, standing.attempt.number, transfer_id)
        )

    def _add(
        self,
        kind: FindingKind,
        standing: Standing | None,
        theirs: Transaction,
        ours: Booking | None,
        words: str,
        *,
        payout_id: str = "",
        fee: Money | None = None,
    ) -> None:
        """`fee` is what the provider charged, if not by this transaction alone."""
        self._found.findings.append(
            Finding(
                kind,
                theirs.time,
                words,
                standing.payout_id if standing else payout_id,
                standing.attempt.number if standing else 0,
                theirs.id,
                provider_amount=theirs.amount,
                ledger_amount=ours.amount if ours else None,
                provider_fee=fee or theirs.fee,
                ledger_fee=ours.fee if ours else None,
            )
        )


def _other_amount_words(standing: Standing, transaction: Transaction) -> str:
    """Empty where the amount is the attempt's, or where it need not be yet."""
    ordered, moved = standing.attempt.amount, transaction.amount
    if part_of(transaction) is Part.PAYMENT and moved != ordered:
        return f"The provider paid out {moved}, and {ordered} was ordered"
    is_return = part_of(transaction) is Part.RETURN and standing.is_settled
    if is_return and opposite(moved) != ordered:
        return f"The provider gave {opposite(moved)} back, and {ordered} was paid"
    return ""


def _is_delivered(transaction: Transaction) -> bool:
    """Whether the provider says that the receiver has it: nothing that may still be reported makes
    that undone."""
    is_open = transaction.is_pending or transaction.is_taken_back
    return part_of(transaction) is Part.PAYMENT and not is_open


def _likeness(standing: Standing, booking: Booking) -> Callable[[Transaction], tuple[bool, bool]]:
    """Least for the transaction that is most likely the booking's: of equal ones the first."""
    known_id = standing.attempt.provider_transaction_id
    return lambda each: (each.id != known_id, not _is_same(each, booking))


def _is_same(theirs: Transaction, ours: Booking) -> bool:
    return theirs.amount == ours.amount and _is_same_fee(theirs.fee, ours.fee)


def _is_same_fee(theirs: Money, ours: Money) -> bool:
    """No fee is no fee in any currency."""
    return theirs == ours or theirs.amount_minor == ours.amount_minor == 0


def _word(state: AttemptState) -> str:
    return "failed" if state is AttemptState.FAILED else "back, and never as paid"


def _mended_words(ours: Booking) -> str:
    return "Came back; booked now" if ours.key.part is Part.RETURN else "Paid; booked now"


def _different_words(theirs: Transaction, ours: Booking) -> str:
    return (
        f"The provider says {theirs.amount} and a fee of {theirs.fee}, "
        f"the ledger {ours.amount} and a fee of {ours.fee}"
    )
