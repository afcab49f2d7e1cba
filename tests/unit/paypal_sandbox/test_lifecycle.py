"""The sandbox's pure rules: behaviours by receiver, scripts, transitions and fees."""

from decimal import Decimal

import pytest

from devstack.paypal_sandbox import amounts, lifecycle
from devstack.paypal_sandbox.lifecycle import BatchStatus, Behaviour, ItemStatus, ResponseKind


@pytest.mark.parametrize(
    ("receiver", "behaviour"),
    [
        ("anna@example.com", Behaviour.SUCCESS),
        ("failed-late@example.com", Behaviour.FAILED_LATE),
        ("failed_late.anna@example.com", Behaviour.FAILED_LATE),
        ("Unclaimed+anna@example.com", Behaviour.UNCLAIMED),
        ("error-500-after-accept-7@example.com", Behaviour.ERROR_500_AFTER_ACCEPT),
        ("unclaimedly@example.com", Behaviour.SUCCESS),
        ("anna@unclaimed.example.com", Behaviour.SUCCESS),
        ("+4915112345678", Behaviour.SUCCESS),
    ],
)
def test_the_start_of_the_local_part_names_the_behaviour(
    receiver: str, behaviour: Behaviour
) -> None:
    assert lifecycle.behaviour_named_by(receiver) is behaviour


@pytest.mark.parametrize("behaviour", Behaviour)
def test_every_script_consists_of_allowed_transitions(behaviour: Behaviour) -> None:
    status = ItemStatus.PENDING
    elapsed = 0.0
    for step in lifecycle.script(behaviour, delay_seconds=1.0, step_seconds=0.1):
        assert lifecycle.may_follow(status, step.status)
        assert step.after_seconds >= max(elapsed, 0.2)
        status, elapsed = step.status, step.after_seconds


def test_an_item_never_changes_before_its_batch_is_processing() -> None:
    (step,) = lifecycle.script(Behaviour.FAILED_LATE, delay_seconds=0, step_seconds=0.1)
    assert step.after_seconds == pytest.approx(0.2)


@pytest.mark.parametrize(
    "final", [ItemStatus.FAILED, ItemStatus.RETURNED, ItemStatus.REVERSED, ItemStatus.REFUNDED]
)
def test_a_final_status_has_no_transitions(final: ItemStatus) -> None:
    assert not any(lifecycle.may_follow(final, status) for status in ItemStatus)


def test_a_batch_is_complete_when_no_item_is_pending() -> None:
    assert lifecycle.is_complete(BatchStatus.PROCESSING, 0)
    assert not lifecycle.is_complete(BatchStatus.PROCESSING, 1)
    assert not lifecycle.is_complete(BatchStatus.DENIED, 0)


def test_reversal_has_no_event() -> None:
    assert lifecycle.item_event_type(ItemStatus.REVERSED) is None
    assert lifecycle.item_event_type(ItemStatus.ONHOLD) == "PAYMENT.PAYOUTS-ITEM.HELD"


def test_one_lost_response_loses_the_response_of_the_batch() -> None:
    assert (
        lifecycle.response_to([Behaviour.SUCCESS, Behaviour.DROP_RESPONSE]) is ResponseKind.DROPPED
    )
    assert lifecycle.response_to([Behaviour.ERROR_500_AFTER_ACCEPT]) is ResponseKind.SERVER_ERROR
    assert lifecycle.response_to([Behaviour.FAILED_LATE]) is ResponseKind.CREATED


@pytest.mark.parametrize(
    ("amount", "currency", "fee"),
    [("10", "USD", "0.20"), ("0.99", "USD", "0.02"), ("5000", "EUR", "20.00"), ("120", "JPY", "2")],
)
def test_the_fee_is_two_per_cent_up_to_a_cap(amount: str, currency: str, fee: str) -> None:
    assert amounts.as_text(amounts.fee_on(Decimal(amount)), currency) == fee
