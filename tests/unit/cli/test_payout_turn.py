"""Whose turn it is with a payout."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from cli.payouts.next_action import turn_of
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
        (_payout("RESERVED"), "nobody: it is sent by itself"),
        (_payout("RESERVED", retry=_retry(1)), "nobody: attempt 1 is made now"),
        (_payout("RESERVED", is_held=True), "`liaison payout resume p1`"),
        (_payout("BLOCKED", _attempt()), "find out at the provider"),
        (_payout("SENT", _attempt(provider="BANK_TRANSFER")), "transfer 100.00 USD to ES91 2100"),
        (_payout("SENT", _attempt()), "the provider"),
        (_payout("SENDING", _attempt()), "nobody: attempt 1 is sent again"),
        (_payout("SENDING", _attempt(), is_held=True), "`liaison payout resume p1`"),
        (
            _payout("SENDING", _attempt(code="INSUFFICIENT_FUNDS")),
            "who keeps our account at PAYPAL must put money into it",
        ),
        (_payout("FAILED", _attempt("FAILED")), "nobody: it is tried again by itself"),
        (_payout("FAILED", _attempt("FAILED"), retry=RETRY), "nobody: attempt 2 is made now"),
        (_payout("FAILED", _attempt("FAILED"), retry=_retry(1)), "nobody: it is tried again"),
        (_payout("FAILED", _attempt("RETURNED")), "the creator, who must have named"),
        (_payout("FAILED", _attempt("RETURNED"), retry=RETRY), "the creator, who must have"),
        (
            _payout("FAILED", _attempt("RETURNED"), retry=_retry(receiver="a@example.com")),
            "nobody: attempt 2 is made now",
        ),
        (_payout("FAILED", _attempt("REVERSED")), "the money came back after it was paid"),
        (
            _payout("FAILED", _attempt("REVERSED"), is_held=True),
            "the money came back after it was paid, and is not paid again by itself:"
            " `liaison payout retry p1` after `liaison payout resume p1`",
        ),
        (_payout("FAILED", _attempt("REVERSED"), retry=RETRY), "nobody: attempt 2 is made now"),
        (
            _payout("FAILED", _attempt("REVERSED"), retry=_retry(minutes=-1)),
            "the money came back after it was paid",
        ),
        (_payout("FAILED", _attempt(code="SENDER_RESTRICTED")), "who keeps our account at PAYPAL"),
        (_payout("UNCLAIMED", _attempt()), "the creator, who must claim it; `liaison payout retry"),
        (_payout("UNCLAIMED", _attempt(), retry=RETRY), "nobody: it is taken back"),
        (_payout("UNCLAIMED", _attempt(), is_held=True), "the creator, who must claim it; an op"),
    ],
)
def test_who_must_act_is_said(payout: pb.Payout, words: str) -> None:
    assert turn_of(payout, is_halted=False).startswith(words)


@pytest.mark.parametrize("state", pb.Payout.State.keys()[1:])
def test_every_state_says_who_must_act(state: str) -> None:
    payout = _payout(state.removeprefix("STATE_"), _attempt())
    is_to_be_sent = state in ("STATE_RESERVED", "STATE_SENDING", "STATE_FAILED")
    assert turn_of(payout, is_halted=False)
    assert ("liaison sending" in turn_of(payout, is_halted=True)) == is_to_be_sent
