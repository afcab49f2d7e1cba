"""The lines of transaction reports: one for each movement of the account's money.

A batch's amount and fees are held when it is accepted (T1503), and the hold ends with the batch
(T1105). Each item paid is a T0001, debited at once and pending while it is unclaimed or held for
review. A returned payment has a line of its own, which references the first:

    RETURNED   T1114, with the fee: the payment was never claimed
    REFUNDED   T1115, without it
    REVERSED   T1106, without it

Whether PayPal refunds a fee depends on the agreement; this is the sandbox's choice.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from devstack.paypal_sandbox.ids import transaction_id
from devstack.paypal_sandbox.lifecycle import ItemStatus
from devstack.paypal_sandbox.records import Batch, Item, Movement
from devstack.paypal_sandbox.transactions.store import MovementStore

PAYOUT = "T0001"
HOLD = "T1503"
HOLD_ENDS = "T1105"

_TAKEN = {ItemStatus.SUCCESS: "S", ItemStatus.UNCLAIMED: "P", ItemStatus.ONHOLD: "P"}
_RETURNS = {
    ItemStatus.RETURNED: "T1114",
    ItemStatus.REFUNDED: "T1115",
    ItemStatus.REVERSED: "T1106",
}


class Movements:
    """Call its methods within a transaction of the store."""

    def __init__(self, store: MovementStore) -> None:
        self._store = store

    def hold(self, batch: Batch, items: Sequence[Item]) -> None:
        total = sum((item.amount + item.fee for item in items), Decimal(0))
        now = batch.created_at
        self._store.insert(
            Movement(transaction_id(), HOLD, "S", batch.currency, -total, now, now, batch.batch_id)
        )

    def end_hold(self, batch: Batch) -> None:
        hold = self._store.of_batch(batch.batch_id, HOLD)
        if hold is not None:
            self._store.insert(_opposite(hold, HOLD_ENDS))

    def follow(self, item: Item, batch: Batch) -> None:
        """Records a change of the item's status."""
        payout = self._store.get(item.transaction_id or "")
        if payout is None and item.status in _TAKEN:
            self._store.insert(_payout(item, batch))
        elif payout is not None and item.status in _RETURNS:
            self._store.update(replace(payout, status="V", updated_at=time.time()))
            back = _opposite(payout, _RETURNS[item.status])
            has_fee = item.status is ItemStatus.RETURNED and payout.fee is not None
            self._store.insert(replace(back, fee=-payout.fee) if has_fee and payout.fee else back)
        elif payout is not None:
            status = _TAKEN.get(item.status, "D")
            self._store.update(replace(payout, status=status, updated_at=time.time()))


def _payout(item: Item, batch: Batch) -> Movement:
    now = time.time()
    return Movement(
        item.transaction_id or transaction_id(),
        PAYOUT,
        _TAKEN[item.status],
        batch.currency,
        -item.amount,
        now,
        now,
        batch.batch_id,
        fee=-item.fee,
        custom_field=item.detail.get("sender_item_id"),
    )


def _opposite(movement: Movement, event_code: str) -> Movement:
    now = time.time()
    return Movement(
        transaction_id(),
        event_code,
        "S",
        movement.currency,
        -movement.amount,
        now,
        now,
        movement.batch_id,
        reference_id=movement.transaction_id,
    )
