"""The use cases: accept a batch, cancel an item, and apply scheduled changes.

Each runs in one transaction together with the webhook events it causes, so that an event is never
sent for something that did not happen, nor lost for something that did.
"""

import asyncio
import json
import time
from decimal import Decimal

from devstack.paypal_sandbox import amounts, errors, ids, lifecycle, representations
from devstack.paypal_sandbox.alarm import Alarm
from devstack.paypal_sandbox.lifecycle import BatchStatus, Behaviour, ItemStatus, ResponseKind
from devstack.paypal_sandbox.records import Batch, Change, Event, Item, Override
from devstack.paypal_sandbox.representations import Representations
from devstack.paypal_sandbox.store import Store
from devstack.paypal_sandbox.transactions.movements import Movements
from devstack.paypal_sandbox.web.requests import CreatePayout
from devstack.paypal_sandbox.web.requests import Item as RequestedItem

_CHANGES_PER_TRANSACTION = 200


class Payouts:
    """Rings `events_waiting` after writing an event."""

    def __init__(
        self,
        store: Store,
        shapes: Representations,
        *,
        step_seconds: float,
        events_waiting: Alarm,
    ) -> None:
        self._store = store
        self._movements = Movements(store.movements)
        self._shapes = shapes
        self._step_seconds = step_seconds
        self._events_waiting = events_waiting
        self._changes_waiting = Alarm()

    def create(self, request: CreatePayout) -> tuple[Batch, ResponseKind]:
        """Checks funds first, so a repeated POST may be refused although it was accepted before."""
        overrides = {override.receiver: override for override in self._store.overrides()}
        chosen = [_behaviour(item.receiver, overrides) for item in request.items]
        if any(override.behaviour is Behaviour.INSUFFICIENT_FUNDS for override in chosen):
            raise errors.insufficient_funds()
        now = time.time()
        header = request.sender_batch_header
        batch = Batch(
            batch_id=ids.batch_or_item_id(),
            sender_batch_id=header.sender_batch_id,
            status=BatchStatus.PENDING,
            currency=request.currency,
            header=header.model_dump(exclude_none=True, exclude={"sender_batch_id"}),
            created_at=now,
        )
        items, changes = self._plan(request, batch, chosen)
        with self._store.transaction():
            self._refuse_duplicate(header.sender_batch_id, now)
            self._store.insert(batch, items, changes)
            self._movements.hold(batch, items)
        self._changes_waiting.ring()
        return batch, lifecycle.response_to(override.behaviour for override in chosen)

    def cancel(self, item_id: str) -> tuple[Item, Batch, ResponseKind]:
        with self._store.transaction():
            item = self._store.item(item_id)
            if item is None:
                raise errors.not_found("payout item")
            if not lifecycle.is_cancellable(item.status):
                raise errors.incorrect_status(item.status)
            batch = self._batch(item.batch_id)
            self._store.delete_changes_of_item(batch.batch_id, item_id)
            cancelled = self._set_item(item, ItemStatus.RETURNED, None)
            self._emit_item("PAYMENT.PAYOUTS-ITEM.CANCELED", cancelled, batch)
        self._events_waiting.ring()
        is_lost = item.behaviour is Behaviour.CANCEL_DROPS_RESPONSE
        return cancelled, batch, ResponseKind.DROPPED if is_lost else ResponseKind.CREATED

    def change_item(self, item_id: str, status: ItemStatus, *, sends_webhook: bool) -> Item:
        """Sets a status at once, as the receiver or PayPal would; drops the scheduled changes."""
        with self._store.transaction():
            item = self._store.item(item_id)
            if item is None:
                raise errors.not_found("payout item")
            if not lifecycle.may_follow(item.status, status):
                raise errors.may_not_follow(item.status, status)
            self._store.delete_changes_of_item(item.batch_id, item_id)
            changed = self._set_item(item, status, None)
            event_type = lifecycle.item_event_type(status)
            if sends_webhook and event_type is not None:
                self._emit_item(event_type, changed, self._batch(item.batch_id))
            self._complete(self._batch(item.batch_id))
        self._events_waiting.ring()
        return changed

    async def run(self) -> None:
        """Applies each change when it is due, including those that became due while stopped."""
        while True:
            if self.apply_due_changes():
                self._events_waiting.ring()
                await asyncio.sleep(0)  # a long backlog must not starve the requests
            else:
                await self._changes_waiting.wait_until(self._store.next_change_at())

    def apply_due_changes(self) -> bool:
        """Returns whether any change was due."""
        with self._store.transaction():
            changes = self._store.due_changes(time.time(), _CHANGES_PER_TRANSACTION)
            for change in changes:
                self._store.delete_change(change.change_id)
                if change.item_id is None:
                    self._apply_to_batch(change)
                else:
                    self._apply_to_item(change, change.item_id)
            for batch_id in {change.batch_id for change in changes}:
                self._complete(self._batch(batch_id))
        return bool(changes)

    def _plan(
        self, request: CreatePayout, batch: Batch, chosen: list[Override]
    ) -> tuple[list[Item], list[Change]]:
        items: list[Item] = []
        step = self._step_seconds
        start = batch.created_at
        changes = [Change(start + step, batch.batch_id, None, BatchStatus.PROCESSING)]
        is_denied = any(override.behaviour is Behaviour.DENIED for override in chosen)
        if is_denied:
            changes.append(Change(start + 2 * step, batch.batch_id, None, BatchStatus.DENIED))
        for position, (wanted, override) in enumerate(zip(request.items, chosen, strict=True)):
            item = _new_item(request, wanted, batch, position, override.behaviour)
            items.append(item)
            if not is_denied:
                steps = lifecycle.script(override.behaviour, override.delay_seconds, step)
                changes.extend(_change(item, ahead, start) for ahead in steps)
        return items, changes

    def _refuse_duplicate(self, sender_batch_id: str | None, now: float) -> None:
        if sender_batch_id is None:
            return
        self._store.release_sender_id(
            sender_batch_id, created_before=now - lifecycle.SENDER_BATCH_ID_GUARDS_SECONDS
        )
        first = self._store.batch_guarding(sender_batch_id)
        if first is not None:
            raise errors.duplicate(self._shapes.batch_url(first.batch_id))

    def _apply_to_batch(self, change: Change) -> None:
        status = BatchStatus(change.status)
        if status is BatchStatus.DENIED:
            self._store.delete_changes_of_batch(change.batch_id)
            for item in self._store.items(change.batch_id):
                failed = self._set_item(item, ItemStatus.FAILED, lifecycle.DENIED)
                batch = self._batch(change.batch_id)
                self._emit_item("PAYMENT.PAYOUTS-ITEM.DENIED", failed, batch)
        self._set_batch(self._batch(change.batch_id), status)

    def _apply_to_item(self, change: Change, item_id: str) -> None:
        item = self._store.item(item_id)
        status = ItemStatus(change.status)
        if item is None or not lifecycle.may_follow(item.status, status):
            return
        changed = self._set_item(item, status, change.error)
        event_type = lifecycle.item_event_type(status)
        if event_type is not None:
            self._emit_item(event_type, changed, self._batch(item.batch_id))

    def _complete(self, batch: Batch) -> None:
        pending = self._store.count_items(batch.batch_id, ItemStatus.PENDING)
        if lifecycle.is_complete(batch.status, pending):
            self._set_batch(batch, BatchStatus.SUCCESS)

    def _set_batch(self, batch: Batch, status: BatchStatus) -> None:
        now = time.time()
        is_final = status in (BatchStatus.SUCCESS, BatchStatus.DENIED)
        self._store.set_batch_status(batch.batch_id, status, completed_at=now if is_final else None)
        changed = self._batch(batch.batch_id)
        if is_final:
            self._movements.end_hold(changed)
        amount, fees = totals(self._store.items(batch.batch_id))
        resource = self._shapes.batch(changed, amount=amount, fees=fees)
        self._emit(lifecycle.batch_event_type(status), batch.batch_id, resource)

    def _set_item(self, item: Item, status: ItemStatus, error: lifecycle.ItemError | None) -> Item:
        self._store.set_item_status(
            item.item_id,
            status,
            error=error,
            transaction_id=ids.transaction_id(),
            processed_at=time.time(),
        )
        changed = self._store.item(item.item_id)
        if changed is None:
            raise LookupError(item.item_id)
        self._movements.follow(changed, self._batch(item.batch_id))
        return changed

    def _emit_item(self, event_type: str, item: Item, batch: Batch) -> None:
        self._emit(event_type, batch.batch_id, self._shapes.item(item, batch))

    def _emit(self, event_type: str, batch_id: str, resource: dict[str, object]) -> None:
        now = time.time()
        event_id = ids.event_id()
        body = json.dumps(representations.event(event_id, event_type, now, resource))
        self._store.insert_event(
            Event(event_id, batch_id, event_type, body, created_at=now, next_attempt_at=now)
        )

    def _batch(self, batch_id: str) -> Batch:
        batch = self._store.batch(batch_id)
        if batch is None:
            raise LookupError(batch_id)
        return batch


def totals(items: list[Item]) -> tuple[Decimal, Decimal]:
    """The sum of the items, and the fees charged on them so far."""
    amount = sum((item.amount for item in items), Decimal(0))
    return amount, sum((item.charged_fee for item in items), Decimal(0))


def _behaviour(receiver: str, overrides: dict[str, Override]) -> Override:
    named = Override(receiver, lifecycle.behaviour_named_by(receiver), None)
    return overrides.get(receiver.lower(), named)


def _new_item(
    request: CreatePayout,
    wanted: RequestedItem,
    batch: Batch,
    position: int,
    behaviour: Behaviour,
) -> Item:
    currency, amount = wanted.amount.currency, wanted.amount.decimal
    detail = wanted.model_dump(exclude_none=True) | {
        "recipient_type": request.recipient_type_of(wanted),
        "recipient_wallet": wanted.recipient_wallet or "PAYPAL",
        "amount": {"currency": currency, "value": amounts.as_text(amount, currency)},
    }
    fee = amounts.as_text(amounts.fee_on(amount), currency)
    return Item(
        item_id=ids.batch_or_item_id(),
        batch_id=batch.batch_id,
        position=position,
        status=ItemStatus.PENDING,
        behaviour=behaviour,
        amount=amount,
        fee=Decimal(fee),
        detail=detail,
    )


def _change(item: Item, step: lifecycle.Step, start: float) -> Change:
    due_at = start + step.after_seconds
    return Change(due_at, item.batch_id, item.item_id, step.status, step.error)
