"""Reads the PayPal sandbox's database directly, and changes items over its admin call."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx


@dataclass(frozen=True)
class Payment:
    sender_batch_id: str
    receiver: str
    status: str
    item_id: str


def payments_of(data: Path) -> list[Payment]:
    """All accepted payments, oldest first. `data` is the sandbox's data folder."""
    with closing(sqlite3.connect(data / "sandbox.sqlite3")) as connection:
        rows = connection.execute(
            """
            SELECT batch.sender_batch_id, item.detail, item.status, item.item_id
              FROM item JOIN batch USING (batch_id) ORDER BY batch.created_at, batch.rowid
            """
        )
        return [Payment(row[0], json.loads(row[1])["receiver"], *row[2:]) for row in rows]


async def change_item(url: str, item_id: str, status: str) -> None:
    """Sets an item's status at once, as the receiver or PayPal would later; sends webhooks."""
    async with httpx.AsyncClient(trust_env=False) as http:
        response = await http.post(f"{url}/admin/items/{item_id}", json={"status": status})
    response.raise_for_status()
