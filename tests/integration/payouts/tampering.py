"""What PayPal or somebody else with its account does behind our back: the sandbox's admin calls."""

from decimal import Decimal
from typing import Any

import httpx

from tests.integration.payouts.house import House


async def _call(house: House, method: str, path: str, body: dict[str, Any]) -> Any:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.request(
            method, f"{house.settings.paypal_base_url}/admin/{path}", json=body
        )
        answer.raise_for_status()
        return answer.json()


async def ids_of(house: House, payout: str) -> tuple[str, str]:
    """The provider's ids of a payout's latest item and of its transaction."""
    row = await house.database.fetch_one(
        "SELECT * FROM attempt WHERE payout_id = %s ORDER BY number DESC LIMIT 1", (payout,)
    )
    assert row is not None
    return row["provider_item_id"], row["provider_transaction_id"]


async def change_item(house: House, payout: str, status: str) -> None:
    """Of which no webhook tells."""
    item_id, _ = await ids_of(house, payout)
    await _call(house, "POST", f"items/{item_id}", {"status": status, "is_told": False})


async def use_account(house: House, minor: int, sender_batch_id: str = "") -> str:
    """Somebody else pays out of our account; the transaction's id."""
    line = {"amount": str(Decimal(-minor) / 100), "custom_field": sender_batch_id or None}
    answer = await _call(house, "POST", "transactions", line)
    id_: str = answer["transaction_info"]["transaction_id"]
    return id_


async def change_line(house: House, payout: str, **changes: Any) -> None:
    """What is reported of a payout's payment: its amount as PayPal shows it, say."""
    _, transaction_id = await ids_of(house, payout)
    await _call(house, "PATCH", f"transactions/{transaction_id}", changes)


async def lag_behind(house: House, seconds: float) -> None:
    """So do reports from now on."""
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.put(
            f"{house.settings.paypal_base_url}/admin/conditions",
            json={"reporting_lag_seconds": seconds},
        )
        answer.raise_for_status()
