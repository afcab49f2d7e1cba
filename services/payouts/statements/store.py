"""SQL of statements: lines by time, and then in the order of posting.

A listed line is final: nothing can be posted before it any more, so that reading page by page
misses nothing (see the view statement_horizon in the migration). The latest lines wait for
transactions that are still posting; the last page of a period in the past is refused until those
have ended.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import DictRow

from servicekit.errors import Reason, Unavailable
from servicekit.money import Money
from servicekit.pagination import Page
from servicekit.postgres.database import Database
from services.payouts.ledger import postings
from services.payouts.ledger.postings import PROVIDER_OWNER, Kind
from services.payouts.statements.handlers import BrandFunds, Line, ListStatementLines

Listing = Callable[
    [ListStatementLines, Page, datetime | None], tuple[LiteralString, dict[str, Any]]
]

# Bounds are coalesced, so that an index range can use them whether they are given or not.
_BRAND_LINES: LiteralString = """
    WITH line AS (
        SELECT e.create_time, e.transfer_id, e.currency,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = %(available)s), 0)
                   AS available_change,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = %(reserved)s), 0)
                   AS reserved_change
          FROM entry e
         WHERE e.owner = %(owner)s
           AND (e.create_time, e.transfer_id)
               > (coalesce((SELECT create_time FROM transfer WHERE id = %(after)s::bigint),
                           '-infinity'), %(after)s::bigint)
           AND e.create_time <= %(horizon)s::timestamptz
           AND e.create_time >= coalesce(%(start_time)s::timestamptz, '-infinity')
           AND e.create_time < coalesce(%(end_time)s::timestamptz, 'infinity')
           AND (%(currency)s::text IS NULL OR e.currency = %(currency)s)
         GROUP BY e.create_time, e.transfer_id, e.currency
         ORDER BY e.create_time, e.transfer_id LIMIT %(size)s),
    first AS (
        SELECT create_time, transfer_id FROM line ORDER BY create_time, transfer_id LIMIT 1),
    opening AS (
        SELECT e.currency,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = %(available)s), 0)
                   AS available_minor,
               coalesce(sum(e.amount_minor) FILTER (WHERE e.kind = %(reserved)s), 0)
                   AS reserved_minor
          FROM entry e
         WHERE e.owner = %(owner)s
           AND (e.create_time, e.transfer_id)
               < ((SELECT create_time FROM first), (SELECT transfer_id FROM first))
         GROUP BY e.currency)
    SELECT t.id, t.kind, t.create_time, t.payout_id, t.attempt_number, line.currency,
           d.id AS deposit_id, d.external_reference,
           line.available_change::bigint, line.reserved_change::bigint,
           (coalesce(opening.available_minor, 0)
            + sum(line.available_change) OVER upto)::bigint AS available_balance,
           (coalesce(opening.reserved_minor, 0)
            + sum(line.reserved_change) OVER upto)::bigint AS reserved_balance,
           coalesce((SELECT sum(e.amount_minor) FROM entry e
                      WHERE e.transfer_id = t.id AND e.owner = %(provider)s
                        AND e.currency = line.currency), 0)::bigint AS paid_minor
      FROM line JOIN transfer t ON t.id = line.transfer_id
      LEFT JOIN opening USING (currency)
      LEFT JOIN deposit d ON d.transfer_id = t.id
    WINDOW upto AS (PARTITION BY line.currency ORDER BY line.create_time, line.transfer_id)
     ORDER BY line.create_time, line.transfer_id
"""
_CREATOR_LINES: LiteralString = """
    WITH line AS (
        SELECT t.id, t.kind, t.create_time, t.payout_id, t.attempt_number, p.currency
          FROM payout p JOIN transfer t ON t.payout_id = p.id
         WHERE p.creator = %(creator)s AND t.kind IN ('SETTLE', 'RETURN')
           AND (t.create_time, t.id)
               > (coalesce((SELECT create_time FROM transfer WHERE id = %(after)s::bigint),
                           '-infinity'), %(after)s::bigint)
           AND t.create_time <= %(horizon)s::timestamptz
           AND t.create_time >= coalesce(%(start_time)s::timestamptz, '-infinity')
           AND t.create_time < coalesce(%(end_time)s::timestamptz, 'infinity')
           AND (%(currency)s::text IS NULL OR p.currency = %(currency)s)
         ORDER BY t.create_time, t.id LIMIT %(size)s)
    SELECT line.*,
           (SELECT sum(e.amount_minor) FROM entry e
             WHERE e.transfer_id = line.id AND e.owner = %(provider)s
               AND e.currency = line.currency)::bigint AS amount_minor
      FROM line ORDER BY line.create_time, line.id
"""


class StatementStore:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def brand_lines(self, wanted: ListStatementLines, page: Page) -> list[Line]:
        rows = await self._page(brand_listing, wanted, page)
        return [_brand_line(wanted.party.brand or "", row) for row in rows]

    async def creator_lines(self, wanted: ListStatementLines, page: Page) -> list[Line]:
        rows = await self._page(creator_listing, wanted, page)
        return [
            Line(amount=Money(row["currency"], row["amount_minor"]), **_common(row)) for row in rows
        ]

    async def _page(
        self, listing: Listing, wanted: ListStatementLines, page: Page
    ) -> list[DictRow]:
        """
        Raises:
            Unavailable: the last page of a period in the past in which a transaction still posts.
        """
        (horizon,) = await self._database.fetch_all("SELECT * FROM statement_horizon")
        rows = await self._database.fetch_all(*listing(wanted, page, horizon["until_time"]))
        end, since = wanted.end_time, horizon["posting_since"]
        has_ended = end is not None and end <= horizon["read_time"]
        if has_ended and since and since < end and len(rows) < page.size:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "Transactions of that period are still being posted"
            )
        return rows


def brand_listing(
    wanted: ListStatementLines, page: Page, horizon: datetime | None
) -> tuple[LiteralString, dict[str, Any]]:
    """SQL and parameters of a page of a brand's statement, up to the horizon."""
    brand = wanted.party.brand or ""
    available, reserved = postings.available(brand), postings.reserved(brand)
    return _BRAND_LINES, {
        **_bounds(wanted, page, horizon),
        "owner": available.owner,
        "available": available.kind,
        "reserved": reserved.kind,
    }


def creator_listing(
    wanted: ListStatementLines, page: Page, horizon: datetime | None
) -> tuple[LiteralString, dict[str, Any]]:
    """SQL and parameters of a page of a creator's statement."""
    return _CREATOR_LINES, {**_bounds(wanted, page, horizon), "creator": wanted.party.creator}


def _bounds(wanted: ListStatementLines, page: Page, horizon: datetime | None) -> dict[str, Any]:
    return {
        "after": page.after.key if page.after else 0,
        "size": page.size,
        "horizon": horizon,
        "currency": wanted.currency_code,
        "start_time": wanted.start_time,
        "end_time": wanted.end_time,
        "provider": PROVIDER_OWNER,
    }


def _common(row: DictRow) -> dict[str, Any]:
    return {
        "transfer_id": row["id"],
        "kind": Kind(row["kind"]),
        "post_time": row["create_time"],
        "payout_id": row["payout_id"] or "",
        "attempt_number": row["attempt_number"] or 0,
    }


def _brand_line(brand: str, row: DictRow) -> Line:
    currency = row["currency"]
    funds = BrandFunds(
        available_change=Money(currency, row["available_change"]),
        reserved_change=Money(currency, row["reserved_change"]),
        available_balance=Money(currency, row["available_balance"]),
        reserved_balance=Money(currency, row["reserved_balance"]),
    )
    change_minor = row["available_change"] + row["reserved_change"]
    # What left the brand and did not reach the creator; a fee that the platform bore is excluded.
    fee_minor = -change_minor - row["paid_minor"] if row["kind"] == Kind.SETTLE else 0
    return Line(
        amount=Money(currency, change_minor),
        fee=Money(currency, fee_minor) if fee_minor else None,
        funds=funds,
        deposit=f"brands/{brand}/deposits/{row['deposit_id']}" if row["deposit_id"] else "",
        external_reference=row["external_reference"] or "",
        **_common(row),
    )
