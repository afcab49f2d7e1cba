"""The switch that stops all sending: why it is stopped, by whom, and what lifts it.

Nothing is sent while a single halt stands; each is lifted for itself. OPERATOR and MISMATCH are
lifted by a person. RESTORED, after the database was found elsewhere, is lifted by reconciliations
of all providers without a mismatch, up to moments after it was found; where they have mismatches, a
person decides once they have run, and not before. What was sent goes on: payouts are looked at,
followed and recalled as ever.
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
    """Sending is stopped, or one halt is lifted. `id` is 0 of what is not kept yet."""

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
    """`halts` are what stops it, the latest first; `latest` is what happened last, if anything
    ever did; `lifted_halts` are what has just been lifted."""

    halts: tuple[Event, ...]
    latest: Event | None
    lifted_halts: tuple[Event, ...] = ()


@dataclass(frozen=True)
class DatabaseIdentity:
    """Where a database lives. A copy, a restored one, one after a fail-over and one into which a
    dump was loaded have another; one whose disks were put back as they were has not."""

    system_identifier: int
    timeline: str
    database_oid: int
    table_oid: int


@dataclass(frozen=True)
class ReconciledUntil:
    """How far a provider's last reconciliation reached, and whether it had mismatches."""

    end_time: datetime
    has_mismatches: bool


ReconciledUntilByProvider = Mapping[ProviderName, ReconciledUntil]


def require_not_halted(halts: Collection[Event]) -> None:
    """
    Raises:
        Unavailable: nothing is sent now; the same call is to be made again later.
    """
    if halts:
        raise Unavailable(
            Reason.PAYOUTS_HALTED,
            "Sending is stopped for now: " + ", ".join(sorted({halt.cause for halt in halts})),
        )


def is_reconciled(
    halt: Event,
    reconciled_until: ReconciledUntilByProvider,
    providers: Collection[ProviderName],
    *,
    is_clean: bool,
) -> bool:
    """Whether each provider was reconciled up to a moment after the halt; `is_clean`: and nothing
    was found."""
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
    """At once, where no reconciliation need find it. For one reason there is one halt, however
    often it is told, and whether or not it was lifted since: `reason` names the attempt."""
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
        """Waits for nobody: a payment that is being ordered at this very moment may still go."""
        await self._store.add_event(
            Event(EventKind.HALT, Cause.OPERATOR, command.reason, who.actor, self._clock())
        )
        log.warning("payouts_halted", cause=Cause.OPERATOR, actor=who.actor)
        return await self._store.kill_switch()

    async def resume_payouts(self, who: Principal, command: ResumePayouts) -> KillSwitch:
        """Lifts all halts, and tells which.

        Raises:
            FailedPrecondition: the database is another one, and nobody has reconciled it since.
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
        """In the transaction that records them."""
        await self._store.add_event(Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, now))

    async def lift_restored(self) -> None:
        """Lifts what clean reconciliations of all providers lift."""
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
        """Halts where the database is not where it is known to be. Of an empty database nothing is
        known: it is where it is found first."""
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
                await self._store.add_event(_moved(known, present, now))
            await self._store.save_identity(present, now)
        if known is not None:
            log.critical("payouts_halted", cause=Cause.RESTORED, known=known, present=present)


def _moved(known: DatabaseIdentity, present: DatabaseIdentity, now: datetime) -> Event:
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
    reason = f"The database is another one than it was (another {', '.join(changed)})"
    return Event(EventKind.HALT, Cause.RESTORED, reason, SYSTEM, now)
