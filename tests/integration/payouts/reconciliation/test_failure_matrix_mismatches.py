"""Failure matrix, row 22: a mismatch halts all payouts."""

from datetime import timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2

from servicekit.errors import Reason
from servicekit.money import Money
from services.payouts.reconciliation import comparison
from tests.integration.payouts.harness import Harness, eventually, usd
from tests.integration.payouts.provider_reports import found, run
from tests.integration.payouts.reconciliation.calls import cause_of, resume
from tests.integration.payouts.sandbox_admin import change_item, change_line, use_account
from tests.support.serving import refused

PAID = payouts_pb2.Payout.STATE_PAID


async def _unmatched_payment(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await use_account(harness, 500)


async def _second_payment(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await use_account(harness, 10_000, "po-p1-1")


async def _missing(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    # Without waiting for a day.
    monkeypatch.setattr(comparison, "MATCH_DEADLINE", timedelta())
    await change_line(harness, "p1", is_reported=False)


async def _other_amount(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", amount="-99.00")


async def _other_fee(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", fee="-2.01")


async def _other_currency(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    await change_line(harness, "p1", currency="EUR")


@pytest.mark.parametrize(
    ("tamper", "findings"),
    [
        (_unmatched_payment, [("UNMATCHED", "")]),
        (_second_payment, [("UNMATCHED", "payouts/p1")]),
        (_missing, [("MISSING", "payouts/p1")]),
        (_other_amount, [("DIFFERENT", "payouts/p1")]),
        (_other_fee, [("DIFFERENT", "payouts/p1")]),
        (_other_currency, [("DIFFERENT", "payouts/p1")]),
    ],
)
async def test_row_22_a_mismatch_halts_all_payouts(
    harness: Harness, monkeypatch: pytest.MonkeyPatch, tamper: Any, findings: list[tuple[str, str]]
) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p2")
    await harness.send("p1")
    await harness.until("p1", PAID)
    await tamper(harness, monkeypatch)
    done = await run(harness)
    assert found(done) == findings
    assert done.mismatch_count == 1
    if tamper is _other_fee:
        (fees,) = done.findings
        assert fees.provider_amount == fees.ledger_amount
        assert (fees.provider_fee, fees.ledger_fee) == (usd(201), usd(200))
    assert await cause_of(harness.reconciler) == "MISMATCH"
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    # Payments in progress go on.
    assert (await harness.refresh("p1")).state == PAID
    # Found once, and never lifted automatically.
    assert found(await run(harness)) == []
    assert await cause_of(harness.reconciler) == "MISMATCH"
    assert len(harness.batches()) == 1
    await resume(harness.reconciler)
    await harness.send("p2")
    await harness.until("p2", PAID)
    assert len(harness.batches()) == 2


async def _send_one_of_each_outcome(harness: Harness) -> None:
    """Sends payouts named after their outcomes, and waits until the provider shows their states."""
    await harness.deposit(1_000_000)
    receivers = {
        "paid": "anna@example.com",
        "unclaimed": "unclaimed@example.com",
        "recalled": "unclaimed@example.com",
        "onhold": "onhold@example.com",
        "failed": "failed-late@example.com",
        "refunded": "anna@example.com",
        "reversed": "anna@example.com",
    }
    for payout, receiver in receivers.items():
        await harness.creator(payout, receiver)
        await harness.reserve(payout, creator=payout)
        await harness.send(payout)
    for payout in ("paid", "refunded", "reversed"):
        await harness.until(payout, PAID)
    for payout in ("unclaimed", "recalled"):
        await harness.until(payout, payouts_pb2.Payout.STATE_UNCLAIMED)

    async def is_held() -> bool:
        (attempt,) = (await harness.refresh("onhold")).attempts
        return attempt.provider_state == "ONHOLD"

    await eventually(is_held)


async def test_row_22_no_regular_outcome_is_a_mismatch(harness: Harness) -> None:
    """Paid, unclaimed and recalled, held and then denied, refunded and reversed, with and without a
    webhook: the ledger has every movement of money afterwards."""
    await _send_one_of_each_outcome(harness)
    first = await run(harness)
    assert found(first) == []
    (total,) = first.totals
    assert total.open_amount == Money("USD", 30_000).to_message()
    assert total.provider_amount == total.ledger_amount == Money("USD", 30_000).to_message()
    await harness.recall("recalled")
    await change_item(harness, "onhold", "FAILED")
    await change_item(harness, "refunded", "REFUNDED")
    await change_item(harness, "reversed", "REVERSED")
    second = await run(harness)
    assert sorted(found(second)) == [
        ("CORRECTED", "payouts/refunded"),
        ("CORRECTED", "payouts/reversed"),
    ]
    (total,) = second.totals
    assert total.open_amount == Money("USD", 10_000).to_message()
    assert total.provider_amount == total.ledger_amount == Money("USD", -20_000).to_message()
    assert total.provider_fee == total.ledger_fee
    await change_item(harness, "unclaimed", "SUCCESS")
    third = await run(harness)
    assert found(third) == [("CORRECTED", "payouts/unclaimed")]
    assert third.totals[0].open_amount == Money("USD", 0).to_message()
    assert await cause_of(harness.reconciler) == ""
    balances = await harness.balances()
    assert balances["provider/paypal"] == 20_000
