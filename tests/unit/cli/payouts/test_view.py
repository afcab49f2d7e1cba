"""The text that an operator reads about one payout."""

from datetime import UTC, datetime
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.payouts.payout import money_of, name_of
from cli.payouts.view import lines_of
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

NOW = to_timestamp(datetime(2026, 3, 1, 3, 4, 5, tzinfo=UTC))
USD = Money("USD", 10_000).to_message()


def _payout(state: str = "RESERVED", *attempts: pb.Attempt, is_held: bool = False) -> pb.Payout:
    return pb.Payout(
        name="payouts/p1",
        state=pb.Payout.State.Value(f"STATE_{state}"),
        brand="brands/acme",
        creator="creators/anna",
        amount=USD,
        attempts=attempts,
        create_time=NOW,
        update_time=NOW,
        is_held=is_held,
    )


def _attempt(provider_state: str = "", provider: str = "PAYPAL") -> pb.Attempt:
    return pb.Attempt(
        number=1,
        state=pb.Attempt.STATE_RETURNED,
        provider=pb.Provider.Value(f"PROVIDER_{provider}"),
        receiver="ES91 2100",
        sender_batch_id="po-p1-1",
        provider_state=provider_state,
        error_code="OOPS",
        create_time=NOW,
        update_time=NOW,
    )


def test_all_fields_are_printed() -> None:
    payout = _payout("FAILED", _attempt("RETURNED"), is_held=True)
    payout.fee.CopyFrom(Money("USD", 200).to_message())
    payout.decisions.add(
        kind=pb.Decision.KIND_RETRY,
        attempt=2,
        actor="staff/olga",
        reason="Ticket 4711",
        create_time=NOW,
    )
    assert list(lines_of(payout, is_halted=False)) == [
        "payouts/p1  FAILED, HELD by an operator",
        "  amount    100.00 USD, and a fee of 2.00 USD",
        "  brand     brands/acme",
        "  creator   creators/anna",
        "  created   2026-03-01 03:04:05 UTC",
        "  updated   2026-03-01 03:04:05 UTC",
        "",
        "attempt 1  RETURNED (OOPS)",
        "  provider         PAYPAL",
        "  receiver         ES91 2100",
        "  sender batch id  po-p1-1",
        "  provider state   RETURNED",
        "  created          2026-03-01 03:04:05 UTC",
        "  updated          2026-03-01 03:04:05 UTC",
        "",
        "decisions",
        "  2026-03-01 03:04:05 UTC  RETRY attempt 2 by staff/olga: Ticket 4711",
        "",
        "next action: operator: `liaison payout resume p1 --reason …` lets it be sent",
    ]


@pytest.mark.parametrize(
    ("decision", "words"),
    [
        (
            {
                "kind": "KIND_RETRY",
                "attempt": 2,
                "provider": "PROVIDER_BANK_TRANSFER",
                "receiver": "ES91",
            },
            "RETRY attempt 2 (BANK_TRANSFER, to ES91) by",
        ),
        (
            {"kind": "KIND_WRITE_OFF", "beneficiary": "BENEFICIARY_BRAND"},
            "WRITE_OFF (to the BRAND) by",
        ),
        (
            {"kind": "KIND_RESOLVE", "attempt": 1, "outcome": "OUTCOME_NOT_PAID"},
            "RESOLVE attempt 1 (NOT_PAID) by",
        ),
        (
            {"kind": "KIND_RESOLVE", "attempt": 1, "outcome": "OUTCOME_FOUND"},
            "RESOLVE attempt 1 (FOUND, batch B1) by",
        ),
        ({"kind": "KIND_HOLD"}, "HOLD by"),
    ],
)
def test_each_decision_is_printed_with_its_details(decision: dict[str, Any], words: str) -> None:
    attempt = _attempt()
    attempt.provider_batch_id = "B1"
    payout = _payout("FAILED", attempt)
    payout.decisions.add(actor="staff/olga", reason="Ticket 4711", create_time=NOW, **decision)
    (line,) = [one for one in lines_of(payout, is_halted=False) if "staff/olga" in one]
    assert f"UTC  {words} staff/olga: Ticket 4711" in line


def test_control_characters_are_not_printed() -> None:
    payout = _payout("FAILED")
    payout.decisions.add(
        kind=pb.Decision.KIND_HOLD,
        actor="staff/olga",
        reason="a\x1b[31mb\n\u202ec",
        create_time=NOW,
    )
    (line,) = [one for one in lines_of(payout, is_halted=False) if "staff/olga" in one]
    assert line.endswith("a [31mb c")


@pytest.mark.parametrize("name", ["p1", "payouts/p1", "assignments/p1"])
def test_a_payout_may_be_given_by_its_assignment(name: str) -> None:
    assert name_of(name) == "payouts/p1"


def test_a_fee_needs_two_decimals_at_most_and_a_currency() -> None:
    assert money_of("1.50 EUR") == Money("EUR", 150)
    for wrong in ("1.505 EUR", "1.50", "EUR", "1.50 eur", "NaN EUR", "x EUR"):
        with pytest.raises(Exception, match="is not an amount"):
            money_of(wrong)
