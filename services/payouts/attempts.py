"""Payment attempts: states, the lease for sending, and transitions on a provider's status. Pure.

Postings are in `services.payouts.ledger.postings`; the lease is used by
`services.payouts.sending.sender`.
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


# States in which the attempt may be POSTed, for the first time or again.
SENDABLE = frozenset({AttemptState.SENDING, AttemptState.UNKNOWN})
# No transition leaves these states.
FINAL = frozenset({AttemptState.FAILED, AttemptState.RETURNED})
# The provider refuses a duplicate id for 30 days only. An UNKNOWN attempt older than this is not
# POSTed again without an operator.
MAXIMUM_DOUBT = timedelta(days=25)

# A POST takes at most SEND and starts early enough to end before the LEASE does. A sender that
# stalls longer may find its fence taken and must not POST: its attempt may have been denied since,
# which frees the id, and another sender may be paying.
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
    # Which sender may POST it, and until when; see `lease`.
    fence: int = 0
    lease_end_time: datetime | None = None

    @property
    def order(self) -> Order:
        return Order(self.sender_batch_id, self.receiver, self.amount)

    @property
    def was_not_claimed(self) -> bool:
        """Whether it was returned because nobody claimed it: by the provider, or recalled."""
        return self.state is AttemptState.RETURNED and self.provider_state == "RETURNED"


def sender_batch_id(payout_id: str, number: int) -> str:
    """Idempotency key at the provider, one per attempt: the only guard against paying twice."""
    return f"po-{payout_id}-{number}"


def lease(attempt: Attempt, now: datetime) -> Attempt | None:
    """Leases the attempt under the next fence; None while another sender holds the lease.

    A lease that expired was not closed by its sender, which may have POSTed: the state becomes
    UNKNOWN.
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
    """Whether the sender with this fence may POST now; checked just before the POST."""
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
    """FAILED, unless an earlier POST is in doubt: that one may have been accepted."""
    state = AttemptState.FAILED if attempt.state is AttemptState.SENDING else attempt.state
    return replace(attempt, state=state, error_code=code)


def not_taken(attempt: Attempt, code: str) -> Attempt:
    """Keeps its state, and is sent again later under the same id."""
    return replace(attempt, error_code=code)


def in_doubt(attempt: Attempt, code: str) -> Attempt:
    return replace(attempt, state=AttemptState.UNKNOWN, error_code=code)


def stopped(attempt: Attempt, code: str) -> Attempt:
    """BLOCKED until an operator decides."""
    return replace(attempt, state=AttemptState.BLOCKED, error_code=code)


def resolved_not_paid(attempt: Attempt) -> Attempt:
    """FAILED: an operator has established that no money left or will leave for it."""
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
# They follow SUCCESS: the money had reached the creator, even if we never polled that state.
_AFTER_PAID = frozenset({"REFUNDED", "REVERSED"})

_A = AttemptState
# Allowed transitions. Statuses may arrive out of order; one that is not listed is stale.
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
    """Whether `batch` has the attempt's id, and one item with its receiver and amount."""
    if batch.sender_batch_id != attempt.sender_batch_id or len(batch.items) != 1:
        return False
    item = batch.items[0]
    return item.receiver.casefold() == attempt.receiver.casefold() and item.amount == attempt.amount


def is_in_flight(attempt: Attempt, batch: Batch) -> bool:
    """Whether `batch` shows that this attempt may still be paid."""
    if batch.state == "DENIED" or not is_same_payment(attempt, batch):
        return False
    # An unknown state may mean anything.
    return _ITEM_STATES.get(batch.items[0].state, _A.ACCEPTED) is _A.ACCEPTED


def is_contradicted(attempt: Attempt, batch: Batch) -> bool:
    """Whether the provider pays an attempt that is final here, such as one that an operator
    resolved as not paid."""
    if attempt.state not in FINAL or batch.state == "DENIED" or not is_same_payment(attempt, batch):
        return False
    return _ITEM_STATES.get(batch.items[0].state, _A.ACCEPTED) not in FINAL


@dataclass(frozen=True)
class StatusChange:
    """The attempt after a sync, and what must be posted for it."""

    attempt: Attempt
    # The provider's fee; set if the attempt became paid, which is posted as SETTLE.
    fee: Money | None = None
    # The payment came back after it was paid, which is posted as RETURN.
    returns: bool = False


def status_change(attempt: Attempt, batch: Batch) -> StatusChange:
    """The change that the provider's `batch` makes to the attempt.

    Stale and unknown states change nothing.
    """
    if attempt.provider_batch_id not in ("", batch.id):
        return StatusChange(attempt)
    after = _with_status_of(attempt, batch)
    # It was blocked before the provider was known to have it.
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
    """Whether an event with these states can change the attempt, so that a sync is worthwhile.
    Either state is empty if the event does not have it."""
    if attempt.state in FINAL:
        return item_state == "SUCCESS"  # contradicts our state
    if attempt.state in SENDABLE or not attempt.provider_batch_id:
        return True
    if item_state:
        return item_state != attempt.provider_state
    if batch_state in ("PENDING", "PROCESSING"):
        return False
    # A batch is SUCCESS once its item has any outcome.
    return batch_state != "SUCCESS" or attempt.provider_state in ("", "PENDING")


def _with_status_of(attempt: Attempt, batch: Batch) -> Attempt:
    if batch.state == "DENIED" and attempt.state in SENDABLE:
        # Denial frees the id, and a POST still in doubt may have taken it again.
        return attempt
    if not batch.items and batch.sender_batch_id == attempt.sender_batch_id:
        # The item is not listed yet, or never will be.
        if batch.state == "DENIED":
            return replace(
                attempt, state=_A.FAILED, provider_state="DENIED", error_code="BATCH_DENIED"
            )
        return attempt
    if not is_same_payment(attempt, batch):
        return stopped(attempt, "OTHER_PAYMENT")
    item = batch.items[0]
    state = _ITEM_STATES.get(item.state, attempt.state)
    return replace(
        attempt,
        state=_A.FAILED if batch.state == "DENIED" else state,
        provider_batch_id=batch.id,
        provider_item_id=item.id,
        # The first id stays: reports may already contain it.
        provider_transaction_id=attempt.provider_transaction_id or item.transaction_id,
        provider_state=item.state,
        error_code=item.error_code,
    )
