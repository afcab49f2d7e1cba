"""Statements of account: the ledger's transfers from one party's view."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Protocol

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from servicekit import resource_names
from servicekit.auth import Principal
from servicekit.commands import Command, Currency, Instant, violation
from servicekit.errors import InvalidArgument
from servicekit.money import Money
from servicekit.pagination import Page
from services.payouts.ledger.postings import Kind


@dataclass(frozen=True)
class Party:
    """Whose statement it is: exactly one of the two ids is set."""

    brand: str | None = None
    creator: str | None = None

    @property
    def name(self) -> str:
        return f"creators/{self.creator}" if self.brand is None else f"brands/{self.brand}"


@dataclass(frozen=True)
class BrandFunds:
    """Changes of a brand's funds by one line, and the balances afterwards."""

    available_change: Money
    reserved_change: Money
    available_balance: Money
    reserved_balance: Money


@dataclass(frozen=True)
class Line:
    """See payouts.v1.StatementLine."""

    transfer_id: int
    kind: Kind
    post_time: datetime
    amount: Money
    fee: Money | None = None
    funds: BrandFunds | None = None
    deposit: str = ""
    external_reference: str = ""
    payout_id: str = ""
    attempt_number: int = 0


def _party(name: object) -> Party:
    for pattern, field in (("brands/{brand}", "brand"), ("creators/{creator}", "creator")):
        try:
            return Party(**{field: resource_names.parse_id(pattern, str(name))})
        except InvalidArgument:
            continue
    raise violation("AIP-122", "Must look like brands/{brand} or creators/{creator}")


class ListStatementLines(Command):
    party: Annotated[Party, BeforeValidator(_party)] = Field(alias="parent")
    currency_code: Currency | None = None
    start_time: Instant | None = None
    end_time: Instant | None = None

    @field_validator("end_time")
    @classmethod
    def _ends_after_it_starts(cls, end: datetime | None, info: ValidationInfo) -> datetime | None:
        start = info.data.get("start_time")
        if start and end and end <= start:
            raise violation("RANGE", "Must be after start_time")
        return end


class StatementLines(Protocol):
    async def brand_lines(self, wanted: ListStatementLines, page: Page) -> list[Line]: ...

    async def creator_lines(self, wanted: ListStatementLines, page: Page) -> list[Line]: ...


class StatementHandlers:
    def __init__(self, store: StatementLines) -> None:
        self._store = store

    async def list_lines(
        self, who: Principal, command: ListStatementLines, page: Page
    ) -> list[Line]:
        """Oldest first."""
        party = command.party
        who.require_party(party.name, brand=party.brand, creator=party.creator)
        if party.brand is not None:
            return await self._store.brand_lines(command, page)
        return await self._store.creator_lines(command, page)
