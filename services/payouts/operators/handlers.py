"""Operators' decisions about payouts: retry, hold, resume, write off, and settle a BLOCKED attempt.

Each decision is stored with its reason and never changed. A decision about money or attempts is
stored in the transaction that carries it out. The workflow is signalled afterwards; a command that
fails in between is repeated, and finds its own decision by its `request_id`.
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Annotated, Any, Protocol
from uuid import UUID

import structlog
from pydantic import Field, ValidationInfo, field_validator

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import (
    Command,
    Visible,
    between,
    bounded_text,
    is_plain,
    proto_enum,
    violation,
)
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    Unavailable,
    Violation,
    illegal_state,
    invalid_fields,
    require_found,
)
from services.payouts import attempts
from services.payouts.attempts import Attempt, AttemptState
from services.payouts.domain import (
    ENDED,
    Beneficiary,
    Decision,
    DecisionKind,
    Outcome,
    Payout,
    State,
)
from services.payouts.handlers import PayoutId
from services.payouts.ledger import postings
from services.payouts.ledger.postings import Transfer
from services.payouts.providers.interface import Batch
from services.payouts.sending.synchronizer import SyncResult
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

# States in which an operator can have an attempt made: none is in progress or unknown.
_RETRYABLE = frozenset({State.RESERVED, State.FAILED, State.UNCLAIMED})


class Decide(Command):
    """The fields of every decision."""

    id: PayoutId = Field(alias="name")
    request_id: UUID
    reason: Annotated[str, bounded_text(1, 1000), Visible]


class RetryPayout(Decide):
    provider: Annotated[ProviderName, proto_enum("PROVIDER_")] | None = None
    receiver: Annotated[str, bounded_text(1, 200), Visible] | None = Field(
        None, validate_default=True
    )

    @field_validator("receiver")
    @classmethod
    def _fits_its_provider(cls, receiver: str | None, info: ValidationInfo) -> str | None:
        provider = info.data.get("provider")
        if receiver is None and provider is ProviderName.BANK_TRANSFER:
            raise violation("REQUIRED", "Must be the receiver of the bank transfer")
        if provider is ProviderName.PAYPAL and receiver and not _is_address(receiver):
            raise violation("R30", "Must be a PayPal account's e-mail address")
        return receiver


class HoldPayout(Decide):
    pass


class ResumePayout(Decide):
    pass


class WriteOffPayout(Decide):
    beneficiary: Annotated[Beneficiary, proto_enum("BENEFICIARY_")]


class ResolveAttempt(Decide):
    attempt: Annotated[int, between(1, 1000)]
    outcome: Annotated[Outcome, proto_enum("OUTCOME_")]
    provider_batch_id: Annotated[str, bounded_text(0, 100)] = Field("", validate_default=True)

    @field_validator("provider_batch_id")
    @classmethod
    def _matches_the_outcome(cls, batch_id: str, info: ValidationInfo) -> str:
        outcome = info.data.get("outcome")
        if outcome is Outcome.FOUND and not batch_id:
            raise violation("REQUIRED", "Must be the batch that was found")
        if outcome is Outcome.NOT_PAID and batch_id:
            raise violation("UNEXPECTED", "Must be empty if nothing was paid")
        return batch_id


def _is_address(receiver: str) -> bool:
    """A minimal check of an e-mail address; PayPal validates the rest."""
    local, _, host = receiver.partition("@")
    return bool(local) and "." in host and "@" not in host and is_plain(receiver)


class Payouts(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def get(self, payout_id: str) -> Payout | None: ...

    async def lock(self, payout_id: str) -> Payout | None: ...

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None: ...


class Ledger(Protocol):
    async def post(self, transfer: Transfer) -> int: ...


class Decisions(Protocol):
    async def add_decision(self, payout_id: str, decision: Decision) -> None: ...

    async def find_decision(
        self, kind: DecisionKind, actor: str, request_id: str
    ) -> Decision | None: ...

    async def decisions(self, payout_id: str) -> list[Decision]: ...

    async def is_reported(self, attempt: Attempt) -> bool: ...


class Payments(Protocol):
    async def fetch(self, attempt: Attempt, batch_id: str) -> Batch: ...

    async def sync_attempt(self, payout_id: str, number: int, batch_id: str = "") -> SyncResult: ...


class PayoutWorkflows(Protocol):
    async def try_signal(self, payout: Payout) -> None: ...

    async def signal(self, payout: Payout) -> None: ...

    async def retry(self, payout: Payout) -> None: ...


class DecisionHandlers:
    def __init__(
        self,
        payouts: Payouts,
        ledger: Ledger,
        decisions: Decisions,
        payments: Payments,
        workflows: PayoutWorkflows,
        clock: Clock,
    ) -> None:
        self._payouts = payouts
        self._ledger = ledger
        self._decisions = decisions
        self._payments = payments
        self._workflows = workflows
        self._clock = clock

    async def decisions(self, payout: Payout) -> list[Decision]:
        """Oldest first."""
        return await self._decisions.decisions(payout.id)

    async def retry_payout(self, who: Principal, command: RetryPayout) -> Payout:
        """Makes the next attempt, even if the money was returned after it was paid. The reservation
        may then lack the fee of a second payment, which the platform bears.

        Raises:
            Unavailable: decided, but the workflow could not be signalled: repeat the call.
        """
        async with self._payouts.transaction():
            payout = await self._lock(command.id)
            decision = await self._find_own(who, command, DecisionKind.RETRY)
            if decision is None:
                _require_retryable(payout)
                decision = self._new(
                    who,
                    command,
                    DecisionKind.RETRY,
                    attempt_number=len(payout.attempts) + 1,
                    provider=command.provider,
                    receiver=command.receiver,
                    pays_again=payout.was_settled,
                )
                await self._decisions.add_decision(payout.id, decision)
        if decision.attempt_number is not None and len(payout.attempts) < decision.attempt_number:
            await self._workflows.retry(payout)
        return await self._get(payout.id)

    async def hold_payout(self, who: Principal, command: HoldPayout) -> Payout:
        """No new POST begins, not even one that repeats an attempt. What was sent goes on."""
        async with self._payouts.transaction():
            payout = await self._lock(command.id)
            if payout.state in ENDED:
                raise illegal_state(payout.name, payout.state, "HoldPayout")
            if not payout.is_held:
                decision = self._new(who, command, DecisionKind.HOLD)
                await self._decisions.add_decision(payout.id, decision)
            return await self._get(payout.id)

    async def resume_payout(self, who: Principal, command: ResumePayout) -> Payout:
        async with self._payouts.transaction():
            payout = await self._lock(command.id)
            if payout.is_held:
                decision = self._new(who, command, DecisionKind.RESUME)
                await self._decisions.add_decision(payout.id, decision)
            return await self._get(payout.id)

    async def write_off_payout(self, who: Principal, command: WriteOffPayout) -> Payout:
        """
        Raises:
            Unavailable: written off, but the workflow could not be signalled: repeat the call.
        """
        async with self._payouts.transaction():
            payout = await self._lock(command.id)
            if await self._find_own(who, command, DecisionKind.WRITE_OFF) is None:
                if not payout.is_releasable:
                    raise illegal_state(payout.name, payout.state, "WriteOffPayout")
                decision = self._new(
                    who, command, DecisionKind.WRITE_OFF, beneficiary=command.beneficiary
                )
                await self._decisions.add_decision(payout.id, decision)
                await self._ledger.post(postings.write_off(payout, command.beneficiary))
                log.warning("payout_written_off", payout=payout.id, by=who.actor)
            payout = await self._get(payout.id)
        await self._workflows.signal(payout)
        return payout

    async def resolve_attempt(self, who: Principal, command: ResolveAttempt) -> Payout:
        """Settles a BLOCKED attempt. The provider is asked if possible, and outweighs the operator.

        Raises:
            Unavailable: the provider does not answer, or the workflow could not be signalled.
        """
        payout = await self._get(command.id)
        attempt = _attempt(payout, command.attempt)
        if await self._find_own(who, command, DecisionKind.RESOLVE) is None:
            _require_blocked(payout, attempt, command)
            if command.outcome is Outcome.FOUND:
                batch = await self._payments.fetch(attempt, command.provider_batch_id)
                _require_same(attempt, batch)
                batch_id = batch.id
                await self._resolve(who, command, attempt, lambda a: attempts.accepted(a, batch_id))
            else:
                await self._require_not_paid(payout, attempt, command)
                await self._resolve(who, command, attempt, attempts.resolved_not_paid)
        result = await self._payments.sync_attempt(payout.id, attempt.number)
        await self._workflows.signal(result.payout)
        return result.payout

    async def _resolve(
        self,
        who: Principal,
        command: ResolveAttempt,
        seen: Attempt,
        change: Callable[[Attempt], Attempt],
    ) -> None:
        async with self._payouts.transaction():
            payout = await self._lock(command.id)
            attempt = _attempt(payout, command.attempt)
            _require_blocked(payout, attempt, command)
            if attempt.provider_batch_id != seen.provider_batch_id:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "The attempt has just changed: repeat the call"
                )
            decision = self._new(
                who,
                command,
                DecisionKind.RESOLVE,
                attempt_number=command.attempt,
                outcome=command.outcome,
            )
            await self._decisions.add_decision(payout.id, decision)
            await self._payouts.save_attempt(payout.id, change(attempt), self._clock())
        log.warning("payout_resolved", payout=payout.id, outcome=command.outcome, by=who.actor)

    async def _require_not_paid(
        self, payout: Payout, attempt: Attempt, command: ResolveAttempt
    ) -> None:
        """Syncs the attempt, if the provider can be asked about it.

        Raises:
            FailedPrecondition: it is paid, or may still be.
        """
        if await self._decisions.is_reported(attempt):
            detail = "and the provider has reported that the money left"
            raise illegal_state(payout.name, payout.state, "ResolveAttempt", detail=detail)
        if not attempt.provider_batch_id:
            return
        batch = await self._payments.fetch(attempt, attempt.provider_batch_id)
        if attempts.is_in_flight(attempt, batch):
            detail = f"and the provider still shows {batch.items[0].state}"
            raise illegal_state(payout.name, payout.state, "ResolveAttempt", detail=detail)
        result = await self._payments.sync_attempt(payout.id, attempt.number)
        if result.has_changed:
            await self._workflows.try_signal(result.payout)
        _require_blocked(result.payout, _attempt(result.payout, attempt.number), command)

    async def _find_own(
        self, who: Principal, command: Decide, kind: DecisionKind
    ) -> Decision | None:
        return await self._decisions.find_decision(kind, who.actor, str(command.request_id))

    def _new(self, who: Principal, command: Decide, kind: DecisionKind, **about: Any) -> Decision:
        return Decision(
            kind=kind,
            reason=command.reason,
            actor=who.actor,
            request_id=str(command.request_id),
            create_time=self._clock(),
            **about,
        )

    async def _get(self, payout_id: str) -> Payout:
        return require_found(f"payouts/{payout_id}", await self._payouts.get(payout_id))

    async def _lock(self, payout_id: str) -> Payout:
        return require_found(f"payouts/{payout_id}", await self._payouts.lock(payout_id))


def _attempt(payout: Payout, number: int) -> Attempt:
    attempt = payout.attempt(number)
    if attempt is None:
        raise invalid_fields(Violation("attempt", "ORDER", "No such attempt"))
    return attempt


def _require_retryable(payout: Payout) -> None:
    if payout.state not in _RETRYABLE:
        raise illegal_state(payout.name, payout.state, "RetryPayout")
    if payout.is_held:
        raise FailedPrecondition(Reason.PAYOUT_ON_HOLD, f"{payout.name} is held: resume it first")


def _require_blocked(payout: Payout, attempt: Attempt, command: ResolveAttempt) -> None:
    if attempt.state is not AttemptState.BLOCKED:
        detail = f"and attempt {attempt.number} {attempt.state}"
        raise illegal_state(payout.name, payout.state, "ResolveAttempt", detail=detail)


def _require_same(attempt: Attempt, batch: Batch) -> None:
    """
    Raises:
        InvalidArgument: `batch` is another payment, or the attempt has another batch id.
    """
    if not attempts.is_same_payment(attempt, batch):
        description = "Is another payment: its id, its one receiver or its amount differs"
    elif attempt.provider_batch_id not in ("", batch.id):
        description = "The attempt has another batch id"
    else:
        return
    raise invalid_fields(Violation("provider_batch_id", "SAME_PAYMENT", description))
