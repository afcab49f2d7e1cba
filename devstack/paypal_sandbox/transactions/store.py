"""SQL of the lines of transaction reports."""

import sqlite3
from dataclasses import asdict
from decimal import Decimal

from devstack.paypal_sandbox.records import Movement

_COLUMNS = tuple(Movement.__dataclass_fields__)


class MovementStore:
    def __init__(self, sql: sqlite3.Connection) -> None:
        self._sql = sql

    def insert(self, movement: Movement) -> None:
        names = ", ".join(_COLUMNS)
        values = ", ".join(f":{name}" for name in _COLUMNS)
        self._sql.execute(f"INSERT INTO movement ({names}) VALUES ({values})", _row(movement))  # noqa: S608  # names of our own fields

    def update(self, movement: Movement) -> None:
        changes = ", ".join(f"{name} = :{name}" for name in _COLUMNS[1:])
        self._sql.execute(
            f"UPDATE movement SET {changes} WHERE transaction_id = :transaction_id",  # noqa: S608  # names of our own fields
            _row(movement),
        )

    def get(self, transaction_id: str) -> Movement | None:
        row = self._sql.execute(
            "SELECT * FROM movement WHERE transaction_id = ?", (transaction_id,)
        ).fetchone()
        return _movement(row) if row else None

    def of_batch(self, batch_id: str, event_code: str) -> Movement | None:
        row = self._sql.execute(
            "SELECT * FROM movement WHERE batch_id = ? AND event_code = ?", (batch_id, event_code)
        ).fetchone()
        return _movement(row) if row else None

    def reported(self, start: float, end: float) -> list[Movement]:
        """Lines initiated from `start` to `end` inclusive, oldest first."""
        rows = self._sql.execute(
            "SELECT * FROM movement WHERE initiated_at BETWEEN ? AND ? AND is_reported"
            " ORDER BY initiated_at, transaction_id",
            (start, end),
        )
        return [_movement(row) for row in rows]


def _row(movement: Movement) -> dict[str, object]:
    fee = movement.fee
    return asdict(movement) | {
        "amount": str(movement.amount),
        "fee": None if fee is None else str(fee),
    }


def _movement(row: sqlite3.Row) -> Movement:
    values = {name: row[name] for name in _COLUMNS}
    fee = row["fee"]
    return Movement(
        **values
        | {
            "amount": Decimal(row["amount"]),
            "fee": None if fee is None else Decimal(fee),
            "is_reported": bool(row["is_reported"]),
        }
    )
