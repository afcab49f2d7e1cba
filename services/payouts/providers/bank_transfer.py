"""The provider that pays by bank transfers which operators make by hand: what it was ordered to pay
is a row in our own database, and a person says what became of it.

Its ids are our own: a batch, and the one item in it, goes by the order's `sender_batch_id`. An id
is never freed, so that nothing is ordered twice however late it is sent again.
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


# As the items of a batch are called.
_ITEM_STATES = {
    BankTransferState.ORDERED: "PENDING",
    BankTransferState.CONFIRMED: "SUCCESS",
    BankTransferState.REJECTED: "FAILED",
}


@dataclass(frozen=True)
class BankTransfer:
    """`external_reference` is the bank's, of one that was made; `end_time` is when a person said
    what became of it."""

    sender_batch_id: str
    state: BankTransferState
    receiver: str
    amount: Money
    fee: Money
    external_reference: str
    end_time: datetime | None


class BankTransferProvider:
    """See `Provider` for what is asked of any; the rest is for whoever makes the transfers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def send(self, order: Order, may_post: MayPost) -> str:
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
        """What a person has in hand, that person alone gives back; nothing of it is ever
        unclaimed."""
        raise NotCancellable("IN_A_PERSONS_HAND")

    async def report(self, start: datetime, end: datetime) -> Report:
        """Complete up to the moment it is made, by the database's clock."""
        try:
            async with self._database.transaction():
                # Whoever is confirming one ends first, and whoever comes later has a later time.
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
        """That it was made; it must be ORDERED. False when the reference is another one's; the
        transaction is then lost."""
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
        """That it cannot be made; it must be ORDERED."""
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
