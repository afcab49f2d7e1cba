"""Payouts and their attempts: how they stand, and how they may go on. Pure.

What is posted for them is in `services.payouts.ledger.postings`; a payout's state is derived in
SQL, from its attempts and the ledger, and kept nowhere else.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.money import Money
from services.payouts.provider import Batch, Order


class State(StrEnum):
    """Of a payout; see payouts.v1.Payout.State."""

    RESERVED = "RESERVED"
    SENDING = "SENDING"
    SENT = "SENT"
    PAID = "PAID"
    FAILED = "FAILED"
    RELEASED = "RELEASED"
    UNCLAIMED = "UNCLAIMED"
    BLOCKED = "BLOCKED"
    WRITTEN_OFF = "WRITTEN_OFF"


class ProviderName(StrEnum):
    """Who moves the money of an attempt; see payouts.v1.Provider."""

    PAYPAL = "PAYPAL"
    BANK_TRANSFER = "BANK_TRANSFER"


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
    """Who keeps what was reserved for a payout that is written off."""

    BRAND = "BRAND"
    PLATFORM = "PLATFORM"


class Outcome(StrEnum):
    """What became of an attempt; see payouts.v1.ResolveAttemptRequest.Outcome."""

    NOT_PAID = "NOT_PAID"
    FOUND = "FOUND"


class AttemptState(StrEnum):
    """See payouts.v1.Attempt.State."""

    SENDING = "SENDING"
    UNKNOWN = "UNKNOWN"
    ACCEPTED = "ACCEPTED"
    PAID = "PAID"
    UNCLAIMED = "UNCLAIMED"
    FAILED = "FAILED"
    RETURNED = "RETURNED"
    BLOCKED = "BLOCKED"


# To be POSTed, for the first time or again.
SENDABLE = frozenset({AttemptState.SENDING, AttemptState.UNKNOWN})
# Over, unless what was paid comes back.
ENDED = frozenset({State.PAID, State.RELEASED, State.WRITTEN_OFF})
# Nothing more can come of it.
FINAL = frozenset({AttemptState.FAILED, AttemptState.RETURNED})
# In no need of the money, or not yet: the payout may be lowered or released.
_IDLE = frozenset({State.RESERVED, State.FAILED})

# The provider refuses a second payment under one id for 30 days only; an attempt whose outcome is
# still open short of that is never POSTed again by itself.
MAXIMUM_DOUBT = timedelta(days=25)

# A POST, with all that belongs to it, takes SEND at most, and begins early enough to end before
# LEASE does. A sender that stalls longer finds its fence taken, and must not POST any more: its
# attempt may have been denied since, which frees the id, and another may be paying.
SEND = timedelta(seconds=10)
LEASE = timedelta(seconds=15)


@dataclass(frozen=True)
class Attempt:
    """One attempt to pay: one batch of one item at the provider."""

    number: int
    state: AttemptState
    receiver: str
    amount: Money
    sender_batch_id: str
    create_time: datetime
    update_time: datetime
    provider: ProviderName = ProviderName.PAYPAL
    provider_batch_id: str = ""
    provider_item_id: str = ""
    provider_transaction_id: str = ""
    provider_state: str = ""
    error_code: str = ""
    # Who may POST it, and until when; see `leased`.
    fence: int = 0
    lease_end_time: datetime | None = None

    @property
    def order(self) -> Order:
        return Order(self.sender_batch_id, self.receiver, self.amount)

    @property
    def was_not_claimed(self) -> bool:
        """Whether it came back because nobody claimed it, by itself or recalled."""
        return self.state is AttemptState.RETURNED and self.provider_state == "RETURNED"


@dataclass(frozen=True)
class PayoutAccount:
    """Where a creator wants to be paid; `receiver` is empty when it has not said. `name_time` is
    when it was named last, the same one again included."""

    receiver: str
    name_time: datetime | None

    def is_worth_trying_after(self, attempt: Attempt) -> bool:
        """An account at which nobody claimed a payment is, once the creator has looked at it."""
        is_same = self.receiver.casefold() == attempt.receiver.casefold()
        was_named_since = self.name_time is not None and self.name_time > attempt.create_time
        return not (attempt.was_not_claimed and is_same) or was_named_since


@dataclass(frozen=True)
class Decision:
    """What an operator decided about a payout, and why. `attempt_number` is the attempt that it is
    about: of RETRY, the one that may be made, by `provider` and to `receiver` where it says so."""

    kind: DecisionKind
    reason: str
    actor: str
    request_id: str
    create_time: datetime
    attempt_number: int | None = None
    provider: ProviderName | None = None
    receiver: str | None = None
    # Of RETRY: what had been paid and had come back is to be paid again.
    pays_again: bool = False
    # Of WRITE_OFF, and of RESOLVE.
    beneficiary: Beneficiary | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Payout:
    """The money movement that fulfils one reward. `reserved_amount` is what was first asked for;
    `held_minor` is what the ledger holds for it now, fee included."""

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
    # An operator keeps it from being sent.
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
        # Of what came back after it was paid, no part is paid again.
        return self.state in _IDLE and not self.was_settled

    def is_sendable(self, decision: Decision | None) -> bool:
        """Whether a new attempt may begin, about which an operator has decided this. A payment that
        came back after the creator had it is never made a second time by itself."""
        is_decided = decision is not None and decision.pays_again
        return self.state in _IDLE and (is_decided or not self.was_settled)


@dataclass(frozen=True)
class Deposit:
    """Money that a brand brings; worth nothing until it is confirmed."""

    id: str
    brand: str
    amount: Money
    create_time: datetime
    external_reference: str | None = None
    confirm_time: datetime | None = None

    @property
    def name(self) -> str:
        return f"brands/{self.brand}/deposits/{self.id}"


def sender_batch_id(payout_id: str, number: int) -> str:
    """The only guard against paying twice: one id for one attempt, whoever sends it."""
    return f"po-{payout_id}-{number}"


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


def leased(attempt: Attempt, now: datetime) -> Attempt | None:
    """The attempt in the hands of a sender that may POST it; None while another one may.

    A lease that ran out was never closed by its sender: nobody knows whether that one POSTed.
    """
    if attempt.lease_end_time is not None and attempt.lease_end_time > now:
        return None
    is_in_doubt = attempt.lease_end_time is not None
    return replace(
        attempt,
        state=AttemptState.UNKNOWN if is_in_doubt else attempt.state,
        fence=attempt.fence + 1,
        lease_end_time=now + LEASE,
    )


def may_post(attempt: Attempt | None, fence: int, now: datetime) -> bool:
    """Asked just before the POST: whether the sender with this fence may still make it."""
    return (
        attempt is not None
        and attempt.fence == fence
        and attempt.state in SENDABLE
        and attempt.lease_end_time is not None
        and now + SEND <= attempt.lease_end_time
    )


def is_too_old_to_repeat(attempt: Attempt, now: datetime) -> bool:
    return attempt.state is AttemptState.UNKNOWN and now - attempt.create_time > MAXIMUM_DOUBT


def accepted(attempt: Attempt, batch_id: str) -> Attempt:
    return replace(attempt, state=AttemptState.ACCEPTED, provider_batch_id=batch_id, error_code="")


def rejected(attempt: Attempt, code: str) -> Attempt:
    """Refused for good, unless an earlier POST is in doubt: then it proves nothing."""
    state = AttemptState.FAILED if attempt.state is AttemptState.SENDING else attempt.state
    return replace(attempt, state=state, error_code=code)


def not_taken(attempt: Attempt, code: str) -> Attempt:
    """It stands as before, and is sent again later under the same id."""
    return replace(attempt, error_code=code)


def in_doubt(attempt: Attempt, code: str) -> Attempt:
    return replace(attempt, state=AttemptState.UNKNOWN, error_code=code)


def stopped(attempt: Attempt, code: str) -> Attempt:
    """A person decides."""
    return replace(attempt, state=AttemptState.BLOCKED, error_code=code)


def resolved_not_paid(attempt: Attempt) -> Attempt:
    """An operator knows that no money has left for it, and that none will."""
    return replace(attempt, state=AttemptState.FAILED, error_code="RESOLVED_NOT_PAID")


# The provider's item states. PENDING and ONHOLD are in flight.
_ITEM_STATES = {
    "PENDING": AttemptState.ACCEPTED,
    "ONHOLD": AttemptState.ACCEPTED,
    "SUCCESS": AttemptState.PAID,
    "UNCLAIMED": AttemptState.UNCLAIMED,
    "FAILED": AttemptState.FAILED,
    "RETURNED": AttemptState.RETURNED,
    "REFUNDED": AttemptState.RETURNED,
    "REVERSED": AttemptState.RETURNED,
    "BLOCKED": AttemptState.BLOCKED,
}
# They come after SUCCESS: the money had reached the creator, whether or not we saw it.
_AFTER_PAID = frozenset({"REFUNDED", "REVERSED"})

_A = AttemptState
# Readings arrive out of order; an attempt only ever goes forward, and any other one is late.
_FORWARD = {
    _A.SENDING: {_A.ACCEPTED, _A.PAID, _A.UNCLAIMED, _A.FAILED, _A.RETURNED, _A.BLOCKED},
    _A.UNKNOWN: {_A.ACCEPTED, _A.PAID, _A.UNCLAIMED, _A.FAILED, _A.RETURNED, _A.BLOCKED},
    _A.ACCEPTED: {_A.ACCEPTED, _A.PAID, _A.UNCLAIMED, _A.FAILED, _A.RETURNED, _A.BLOCKED},
    _A.BLOCKED: {_A.PAID, _A.UNCLAIMED, _A.FAILED, _A.RETURNED, _A.BLOCKED},
    _A.UNCLAIMED: {_A.PAID, _A.UNCLAIMED, _A.FAILED, _A.RETURNED, _A.BLOCKED},
    _A.PAID: {_A.PAID, _A.RETURNED},
    _A.FAILED: set[AttemptState](),
    _A.RETURNED: set[AttemptState](),
}


def is_same_payment(attempt: Attempt, batch: Batch) -> bool:
    """Whether `batch` is this very attempt: its id, and one item of its receiver and amount."""
    if batch.sender_batch_id != attempt.sender_batch_id or len(batch.items) != 1:
        return False
    item = batch.items[0]
    return item.receiver.casefold() == attempt.receiver.casefold() and item.amount == attempt.amount


def is_in_flight(attempt: Attempt, batch: Batch) -> bool:
    """Whether `batch` shows that this attempt may still be paid."""
    if batch.state == "DENIED" or not is_same_payment(attempt, batch):
        return False
    # A state that we have no word for may be anything.
    return _ITEM_STATES.get(batch.items[0].state, _A.ACCEPTED) is _A.ACCEPTED


def is_contradicted(attempt: Attempt, batch: Batch) -> bool:
    """Whether the provider pays an attempt that has ended for us: of which a person had said, say,
    that it was never made."""
    if attempt.state not in FINAL or batch.state == "DENIED" or not is_same_payment(attempt, batch):
        return False
    return _ITEM_STATES.get(batch.items[0].state, _A.ACCEPTED) not in FINAL


@dataclass(frozen=True)
class Reading:
    """What a look at the provider changes: the attempt as it now stands, and what is to be posted
    for it."""

    attempt: Attempt
    # What the provider charged for it, where it is paid now.
    fee: Money | None = None
    returns: bool = False

    @property
    def settles(self) -> bool:
        return self.fee is not None


def read(attempt: Attempt, batch: Batch) -> Reading:
    """The attempt after the provider showed `batch` for it.

    What is not a step forward changes nothing, nor does a state that we have no word for.
    """
    if attempt.provider_batch_id not in ("", batch.id):
        return Reading(attempt)
    after = _as_shown(attempt, batch)
    # Stopped before the provider was known to have it: now it is found there.
    is_found = attempt.state is _A.BLOCKED and not attempt.provider_batch_id
    if after.state not in _FORWARD[attempt.state] and not (is_found and after.state is _A.ACCEPTED):
        return Reading(attempt)
    was_paid = after.state is _A.PAID or after.provider_state in _AFTER_PAID
    is_settled = attempt.state is _A.PAID
    return Reading(
        after,
        fee=batch.items[0].fee if was_paid and not is_settled else None,
        returns=after.state is _A.RETURNED and (was_paid or is_settled),
    )


def may_have_moved(attempt: Attempt, item_state: str, batch_state: str) -> bool:
    """Whether what the provider told of the item, or of the whole batch, can be news: if not, there
    is nothing to be looked at. Either is empty where nothing was told of it."""
    if attempt.state in FINAL:
        return item_state == "SUCCESS"  # which would contradict us
    if attempt.state in SENDABLE or not attempt.provider_batch_id:
        return True
    if item_state:
        return item_state != attempt.provider_state
    if batch_state in ("PENDING", "PROCESSING"):
        return False
    # A batch succeeds once its item has come to anything at all.
    return batch_state != "SUCCESS" or attempt.provider_state in ("", "PENDING")


def _as_shown(attempt: Attempt, batch: Batch) -> Attempt:
    if batch.state == "DENIED" and attempt.state in SENDABLE:
        # Denial frees the id, and a POST that is still in doubt may have taken it again.
        return attempt
    if not batch.items and batch.sender_batch_id == attempt.sender_batch_id:
        # Its item does not show yet, or never will.
        if batch.state == "DENIED":
            return replace(
                attempt, state=_A.FAILED, provider_state="DENIED", error_code="BATCH_DENIED"
            )
        return attempt
    if not is_same_payment(attempt, batch):
        return stopped(attempt, "OTHER_PAYMENT")
    item = batch.items[0]
    shown = _ITEM_STATES.get(item.state, attempt.state)
    return replace(
        attempt,
        state=_A.FAILED if batch.state == "DENIED" else shown,
        provider_batch_id=batch.id,
        provider_item_id=item.id,
        # The first one stays: reports may have it already.
        provider_transaction_id=attempt.provider_transaction_id or item.transaction_id,
        provider_state=item.state,
        error_code=item.error_code,
    )
