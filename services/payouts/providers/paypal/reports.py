"""Reads PayPal's transaction reports.

Read are payouts (T0001) and the returns of one or of its fee: reversed or refunded as a payout
(T1114, T1115) or as any payment (T1106, T1107; T1108, T1109 for the fee). T1503 and T1105, the hold
on a batch's amount and its end, are ignored: they set our own money aside, and each payment that
leaves is a T0001.

Transaction status:

    S   done
    P   pending: a payout that is unclaimed or held; it has left our balance
    V   reversed since: it left, and came back by a separate transaction
    D   denied: it never left

Amounts are relative to our balance: what was paid out is negative there.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from typing import Any

import httpx

from servicekit.money import Money
from services.payouts.providers.interface import NotReadable, Report, Transaction
from services.payouts.providers.paypal.connection import PaypalConnection
from services.payouts.providers.paypal.responses import (
    UNREADABLE,
    code_of,
    in_minor_units,
    read_json,
)

_PATH = "/v1/reporting/transactions"
_PAGE_SIZE = 500
_ANSWER_SECONDS = 30.0
# PayPal reports at most 31 days at once; rounding to whole seconds adds a little.
_LONGEST = timedelta(days=30)
# PayPal refuses a period with more than 10,000 transactions.
_TOO_LARGE = "RESULTSET_TOO_LARGE"
_SHORTEST = timedelta(seconds=1)

# https://developer.paypal.com/reports/reference/t-codes
_PAYOUT = "T0001"
_PAYOUT_RETURNS = frozenset({"T1114", "T1115"})
# May concern a payment that is no payout, unless they refer to a transaction.
_REVERSALS = frozenset({"T1106", "T1107"})
_FEE_RETURNS = frozenset({"T1108", "T1109"})


async def read_report(connection: PaypalConnection, start: datetime, end: datetime) -> Report:
    """Reads the transactions from `start` to `end`, in windows that PayPal accepts.

    Raises:
        NotReadable.
    """
    found: dict[str, Transaction] = {}
    complete_until = end
    window_start = start
    while window_start < end:
        window_end = min(end, window_start + _LONGEST)
        refreshed = await _read_window(connection, window_start, window_end, found)
        complete_until = min(complete_until, refreshed)
        window_start = window_end
    complete_until = max(complete_until, start)
    inside = [each for each in found.values() if start <= each.time < complete_until]
    return Report(tuple(sorted(inside, key=lambda each: (each.time, each.id))), complete_until)


async def _read_window(
    connection: PaypalConnection, start: datetime, end: datetime, found: dict[str, Transaction]
) -> datetime:
    """Adds the window's transactions, and some from up to a second around it, to `found`. Returns
    the time up to which the report is complete."""
    refreshed: datetime | None = None
    for page in count(1):
        query = _query(start, end, page)
        response = await connection.ask("GET", _PATH, params=query, timeout_seconds=_ANSWER_SECONDS)
        if _is_not_there_yet(response):
            return start
        if code_of(response) == _TOO_LARGE and end - start > _SHORTEST:
            middle = start + (end - start) / 2
            first = await _read_window(connection, start, middle, found)
            return min(first, await _read_window(connection, middle, end, found))
        if response.status_code != HTTPStatus.OK:
            raise NotReadable(code_of(response))
        try:
            answer = read_json(response)
            found |= {each.id: each for each in _transactions(answer)}
            moment = _time(answer["last_refreshed_datetime"])
            refreshed = min(refreshed or moment, moment)
            if page >= int(answer["total_pages"]):
                return refreshed
        except UNREADABLE as error:
            raise NotReadable("UNREADABLE_ANSWER") from error
    raise AssertionError("count() is endless")


def _query(start: datetime, end: datetime, page: int) -> dict[str, str]:
    """Rounded outwards to whole seconds."""
    whole_end = end + timedelta(seconds=1) if end.microsecond else end
    return {
        "start_date": f"{start.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "end_date": f"{whole_end.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "fields": "transaction_info",
        "page_size": str(_PAGE_SIZE),
        "page": str(page),
    }


def _is_not_there_yet(response: httpx.Response) -> bool:
    """Whether the period is not reported yet; only the text of the error says so."""
    return (
        response.status_code == HTTPStatus.BAD_REQUEST
        and "start date is not available" in response.text
    )


def _transactions(answer: Mapping[str, Any]) -> Iterator[Transaction]:
    for detail in answer.get("transaction_details", ()):
        info = detail["transaction_info"]
        if _is_ours(info) and info.get("transaction_status") != "D":
            yield _transaction(info)


def _is_ours(info: Mapping[str, Any]) -> bool:
    code = info["transaction_event_code"]
    if code in _REVERSALS | _FEE_RETURNS:
        return bool(_referred(info))
    return code == _PAYOUT or code in _PAYOUT_RETURNS


def _transaction(info: Mapping[str, Any]) -> Transaction:
    code = info["transaction_event_code"]
    moved = _outwards(info["transaction_amount"])
    nothing = Money(moved.currency, 0)
    fee = _outwards(info["fee_amount"]) if info.get("fee_amount") else nothing
    return Transaction(
        id=str(info["transaction_id"]),
        sender_batch_id=str(info.get("custom_field", "")),
        reverses_id="" if code == _PAYOUT else _referred(info),
        amount=nothing if code in _FEE_RETURNS else moved,
        fee=moved if code in _FEE_RETURNS else fee,
        time=_time(info["transaction_initiation_date"]),
        is_pending=info.get("transaction_status") == "P",
        is_reversed=info.get("transaction_status") == "V",
    )


def _referred(info: Mapping[str, Any]) -> str:
    """Id of the transaction that this one refers to, or empty."""
    is_transaction = info.get("paypal_reference_id_type") == "TXN"
    return str(info.get("paypal_reference_id", "")) if is_transaction else ""


def _outwards(amount: Mapping[str, Any]) -> Money:
    return Money(amount["currency_code"], -in_minor_units(amount["value"]))


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("time without UTC offset")
    return moment
