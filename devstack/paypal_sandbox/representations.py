"""PayPal's JSON representations of batches, items and events."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from devstack.paypal_sandbox import amounts
from devstack.paypal_sandbox.records import Batch, Item


class Representations:
    """Needs the public base URL, because every response links to itself."""

    def __init__(self, public_url: str) -> None:
        self._public_url = public_url.rstrip("/")

    def batch_url(self, batch_id: str) -> str:
        return f"{self._public_url}/v1/payments/payouts/{batch_id}"

    def item_url(self, item_id: str) -> str:
        return f"{self._public_url}/v1/payments/payouts-item/{item_id}"

    def created(self, batch: Batch) -> dict[str, Any]:
        """The response to a POST: the header alone."""
        return {
            "batch_header": {
                "payout_batch_id": batch.batch_id,
                "batch_status": batch.status,
                "sender_batch_header": _sender_header(batch),
            },
            "links": [_link(self.batch_url(batch.batch_id))],
        }

    def batch(
        self, batch: Batch, *, amount: Decimal, fees: Decimal, items: list[Item] | None = None
    ) -> dict[str, Any]:
        """Without items: the resource of a batch's webhook."""
        header: dict[str, Any] = {
            "payout_batch_id": batch.batch_id,
            "batch_status": batch.status,
            "time_created": timestamp(batch.created_at),
            "sender_batch_header": _sender_header(batch),
            "funding_source": "BALANCE",
            "amount": _money(amount, batch.currency),
            "fees": _money(fees, batch.currency),
        }
        if batch.completed_at is not None:
            header["time_completed"] = timestamp(batch.completed_at)
        body: dict[str, Any] = {
            "batch_header": header,
            "links": [_link(self.batch_url(batch.batch_id))],
        }
        if items is not None:
            body["items"] = [self.item(item, batch) for item in items]
        return body

    def item(self, item: Item, batch: Batch) -> dict[str, Any]:
        body: dict[str, Any] = {
            "payout_item_id": item.item_id,
            "transaction_status": item.status,
            "payout_item_fee": _money(item.charged_fee, batch.currency),
            "payout_batch_id": item.batch_id,
            "payout_item": item.detail,
            "links": [
                _link(self.item_url(item.item_id)),
                _link(self.batch_url(item.batch_id), rel="batch"),
            ],
        }
        if batch.sender_batch_id is not None:
            body["sender_batch_id"] = batch.sender_batch_id
        if item.transaction_id is not None:
            body["transaction_id"] = item.transaction_id
        if item.processed_at is not None:
            body["time_processed"] = timestamp(item.processed_at)
        if item.error is not None:
            body["errors"] = {
                "name": item.error.name,
                "message": item.error.message,
                "debug_id": item.item_id.lower(),
                "links": [],
            }
        return body


def event(
    event_id: str, event_type: str, created_at: float, resource: dict[str, Any]
) -> dict[str, Any]:
    is_item = ".PAYOUTS-ITEM." in event_type
    subject = "payout item" if is_item else "payout batch"
    return {
        "id": event_id,
        "event_version": "1.0",
        "create_time": timestamp(created_at),
        "resource_type": "payouts_item" if is_item else "payouts",
        "event_type": event_type,
        "summary": f"A {subject} is now {event_type.rpartition('.')[2].lower()}.",
        "resource": resource,
        "links": [],
    }


def timestamp(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"


def _sender_header(batch: Batch) -> dict[str, Any]:
    return {
        **batch.header,
        **({"sender_batch_id": batch.sender_batch_id} if batch.sender_batch_id is not None else {}),
    }


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"currency": currency, "value": amounts.as_text(amount, currency)}


def _link(href: str, rel: str = "self") -> dict[str, str]:
    return {"href": href, "rel": rel, "method": "GET"}
