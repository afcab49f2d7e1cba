"""SQL of the sandbox, on one SQLite file; free of rules, JSON formats and HTTP.

The calls block. They are short, and the sandbox serves one developer, so they run on the event
loop itself, which also makes every transaction a critical section.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from devstack.paypal_sandbox.lifecycle import BatchStatus, Behaviour, ItemError, ItemStatus
from devstack.paypal_sandbox.records import Batch, Change, Conditions, Event, Item, Override
from devstack.paypal_sandbox.transactions.store import MovementStore

_SCHEMA = (Path(__file__).parent / "schema.sql").read_text()


class Store:
    """Write only inside `transaction()`; committed data survives a kill."""

    def __init__(self, path: Path) -> None:
        self._sql = sqlite3.connect(path, isolation_level=None)
        self._sql.row_factory = sqlite3.Row
        # WAL with NORMAL keeps commits when the process is killed, but not in a power failure.
        self._sql.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;"
        )
        self._sql.executescript(_SCHEMA)
        self.movements = MovementStore(self._sql)

    def close(self) -> None:
        self._sql.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        self._sql.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._sql.execute("ROLLBACK")
            raise
        self._sql.execute("COMMIT")

    # Batches and items

    def release_sender_id(self, sender_batch_id: str, *, created_before: float) -> None:
        self._sql.execute(
            "UPDATE batch SET guards_sender_id = 0 WHERE sender_batch_id = ? AND created_at < ?",
            (sender_batch_id, created_before),
        )

    def batch_guarding(self, sender_batch_id: str) -> Batch | None:
        return self._batch(
            "SELECT * FROM batch WHERE sender_batch_id = ? AND guards_sender_id",
            sender_batch_id,
        )

    def batch(self, batch_id: str) -> Batch | None:
        return self._batch("SELECT * FROM batch WHERE batch_id = ?", batch_id)

    def newest_batches(self, limit: int) -> list[Batch]:
        rows = self._sql.execute("SELECT * FROM batch ORDER BY created_at DESC LIMIT ?", (limit,))
        return [_batch(row) for row in rows]

    def insert(self, batch: Batch, items: Iterable[Item], changes: Iterable[Change]) -> None:
        self._sql.execute(
            "INSERT INTO batch (batch_id, sender_batch_id, status, currency, header, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                batch.batch_id,
                batch.sender_batch_id,
                batch.status,
                batch.currency,
                json.dumps(batch.header),
                batch.created_at,
            ),
        )
        self._sql.executemany(
            "INSERT INTO item (item_id, batch_id, position, status, behaviour, amount, fee, detail)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                (
                    item.item_id,
                    item.batch_id,
                    item.position,
                    item.status,
                    item.behaviour,
                    str(item.amount),
                    str(item.fee),
                    json.dumps(item.detail),
                )
                for item in items
            ),
        )
        self._sql.executemany(
            "INSERT INTO change (due_at, batch_id, item_id, status, error_name, error_message)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                (
                    change.due_at,
                    change.batch_id,
                    change.item_id,
                    change.status,
                    *_parts(change.error),
                )
                for change in changes
            ),
        )

    def set_batch_status(
        self, batch_id: str, status: BatchStatus, *, completed_at: float | None
    ) -> None:
        self._sql.execute(
            "UPDATE batch SET status = ?, completed_at = ?,"
            " guards_sender_id = CASE WHEN ? THEN 0 ELSE guards_sender_id END WHERE batch_id = ?",
            (status, completed_at, status is BatchStatus.DENIED, batch_id),
        )

    def set_item_status(
        self,
        item_id: str,
        status: ItemStatus,
        *,
        error: ItemError | None,
        transaction_id: str,
        processed_at: float,
    ) -> None:
        """The transaction id given is kept only when the item has none yet."""
        self._sql.execute(
            "UPDATE item SET status = ?, error_name = ?, error_message = ?, processed_at = ?,"
            " transaction_id = coalesce(transaction_id, ?) WHERE item_id = ?",
            (status, *_parts(error), processed_at, transaction_id, item_id),
        )

    def item(self, item_id: str) -> Item | None:
        row = self._sql.execute("SELECT * FROM item WHERE item_id = ?", (item_id,)).fetchone()
        return _item(row) if row else None

    def items(self, batch_id: str, *, limit: int = -1, offset: int = 0) -> list[Item]:
        rows = self._sql.execute(
            "SELECT * FROM item WHERE batch_id = ? ORDER BY position LIMIT ? OFFSET ?",
            (batch_id, limit, offset),
        )
        return [_item(row) for row in rows]

    def count_items(self, batch_id: str, status: ItemStatus | None = None) -> int:
        row = self._sql.execute(
            "SELECT count(*) FROM item WHERE batch_id = ? AND status = coalesce(?, status)",
            (batch_id, status),
        ).fetchone()
        return int(row[0])

    # Scheduled changes

    def due_changes(self, now: float, limit: int) -> list[Change]:
        rows = self._sql.execute(
            "SELECT * FROM change WHERE due_at <= ? ORDER BY due_at, change_id LIMIT ?",
            (now, limit),
        )
        return [_change(row) for row in rows]

    def next_change_at(self) -> float | None:
        row = self._sql.execute("SELECT min(due_at) FROM change").fetchone()
        return None if row[0] is None else float(row[0])

    def delete_change(self, change_id: int) -> None:
        self._sql.execute("DELETE FROM change WHERE change_id = ?", (change_id,))

    def delete_changes_of_item(self, batch_id: str, item_id: str) -> None:
        self._sql.execute(
            "DELETE FROM change WHERE batch_id = ? AND item_id = ?", (batch_id, item_id)
        )

    def delete_changes_of_batch(self, batch_id: str) -> None:
        self._sql.execute("DELETE FROM change WHERE batch_id = ?", (batch_id,))

    # Webhook events

    def insert_event(self, event: Event) -> None:
        self._sql.execute(
            "INSERT INTO event (event_id, batch_id, event_type, body, created_at, next_attempt_at)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                event.event_id,
                event.batch_id,
                event.event_type,
                event.body,
                event.created_at,
                event.next_attempt_at,
            ),
        )

    def waiting_events(self, limit: int) -> list[Event]:
        """Undelivered events by time of the next attempt, due or not."""
        rows = self._sql.execute(
            "SELECT * FROM event WHERE next_attempt_at IS NOT NULL"
            " ORDER BY next_attempt_at, created_at, rowid LIMIT ?",
            (limit,),
        )
        return [_event(row) for row in rows]

    def events_of(self, batch_id: str, limit: int) -> list[Event]:
        rows = self._sql.execute(
            "SELECT * FROM event WHERE batch_id = ? ORDER BY created_at, rowid LIMIT ?",
            (batch_id, limit),
        )
        return [_event(row) for row in rows]

    def record_attempt(
        self,
        event_id: str,
        result: str,
        *,
        delivered_at: float | None,
        next_attempt_at: float | None,
    ) -> None:
        self._sql.execute(
            "UPDATE event SET attempts = attempts + 1, last_result = ?, delivered_at = ?,"
            " next_attempt_at = ? WHERE event_id = ?",
            (result, delivered_at, next_attempt_at, event_id),
        )

    def resend_event(self, event_id: str, now: float) -> bool:
        """Resets the event to its state before the first delivery."""
        cursor = self._sql.execute(
            "UPDATE event SET next_attempt_at = ?, delivered_at = NULL, attempts = 0"
            " WHERE event_id = ?",
            (now, event_id),
        )
        return cursor.rowcount > 0

    # Conditions, behaviours and tokens

    def conditions(self) -> Conditions:
        row = self._sql.execute("SELECT * FROM conditions").fetchone()
        if row is None:
            return Conditions()
        return Conditions(
            row["reporting_lag_seconds"], row["report_line_limit"], row["posts_a_minute"]
        )

    def set_conditions(self, conditions: Conditions) -> None:
        self._sql.execute(
            "INSERT OR REPLACE INTO conditions VALUES (1, ?, ?, ?)",
            (
                conditions.reporting_lag_seconds,
                conditions.report_line_limit,
                conditions.posts_a_minute,
            ),
        )

    def set_override(self, override: Override) -> None:
        self._sql.execute(
            "INSERT INTO behaviour (receiver, behaviour, delay_seconds) VALUES (?, ?, ?)"
            " ON CONFLICT (receiver) DO UPDATE"
            " SET behaviour = excluded.behaviour, delay_seconds = excluded.delay_seconds",
            (override.receiver, override.behaviour, override.delay_seconds),
        )

    def delete_override(self, receiver: str) -> bool:
        cursor = self._sql.execute("DELETE FROM behaviour WHERE receiver = ?", (receiver,))
        return cursor.rowcount > 0

    def overrides(self) -> list[Override]:
        rows = self._sql.execute("SELECT * FROM behaviour ORDER BY receiver")
        return [
            Override(row["receiver"], Behaviour(row["behaviour"]), row["delay_seconds"])
            for row in rows
        ]

    def insert_token(self, token_hash: str, *, expires_at: float, now: float) -> None:
        self._sql.execute("DELETE FROM token WHERE expires_at <= ?", (now,))
        self._sql.execute("INSERT INTO token VALUES (?, ?)", (token_hash, expires_at))

    def has_token(self, token_hash: str, *, now: float) -> bool:
        row = self._sql.execute(
            "SELECT 1 FROM token WHERE token_hash = ? AND expires_at > ?", (token_hash, now)
        ).fetchone()
        return row is not None

    def _batch(self, query: str, key: str) -> Batch | None:
        row = self._sql.execute(query, (key,)).fetchone()
        return _batch(row) if row else None


def _parts(error: ItemError | None) -> tuple[str | None, str | None]:
    return (error.name, error.message) if error else (None, None)


def _error(row: sqlite3.Row) -> ItemError | None:
    return ItemError(row["error_name"], row["error_message"]) if row["error_name"] else None


def _batch(row: sqlite3.Row) -> Batch:
    return Batch(
        batch_id=row["batch_id"],
        sender_batch_id=row["sender_batch_id"],
        status=BatchStatus(row["status"]),
        currency=row["currency"],
        header=json.loads(row["header"]),
        created_at=row["created_at"],
        completed_at=row["completed_at"],
    )


def _item(row: sqlite3.Row) -> Item:
    return Item(
        item_id=row["item_id"],
        batch_id=row["batch_id"],
        position=row["position"],
        status=ItemStatus(row["status"]),
        behaviour=Behaviour(row["behaviour"]),
        amount=Decimal(row["amount"]),
        fee=Decimal(row["fee"]),
        detail=json.loads(row["detail"]),
        transaction_id=row["transaction_id"],
        processed_at=row["processed_at"],
        error=_error(row),
    )


def _change(row: sqlite3.Row) -> Change:
    return Change(
        due_at=row["due_at"],
        batch_id=row["batch_id"],
        item_id=row["item_id"],
        status=row["status"],
        error=_error(row),
        change_id=row["change_id"],
    )


def _event(row: sqlite3.Row) -> Event:
    return Event(**{key: row[key] for key in Event.__dataclass_fields__})
