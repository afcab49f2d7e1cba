"""A comparison finds every difference once, and nothing where there is none."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from servicekit.money import Money
from services.payouts.attempts import (
    Attempt,
    AttemptState,
    StatusChange,
    sender_batch_id,
    status_change,
)
from services.payouts.providers.interface import Batch, Item, Transaction
from services.payouts.reconciliation.comparison import compare
from services.payouts.reconciliation.domain import (
    MARGIN,
    Booking,
    Comparison,
    Finding,
    FindingKind,
    Part,
    Standing,
    Total,
    Traces,
    named_in,
    proven,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SOON = timedelta(minutes=1)
LONG_AGO = NOW - MARGIN - timedelta(hours=1)


@dataclass(frozen=True)
class Books:
    """Both sides' books."""

    standings: Sequence[Standing]
    bookings: Sequence[Booking]
    transactions: Sequence[Transaction]

    def compared(self, **told: object) -> Comparison:
        traced = Traces(self.standings, [], {}).trace(list(self.transactions))
        return compare(traced, self.bookings, NOW, **told)  # type: ignore[arg-type]  # see compare


def standing_of(
    payout: str,
    state: AttemptState = AttemptState.PAID,
    minor: int = 10_000,
    *,
    moved: datetime = LONG_AGO,
) -> Standing:
    attempt = Attempt(
        1,
        state,
        "anna@example.com",
        Money("USD", minor),
        sender_batch_id(payout, 1),
        moved,
        moved,
        provider_batch_id=f"B-{payout}",
        provider_transaction_id=f"T-{payout}",
    )
    is_settled = state is AttemptState.PAID
    return Standing(payout, attempt, is_settled=is_settled, is_returned=False)


def came_back(standing: Standing) -> Standing:
    """After it was paid."""
    attempt = replace(standing.attempt, state=AttemptState.RETURNED)
    return Standing(standing.payout_id, attempt, is_settled=True, is_returned=True)


def payment_of(standing: Standing, fee_minor: int = 200) -> Transaction:
    attempt = standing.attempt
    return Transaction(
        attempt.provider_transaction_id,
        attempt.sender_batch_id,
        "",
        attempt.amount,
        Money(attempt.amount.currency, fee_minor),
        LONG_AGO,
    )


def back_of(payment: Transaction, fee_minor: int = 0) -> Transaction:
    currency = payment.amount.currency
    return replace(
        payment,
        id=f"R-{payment.id}",
        sender_batch_id="",
        reverses_id=payment.id,
        amount=Money(currency, -payment.amount.amount_minor),
        fee=Money(currency, fee_minor),
        time=LONG_AGO + SOON,
    )


@st.composite
def matching_books(draw: st.DrawFn) -> Books:
    standings: list[Standing] = []
    bookings: list[Booking] = []
    transactions: list[Transaction] = []
    for number in range(draw(st.integers(1, 5))):
        standing = standing_of(f"p{number}", minor=draw(st.integers(1, 10**6)))
        payment = payment_of(standing, draw(st.integers(0, 10**4)))
        if draw(st.booleans()):
            payment = replace(payment, sender_batch_id="")
        moves = [(Part.PAYMENT, payment)]
        if draw(st.booleans()):
            standing = came_back(standing)
            moves.append((Part.RETURN, back_of(payment)))
        standings.append(standing)
        for part, moved in moves:
            transactions.append(moved)
            bookings.append(
                Booking(len(bookings) + 1, standing.key(part), moved.amount, moved.fee, LONG_AGO)
            )
    order = draw(st.permutations(transactions))
    return Books(standings, bookings, order)


@given(matching_books())
def test_what_matches_is_not_found(books: Books) -> None:
    found = books.compared()
    assert found.findings == []
    assert len(found.matches) == len(books.bookings)
    assert {match.transfer_id for match in found.matches} == {
        booking.transfer_id for booking in books.bookings
    }
    for total in found.totals:
        assert total.provider_minor == total.ledger_minor
        assert total.provider_fee_minor == total.ledger_fee_minor
        assert total.open_minor == 0


@given(matching_books(), st.data())
def test_what_the_provider_lacks_is_missing_once(books: Books, data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(books.transactions))
    left = [each for each in books.transactions if each.id != lost.id]
    (finding,) = replace(books, transactions=left).compared().findings
    assert finding.kind is FindingKind.MISSING
    assert finding.ledger_amount == lost.amount
    assert finding.provider_amount is None


@given(matching_books(), st.data())
def test_what_the_ledger_lacks_is_foreign_once(books: Books, data: st.DataObject) -> None:
    twin = replace(data.draw(st.sampled_from(books.transactions)), id="T-twin")
    stranger = replace(twin, sender_batch_id="mass-pay-7", reverses_id="")
    for added in (twin, stranger):
        more = [*books.transactions, added]
        (finding,) = replace(books, transactions=more).compared().findings
        assert finding.kind is FindingKind.UNMATCHED
        assert finding.provider_amount == added.amount
        assert finding.ledger_amount is None


@given(matching_books(), st.data(), st.integers(1, 10**6), st.sampled_from(["sum", "fee", "money"]))
def test_what_is_other_than_booked_is_different_once(
    books: Books, data: st.DataObject, more_minor: int, what: str
) -> None:
    changed = data.draw(st.sampled_from(books.transactions))
    amount, fee = changed.amount, changed.fee
    sign = 1 if amount.amount_minor > 0 else -1
    other = {
        "sum": replace(changed, amount=Money("USD", amount.amount_minor + sign * more_minor)),
        "fee": replace(changed, fee=Money("USD", fee.amount_minor + more_minor)),
        "money": replace(changed, amount=Money("EUR", amount.amount_minor)),
    }[what]
    report = [other if each.id == changed.id else each for each in books.transactions]
    (finding,) = replace(books, transactions=report).compared().findings
    assert finding.kind is FindingKind.DIFFERENT
    assert (finding.provider_amount, finding.ledger_amount) == (other.amount, amount)
    assert (finding.provider_fee, finding.ledger_fee) == (other.fee, fee)


@given(matching_books())
def test_what_was_told_is_not_found_again(books: Books) -> None:
    stranger = Transaction("T-x", "", "", Money("USD", 5), Money("USD", 0), LONG_AGO)
    nothing = replace(books, transactions=[stranger])
    told = nothing.compared(
        told_transactions={"T-x"},
        told_transfers={booking.transfer_id for booking in books.bookings},
    )
    assert told.findings == []
    assert told.totals == ()


def _findings(
    standing: Standing, *transactions: Transaction, bookings: Sequence[Booking] = ()
) -> list[Finding]:
    return Books([standing], bookings, transactions).compared().findings


@pytest.mark.parametrize("state", ["ACCEPTED", "UNCLAIMED", "BLOCKED", "UNKNOWN"])
def test_what_is_not_delivered_yet_waits(state: str) -> None:
    standing = standing_of("p1", AttemptState(state))
    found = Books([standing], [], [payment_of(standing)]).compared()
    assert (found.findings, found.matches) == ([], [])
    assert found.totals == (Total("USD", open_minor=10_000),)


def test_another_amount_than_ordered_is_different_before_it_is_delivered() -> None:
    standing = standing_of("p1", AttemptState.UNCLAIMED)
    less = replace(payment_of(standing), amount=Money("USD", 9_000))
    (finding,) = _findings(standing, less)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider paid out 90.00 USD, and 100.00 USD was ordered"


def test_what_came_back_unclaimed_is_nothing_together() -> None:
    standing = standing_of("p1", AttemptState.RETURNED)
    payment = payment_of(standing)
    found = Books([standing], [], [payment, back_of(payment, -200)]).compared()
    assert found.findings == []
    assert [match.transfer_id for match in found.matches] == [None, None]
    assert found.totals == (Total("USD"),)


def test_a_fee_may_come_back_by_a_transaction_of_its_own() -> None:
    standing = standing_of("p1", AttemptState.RETURNED)
    payment = payment_of(standing)
    back = back_of(payment)
    fee = replace(back, id="F", amount=Money("USD", 0), fee=Money("USD", -200))
    assert _findings(standing, payment, back, fee) == []
    (finding,) = _findings(standing, payment, back)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider kept a fee of 2.00 USD for what was not delivered"
    assert (finding.provider_fee, finding.ledger_fee) == (Money("USD", 200), None)
    just_now = standing_of("p1", AttemptState.RETURNED, moved=NOW)
    assert _findings(just_now, payment, back) == []


def test_what_left_and_failed_is_foreign_once_it_should_be_back() -> None:
    failed = standing_of("p1", AttemptState.FAILED)
    just_now = standing_of("p1", AttemptState.FAILED, moved=NOW - SOON)
    payment = payment_of(failed)
    for open_ in (replace(payment, is_pending=True), replace(payment, is_taken_back=True)):
        (finding,) = _findings(failed, open_)
        assert (finding.kind, finding.payout_id, finding.number) == (FindingKind.UNMATCHED, "p1", 1)
        assert finding.description == "The ledger has this attempt as failed"
        assert _findings(just_now, open_) == []


@pytest.mark.parametrize("state", ["FAILED", "RETURNED"])
def test_what_was_delivered_though_it_had_failed_is_foreign_at_once(state: str) -> None:
    just_now = standing_of("p1", AttemptState(state), moved=NOW)
    (finding,) = _findings(just_now, payment_of(just_now))
    assert (finding.kind, finding.payout_id) == (FindingKind.UNMATCHED, "p1")


def test_a_booking_is_missing_only_when_it_must_have_been_reported() -> None:
    standing = standing_of("p1")
    booking = Booking(
        1, standing.key(Part.PAYMENT), Money("USD", 10_000), Money("USD", 200), NOW - MARGIN
    )
    (finding,) = _findings(standing, bookings=[booking])
    assert finding.kind is FindingKind.MISSING
    assert finding.transfer_id == 1
    assert _findings(standing, bookings=[replace(booking, time=NOW - MARGIN + SOON)]) == []


def test_what_was_booked_now_is_no_mismatch() -> None:
    standing = standing_of("p1")
    payment = payment_of(standing)
    key = standing.key(Part.PAYMENT)
    booking = Booking(1, key, payment.amount, payment.fee, NOW)
    found = Books([standing], [booking], [payment]).compared(mended={key})
    assert [finding.kind for finding in found.findings] == [FindingKind.CORRECTED]
    assert found.mismatch_count == 0


def test_an_id_of_an_attempt_that_the_ledger_lost_names_its_payout() -> None:
    lost = payment_of(standing_of("p1"))
    traced = Traces([], ["p1"], {}).trace([lost])
    (finding,) = compare(traced, [], NOW).findings
    assert (finding.kind, finding.payout_id) == (FindingKind.UNMATCHED, "p1")
    assert finding.description == "It was ordered as po-p1-1, an attempt that the ledger has not"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("po-p1-2", ("p1", 2)),
        ("po-a-b-c-10", ("a-b-c", 10)),
        ("po-p1-0", None),
        ("po-p1", None),
        ("", None),
        ("mass-pay-1", None),
    ],
)
def test_ids_of_ours_name_payout_and_attempt(text: str, named: tuple[str, int] | None) -> None:
    assert named_in(text) == named


def test_a_reversal_of_an_earlier_report_is_traced() -> None:
    standing = came_back(standing_of("p1"))
    unnamed = replace(standing.attempt, provider_transaction_id="")
    back = back_of(payment_of(standing))
    traces = Traces([replace(standing, attempt=unnamed)], [], {"T-p1": ("p1", 1)})
    (traced,) = traces.trace([back])
    assert traced.standing is not None


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN", "BLOCKED"])
def test_a_transaction_proves_a_payment_that_nobody_can_look_at(state: str) -> None:
    attempt = replace(standing_of("p1", AttemptState(state)).attempt, provider_batch_id="")
    payment = payment_of(standing_of("p1"))
    reading = proven(attempt, payment, NOW)
    assert reading.fee == payment.fee
    assert reading.attempt.state is AttemptState.PAID
    assert reading.attempt.provider_transaction_id == "T-p1"
    for attempt_, payment_ in (
        (replace(attempt, provider_batch_id="B1"), payment),
        (replace(attempt, lease_end_time=NOW + SOON), payment),
        (attempt, replace(payment, is_pending=True)),
        (attempt, replace(payment, amount=Money("USD", 1))),
        (attempt, back_of(payment)),
    ):
        assert proven(attempt_, payment_, NOW) == StatusChange(attempt_)


def test_a_transaction_proves_nothing_of_an_id_that_another_payment_has() -> None:
    standing = standing_of("p1", AttemptState.UNKNOWN)
    sent = replace(standing.attempt, provider_batch_id="")
    item = Item("I1", "SUCCESS", "eve@example.com", sent.amount, Money("USD", 200), "")
    stopped = status_change(sent, Batch("B1", sent.sender_batch_id, "SUCCESS", (item,))).attempt
    assert stopped.state is AttemptState.BLOCKED
    assert proven(stopped, payment_of(standing), NOW) == StatusChange(stopped)
    assert proven(sent, payment_of(standing), NOW) != StatusChange(sent)


def test_a_transaction_proves_that_it_came_back() -> None:
    attempt = replace(standing_of("p1").attempt, provider_batch_id="")
    reading = proven(attempt, back_of(payment_of(standing_of("p1"))), NOW)
    assert reading.returns
    assert reading.attempt.state is AttemptState.RETURNED


@pytest.mark.parametrize(
    "back", [Money("USD", -3_000), Money("USD", -10_001), Money("EUR", -10_000)]
)
def test_a_part_that_came_back_is_different_and_proves_nothing(back: Money) -> None:
    standing = standing_of("p1")
    payment = payment_of(standing)
    part = replace(back_of(payment), amount=back)
    unseen = replace(standing.attempt, provider_batch_id="")
    assert proven(unseen, part, NOW) == StatusChange(unseen)
    booking = Booking(1, standing.key(Part.PAYMENT), payment.amount, payment.fee, LONG_AGO)
    (finding,) = _findings(standing, payment, part, bookings=[booking])
    assert (finding.kind, finding.provider_amount) == (FindingKind.DIFFERENT, back)
    # Where a look took it for all of it.
    returned = Booking(2, standing.key(Part.RETURN), Money("USD", -10_000), Money("USD", 0), NOW)
    (finding,) = _findings(came_back(standing), payment, part, bookings=[booking, returned])
    assert (finding.kind, finding.ledger_amount) == (FindingKind.DIFFERENT, returned.amount)
