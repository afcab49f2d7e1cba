"""Use cases of funds and payouts that call no provider; `sending.handlers` has those that do.

Use cases called by workers are idempotent.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Protocol
from uuid import uuid4

from pydantic import BeforeValidator, Field, field_validator

from servicekit import resource_names
from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import (
    Command,
    Currency,
    PositiveMoney,
    bounded_text,
    proto_enum,
    resource_id,
    unique_items,
    violation,
)
from servicekit.errors import (
    FailedPrecondition,
    InvalidArgument,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    not_found,
    require_found,
)
from servicekit.money import Money
from servicekit.pagination import Page
from services.payouts.domain import Deposit, Payout, State
from services.payouts.ledger import postings
from services.payouts.ledger.postings import Account, Transfer, hold_minor

_DEPOSIT_NAME = "brands/{brand}/deposits/{deposit}"


def _deposit_name(name: object) -> tuple[str, ...]:
    try:
        return resource_names.parse_ids(_DEPOSIT_NAME, str(name))
    except InvalidArgument:
        raise violation("AIP-122", f"Must look like {_DEPOSIT_NAME}") from None


BrandId = Annotated[str, resource_id("brands/{brand}")]
CreatorId = Annotated[str, resource_id("creators/{creator}")]
PayoutId = Annotated[str, resource_id("payouts/{payout}")]
DepositName = Annotated[tuple[str, str], BeforeValidator(_deposit_name)]


class NewDeposit(Command):
    amount: PositiveMoney


class CreateDeposit(Command):
    brand: BrandId = Field(alias="parent")
    deposit: NewDeposit


class ConfirmDeposit(Command):
    ids: DepositName = Field(alias="name")
    external_reference: Annotated[str, bounded_text(1, 100)]


class GetBalance(Command):
    brand: BrandId = Field(alias="name")
    currency_code: Currency


class GetPayout(Command):
    id: PayoutId = Field(alias="name")


class ListPayouts(Command):
    state: Annotated[State, proto_enum("STATE_")] | None = None


class Reservation(Command):
    payout: PayoutId
    creator: CreatorId


class ReserveRewards(Command):
    brand: BrandId
    amount: PositiveMoney
    reservations: Annotated[list[Reservation], unique_items(1, 100)]

    @field_validator("reservations")
    @classmethod
    def _payouts_differ(cls, reservations: list[Reservation]) -> list[Reservation]:
        if len({reservation.payout for reservation in reservations}) != len(reservations):
            raise violation("UNIQUE", "Must not name a payout twice")
        return reservations


class ReleaseReward(Command):
    id: PayoutId = Field(alias="name")


class ReduceReward(Command):
    id: PayoutId = Field(alias="name")
    amount: PositiveMoney


class Payouts(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def add_deposit(self, deposit: Deposit) -> None: ...

    async def lock_deposit(self, deposit_id: str) -> Deposit | None: ...

    async def confirm_deposit(self, deposit: Deposit, transfer_id: int) -> bool: ...

    async def add_payout(
        self, payout_id: str, brand: str, creator: str, amount: Money, now: datetime
    ) -> None: ...

    async def lower_payout(self, payout_id: str, amount: Money) -> None: ...

    async def get(self, payout_id: str) -> Payout | None: ...

    async def lock(self, payout_id: str) -> Payout | None: ...

    async def get_many(self, payout_ids: list[str]) -> dict[str, Payout]: ...

    async def list_newest(
        self, brand: str | None, creator: str | None, state: State | None, page: Page
    ) -> list[Payout]: ...


class Ledger(Protocol):
    async def post(self, transfer: Transfer) -> int: ...

    async def funds(self, brand: str, currency: str) -> tuple[Money, Money]: ...

    async def lock_available(self, brand: str, currency: str) -> Money: ...

    async def sums(self) -> list[tuple[Account, Money]]: ...


class PayoutHandlers:
    def __init__(self, payouts: Payouts, ledger: Ledger, clock: Clock) -> None:
        self._payouts = payouts
        self._ledger = ledger
        self._clock = clock

    async def create_deposit(self, who: Principal, command: CreateDeposit) -> Deposit:
        who.require_party(f"brands/{command.brand}", brand=command.brand)
        deposit = Deposit(str(uuid4()), command.brand, command.deposit.amount, self._clock())
        await self._payouts.add_deposit(deposit)
        return deposit

    async def confirm_deposit(self, command: ConfirmDeposit) -> Deposit:
        brand, deposit_id = command.ids
        deposit = await self._payouts.lock_deposit(deposit_id)
        if deposit is None or deposit.brand != brand:
            raise not_found(f"brands/{brand}/deposits/{deposit_id}")
        if deposit.external_reference == command.external_reference:
            return deposit
        if deposit.external_reference is not None:
            raise illegal_state(deposit.name, "CONFIRMED", "ConfirmDeposit")
        transfer_id = await self._ledger.post(postings.deposit(deposit))
        confirmed = replace(
            deposit, external_reference=command.external_reference, confirm_time=self._clock()
        )
        if not await self._payouts.confirm_deposit(confirmed, transfer_id):
            raise FailedPrecondition(
                Reason.DEPOSIT_REFERENCE_USED,
                "Another deposit was confirmed with this external_reference",
                metadata={"external_reference": command.external_reference},
            )
        return confirmed

    async def get_balance(self, who: Principal, command: GetBalance) -> tuple[Money, Money]:
        """Returns the available and the reserved funds."""
        who.require_party(f"brands/{command.brand}", brand=command.brand)
        return await self._ledger.funds(command.brand, command.currency_code)

    async def get_trial_balance(self) -> list[tuple[Account, Money]]:
        return await self._ledger.sums()

    async def get_payout(self, who: Principal, command: GetPayout) -> Payout:
        payout = who.require_found(f"payouts/{command.id}", await self._payouts.get(command.id))
        who.require_party(payout.name, brand=payout.brand, creator=payout.creator)
        return payout

    async def list_payouts(self, who: Principal, command: ListPayouts, page: Page) -> list[Payout]:
        return await self._payouts.list_newest(who.brand, who.creator, command.state, page)

    async def reserve_rewards(self, command: ReserveRewards) -> None:
        """Reserves all of the rewards or none; those reserved before stay unchanged."""
        amount = command.amount
        async with self._payouts.transaction():
            free = await self._ledger.lock_available(command.brand, amount.currency)
            known = await self._payouts.get_many([r.payout for r in command.reservations])
            _require_same(command, known)
            missing = [r for r in command.reservations if r.payout not in known]
            needed = Money(amount.currency, hold_minor(amount) * len(missing))
            if needed.amount_minor > free.amount_minor:
                raise FailedPrecondition(
                    Reason.INSUFFICIENT_FUNDS,
                    f"{free} is available, and {needed} is needed, fees included",
                    metadata={"available": str(free), "needed": str(needed)},
                )
            now = self._clock()
            for reservation in missing:
                await self._payouts.add_payout(
                    reservation.payout, command.brand, reservation.creator, amount, now
                )
                await self._ledger.post(postings.reserve(reservation.payout, command.brand, amount))

    async def release_reward(self, command: ReleaseReward) -> None:
        async with self._payouts.transaction():
            payout = await self._locked(command.id)
            if payout.state in (State.RELEASED, State.WRITTEN_OFF):
                return
            if not payout.is_releasable:
                raise illegal_state(payout.name, payout.state, "ReleaseReward")
            await self._ledger.post(postings.release(payout))

    async def reduce_reward(self, command: ReduceReward) -> None:
        async with self._payouts.transaction():
            payout = await self._locked(command.id)
            is_unchanged = command.amount == payout.amount and payout.state is not State.RELEASED
            # Written off by an operator: nothing is reserved any more, and the worker continues.
            if is_unchanged or payout.state is State.WRITTEN_OFF:
                return
            if not payout.is_reducible:
                raise illegal_state(payout.name, payout.state, "ReduceReward")
            _require_lower(command.amount, payout.amount)
            await self._ledger.post(postings.reduce(payout, command.amount))
            await self._payouts.lower_payout(payout.id, command.amount)

    async def _locked(self, payout_id: str) -> Payout:
        return require_found(f"payouts/{payout_id}", await self._payouts.lock(payout_id))


def _require_same(command: ReserveRewards, known: dict[str, Payout]) -> None:
    """A repeated reservation must have the same terms."""
    wanted = command.brand, command.amount
    violations = [
        Violation(
            f"reservations[{index}].payout", "REPEATED", "Was reserved with other terms before"
        )
        for index, reservation in enumerate(command.reservations)
        if (payout := known.get(reservation.payout)) is not None
        and (payout.brand, payout.reserved_amount, payout.creator) != (*wanted, reservation.creator)
    ]
    if violations:
        raise invalid_fields(*violations)


def _require_lower(wanted: Money, present: Money) -> None:
    if wanted.currency != present.currency or wanted.amount_minor > present.amount_minor:
        raise invalid_fields(
            Violation("amount", "RANGE", f"Must be at most {present}, and in that currency")
        )
