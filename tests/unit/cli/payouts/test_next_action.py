"""The next action on a payout."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.payouts.next_action import next_action
from servicekit.money import Money
from servicekit.timestamps import to_timestamp

NOW = datetime(2026, 3, 1, 3, 4, 5, tzinfo=UTC)


def _attempt(provider_state: str = "", provider: str = "PAYPAL", code: str = "OOPS") -> pb.Attempt:
    return pb.Attempt(
        number=1,
        provider=pb.Provider.Value(f"PROVIDER_{provider}"),
        receiver="ES91 2100",
        provider_state=provider_state,
        error_code=code,
        update_time=to_timestamp(NOW),
    )


def _payout(
    state: str, *attempts: pb.Attempt, is_held: bool = False, retry: pb.Decision | None = None
) -> pb.Payout:
    return pb.Payout(
        name="payouts/p1",
        state=pb.Payout.State.Value(f"STATE_{state}"),
        amount=Money("USD", 10_000).to_message(),
        attempts=attempts,
        decisions=[retry] if retry else [],
        is_held=is_held,
    )


def _retry(attempt: int = 2, *, minutes: int = 1, **also: Any) -> pb.Decision:
    time = to_timestamp(NOW + timedelta(minutes=minutes))
    kind = pb.Decision.KIND_RETRY
    return pb.Decision(kind=kind, attempt=attempt, create_time=time, **also)


RETRY = _retry()


@pytest.mark.parametrize(
    ("payout", "words"),
    [
        (_payout("RESERVED"), "none: it is sent automatically"),
        (_payout("RESERVED", retry=_retry(1)), "none: attempt 1 is being made"),
        (_payout("RESERVED", is_held=True), "operator: `liaison payout resume p1 --reason …`"),
        (_payout("BLOCKED", _attempt()), "operator: find out at the provider"),
        (
            _payout("SENT", _attempt(provider="BANK_TRANSFER")),
            "operator: transfer 100.00 USD to ES91 2100",
        ),
        (_payout("SENT", _attempt()), "provider: "),
        (_payout("SENDING", _attempt()), "none: attempt 1 is sent again"),
        (
            _payout("SENDING", _attempt(), is_held=True),
            "operator: `liaison payout resume p1 --reason …`",
        ),
        (
            _payout("SENDING", _attempt(code="INSUFFICIENT_FUNDS")),
            "owner of our account at PAYPAL: add funds",
        ),
        (_payout("FAILED", _attempt("FAILED")), "none: it is retried automatically"),
        (_payout("FAILED", _attempt("FAILED"), retry=RETRY), "none: attempt 2 is being made"),
        (_payout("FAILED", _attempt("FAILED"), retry=_retry(1)), "none: it is retried"),
        (_payout("FAILED", _attempt("RETURNED")), "creator: name a PayPal account again"),
        (_payout("FAILED", _attempt("RETURNED"), retry=RETRY), "creator: name a PayPal account"),
        (
            _payout("FAILED", _attempt("RETURNED"), retry=_retry(receiver="a@example.com")),
            "none: attempt 2 is being made",
        ),
        (_payout("FAILED", _attempt("REVERSED")), "operator: the money was returned after"),
        (
            _payout("FAILED", _attempt("REVERSED"), is_held=True),
            "operator: the money was returned after it had been paid, and is not paid again"
            " automatically. Decide: `liaison payout retry p1 --reason …` after"
            " `liaison payout resume p1`",
        ),
        (_payout("FAILED", _attempt("REVERSED"), retry=RETRY), "none: attempt 2 is being made"),
        (
            _payout("FAILED", _attempt("REVERSED"), retry=_retry(minutes=-1)),
            "operator: the money was returned after",
        ),
        (_payout("FAILED", _attempt(code="SENDER_RESTRICTED")), "owner of our account at PAYPAL"),
        (_payout("UNCLAIMED", _attempt()), "creator: claim the money. `liaison payout retry"),
        (_payout("UNCLAIMED", _attempt(), retry=RETRY), "none: the payment is being recalled"),
        (
            _payout("UNCLAIMED", _attempt(), is_held=True),
            "creator: claim the money. No other attempt",
        ),
    ],
)
def test_the_next_action_names_who_must_act(payout: pb.Payout, words: str) -> None:
    assert next_action(payout, is_halted=False).startswith(words)


@pytest.mark.parametrize("state", pb.Payout.State.keys()[1:])
def test_every_state_has_a_next_action(state: str) -> None:
    payout = _payout(state.removeprefix("STATE_"), _attempt())
    is_to_be_sent = state in ("STATE_RESERVED", "STATE_SENDING", "STATE_FAILED")
    assert next_action(payout, is_halted=False)
    assert ("liaison payouts resume" in next_action(payout, is_halted=True)) == is_to_be_sent
