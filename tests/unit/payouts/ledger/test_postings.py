"""Postings balance for any amounts and fees."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from servicekit.money import Money
from services.payouts.domain import Deposit, Payout, State, new_attempt
from services.payouts.ledger import postings
from services.payouts.ledger.postings import (
    PLATFORM,
    Transfer,
    available,
    fees_of,
    paid_through,
    reserved,
)
from workflows.payout.providers import ProviderName

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FEES, PROVIDER = fees_of(ProviderName.PAYPAL), paid_through(ProviderName.PAYPAL)
amounts = st.integers(1, 10**12)
fees = st.integers(0, 10**10)


def _payout(amount_minor: int, held_minor: int | None = None) -> Payout:
    amount = Money("USD", amount_minor)
    return Payout(
        id="p1",
        state=State.RESERVED,
        brand="acme",
        creator="anna",
        amount=amount,
        reserved_amount=amount,
        held_minor=postings.hold_minor(amount) if held_minor is None else held_minor,
        fee=None,
        was_settled=False,
        attempts=(),
        create_time=NOW,
        update_time=NOW,
    )


def _legs(transfer: Transfer) -> dict[tuple[str, str], int]:
    sums: Counter[str] = Counter()
    for entry in transfer.entries:
        sums[entry.amount.currency] += entry.amount.amount_minor
        assert entry.amount.amount_minor != 0
    assert not any(sums.values())
    assert len(transfer.entries) >= 2
    return {(e.account.name, e.amount.currency): e.amount.amount_minor for e in transfer.entries}


@given(amounts)
def test_a_deposit_balances(minor: int) -> None:
    deposit = Deposit("d1", "acme", Money("EUR", minor), NOW)
    legs = _legs(postings.deposit(deposit))
    assert legs == {("world/deposits", "EUR"): -minor, ("brands/acme/available", "EUR"): minor}


@given(amounts, fees)
def test_a_settlement_uses_the_whole_reservation_and_pays_the_whole_reward(
    amount: int, fee: int
) -> None:
    payout = _payout(amount)
    attempt = new_attempt(payout, "anna@example.com", NOW)
    legs = _legs(postings.settle(payout, attempt, Money("USD", fee)))
    assert legs[reserved("acme").name, "USD"] == -payout.held_minor
    assert legs[PROVIDER.name, "USD"] == amount
    assert legs.get((FEES.name, "USD"), 0) == fee
    assert legs.get((available("acme").name, "USD"), 0) >= 0
    assert legs.get((PLATFORM.name, "USD"), 0) <= 0


@given(amounts, st.integers(1, 10**6))
def test_a_fee_in_another_currency_is_paid_by_the_platform(amount: int, fee: int) -> None:
    payout = _payout(amount)
    attempt = new_attempt(payout, "anna@example.com", NOW)
    legs = _legs(postings.settle(payout, attempt, Money("EUR", fee)))
    assert legs[FEES.name, "EUR"] == fee
    assert legs[PLATFORM.name, "EUR"] == -fee
    assert legs[available("acme").name, "USD"] == payout.held_minor - amount


@given(st.integers(2, 10**12), st.data())
def test_reducing_leaves_what_the_lower_reward_needs(amount: int, data: st.DataObject) -> None:
    lower = Money("USD", data.draw(st.integers(1, amount - 1)))
    payout = _payout(amount)
    legs = _legs(postings.reduce(payout, lower))
    assert payout.held_minor + legs["brands/acme/reserved", "USD"] == postings.hold_minor(lower)


@given(amounts)
def test_a_return_posts_the_reward_without_the_fee(amount: int) -> None:
    payout = _payout(amount, held_minor=0)
    attempt = new_attempt(payout, "anna@example.com", NOW)
    legs = _legs(postings.give_back(payout, attempt))
    assert legs == {
        (PROVIDER.name, "USD"): -amount,
        (reserved("acme").name, "USD"): amount,
    }


def test_the_fee_is_rounded_up() -> None:
    assert [postings.maximum_fee_minor(minor) for minor in (1, 50, 51, 10_000)] == [1, 1, 2, 200]


def test_another_body_has_the_same_key_and_another_hash() -> None:
    one, other = _payout(100), _payout(101)
    assert postings.release(one).key == postings.release(other).key
    assert postings.release(one).body_sha256 != postings.release(other).body_sha256
