"""Reconciling: the provider's report is read, what it tells first is booked, and then both sides
are compared, recorded and, where they do not match, sending is stopped.

Whatever breaks off before the record leaves nothing but what was booked on the way, which was true
anyway; the next run compares the same time.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Protocol
from uuid import UUID

import structlog
from pydantic import Field

from servicekit.clock import Clock
from servicekit.commands import Command, proto_enum, resource_id
from servicekit.errors import (
    Reason,
    Unavailable,
    Violation,
    invalid_fields,
    require_found,
)
from servicekit.pagination import Page
from services.payouts.attempts import FINAL
from services.payouts.domain import Payout
from services.payouts.kill_switch.handlers import KillSwitchHandlers
from services.payouts.providers.interface import NotReadable, Provider, Report, Transaction
from services.payouts.reconciliation.comparison import compare
from services.payouts.reconciliation.domain import (
    MARGIN,
    Booking,
    Comparison,
    Key,
    Match,
    Part,
    Reconciliation,
    Standing,
    Traced,
    Traces,
    part_of,
    proven,
)
from services.payouts.sending.handlers import PaymentHandlers, ProviderEvent
from services.payouts.sending.synchronizer import SyncResult
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

# Reports are read again from where something is still open: what is pending in one is not told
# again when it is done. Nobody can claim a payment for longer than 30 days.
_LONGEST_OPEN = timedelta(days=35)


class RunReconciliation(Command):
    provider: Annotated[ProviderName, proto_enum("PROVIDER_")]
    request_id: UUID


class GetReconciliation(Command):
    id: Annotated[str, resource_id("reconciliations/{reconciliation}")] = Field(alias="name")


@dataclass(frozen=True)
class Ask:
    """From which moments on a provider's transactions are of interest; absent ones never came."""

    first_attempt_time: datetime | None
    first_day_time: datetime
    first_start_time: datetime | None
    last_end_time: datetime | None
    # Of the oldest attempt of which something was not compared yet, and of the oldest transaction.
    open_attempt_time: datetime | None
    open_transaction_time: datetime | None

    @property
    def start_time(self) -> datetime:
        """Where the last one ended. The first one begins with the day of the first attempt, or of
        the service."""
        if self.last_end_time is not None:
            return self.last_end_time
        first = self.first_attempt_time or self.first_day_time
        return first.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def report_start_time(self) -> datetime:
        """What is reported before it was all compared."""
        start = self.start_time
        if self.first_start_time is None:
            return start
        since = min(start, self.open_attempt_time or start, self.open_transaction_time or start)
        return max(since - MARGIN, start - _LONGEST_OPEN, self.first_start_time)


@dataclass(frozen=True)
class Known:
    """What is compared: `transactions`, of which those of `new_ids` were never reported before, and
    all that the ledger has of them; and bookings that no transaction was compared with. What is
    `gone` was reported once and is no more: it was denied, and never left."""

    transactions: Sequence[Transaction]
    gone: Sequence[Transaction]
    new_ids: Collection[str]
    standings: Sequence[Standing]
    payout_ids: Collection[str]
    earlier: dict[str, tuple[str, int]]
    bookings: Sequence[Booking]
    told_transactions: Collection[str]
    told_transfers: Collection[int]

    def traced(self) -> list[Traced]:
        """The oldest first."""
        return self._trace(self.transactions)

    def withdrawn(self) -> list[Match]:
        return [
            Match(each.transaction.id, each.standing.payout_id, each.standing.attempt.number, None)
            for each in self._trace(self.gone)
            if each.standing is not None
        ]

    def _trace(self, transactions: Sequence[Transaction]) -> list[Traced]:
        traces = Traces(self.standings, self.payout_ids, self.earlier)
        return traces.trace(sorted(transactions, key=lambda each: (each.time, each.id)))

    def booked(self) -> set[Key]:
        return {each.key(part) for each in self.standings for part in Part if each.has(part)}


@dataclass(frozen=True)
class Followed:
    """What came of looks at attempts, by payout and number: those that moved, and those that the
    provider did not show."""

    moved: dict[tuple[str, int], Payout] = field(default_factory=dict)
    unseen: set[tuple[str, int]] = field(default_factory=set)


@dataclass(frozen=True)
class NewReconciliation:
    provider: ProviderName
    start_time: datetime
    end_time: datetime
    transactions: Sequence[Transaction]
    request_id: UUID
    create_time: datetime


class ReconciliationStore(Protocol):
    def turn(self, provider: ProviderName) -> AbstractAsyncContextManager[None]: ...

    def snapshot(self) -> AbstractAsyncContextManager[None]: ...

    async def asked_by(self, request_id: UUID) -> Reconciliation | None: ...

    async def get(self, reconciliation_id: int) -> Reconciliation | None: ...

    async def latest(self, provider: ProviderName) -> Reconciliation | None: ...

    async def list_newest(self, page: Page) -> list[Reconciliation]: ...

    async def ask(self, provider: ProviderName) -> Ask: ...

    async def known(
        self, provider: ProviderName, report: Report, report_start_time: datetime
    ) -> Known: ...

    async def add(self, new: NewReconciliation, comparison: Comparison) -> Reconciliation: ...


class PayoutWorkflows(Protocol):
    async def try_signal(self, payout: Payout) -> None:
        """Tells the payout's workflow, if it can be told."""


class ReconciliationHandlers:
    def __init__(
        self,
        store: ReconciliationStore,
        payments: PaymentHandlers,
        kill_switch: KillSwitchHandlers,
        providers: Mapping[ProviderName, Provider],
        workflows: PayoutWorkflows,
        clock: Clock,
    ) -> None:
        self._store = store
        self._payments = payments
        self._kill_switch = kill_switch
        self._providers = providers
        self._workflows = workflows
        self._clock = clock

    async def get_reconciliation(self, command: GetReconciliation) -> Reconciliation:
        found = await self._store.get(int(command.id)) if _is_number(command.id) else None
        return require_found(f"reconciliations/{command.id}", found)

    async def list_reconciliations(self, page: Page) -> list[Reconciliation]:
        """Without their findings."""
        return await self._store.list_newest(page)

    async def run_reconciliation(self, command: RunReconciliation) -> Reconciliation:
        """Compares up to the latest moment that the provider reports; where that is no later than
        last time, it answers with the last reconciliation.

        Raises:
            Unavailable: the provider cannot be read, or reports nothing yet of the time since the
                first day began, or another call reconciles it now. Nothing is recorded, and what is
                sent is sent as before.
        """
        name = command.provider
        if name not in self._providers:
            raise invalid_fields(Violation("provider", "CONFIGURED", "Must be one that is in use"))
        async with self._store.turn(name):
            done = await self._store.asked_by(command.request_id)
            if done is None:
                done = await self._run(command)
        await self._kill_switch.lift_restored()
        return done

    async def _run(self, command: RunReconciliation) -> Reconciliation:
        name = command.provider
        ask = await self._store.ask(name)
        report = await self._report(name, ask.report_start_time)
        if report.end_time <= ask.start_time:
            return await self._last(name)
        before = await self._store.known(name, report, ask.report_start_time)
        followed = await self._follow(name, before)
        async with self._store.snapshot():
            known = await self._store.known(name, report, ask.report_start_time)
            mended = {
                key
                for key in known.booked() - before.booked()
                if (key.payout_id, key.number) in followed.moved
            }
            comparison = compare(
                known.traced(),
                known.bookings,
                report.end_time,
                mended=mended,
                unseen=followed.unseen,
                told_transactions=known.told_transactions,
                told_transfers=known.told_transfers,
            )
            comparison.matches += known.withdrawn()
            new = NewReconciliation(
                name,
                ask.start_time,
                report.end_time,
                [each for each in known.transactions if each.id in known.new_ids],
                command.request_id,
                self._clock(),
            )
            done = await self._store.add(new, comparison)
            if done.mismatch_count:
                await self._kill_switch.halt_for_mismatches(_reason(done), done.create_time)
        await self._announce(done, followed.moved)
        return done

    async def _last(self, name: ProviderName) -> Reconciliation:
        """Where there is nothing later to compare."""
        last = await self._store.latest(name)
        if last is None:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The provider reports nothing yet: try again later"
            )
        return last

    async def _report(self, name: ProviderName, start: datetime) -> Report:
        try:
            return await self._providers[name].report(start, self._clock())
        except NotReadable as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not report: {error.code}"
            ) from error

    async def _follow(self, name: ProviderName, known: Known) -> Followed:
        """Books what the transactions tell of and the ledger has not."""
        followed = Followed()
        looked_at: set[tuple[str, int]] = set()
        for each in known.traced():
            standing = each.standing
            if standing is None or not _may_be_news(standing, each.transaction):
                continue
            of = (standing.payout_id, standing.attempt.number)
            if not standing.attempt.provider_batch_id:
                # Nobody can look at it: the transaction alone must prove what became of it.
                booked: SyncResult | None = await self._payments.apply(
                    *of, partial(proven, transaction=each.transaction, now=self._clock())
                )
            elif of not in looked_at:
                looked_at.add(of)
                booked = await self._look(name, standing, followed)
            else:
                continue
            if booked is not None and booked.has_changed:
                followed.moved[of] = booked.payout
        return followed

    async def _look(
        self, name: ProviderName, standing: Standing, followed: Followed
    ) -> SyncResult | None:
        """One attempt that cannot be seen keeps no other from being compared."""
        payout_id, attempt = standing.payout_id, standing.attempt
        hint = ProviderEvent(attempt.sender_batch_id, attempt.provider_batch_id, provider=name)
        try:
            return await self._payments.handle_event(hint)
        except Unavailable as error:
            log.warning(
                "attempt_not_shown", payout=payout_id, attempt=attempt.number, detail=error.message
            )
            followed.unseen.add((payout_id, attempt.number))
            return None

    async def _announce(
        self, done: Reconciliation, moved: Mapping[tuple[str, int], Payout]
    ) -> None:
        for payout in {payout.id: payout for payout in moved.values()}.values():
            await self._workflows.try_signal(payout)
        if done.mismatch_count:
            log.critical(
                "reconciliation_mismatches",
                reconciliation=done.name,
                provider=done.provider,
                count=done.mismatch_count,
            )
        else:
            log.info("reconciled", reconciliation=done.name, provider=done.provider)


def _may_be_news(standing: Standing, transaction: Transaction) -> bool:
    """Whether a look at the attempt may book what the transaction tells of."""
    part = part_of(transaction)
    if part is Part.PAYMENT:
        return not standing.is_settled and standing.attempt.state not in FINAL
    return standing.attempt.state not in FINAL


def _reason(done: Reconciliation) -> str:
    count = done.mismatch_count
    return f"{count} {'finding does' if count == 1 else 'findings do'} not match: {done.name}"


def _is_number(id_: str) -> bool:
    """Whether it may be an id of ours, which a bigint holds."""
    return id_.isascii() and id_.isdigit() and len(id_) <= 18
