"""What the PayPal sandbox has in its books, read beside it."""

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Payment:
    sender_batch_id: str
    receiver: str
    status: str


def payments_of(data: Path) -> list[Payment]:
    """What it was ordered to pay, oldest first; `data` is the sandbox's own folder."""
    with closing(sqlite3.connect(data / "sandbox.sqlite3")) as books:
        rows = books.execute(
            """
            SELECT batch.sender_batch_id, item.detail, item.status
              FROM item JOIN batch USING (batch_id) ORDER BY batch.created_at, batch.rowid
            """
        )
        return [Payment(row[0], json.loads(row[1])["receiver"], row[2]) for row in rows]
