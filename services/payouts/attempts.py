"""One attempt to pay: its states, its lease for sending, and what a provider's answer changes.

Pure. What is posted for a change is in `services.payouts.ledger.postings`; how a sender uses these
functions, in `services.payouts.sending.sender`.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from servicekit.money import Money
from services.payouts.providers.interface import Batch, Order
from workflows.payout.providers import ProviderName


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
# Nothing more can come of it.
FINAL = frozenset({AttemptState.FAILED, AttemptState.RETURNED})
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


def sender_batch_id(payout_id: str, number: int) -> str:
    """The only guard against paying twice: one id for one attempt, whoever sends it."""
    return f"po-{payout_id}-{number}"


def lease(attempt: Attempt, now: datetime) -> Attempt | None:
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
class StatusChange:
    """What a look at the provider changes: the attempt as it now stands, and what is to be posted
    for it."""

    attempt: Attempt
    # What the provider charged for it, where it is paid now.
    fee: Money | None = None
    returns: bool = False


def status_change(attempt: Attempt, batch: Batch) -> StatusChange:
    """The attempt after the provider showed `batch` for it.

    What is not a step forward changes nothing, nor does a state that we have no word for.
    """
    if attempt.provider_batch_id not in ("", batch.id):
        return StatusChange(attempt)
    after = _as_shown(attempt, batch)
    # Stopped before the provider was known to have it: now it is found there.
    is_found = attempt.state is _A.BLOCKED and not attempt.provider_batch_id
    if after.state not in _FORWARD[attempt.state] and not (is_found and after.state is _A.ACCEPTED):
        return StatusChange(attempt)
    was_paid = after.state is _A.PAID or after.provider_state in _AFTER_PAID
    is_settled = attempt.state is _A.PAID
    return StatusChange(
        after,
        fee=batch.items[0].fee if was_paid and not is_settled else None,
        returns=after.state is _A.RETURNED and (was_paid or is_settled),
    )


def may_have_changed(attempt: Attempt, item_state: str, batch_state: str) -> bool:
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
