"""Transitions of attempts: what a provider's response may change, and which sender may POST."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from servicekit.money import Money
from services.payouts import attempts
from services.payouts.attempts import Attempt, AttemptState, lease, may_post, status_change
from services.payouts.providers.interface import Batch, Item

NOW = datetime(2026, 3, 1, tzinfo=UTC)
TEN = Money("USD", 1000)


def _attempt(state: AttemptState = AttemptState.ACCEPTED, provider_batch_id: str = "B1") -> Attempt:
    return Attempt(
        number=1,
        state=state,
        receiver="anna@example.com",
        amount=TEN,
        sender_batch_id="po-p1-1",
        create_time=NOW,
        update_time=NOW,
        provider_batch_id=provider_batch_id,
    )


def _batch(
    item_state: str,
    *,
    state: str = "SUCCESS",
    receiver: str = "anna@example.com",
    amount: Money = TEN,
) -> Batch:
    item = Item("I1", item_state, receiver, amount, Money("USD", 20), "")
    return Batch("B1", "po-p1-1", state, (item,))


@pytest.mark.parametrize(
    ("item_state", "expected"),
    [
        ("PENDING", AttemptState.ACCEPTED),
        ("ONHOLD", AttemptState.ACCEPTED),
        ("SUCCESS", AttemptState.PAID),
        ("UNCLAIMED", AttemptState.UNCLAIMED),
        ("FAILED", AttemptState.FAILED),
        ("RETURNED", AttemptState.RETURNED),
        ("REFUNDED", AttemptState.RETURNED),
        ("REVERSED", AttemptState.RETURNED),
        ("BLOCKED", AttemptState.BLOCKED),
        ("A_FUTURE_STATE", AttemptState.ACCEPTED),
    ],
)
def test_each_item_state_maps_to_an_attempt_state(item_state: str, expected: AttemptState) -> None:
    assert status_change(_attempt(), _batch(item_state)).attempt.state is expected


def test_success_settles_once() -> None:
    first = status_change(_attempt(), _batch("SUCCESS"))
    assert (first.fee is not None, first.returns) == (True, False)
    again = status_change(first.attempt, _batch("SUCCESS"))
    assert (again.attempt, again.fee is not None, again.returns) == (first.attempt, False, False)


@pytest.mark.parametrize("late", ["PENDING", "ONHOLD", "UNCLAIMED", "FAILED", "BLOCKED"])
def test_a_late_status_does_not_undo_a_payment(late: str) -> None:
    paid = _attempt(AttemptState.PAID)
    assert status_change(paid, _batch(late)) == attempts.StatusChange(paid)


def test_a_returned_unclaimed_payment_posts_nothing() -> None:
    change = status_change(_attempt(AttemptState.UNCLAIMED), _batch("RETURNED"))
    assert (change.fee is not None, change.returns) == (False, False)


@pytest.mark.parametrize("item_state", ["REFUNDED", "REVERSED"])
def test_a_return_after_success_posts_both_the_settlement_and_the_return(item_state: str) -> None:
    seen = status_change(_attempt(AttemptState.PAID), _batch(item_state))
    assert (seen.fee is not None, seen.returns) == (False, True)
    missed = status_change(_attempt(AttemptState.ACCEPTED), _batch(item_state))
    assert (missed.fee is not None, missed.returns) == (True, True)


@pytest.mark.parametrize("final", [AttemptState.FAILED, AttemptState.RETURNED])
def test_a_final_state_never_changes(final: AttemptState) -> None:
    for item_state in ("SUCCESS", "PENDING", "REVERSED"):
        attempt = _attempt(final)
        assert status_change(attempt, _batch(item_state)) == attempts.StatusChange(attempt)


@pytest.mark.parametrize(
    ("receiver", "amount"),
    [
        ("eve@example.com", TEN),
        ("anna@example.com", Money("USD", 1001)),
        ("anna@example.com", Money("EUR", 1000)),
    ],
)
def test_another_payment_under_the_id_blocks_the_attempt(receiver: str, amount: Money) -> None:
    unknown = _attempt(AttemptState.UNKNOWN, provider_batch_id="")
    change = status_change(unknown, _batch("SUCCESS", receiver=receiver, amount=amount))
    assert change.attempt.state is AttemptState.BLOCKED
    assert change.attempt.error_code == "OTHER_PAYMENT"
    assert change.fee is None


def test_receivers_are_compared_without_case() -> None:
    assert attempts.is_same_payment(_attempt(), _batch("SUCCESS", receiver="Anna@Example.com"))


def test_a_denied_batch_fails_an_accepted_attempt() -> None:
    change = status_change(_attempt(), _batch("FAILED", state="DENIED"))
    assert change.attempt.state is AttemptState.FAILED
    empty = Batch("B1", "po-p1-1", "DENIED", ())
    assert status_change(_attempt(), empty).attempt.state is AttemptState.FAILED


def test_a_denied_batch_leaves_an_unknown_attempt_unknown() -> None:
    unknown = _attempt(AttemptState.UNKNOWN, provider_batch_id="")
    assert status_change(unknown, _batch("FAILED", state="DENIED")) == attempts.StatusChange(
        unknown
    )


def test_a_batch_without_items_yet_changes_nothing() -> None:
    assert status_change(_attempt(), Batch("B1", "po-p1-1", "PENDING", ())).attempt == _attempt()


def test_another_batch_than_the_accepted_one_changes_nothing() -> None:
    attempt = _attempt(provider_batch_id="B2")
    assert status_change(attempt, _batch("SUCCESS")) == attempts.StatusChange(attempt)


def test_one_sender_at_a_time_may_post() -> None:
    first = lease(_attempt(AttemptState.SENDING), NOW)
    assert first is not None
    assert may_post(first, first.fence, NOW)
    assert lease(first, NOW + timedelta(seconds=1)) is None


def test_a_stalled_sender_may_no_longer_post() -> None:
    first = lease(_attempt(AttemptState.SENDING), NOW)
    assert first is not None
    assert not may_post(
        first, first.fence, NOW + attempts.LEASE - attempts.SEND + timedelta(seconds=1)
    )
    second = lease(first, NOW + attempts.LEASE)
    assert second is not None
    assert not may_post(second, first.fence, NOW + attempts.LEASE)
    assert may_post(second, second.fence, NOW + attempts.LEASE)


def test_an_expired_lease_makes_the_attempt_unknown() -> None:
    first = lease(_attempt(AttemptState.SENDING), NOW)
    assert first is not None
    second = lease(first, NOW + attempts.LEASE)
    assert second is not None
    assert second.state is AttemptState.UNKNOWN


def test_a_refusal_leaves_an_unknown_attempt_unknown() -> None:
    assert attempts.rejected(_attempt(AttemptState.SENDING), "X").state is AttemptState.FAILED
    assert attempts.rejected(_attempt(AttemptState.UNKNOWN), "X").state is AttemptState.UNKNOWN


def test_an_unknown_attempt_becomes_too_old_to_send_again() -> None:
    later = NOW + attempts.MAXIMUM_DOUBT + timedelta(seconds=1)
    assert attempts.is_too_old_to_repeat(_attempt(AttemptState.UNKNOWN), later)
    assert not attempts.is_too_old_to_repeat(_attempt(AttemptState.SENDING), later)
    assert not attempts.is_too_old_to_repeat(_attempt(AttemptState.UNKNOWN), NOW)


def test_an_attempt_blocked_without_a_batch_is_unblocked_by_its_batch() -> None:
    stopped = _attempt(AttemptState.BLOCKED, provider_batch_id="")
    found = status_change(stopped, _batch("PENDING", state="PROCESSING")).attempt
    assert (found.state, found.provider_batch_id) == (AttemptState.ACCEPTED, "B1")
    # What the provider itself has blocked is not let go by a late status.
    blocked = _attempt(AttemptState.BLOCKED)
    assert status_change(blocked, _batch("PENDING")) == attempts.StatusChange(blocked)


def test_the_first_transaction_id_is_kept() -> None:
    known = replace(_attempt(), provider_transaction_id="T1")
    item = replace(_batch("SUCCESS").items[0], transaction_id="T2")
    change = status_change(known, replace(_batch("SUCCESS"), items=(item,)))
    assert (change.fee is not None, change.attempt.provider_transaction_id) == (True, "T1")


@pytest.mark.parametrize(
    ("item_state", "batch_state", "expected"),
    [
        ("SUCCESS", "SUCCESS", True),
        ("UNCLAIMED", "SUCCESS", True),
        ("PENDING", "PROCESSING", True),
        ("A_FUTURE_STATE", "SUCCESS", True),
        ("FAILED", "SUCCESS", False),
        ("RETURNED", "SUCCESS", False),
        ("REFUNDED", "SUCCESS", False),
        ("PENDING", "DENIED", False),
    ],
)
def test_an_item_that_may_pay_contradicts_an_ended_attempt(
    item_state: str, batch_state: str, *, expected: bool
) -> None:
    shown = _batch(item_state, state=batch_state)
    assert attempts.is_contradicted(_attempt(AttemptState.FAILED), shown) is expected
    assert not attempts.is_contradicted(_attempt(AttemptState.PAID), shown)


@pytest.mark.parametrize(
    ("state", "provider_state", "item_state", "batch_state", "expected"),
    [
        # The outcome is not known yet: any event is news.
        (AttemptState.UNKNOWN, "", "", "PROCESSING", True),
        (AttemptState.SENDING, "", "SUCCESS", "", True),
        (AttemptState.ACCEPTED, "", "", "PROCESSING", False),
        (AttemptState.ACCEPTED, "", "SUCCESS", "", True),
        # The item's own event may be lost.
        (AttemptState.ACCEPTED, "", "", "SUCCESS", True),
        (AttemptState.ACCEPTED, "ONHOLD", "", "SUCCESS", False),
        (AttemptState.ACCEPTED, "ONHOLD", "ONHOLD", "", False),
        (AttemptState.PAID, "SUCCESS", "SUCCESS", "", False),
        (AttemptState.PAID, "SUCCESS", "", "SUCCESS", False),
        (AttemptState.PAID, "SUCCESS", "REFUNDED", "", True),
        (AttemptState.PAID, "SUCCESS", "", "DENIED", True),
        (AttemptState.UNCLAIMED, "UNCLAIMED", "RETURNED", "", True),
        (AttemptState.RETURNED, "RETURNED", "UNCLAIMED", "", False),
        # It would be paid although the attempt has ended.
        (AttemptState.RETURNED, "RETURNED", "SUCCESS", "", True),
        (AttemptState.ACCEPTED, "", "", "", True),
    ],
)
def test_events_that_cannot_be_news_are_not_fetched(
    state: AttemptState, provider_state: str, item_state: str, batch_state: str, *, expected: bool
) -> None:
    attempt = replace(_attempt(state), provider_state=provider_state)
    assert attempts.may_have_changed(attempt, item_state, batch_state) is expected
