"""Admin calls of the sandbox: changes at PayPal that the service did not make."""

from decimal import Decimal
from typing import Any

import httpx

from tests.integration.payouts.harness import Harness


async def _call(harness: Harness, method: str, path: str, body: dict[str, Any]) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.request(
            method, f"{harness.settings.paypal_base_url}/admin/{path}", json=body
        )
        answer.raise_for_status()
        return answer.json()


async def ids_of(harness: Harness, payout: str) -> tuple[str, str]:
    """The provider's ids of a payout's latest item and its transaction."""
    row = await harness.database.fetch_one(
        "SELECT * FROM attempt WHERE payout_id = %s ORDER BY number DESC LIMIT 1", (payout,)
    )
    assert row is not None
    return row["provider_item_id"], row["provider_transaction_id"]


async def change_item(harness: Harness, payout: str, status: str) -> None:
    """Sets the status of the payout's latest item, without a webhook."""
    item_id, _ = await ids_of(harness, payout)
    await _call(harness, "POST", f"items/{item_id}", {"status": status, "sends_webhook": False})


async def use_account(harness: Harness, minor: int, sender_batch_id: str = "") -> str:
    """Adds a payment that is not ours to our PayPal account. Returns the transaction's id."""
    line = {"amount": str(Decimal(-minor) / 100), "custom_field": sender_batch_id or None}
    answer = await _call(harness, "POST", "transactions", line)
    id_: str = answer["transaction_info"]["transaction_id"]
    return id_


async def change_line(harness: Harness, payout: str, **changes: Any) -> None:
    """Changes the reported transaction of a payout's payment, such as its amount."""
    _, transaction_id = await ids_of(harness, payout)
    await _call(harness, "PATCH", f"transactions/{transaction_id}", changes)


async def lag_behind(harness: Harness, seconds: float) -> None:
    """Sets how far the sandbox's reports lag behind."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.put(
            f"{harness.settings.paypal_base_url}/admin/conditions",
            json={"reporting_lag_seconds": seconds},
        )
        answer.raise_for_status()
