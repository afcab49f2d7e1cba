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
    MATCH_DEADLINE,
    AttemptPostings,
    Attribution,
    Comparison,
    Finding,
    FindingKind,
    Movement,
    Posting,
    Total,
    parse_sender_batch_id,
    proven_change,
)

NOW = datetime(2026, 3, 2, tzinfo=UTC)
SOON = timedelta(minutes=1)
LONG_AGO = NOW - MATCH_DEADLINE - timedelta(hours=1)


@dataclass(frozen=True)
class Books:
    """Both sides' books."""

    attempt_postings: Sequence[AttemptPostings]
    postings: Sequence[Posting]
    transactions: Sequence[Transaction]

    def compared(self, **told: object) -> Comparison:
        attributed = Attribution(self.attempt_postings, [], {}).attribute(list(self.transactions))
        return compare(attributed, self.postings, NOW, **told)  # type: ignore[arg-type]  # see compare


def standing_of(
    payout: str,
    state: AttemptState = AttemptState.PAID,
    minor: int = 10_000,
    *,
    moved: datetime = LONG_AGO,
) -> AttemptPostings:
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
    return AttemptPostings(payout, attempt, is_settled=is_settled, is_returned=False)


def came_back(posted: AttemptPostings) -> AttemptPostings:
    """After it was paid."""
    attempt = replace(posted.attempt, state=AttemptState.RETURNED)
    return AttemptPostings(posted.payout_id, attempt, is_settled=True, is_returned=True)


def payment_of(posted: AttemptPostings, fee_minor: int = 200) -> Transaction:
    attempt = posted.attempt
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
    attempt_postings: list[AttemptPostings] = []
    postings: list[Posting] = []
    transactions: list[Transaction] = []
    for number in range(draw(st.integers(1, 5))):
        posted = standing_of(f"p{number}", minor=draw(st.integers(1, 10**6)))
        payment = payment_of(posted, draw(st.integers(0, 10**4)))
        if draw(st.booleans()):
            payment = replace(payment, sender_batch_id="")
        moves = [(Movement.PAYMENT, payment)]
        if draw(st.booleans()):
            posted = came_back(posted)
            moves.append((Movement.RETURN, back_of(payment)))
        attempt_postings.append(posted)
        for movement, moved in moves:
            transactions.append(moved)
            postings.append(
                Posting(len(postings) + 1, posted.key(movement), moved.amount, moved.fee, LONG_AGO)
            )
    order = draw(st.permutations(transactions))
    return Books(attempt_postings, postings, order)


@given(matching_books())
def test_what_matches_is_not_found(books: Books) -> None:
    found = books.compared()
    assert found.findings == []
    assert len(found.matches) == len(books.postings)
    assert {match.transfer_id for match in found.matches} == {
        posting.transfer_id for posting in books.postings
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
        found_transaction_ids={"T-x"},
        found_transfer_ids={posting.transfer_id for posting in books.postings},
    )
    assert told.findings == []
    assert told.totals == ()


def _findings(
    posted: AttemptPostings, *transactions: Transaction, postings: Sequence[Posting] = ()
) -> list[Finding]:
    return Books([posted], postings, transactions).compared().findings


@pytest.mark.parametrize("state", ["ACCEPTED", "UNCLAIMED", "BLOCKED", "UNKNOWN"])
def test_what_is_not_delivered_yet_waits(state: str) -> None:
    posted = standing_of("p1", AttemptState(state))
    found = Books([posted], [], [payment_of(posted)]).compared()
    assert (found.findings, found.matches) == ([], [])
    assert found.totals == (Total("USD", open_minor=10_000),)


def test_another_amount_than_ordered_is_different_before_it_is_delivered() -> None:
    posted = standing_of("p1", AttemptState.UNCLAIMED)
    less = replace(payment_of(posted), amount=Money("USD", 9_000))
    (finding,) = _findings(posted, less)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider paid 90.00 USD, but 100.00 USD was ordered"


def test_what_came_back_unclaimed_is_nothing_together() -> None:
    posted = standing_of("p1", AttemptState.RETURNED)
    payment = payment_of(posted)
    found = Books([posted], [], [payment, back_of(payment, -200)]).compared()
    assert found.findings == []
    assert [match.transfer_id for match in found.matches] == [None, None]
    assert found.totals == (Total("USD"),)


def test_a_fee_may_come_back_by_a_transaction_of_its_own() -> None:
    posted = standing_of("p1", AttemptState.RETURNED)
    payment = payment_of(posted)
    back = back_of(payment)
    fee = replace(back, id="F", amount=Money("USD", 0), fee=Money("USD", -200))
    assert _findings(posted, payment, back, fee) == []
    (finding,) = _findings(posted, payment, back)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider kept a fee of 2.00 USD for an undelivered payment"
    assert (finding.provider_fee, finding.ledger_fee) == (Money("USD", 200), None)
    just_now = standing_of("p1", AttemptState.RETURNED, moved=NOW)
    assert _findings(just_now, payment, back) == []


def test_what_left_and_failed_is_foreign_once_it_should_be_back() -> None:
    failed = standing_of("p1", AttemptState.FAILED)
    just_now = standing_of("p1", AttemptState.FAILED, moved=NOW - SOON)
    payment = payment_of(failed)
    for open_ in (replace(payment, is_pending=True), replace(payment, is_reversed=True)):
        (finding,) = _findings(failed, open_)
        assert (finding.kind, finding.payout_id, finding.number) == (FindingKind.UNMATCHED, "p1", 1)
        assert finding.description == "In the ledger this attempt failed"
        assert _findings(just_now, open_) == []


@pytest.mark.parametrize("state", ["FAILED", "RETURNED"])
def test_what_was_delivered_though_it_had_failed_is_foreign_at_once(state: str) -> None:
    just_now = standing_of("p1", AttemptState(state), moved=NOW)
    (finding,) = _findings(just_now, payment_of(just_now))
    assert (finding.kind, finding.payout_id) == (FindingKind.UNMATCHED, "p1")


def test_a_booking_is_missing_only_when_it_must_have_been_reported() -> None:
    posted = standing_of("p1")
    posting = Posting(
        1,
        posted.key(Movement.PAYMENT),
        Money("USD", 10_000),
        Money("USD", 200),
        NOW - MATCH_DEADLINE,
    )
    (finding,) = _findings(posted, postings=[posting])
    assert finding.kind is FindingKind.MISSING
    assert finding.transfer_id == 1
    assert _findings(posted, postings=[replace(posting, time=NOW - MATCH_DEADLINE + SOON)]) == []


def test_what_was_booked_now_is_no_mismatch() -> None:
    posted = standing_of("p1")
    payment = payment_of(posted)
    key = posted.key(Movement.PAYMENT)
    posting = Posting(1, key, payment.amount, payment.fee, NOW)
    found = Books([posted], [posting], [payment]).compared(corrected={key})
    assert [finding.kind for finding in found.findings] == [FindingKind.CORRECTED]
    assert found.mismatch_count == 0


def test_an_id_of_an_attempt_that_the_ledger_lost_names_its_payout() -> None:
    lost = payment_of(standing_of("p1"))
    attributed = Attribution([], ["p1"], {}).attribute([lost])
    (finding,) = compare(attributed, [], NOW).findings
    assert (finding.kind, finding.payout_id) == (FindingKind.UNMATCHED, "p1")
    assert finding.description == "It was ordered as po-p1-1, an attempt that the ledger lacks"


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
    assert parse_sender_batch_id(text) == named


def test_a_reversal_of_an_earlier_report_is_traced() -> None:
    posted = came_back(standing_of("p1"))
    unnamed = replace(posted.attempt, provider_transaction_id="")
    back = back_of(payment_of(posted))
    attribution = Attribution([replace(posted, attempt=unnamed)], [], {"T-p1": ("p1", 1)})
    (attributed,) = attribution.attribute([back])
    assert attributed.posted is not None


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN", "BLOCKED"])
def test_a_transaction_proves_a_payment_that_nobody_can_look_at(state: str) -> None:
    attempt = replace(standing_of("p1", AttemptState(state)).attempt, provider_batch_id="")
    payment = payment_of(standing_of("p1"))
    reading = proven_change(attempt, payment, NOW)
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
        assert proven_change(attempt_, payment_, NOW) == StatusChange(attempt_)


def test_a_transaction_proves_nothing_of_an_id_that_another_payment_has() -> None:
    posted = standing_of("p1", AttemptState.UNKNOWN)
    sent = replace(posted.attempt, provider_batch_id="")
    item = Item("I1", "SUCCESS", "eve@example.com", sent.amount, Money("USD", 200), "")
    stopped = status_change(sent, Batch("B1", sent.sender_batch_id, "SUCCESS", (item,))).attempt
    assert stopped.state is AttemptState.BLOCKED
    assert proven_change(stopped, payment_of(posted), NOW) == StatusChange(stopped)
    assert proven_change(sent, payment_of(posted), NOW) != StatusChange(sent)


def test_a_transaction_proves_that_it_came_back() -> None:
    attempt = replace(standing_of("p1").attempt, provider_batch_id="")
    reading = proven_change(attempt, back_of(payment_of(standing_of("p1"))), NOW)
    assert reading.returns
    assert reading.attempt.state is AttemptState.RETURNED


@pytest.mark.parametrize(
    "back", [Money("USD", -3_000), Money("USD", -10_001), Money("EUR", -10_000)]
)
def test_a_part_that_came_back_is_different_and_proves_nothing(back: Money) -> None:
    posted = standing_of("p1")
    payment = payment_of(posted)
    movement = replace(back_of(payment), amount=back)
    unavailable = replace(posted.attempt, provider_batch_id="")
    assert proven_change(unavailable, movement, NOW) == StatusChange(unavailable)
    posting = Posting(1, posted.key(Movement.PAYMENT), payment.amount, payment.fee, LONG_AGO)
    (finding,) = _findings(posted, payment, movement, postings=[posting])
    assert (finding.kind, finding.provider_amount) == (FindingKind.DIFFERENT, back)
    # Where a look took it for all of it.
    returned = Posting(2, posted.key(Movement.RETURN), Money("USD", -10_000), Money("USD", 0), NOW)
    (finding,) = _findings(came_back(posted), payment, movement, postings=[posting, returned])
    assert (finding.kind, finding.ledger_amount) == (FindingKind.DIFFERENT, returned.amount)
