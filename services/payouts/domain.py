"""Payouts, deposits and operators' decisions. Pure.

A payout's state is never stored: view `payout_now` derives it from its attempts and the ledger.
Attempts are in `services.payouts.attempts`, postings in `services.payouts.ledger.postings`.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from servicekit.money import Money
from services.payouts.attempts import Attempt, AttemptState, sender_batch_id
from workflows.payout.providers import ProviderName


class State(StrEnum):
    """State of a payout; see payouts.v1.Payout.State."""

    RESERVED = "RESERVED"
    SENDING = "SENDING"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    RELEASED = "RELEASED"
    UNCLAIMED = "UNCLAIMED"
    BLOCKED = "BLOCKED"
    WRITTEN_OFF = "WRITTEN_OFF"


class DecisionKind(StrEnum):
    """See payouts.v1.Decision.Kind."""

    RETRY = "RETRY"
    HOLD = "HOLD"
    RESUME = "RESUME"
    WRITE_OFF = "WRITE_OFF"
    RESOLVE = "RESOLVE"
    CONFIRM = "CONFIRM"
    REJECT = "REJECT"


class Beneficiary(StrEnum):
    """Who gets the money reserved for a payout that is written off."""

    BRAND = "BRAND"
    PLATFORM = "PLATFORM"


class Outcome(StrEnum):
    """Outcome of an attempt; see payouts.v1.ResolveAttemptRequest.Outcome."""

    NOT_PAID = "NOT_PAID"
    FOUND = "FOUND"


# Final, unless a paid amount comes back.
ENDED = frozenset({State.PAID, State.RELEASED, State.WRITTEN_OFF})
# No attempt may use the money: the payout may be reduced or released.
_IDLE = frozenset({State.RESERVED, State.FAILED})


@dataclass(frozen=True)
class PayoutAccount:
    """A creator's payout account; `receiver` is empty if it named none. `name_time` is when it last
    named one, including the same one again."""

    receiver: str
    name_time: datetime | None

    def is_worth_trying_after(self, attempt: Attempt) -> bool:
        """False for the account at which that attempt was not claimed, until the creator names it
        again."""
        is_same = self.receiver.casefold() == attempt.receiver.casefold()
        was_named_since = self.name_time is not None and self.name_time > attempt.create_time
        return not (attempt.was_not_claimed and is_same) or was_named_since


@dataclass(frozen=True)
class Decision:
    """An operator's decision about a payout. `attempt_number` is the attempt concerned; for RETRY,
    the next attempt, sent by `provider` and to `receiver` if they are set."""

    kind: DecisionKind
    reason: str
    actor: str
    request_id: str
    create_time: datetime
    attempt_number: int | None = None
    provider: ProviderName | None = None
    receiver: str | None = None
    # RETRY: pay again what was paid and came back.
    pays_again: bool = False
    # WRITE_OFF has a beneficiary, RESOLVE an outcome.
    beneficiary: Beneficiary | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Payout:
    """The payment of one reward. `reserved_amount` is the amount first requested; `held_minor` is
    what the ledger holds for it now, including the maximum fee."""

    id: str
    state: State
    brand: str
    creator: str
    amount: Money
    reserved_amount: Money
    held_minor: int
    fee: Money | None
    was_settled: bool
    attempts: tuple[Attempt, ...]
    create_time: datetime
    update_time: datetime
    # An operator has put it on hold: it is not sent.
    is_held: bool = False

    @property
    def name(self) -> str:
        return f"payouts/{self.id}"

    @property
    def latest_attempt(self) -> Attempt | None:
        return self.attempts[-1] if self.attempts else None

    def attempt(self, number: int) -> Attempt | None:
        return self.attempts[number - 1] if 0 < number <= len(self.attempts) else None

    @property
    def is_releasable(self) -> bool:
        return self.state in _IDLE

    @property
    def is_reducible(self) -> bool:
        # Of an amount that came back after it was paid, no part is paid again.
        return self.state in _IDLE and not self.was_settled

    def is_sendable(self, decision: Decision | None) -> bool:
        """Whether a new attempt may begin, given the operator's decision about it. A payment that
        came back after it was paid is repeated only by such a decision."""
        is_decided = decision is not None and decision.pays_again
        return self.state in _IDLE and (is_decided or not self.was_settled)


@dataclass(frozen=True)
class Deposit:
    """Money that a brand pays in; not credited until it is confirmed."""

    id: str
    brand: str
    amount: Money
    create_time: datetime
    external_reference: str | None = None
    confirm_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"brands/{self.brand}/deposits/{self.id}"


def new_attempt(
    payout: Payout, receiver: str, now: datetime, provider: ProviderName = ProviderName.PAYPAL
) -> Attempt:
    number = len(payout.attempts) + 1
    return Attempt(
        number=number,
        state=AttemptState.SENDING,
        receiver=receiver,
        amount=payout.amount,
        sender_batch_id=sender_batch_id(payout.id, number),
        create_time=now,
        update_time=now,
        provider=provider,
    )
