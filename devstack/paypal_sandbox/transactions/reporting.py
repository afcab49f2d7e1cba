"""The transaction reports: query parameters and JSON format.

Times are shown to the microsecond, PayPal's to the second, so that a test need not wait for the
next one. A line's status is never behind, whatever the lag is: only when lines appear.
"""

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from math import ceil
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, BeforeValidator, Field, model_validator

from devstack.paypal_sandbox import amounts, errors
from devstack.paypal_sandbox.records import Conditions, Movement
from devstack.paypal_sandbox.transactions.store import MovementStore

REPORTING_PATH = "/v1/reporting/transactions"

_LONGEST_SECONDS = 31 * 24 * 3600.0
_KEPT_SECONDS = 3 * 366 * 24 * 3600.0
# The contract's own patterns.
_TIME = re.compile(
    r"[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[1-2][0-9]|3[0-1])[T,t]([0-1][0-9]|2[0-3]):[0-5][0-9]"
    r":([0-5][0-9]|60)([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_CUSTOM = re.compile(r"[a-zA-Z0-9_'\-., \":;\!?]{1,127}")
_RANGE = re.compile(r"\[?(\d{1,12}) TO (\d{1,12})\]?")


def _time(text: object) -> object:
    if not isinstance(text, str) or len(text) > 64 or not _TIME.fullmatch(text):
        raise ValueError("must be a time with seconds and an offset")
    return text.upper().replace(",", "T")


_Time = Annotated[AwareDatetime, BeforeValidator(_time)]


class Query(BaseModel):
    """`fields` is accepted and ignored: only transaction_info is emulated."""

    start_date: _Time
    end_date: _Time
    transaction_id: Annotated[str, Field(min_length=17, max_length=19)] | None = None
    transaction_type: str | None = None
    transaction_status: str | None = None
    transaction_amount: Annotated[str, Field(pattern=rf"^{_RANGE.pattern}$")] | None = None
    transaction_currency: str | None = None
    # No payout has any of these.
    payment_instrument_type: str | None = None
    store_id: str | None = None
    terminal_id: str | None = None
    fields: str = "transaction_info"
    balance_affecting_records_only: Literal["Y", "N"] = "Y"
    page_size: Annotated[int, Field(ge=1, le=500)] = 100
    page: Annotated[int, Field(ge=1, le=2**31 - 1)] = 1

    @model_validator(mode="after")
    def _is_short(self) -> Self:
        if not 0 <= (self.end_date - self.start_date).total_seconds() <= _LONGEST_SECONDS:
            raise ValueError("the range must be of 31 days at most")
        return self

    def takes(self, line: Movement) -> bool:
        return all(
            (
                self.transaction_id in (None, line.transaction_id),
                self.transaction_type in (None, line.event_code),
                self.transaction_status in (None, line.status),
                self.transaction_currency in (None, line.currency),
                self.payment_instrument_type is None,
                self.store_id is None,
                self.terminal_id is None,
                self._has_amount_of(line),
            )
        )

    def _has_amount_of(self, line: Movement) -> bool:
        found = _RANGE.fullmatch(self.transaction_amount or "")
        lowest, highest = (Decimal(each) / 100 for each in found.groups()) if found else (0, None)
        amount = abs(line.amount)
        return lowest <= amount and (highest is None or amount <= highest)


@dataclass(frozen=True, slots=True)
class Reporting:
    lines: MovementStore
    conditions: Callable[[], Conditions]
    public_url: str

    def report(self, query: Query) -> dict[str, Any]:
        conditions = self.conditions()
        refreshed_at = time.time() - conditions.reporting_lag_seconds
        start, end = query.start_date.timestamp(), query.end_date.timestamp()
        if not refreshed_at - _KEPT_SECONDS <= start <= refreshed_at:
            raise errors.bad_query("start_date", "Data for the given start date is not available.")
        there = self.lines.reported(start, min(end, refreshed_at))
        found = [line for line in there if query.takes(line)]
        if len(found) > conditions.report_line_limit:
            raise errors.too_many_lines()
        first = (query.page - 1) * query.page_size
        response: dict[str, Any] = {
            "account_number": "SANDBOX",
            "start_date": _moment(start),
            "end_date": _moment(min(end, refreshed_at)),
            "last_refreshed_datetime": _moment(refreshed_at),
            "page": query.page,
            "total_items": len(found),
            "total_pages": ceil(len(found) / query.page_size),
            "links": [
                {"href": f"{self.public_url}{REPORTING_PATH}", "rel": "self", "method": "GET"}
            ],
        }
        if shown := found[first : first + query.page_size]:
            # The contract does not allow an empty list.
            response["transaction_details"] = list(details(shown))
        return response


def details(lines: Iterable[Movement]) -> Iterable[dict[str, Any]]:
    for line in lines:
        info: dict[str, Any] = {
            "transaction_id": line.transaction_id,
            "transaction_event_code": line.event_code,
            "transaction_initiation_date": _moment(line.initiated_at),
            "transaction_updated_date": _moment(line.updated_at),
            "transaction_amount": _money(line.amount, line.currency),
            "transaction_status": line.status,
        }
        if line.reference_id is not None:
            info |= {"paypal_reference_id": line.reference_id, "paypal_reference_id_type": "TXN"}
        if line.fee is not None:
            info["fee_amount"] = _money(line.fee, line.currency)
        if line.custom_field is not None and _CUSTOM.fullmatch(line.custom_field):
            info["custom_field"] = line.custom_field
        yield {"transaction_info": info}


def _moment(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S.%fZ}"


def _money(amount: Decimal, currency: str) -> dict[str, str]:
    return {"currency_code": currency, "value": amounts.as_text(amount, currency)}
