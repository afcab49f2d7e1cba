"""Kill switch: halts the sending of all payouts, and resumes it.

Nothing is sent while any halt is active; each halt is lifted separately. An operator lifts OPERATOR
and MISMATCH. RESTORED, set when the database's identity has changed, is lifted by reconciliations
of all providers without mismatches, up to a time after the halt; if they found mismatches, an
operator may lift it once all of them are done. Payments already sent are still polled and recalled.
"""

from collections.abc import Collection, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Protocol

import structlog

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import Command, Visible, bounded_text
from servicekit.errors import Reason, Unavailable, illegal_state
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

SYSTEM = "system"


class Cause(StrEnum):
    """See payouts.v1.KillSwitch.Cause."""

    OPERATOR = "OPERATOR"
    MISMATCH = "MISMATCH"
    RESTORED = "RESTORED"


class EventKind(StrEnum):
    HALT = "HALT"
    RESUME = "RESUME"


@dataclass(frozen=True)
class Event:
    """A halt, or the lifting of one. `id` is 0 before it is stored."""

    kind: EventKind
    cause: Cause
    reason: str
    actor: str
    time: datetime
    lifts_id: int | None = None
    id: int = 0


def lifted(halt: Event, reason: str, actor: str, now: datetime) -> Event:
    return Event(EventKind.RESUME, halt.cause, reason, actor, now, lifts_id=halt.id)


@dataclass(frozen=True)
class KillSwitch:
    """`halts` are the active halts, the latest first; `latest` is the last event, if any;
    `lifted_halts` are those that the current call lifted."""

    halts: tuple[Event, ...]
    latest: Event | None
    lifted_halts: tuple[Event, ...] = ()


@dataclass(frozen=True)
class DatabaseIdentity:
    """Identifies a database instance. It changes with a copy, a restore, a fail-over or loading a
    dump, but not when disks are put back as they were."""

    system_identifier: int
    timeline: str
    database_oid: int
    table_oid: int


@dataclass(frozen=True)
class ReconciledUntil:
    """End of a provider's last reconciliation, and whether it had mismatches."""

    end_time: datetime
    has_mismatches: bool


ReconciledUntilByProvider = Mapping[ProviderName, ReconciledUntil]


def require_not_halted(halts: Collection[Event]) -> None:
    """
    Raises:
        Unavailable: payouts are halted; repeat the same call later.
    """
    if halts:
        raise Unavailable(
            Reason.PAYOUTS_HALTED,
            "Payouts are halted: " + ", ".join(sorted({halt.cause for halt in halts})),
        )


def is_reconciled(
    halt: Event,
    reconciled_until: ReconciledUntilByProvider,
    providers: Collection[ProviderName],
    *,
    is_clean: bool,
) -> bool:
    """Whether each provider was reconciled up to a time after the halt; with `is_clean`, without
    mismatches."""
    return all(
        provider in reconciled_until
        and reconciled_until[provider].end_time > halt.time
        and not (is_clean and reconciled_until[provider].has_mismatches)
        for provider in providers
    )


class HaltPayouts(Command):
    reason: Annotated[str, bounded_text(1, 1000), Visible]


class ResumePayouts(Command):
    reason: Annotated[str, bounded_text(1, 1000), Visible]


class Halts(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def lock_kill_switch(self) -> None: ...

    async def halts(self) -> list[Event]: ...

    async def has_halted(self, cause: Cause, reason: str) -> bool: ...

    async def add_event(self, event: Event) -> None: ...


class KillSwitchEvents(Halts, Protocol):
    async def kill_switch(self) -> KillSwitch: ...

    async def reconciled_until(self) -> ReconciledUntilByProvider: ...

    async def known_identity(self) -> DatabaseIdentity | None: ...

    async def current_identity(self) -> DatabaseIdentity: ...

    async def save_identity(self, identity: DatabaseIdentity, now: datetime) -> None: ...


async def halt_for_mismatch(store: Halts, reason: str, now: datetime) -> None:
    """Halts at once, without a reconciliation. Once per `reason`, which names the attempt: repeats
    do nothing, even if that halt was lifted since."""
    async with store.transaction():
        await store.lock_kill_switch()
        if await store.has_halted(Cause.MISMATCH, reason):
            return
        await store.add_event(Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, now))
    log.critical("payouts_halted", cause=Cause.MISMATCH, reason=reason)


class KillSwitchHandlers:
    def __init__(
        self, store: KillSwitchEvents, providers: Collection[ProviderName], clock: Clock
    ) -> None:
        self._store = store
        self._providers = providers
        self._clock = clock

    async def get_kill_switch(self) -> KillSwitch:
        return await self._store.kill_switch()

    async def halt_payouts(self, who: Principal, command: HaltPayouts) -> KillSwitch:
        """Takes no lock: a payment that is being sent at this moment may still go out."""
        await self._store.add_event(
            Event(EventKind.HALT, Cause.OPERATOR, command.reason, who.actor, self._clock())
        )
        log.warning("payouts_halted", cause=Cause.OPERATOR, actor=who.actor)
        return await self._store.kill_switch()

    async def resume_payouts(self, who: Principal, command: ResumePayouts) -> KillSwitch:
        """Lifts all halts, and returns them in `lifted_halts`.

        Raises:
            FailedPrecondition: the database's identity changed, and not every provider was
                reconciled since.
        """
        async with self._store.transaction():
            await self._store.lock_kill_switch()
            halts = await self._store.halts()
            reconciled_until = await self._store.reconciled_until()
            for halt in halts:
                if halt.cause is Cause.RESTORED and not is_reconciled(
                    halt, reconciled_until, self._providers, is_clean=False
                ):
                    raise illegal_state(
                        "The kill switch",
                        "CAUSE_RESTORED",
                        "ResumePayouts",
                        detail="until each provider was reconciled up to a moment after that",
                    )
            now = self._clock()
            for halt in halts:
                await self._store.add_event(lifted(halt, command.reason, who.actor, now))
        log.warning("payouts_resumed", actor=who.actor)
        return replace(await self._store.kill_switch(), lifted_halts=tuple(halts))

    async def halt_for_mismatches(self, reason: str, now: datetime) -> None:
        """Halts because of a reconciliation's mismatches, in the transaction that records them."""
        await self._store.add_event(Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, now))

    async def lift_restored(self) -> None:
        """Lifts RESTORED halts if all providers were reconciled without mismatches since."""
        async with self._store.transaction():
            await self._store.lock_kill_switch()
            reconciled_until = await self._store.reconciled_until()
            halts = [
                halt
                for halt in await self._store.halts()
                if halt.cause is Cause.RESTORED
                and is_reconciled(halt, reconciled_until, self._providers, is_clean=True)
            ]
            for halt in halts:
                reason = "Everything that the providers moved is in the ledger"
                await self._store.add_event(lifted(halt, reason, SYSTEM, self._clock()))
        if halts:
            log.warning("payouts_resumed", actor=SYSTEM)

    async def check_database_identity(self) -> None:
        """Halts if the database's identity differs from the saved one, then saves the current one.
        In a new database it only saves it."""
        async with self._store.transaction():
            await self._store.lock_kill_switch()
            known, present = (
                await self._store.known_identity(),
                await self._store.current_identity(),
            )
            if known == present:
                return
            now = self._clock()
            if known is not None:
                await self._store.add_event(_identity_changed(known, present, now))
            await self._store.save_identity(present, now)
        if known is not None:
            log.critical("payouts_halted", cause=Cause.RESTORED, known=known, present=present)


def _identity_changed(known: DatabaseIdentity, present: DatabaseIdentity, now: datetime) -> Event:
    changed = [
        name
        for name, is_other in (
            ("server", known.system_identifier != present.system_identifier),
            ("timeline", known.timeline != present.timeline),
            ("database", known.database_oid != present.database_oid),
            ("table", known.table_oid != present.table_oid),
        )
        if is_other
    ]
    reason = f"The identity of the database has changed ({', '.join(changed)})"
    return Event(EventKind.HALT, Cause.RESTORED, reason, SYSTEM, now)
