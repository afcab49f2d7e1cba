"""A comparison finds every difference once, and nothing else."""

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
class Sides:
    """Both sides' sides."""

    attempt_postings: Sequence[AttemptPostings]
    postings: Sequence[Posting]
    transactions: Sequence[Transaction]

    def compared(self, **options: object) -> Comparison:
        attributed = Attribution(self.attempt_postings, [], {}).attribute(list(self.transactions))
        return compare(attributed, self.postings, NOW, **options)  # type: ignore[arg-type]  # see compare


def postings_of(
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


def returned(posted: AttemptPostings) -> AttemptPostings:
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


def return_of(payment: Transaction, fee_minor: int = 0) -> Transaction:
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
def matching_sides(draw: st.DrawFn) -> Sides:
    attempt_postings: list[AttemptPostings] = []
    postings: list[Posting] = []
    transactions: list[Transaction] = []
    for number in range(draw(st.integers(1, 5))):
        posted = postings_of(f"p{number}", minor=draw(st.integers(1, 10**6)))
        payment = payment_of(posted, draw(st.integers(0, 10**4)))
        if draw(st.booleans()):
            payment = replace(payment, sender_batch_id="")
        moves = [(Movement.PAYMENT, payment)]
        if draw(st.booleans()):
            posted = returned(posted)
            moves.append((Movement.RETURN, return_of(payment)))
        attempt_postings.append(posted)
        for movement, moved in moves:
            transactions.append(moved)
            postings.append(
                Posting(len(postings) + 1, posted.key(movement), moved.amount, moved.fee, LONG_AGO)
            )
    order = draw(st.permutations(transactions))
    return Sides(attempt_postings, postings, order)


@given(matching_sides())
def test_matching_sides_have_no_findings(sides: Sides) -> None:
    found = sides.compared()
    assert found.findings == []
    assert len(found.matches) == len(sides.postings)
    assert {match.transfer_id for match in found.matches} == {
        posting.transfer_id for posting in sides.postings
    }
    for total in found.totals:
        assert total.provider_minor == total.ledger_minor
        assert total.provider_fee_minor == total.ledger_fee_minor
        assert total.open_minor == 0


@given(matching_sides(), st.data())
def test_an_unreported_posting_is_missing_once(sides: Sides, data: st.DataObject) -> None:
    lost = data.draw(st.sampled_from(sides.transactions))
    left = [each for each in sides.transactions if each.id != lost.id]
    (finding,) = replace(sides, transactions=left).compared().findings
    assert finding.kind is FindingKind.MISSING
    assert finding.ledger_amount == lost.amount
    assert finding.provider_amount is None


@given(matching_sides(), st.data())
def test_a_transaction_without_posting_is_unmatched_once(sides: Sides, data: st.DataObject) -> None:
    twin = replace(data.draw(st.sampled_from(sides.transactions)), id="T-twin")
    stranger = replace(twin, sender_batch_id="mass-pay-7", reverses_id="")
    for added in (twin, stranger):
        more = [*sides.transactions, added]
        (finding,) = replace(sides, transactions=more).compared().findings
        assert finding.kind is FindingKind.UNMATCHED
        assert finding.provider_amount == added.amount
        assert finding.ledger_amount is None


@given(matching_sides(), st.data(), st.integers(1, 10**6), st.sampled_from(["sum", "fee", "money"]))
def test_a_transaction_unlike_its_posting_is_different_once(
    sides: Sides, data: st.DataObject, more_minor: int, what: str
) -> None:
    changed = data.draw(st.sampled_from(sides.transactions))
    amount, fee = changed.amount, changed.fee
    sign = 1 if amount.amount_minor > 0 else -1
    other = {
        "sum": replace(changed, amount=Money("USD", amount.amount_minor + sign * more_minor)),
        "fee": replace(changed, fee=Money("USD", fee.amount_minor + more_minor)),
        "money": replace(changed, amount=Money("EUR", amount.amount_minor)),
    }[what]
    report = [other if each.id == changed.id else each for each in sides.transactions]
    (finding,) = replace(sides, transactions=report).compared().findings
    assert finding.kind is FindingKind.DIFFERENT
    assert (finding.provider_amount, finding.ledger_amount) == (other.amount, amount)
    assert (finding.provider_fee, finding.ledger_fee) == (other.fee, fee)


@given(matching_sides())
def test_earlier_findings_are_not_repeated(sides: Sides) -> None:
    stranger = Transaction("T-x", "", "", Money("USD", 5), Money("USD", 0), LONG_AGO)
    nothing = replace(sides, transactions=[stranger])
    again = nothing.compared(
        found_transaction_ids={"T-x"},
        found_transfer_ids={posting.transfer_id for posting in sides.postings},
    )
    assert again.findings == []
    assert again.totals == ()


def _findings(
    posted: AttemptPostings, *transactions: Transaction, postings: Sequence[Posting] = ()
) -> list[Finding]:
    return Sides([posted], postings, transactions).compared().findings


@pytest.mark.parametrize("state", ["ACCEPTED", "UNCLAIMED", "BLOCKED", "UNKNOWN"])
def test_an_undelivered_payment_is_left_open(state: str) -> None:
    posted = postings_of("p1", AttemptState(state))
    found = Sides([posted], [], [payment_of(posted)]).compared()
    assert (found.findings, found.matches) == ([], [])
    assert found.totals == (Total("USD", open_minor=10_000),)


def test_a_wrong_amount_is_different_before_delivery() -> None:
    posted = postings_of("p1", AttemptState.UNCLAIMED)
    less = replace(payment_of(posted), amount=Money("USD", 9_000))
    (finding,) = _findings(posted, less)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider paid 90.00 USD, but 100.00 USD was ordered"


def test_an_unclaimed_payment_and_its_return_cancel_out() -> None:
    posted = postings_of("p1", AttemptState.RETURNED)
    payment = payment_of(posted)
    found = Sides([posted], [], [payment, return_of(payment, -200)]).compared()
    assert found.findings == []
    assert [match.transfer_id for match in found.matches] == [None, None]
    assert found.totals == (Total("USD"),)


def test_a_fee_may_be_returned_by_a_separate_transaction() -> None:
    posted = postings_of("p1", AttemptState.RETURNED)
    payment = payment_of(posted)
    back = return_of(payment)
    fee = replace(back, id="F", amount=Money("USD", 0), fee=Money("USD", -200))
    assert _findings(posted, payment, back, fee) == []
    (finding,) = _findings(posted, payment, back)
    assert finding.kind is FindingKind.DIFFERENT
    assert finding.description == "The provider kept a fee of 2.00 USD for an undelivered payment"
    assert (finding.provider_fee, finding.ledger_fee) == (Money("USD", 200), None)
    just_now = postings_of("p1", AttemptState.RETURNED, moved=NOW)
    assert _findings(just_now, payment, back) == []


def test_a_payment_of_a_failed_attempt_is_unmatched_after_the_deadline() -> None:
    failed = postings_of("p1", AttemptState.FAILED)
    just_now = postings_of("p1", AttemptState.FAILED, moved=NOW - SOON)
    payment = payment_of(failed)
    for open_ in (replace(payment, is_pending=True), replace(payment, is_reversed=True)):
        (finding,) = _findings(failed, open_)
        assert (finding.kind, finding.payout_id, finding.number) == (FindingKind.UNMATCHED, "p1", 1)
        assert finding.description == "In the ledger this attempt failed"
        assert _findings(just_now, open_) == []


@pytest.mark.parametrize("state", ["FAILED", "RETURNED"])
def test_a_delivered_payment_of_an_ended_attempt_is_unmatched_at_once(state: str) -> None:
    just_now = postings_of("p1", AttemptState(state), moved=NOW)
    (finding,) = _findings(just_now, payment_of(just_now))
    assert (finding.kind, finding.payout_id) == (FindingKind.UNMATCHED, "p1")


def test_a_posting_is_missing_only_after_the_deadline() -> None:
    posted = postings_of("p1")
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


def test_a_correction_is_no_mismatch() -> None:
    posted = postings_of("p1")
    payment = payment_of(posted)
    key = posted.key(Movement.PAYMENT)
    posting = Posting(1, key, payment.amount, payment.fee, NOW)
    found = Sides([posted], [posting], [payment]).compared(corrected={key})
    assert [finding.kind for finding in found.findings] == [FindingKind.CORRECTED]
    assert found.mismatch_count == 0


def test_an_id_of_a_lost_attempt_names_its_payout() -> None:
    lost = payment_of(postings_of("p1"))
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
def test_our_ids_are_parsed_into_payout_and_attempt(
    text: str, named: tuple[str, int] | None
) -> None:
    assert parse_sender_batch_id(text) == named


def test_a_reversal_of_an_earlier_report_is_attributed() -> None:
    posted = returned(postings_of("p1"))
    unnamed = replace(posted.attempt, provider_transaction_id="")
    back = return_of(payment_of(posted))
    attribution = Attribution([replace(posted, attempt=unnamed)], [], {"T-p1": ("p1", 1)})
    (attributed,) = attribution.attribute([back])
    assert attributed.posted is not None


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN", "BLOCKED"])
def test_a_transaction_proves_a_payment_without_a_batch_id(state: str) -> None:
    attempt = replace(postings_of("p1", AttemptState(state)).attempt, provider_batch_id="")
    payment = payment_of(postings_of("p1"))
    change = proven_change(attempt, payment, NOW)
    assert change.fee == payment.fee
    assert change.attempt.state is AttemptState.PAID
    assert change.attempt.provider_transaction_id == "T-p1"
    for attempt_, payment_ in (
        (replace(attempt, provider_batch_id="B1"), payment),
        (replace(attempt, lease_end_time=NOW + SOON), payment),
        (attempt, replace(payment, is_pending=True)),
        (attempt, replace(payment, amount=Money("USD", 1))),
        (attempt, return_of(payment)),
    ):
        assert proven_change(attempt_, payment_, NOW) == StatusChange(attempt_)


def test_a_transaction_proves_nothing_if_another_payment_has_the_id() -> None:
    posted = postings_of("p1", AttemptState.UNKNOWN)
    sent = replace(posted.attempt, provider_batch_id="")
    item = Item("I1", "SUCCESS", "eve@example.com", sent.amount, Money("USD", 200), "")
    stopped = status_change(sent, Batch("B1", sent.sender_batch_id, "SUCCESS", (item,))).attempt
    assert stopped.state is AttemptState.BLOCKED
    assert proven_change(stopped, payment_of(posted), NOW) == StatusChange(stopped)
    assert proven_change(sent, payment_of(posted), NOW) != StatusChange(sent)


def test_a_transaction_proves_a_return() -> None:
    attempt = replace(postings_of("p1").attempt, provider_batch_id="")
    change = proven_change(attempt, return_of(payment_of(postings_of("p1"))), NOW)
    assert change.returns
    assert change.attempt.state is AttemptState.RETURNED


@pytest.mark.parametrize(
    "back", [Money("USD", -3_000), Money("USD", -10_001), Money("EUR", -10_000)]
)
def test_a_partial_return_is_different_and_proves_nothing(back: Money) -> None:
    posted = postings_of("p1")
    payment = payment_of(posted)
    movement = replace(return_of(payment), amount=back)
    unavailable = replace(posted.attempt, provider_batch_id="")
    assert proven_change(unavailable, movement, NOW) == StatusChange(unavailable)
    posting = Posting(1, posted.key(Movement.PAYMENT), payment.amount, payment.fee, LONG_AGO)
    (finding,) = _findings(posted, payment, movement, postings=[posting])
    assert (finding.kind, finding.provider_amount) == (FindingKind.DIFFERENT, back)
    # If a sync took it for the full amount.
    in_full = Posting(2, posted.key(Movement.RETURN), Money("USD", -10_000), Money("USD", 0), NOW)
    (finding,) = _findings(returned(posted), payment, movement, postings=[posting, in_full])
    assert (finding.kind, finding.ledger_amount) == (FindingKind.DIFFERENT, in_full.amount)
