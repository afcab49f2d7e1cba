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
from servicekit.commands import Command, Visible, text
from servicekit.errors import Reason, Unavailable, illegal_state
from services.payouts.domain import ProviderName

log = structlog.get_logger()

SYSTEM = "system"


class Cause(StrEnum):
    """See payouts.v1.Sending.Cause."""

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
class Sending:
    """`halts` are what stops it, the latest first; `latest` is what happened last, if anything
    ever did; `lifted_halts` are what has just been lifted."""

    halts: tuple[Event, ...]
    latest: Event | None
    lifted_halts: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a database lives. A copy, a restored one, one after a fail-over and one into which a
    dump was loaded have another; one whose disks were put back as they were has not."""

    system_identifier: int
    timeline: str
    database_oid: int
    table_oid: int


@dataclass(frozen=True)
class Reach:
    """How far a provider's last reconciliation reached, and whether it had mismatches."""

    end_time: datetime
    has_mismatches: bool


Reaches = Mapping[ProviderName, Reach]


def require_sending(halts: Collection[Event]) -> None:
    """
    Raises:
        Unavailable: nothing is sent now; the same call is to be made again later.
    """
    if halts:
        raise Unavailable(
            Reason.SENDING_HALTED,
            "Sending is stopped for now: " + ", ".join(sorted({halt.cause for halt in halts})),
        )


def is_reconciled(
    halt: Event, reaches: Reaches, providers: Collection[ProviderName], *, is_clean: bool
) -> bool:
    """Whether each provider was reconciled up to a moment after the halt; `is_clean`: and nothing
    was found."""
    return all(
        provider in reaches
        and reaches[provider].end_time > halt.time
        and not (is_clean and reaches[provider].has_mismatches)
        for provider in providers
    )


class HaltSending(Command):
    reason: Annotated[str, text(1, 1000), Visible]


class ResumeSending(Command):
    reason: Annotated[str, text(1, 1000), Visible]


class HaltStore(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def lock_switch(self) -> None: ...

    async def halts(self) -> list[Event]: ...

    async def has_halted(self, cause: Cause, reason: str) -> bool: ...

    async def add_event(self, event: Event) -> None: ...


class SwitchStore(HaltStore, Protocol):
    async def sending(self) -> Sending: ...

    async def reaches(self) -> Reaches: ...

    async def known_place(self) -> Place | None: ...

    async def present_place(self) -> Place: ...

    async def keep_place(self, place: Place, now: datetime) -> None: ...


async def halt_for_mismatch(store: HaltStore, reason: str, now: datetime) -> None:
    """At once, where no reconciliation need find it. For one reason there is one halt, however
    often it is told, and whether or not it was lifted since: `reason` names the attempt."""
    async with store.transaction():
        await store.lock_switch()
        if await store.has_halted(Cause.MISMATCH, reason):
            return
        await store.add_event(Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, now))
    log.critical("sending_halted", cause=Cause.MISMATCH, reason=reason)


class SwitchHandlers:
    def __init__(
        self, store: SwitchStore, providers: Collection[ProviderName], clock: Clock
    ) -> None:
        self._store = store
        self._providers = providers
        self._clock = clock

    async def get_sending(self) -> Sending:
        return await self._store.sending()

    async def halt_sending(self, who: Principal, command: HaltSending) -> Sending:
        """Waits for nobody: a payment that is being ordered at this very moment may still go."""
        await self._store.add_event(
            Event(EventKind.HALT, Cause.OPERATOR, command.reason, who.actor, self._clock())
        )
        log.warning("sending_halted", cause=Cause.OPERATOR, actor=who.actor)
        return await self._store.sending()

    async def resume_sending(self, who: Principal, command: ResumeSending) -> Sending:
        """Lifts all halts, and tells which.

        Raises:
            FailedPrecondition: the database is another one, and nobody has reconciled it since.
        """
        async with self._store.transaction():
            await self._store.lock_switch()
            halts = await self._store.halts()
            reaches = await self._store.reaches()
            for halt in halts:
                if halt.cause is Cause.RESTORED and not is_reconciled(
                    halt, reaches, self._providers, is_clean=False
                ):
                    raise illegal_state(
                        "The switch",
                        "CAUSE_RESTORED",
                        "ResumeSending",
                        detail="until each provider was reconciled up to a moment after that",
                    )
            now = self._clock()
            for halt in halts:
                await self._store.add_event(lifted(halt, command.reason, who.actor, now))
        log.warning("sending_resumed", actor=who.actor)
        return replace(await self._store.sending(), lifted_halts=tuple(halts))

    async def halt_for_mismatches(self, reason: str, now: datetime) -> None:
        """In the transaction that records them."""
        await self._store.add_event(Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, now))

    async def lift_restored(self) -> None:
        """Lifts what clean reconciliations of all providers lift."""
        async with self._store.transaction():
            await self._store.lock_switch()
            reaches = await self._store.reaches()
            halts = [
                halt
                for halt in await self._store.halts()
                if halt.cause is Cause.RESTORED
                and is_reconciled(halt, reaches, self._providers, is_clean=True)
            ]
            for halt in halts:
                reason = "Everything that the providers moved is in the ledger"
                await self._store.add_event(lifted(halt, reason, SYSTEM, self._clock()))
        if halts:
            log.warning("sending_resumed", actor=SYSTEM)

    async def watch_place(self) -> None:
        """Halts where the database is not where it is known to be. Of an empty database nothing is
        known: it is where it is found first."""
        async with self._store.transaction():
            await self._store.lock_switch()
            known, present = await self._store.known_place(), await self._store.present_place()
            if known == present:
                return
            now = self._clock()
            if known is not None:
                await self._store.add_event(_moved(known, present, now))
            await self._store.keep_place(present, now)
        if known is not None:
            log.critical("sending_halted", cause=Cause.RESTORED, known=known, present=present)


def _moved(known: Place, present: Place, now: datetime) -> Event:
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
