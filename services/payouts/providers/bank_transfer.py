"""Provider for bank transfers that operators make by hand.

An order is a row in our own database, and an operator confirms or rejects it. Batch and item both
have the order's `sender_batch_id` as their id. An id is never freed, so an order cannot be placed
twice, however late it is repeated.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.errors import UniqueViolation
from psycopg.rows import DictRow

from servicekit.errors import Unavailable
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.providers.interface import (
    FENCE_LOST,
    AlreadyTaken,
    Batch,
    Item,
    MayPost,
    NotCancellable,
    NothingTaken,
    NotReadable,
    Order,
    OutcomeUnknown,
    Report,
    Transaction,
)


class BankTransferState(StrEnum):
    ORDERED = "ORDERED"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"


# State of the transfer as a state of the batch's item.
_ITEM_STATES = {
    BankTransferState.ORDERED: "PENDING",
    BankTransferState.CONFIRMED: "SUCCESS",
    BankTransferState.REJECTED: "FAILED",
}


@dataclass(frozen=True)
class BankTransfer:
    """`external_reference` is the bank's, once CONFIRMED; `end_time` is when an operator confirmed
    or rejected it."""

    sender_batch_id: str
    state: BankTransferState
    receiver: str
    amount: Money
    fee: Money
    external_reference: str
    end_time: datetime | None


class BankTransferProvider:
    """Implements `interface.Provider`; the other methods serve operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, order: Order, may_post: MayPost) -> str:
        """See `Provider.send`."""
        if not await may_post():
            raise NothingTaken(FENCE_LOST)
        try:
            count = await self._database.execute(
                """
                INSERT INTO bank_transfer (sender_batch_id, receiver, currency, amount_minor)
                VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING
                """,
                (
                    order.sender_batch_id,
                    order.receiver,
                    order.amount.currency,
                    order.amount.amount_minor,
                ),
            )
        except Unavailable as error:
            raise OutcomeUnknown("DATABASE_UNAVAILABLE") from error
        if not count:
            raise AlreadyTaken("ALREADY_ORDERED", order.sender_batch_id)
        return order.sender_batch_id

    async def batch(self, batch_id: str) -> Batch:
        """See `Provider.batch`."""
        try:
            transfer = await self.get(batch_id)
        except Unavailable as error:
            raise NotReadable("DATABASE_UNAVAILABLE") from error
        if transfer is None:
            raise NotReadable("NOT_FOUND")
        is_ordered = transfer.state is BankTransferState.ORDERED
        is_rejected = transfer.state is BankTransferState.REJECTED
        item = Item(
            id=batch_id,
            state=_ITEM_STATES[transfer.state],
            receiver=transfer.receiver,
            amount=transfer.amount,
            fee=transfer.fee,
            error_code="BANK_TRANSFER_REJECTED" if is_rejected else "",
            transaction_id=transfer.external_reference,
        )
        return Batch(batch_id, batch_id, "PENDING" if is_ordered else "SUCCESS", (item,))

    async def cancel(self, item_id: str) -> None:
        """Always refuses: a bank transfer is never unclaimed, and only an operator can reject
        it."""
        raise NotCancellable("IN_A_PERSONS_HAND")

    async def report(self, start: datetime, end: datetime) -> Report:
        """See `Provider.report`. Complete up to the database's current time."""
        try:
            async with self._database.transaction():
                # Waits for confirmations in progress; later ones get a later end_time.
                await self._database.execute(
                    "SELECT pg_advisory_xact_lock(hashtext(current_schema() || '.bank_transfer'))"
                )
                now = await self._database.fetch_one("SELECT clock_timestamp() AS time")
                rows = await self._database.fetch_all(
                    """
                    SELECT * FROM bank_transfer
                     WHERE state = 'CONFIRMED' AND end_time >= %s AND end_time < %s
                     ORDER BY end_time, sender_batch_id
                    """,
                    (start, end),
                )
        except Unavailable as error:
            raise NotReadable("DATABASE_UNAVAILABLE") from error
        end_time: datetime = min(end, now["time"]) if now else start
        return Report(tuple(map(_transaction, rows)), end_time)

    async def get(self, sender_batch_id: str) -> BankTransfer | None:
        row = await self._database.fetch_one(
            "SELECT * FROM bank_transfer WHERE sender_batch_id = %s", (sender_batch_id,)
        )
        return _transfer(row) if row else None

    async def confirm(self, sender_batch_id: str, external_reference: str, fee_minor: int) -> bool:
        """Records that an ORDERED transfer was made. False if another transfer has the reference;
        the transaction is then aborted."""
        try:
            await self._database.execute(
                """
                UPDATE bank_transfer
                   SET state = 'CONFIRMED', external_reference = %s, fee_minor = %s
                 WHERE sender_batch_id = %s
                """,
                (external_reference, fee_minor, sender_batch_id),
            )
        except UniqueViolation:
            return False
        return True

    async def reject(self, sender_batch_id: str) -> None:
        """Records that an ORDERED transfer cannot be made."""
        await self._database.execute(
            "UPDATE bank_transfer SET state = 'REJECTED' WHERE sender_batch_id = %s",
            (sender_batch_id,),
        )


def _transfer(row: DictRow) -> BankTransfer:
    currency = row["currency"]
    return BankTransfer(
        sender_batch_id=row["sender_batch_id"],
        state=BankTransferState(row["state"]),
        receiver=row["receiver"],
        amount=Money(currency, row["amount_minor"]),
        fee=Money(currency, row["fee_minor"] or 0),
        external_reference=row["external_reference"] or "",
        end_time=row["end_time"],
    )


def _transaction(row: DictRow) -> Transaction:
    return Transaction(
        id=row["external_reference"],
        sender_batch_id=row["sender_batch_id"],
        reverses_id="",
        amount=Money(row["currency"], row["amount_minor"]),
        fee=Money(row["currency"], row["fee_minor"]),
        time=row["end_time"],
    )
