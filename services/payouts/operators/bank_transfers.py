"""Operators confirm or reject the bank transfers that they make.

The transfer's new state is stored first, and then posted by the same sync that posts everything
else. A call that fails in between is completed by its repetition, or by the workflow's next poll.
"""

from contextlib import AbstractAsyncContextManager
from typing import Annotated, Protocol
from uuid import UUID

from pydantic import Field

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import Command, PositiveMoney, Visible, between, bounded_text
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    require_found,
)
from services.payouts.attempts import FINAL, Attempt
from services.payouts.domain import Decision, DecisionKind, Payout
from services.payouts.handlers import PayoutId
from services.payouts.operators.handlers import Payments, PayoutWorkflows
from services.payouts.providers.bank_transfer import BankTransfer, BankTransferState
from workflows.payout.providers import ProviderName


class ConfirmBankTransfer(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]
    request_id: UUID
    external_reference: Annotated[str, bounded_text(1, 100), Visible]
    fee: PositiveMoney | None = None


class RejectBankTransfer(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]
    request_id: UUID
    reason: Annotated[str, bounded_text(1, 1000), Visible]


class Payouts(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def lock(self, payout_id: str) -> Payout | None: ...


class Decisions(Protocol):
    async def add_decision(self, payout_id: str, decision: Decision) -> None: ...


class Transfers(Protocol):
    async def get(self, sender_batch_id: str) -> BankTransfer | None: ...

    async def confirm(
        self, sender_batch_id: str, external_reference: str, fee_minor: int
    ) -> bool: ...

    async def reject(self, sender_batch_id: str) -> None: ...


class BankTransferHandlers:
    def __init__(
        self,
        payouts: Payouts,
        decisions: Decisions,
        transfers: Transfers,
        payments: Payments,
        workflows: PayoutWorkflows,
        clock: Clock,
    ) -> None:
        self._payouts = payouts
        self._decisions = decisions
        self._transfers = transfers
        self._payments = payments
        self._workflows = workflows
        self._clock = clock

    async def confirm_bank_transfer(self, who: Principal, command: ConfirmBankTransfer) -> Payout:
        """
        Raises:
            Unavailable: recorded, but not posted yet: repeat the call.
        """
        async with self._payouts.transaction():
            payout, attempt, transfer = await self._lock_transfer(command)
            if transfer.state is BankTransferState.ORDERED:
                await self._confirm(payout, attempt, command)
                reason = f"Made with the bank's reference {command.external_reference}"
                await self._add_decision(who, command, DecisionKind.CONFIRM, reason)
            elif not _is_repeated(transfer, command):
                raise illegal_state(payout.name, payout.state, "ConfirmBankTransfer")
        return await self._sync(payout, attempt)

    async def reject_bank_transfer(self, who: Principal, command: RejectBankTransfer) -> Payout:
        """
        Raises:
            Unavailable: recorded, but not posted yet: repeat the call.
        """
        async with self._payouts.transaction():
            payout, attempt, transfer = await self._lock_transfer(command)
            if transfer.state is BankTransferState.CONFIRMED:
                raise illegal_state(payout.name, payout.state, "RejectBankTransfer")
            if transfer.state is BankTransferState.ORDERED:
                await self._transfers.reject(attempt.sender_batch_id)
                await self._add_decision(who, command, DecisionKind.REJECT, command.reason)
        return await self._sync(payout, attempt)

    async def _lock_transfer(
        self, command: ConfirmBankTransfer | RejectBankTransfer
    ) -> tuple[Payout, Attempt, BankTransfer]:
        """Locks the payout; returns it with its attempt and the transfer."""
        payout = require_found(f"payouts/{command.id}", await self._payouts.lock(command.id))
        attempt = payout.attempt(command.attempt)
        if attempt is None or attempt.provider is not ProviderName.BANK_TRANSFER:
            raise invalid_fields(Violation("attempt", "BANK_TRANSFER", "Must be a bank transfer"))
        transfer = await self._transfers.get(attempt.sender_batch_id)
        is_open = transfer is not None and transfer.state is BankTransferState.ORDERED
        # An attempt that has ended must not be paid any more, even if its transfer is ordered.
        if transfer is None or (is_open and attempt.state in FINAL):
            raise illegal_state(payout.name, payout.state, type(command).__name__)
        return payout, attempt, transfer

    async def _confirm(
        self, payout: Payout, attempt: Attempt, command: ConfirmBankTransfer
    ) -> None:
        if command.fee is not None and command.fee.currency != payout.amount.currency:
            raise invalid_fields(
                Violation("fee", "CURRENCY", f"Must be in {payout.amount.currency}")
            )
        fee_minor = command.fee.amount_minor if command.fee else 0
        is_free = await self._transfers.confirm(
            attempt.sender_batch_id, command.external_reference, fee_minor
        )
        if not is_free:
            raise FailedPrecondition(
                Reason.BANK_REFERENCE_USED,
                "Another bank transfer was confirmed with this external_reference",
                metadata={"external_reference": command.external_reference},
            )

    async def _add_decision(
        self,
        who: Principal,
        command: ConfirmBankTransfer | RejectBankTransfer,
        kind: DecisionKind,
        reason: str,
    ) -> None:
        decision = Decision(
            kind=kind,
            reason=reason,
            actor=who.actor,
            request_id=str(command.request_id),
            create_time=self._clock(),
            attempt_number=command.attempt,
        )
        await self._decisions.add_decision(command.id, decision)

    async def _sync(self, payout: Payout, attempt: Attempt) -> Payout:
        # Synced by our own id: the attempt may have no batch id yet, if the answer was lost.
        result = await self._payments.sync_attempt(
            payout.id, attempt.number, attempt.sender_batch_id
        )
        await self._workflows.try_signal(result.payout)
        return result.payout


def _is_repeated(transfer: BankTransfer, command: ConfirmBankTransfer) -> bool:
    """Whether the transfer was confirmed before with the same values."""
    fee_minor = command.fee.amount_minor if command.fee else 0
    return (
        transfer.state is BankTransferState.CONFIRMED
        and transfer.external_reference == command.external_reference
        and transfer.fee.amount_minor == fee_minor
    )
