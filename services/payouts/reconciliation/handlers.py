"""Use cases of reconciliation. A run reads the provider's report, syncs attempts that the report is
ahead of, compares both sides, records the result, and halts payouts if there are mismatches.

A run that fails before the record leaves only the synced postings, which are correct anyway; the
next run compares the same period.
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
    MATCH_DEADLINE,
    AttemptPostings,
    AttributedTransaction,
    Attribution,
    Comparison,
    Match,
    Movement,
    MovementKey,
    Posting,
    Reconciliation,
    movement_of,
    proven_change,
)
from services.payouts.sending.handlers import PaymentHandlers, ProviderEvent
from services.payouts.sending.synchronizer import SyncResult
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

# Reports are read again from where something is still open, because a pending transaction is not
# reported again once it is done. A payment can be claimed for at most 30 days.
_LONGEST_OPEN = timedelta(days=35)


class RunReconciliation(Command):
    provider: Annotated[ProviderName, proto_enum("PROVIDER_")]
    request_id: UUID


class GetReconciliation(Command):
    id: Annotated[str, resource_id("reconciliations/{reconciliation}")] = Field(alias="name")


@dataclass(frozen=True)
class ReportWindow:
    """The times that decide which period of a provider's report is read; None if there is none."""

    first_attempt_time: datetime | None
    first_day_time: datetime
    first_start_time: datetime | None
    last_end_time: datetime | None
    # Of the oldest attempt and of the oldest transaction with something that is not matched yet.
    open_attempt_time: datetime | None
    open_transaction_time: datetime | None

    @property
    def start_time(self) -> datetime:
        """The end of the last reconciliation. The first one starts with the day of the first
        attempt, or of the first migration."""
        if self.last_end_time is not None:
            return self.last_end_time
        first = self.first_attempt_time or self.first_day_time
        return first.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def report_start_time(self) -> datetime:
        """Where the report is read from: earlier than `start_time` if something is still open."""
        start = self.start_time
        if self.first_start_time is None:
            return start
        since = min(start, self.open_attempt_time or start, self.open_transaction_time or start)
        return max(since - MATCH_DEADLINE, start - _LONGEST_OPEN, self.first_start_time)


@dataclass(frozen=True)
class Inputs:
    """The inputs of a comparison: `transactions` that are not matched yet (`new_ids` were never
    reported before), the attempts that they belong to, and the postings that are not matched yet.

    `withdrawn` were reported earlier and are no longer: they were denied, and no money left.
    `reversed_attempts`: see Attribution. The found ids are of earlier findings."""

    transactions: Sequence[Transaction]
    withdrawn: Sequence[Transaction]
    new_ids: Collection[str]
    attempt_postings: Sequence[AttemptPostings]
    payout_ids: Collection[str]
    reversed_attempts: dict[str, tuple[str, int]]
    postings: Sequence[Posting]
    found_transaction_ids: Collection[str]
    found_transfer_ids: Collection[int]

    def attributed(self) -> list[AttributedTransaction]:
        """Oldest first."""
        return self._attribute(self.transactions)

    def withdrawn_matches(self) -> list[Match]:
        return [
            Match(each.transaction.id, each.posted.payout_id, each.posted.attempt.number, None)
            for each in self._attribute(self.withdrawn)
            if each.posted is not None
        ]

    def _attribute(self, transactions: Sequence[Transaction]) -> list[AttributedTransaction]:
        attribution = Attribution(self.attempt_postings, self.payout_ids, self.reversed_attempts)
        return attribution.attribute(sorted(transactions, key=lambda each: (each.time, each.id)))

    def posted(self) -> set[MovementKey]:
        return {
            each.key(movement)
            for each in self.attempt_postings
            for movement in Movement
            if each.has(movement)
        }


@dataclass(frozen=True)
class RefreshResult:
    """Attempts after their sync, by payout id and number: those that changed, and those that the
    provider did not show."""

    changed: dict[tuple[str, int], Payout] = field(default_factory=dict)
    unavailable: set[tuple[str, int]] = field(default_factory=set)


@dataclass(frozen=True)
class NewReconciliation:
    provider: ProviderName
    start_time: datetime
    end_time: datetime
    transactions: Sequence[Transaction]
    request_id: UUID
    create_time: datetime


class Reconciliations(Protocol):
    def exclusive(self, provider: ProviderName) -> AbstractAsyncContextManager[None]: ...

    def snapshot(self) -> AbstractAsyncContextManager[None]: ...

    async def find_by_request(self, request_id: UUID) -> Reconciliation | None: ...

    async def get(self, reconciliation_id: int) -> Reconciliation | None: ...

    async def latest(self, provider: ProviderName) -> Reconciliation | None: ...

    async def list_newest(self, page: Page) -> list[Reconciliation]: ...

    async def add(self, new: NewReconciliation, comparison: Comparison) -> Reconciliation: ...


class ReconciliationInputs(Protocol):
    async def report_window(self, provider: ProviderName) -> ReportWindow: ...

    async def inputs(
        self, provider: ProviderName, report: Report, report_start_time: datetime
    ) -> Inputs: ...


class PayoutWorkflows(Protocol):
    async def try_signal(self, payout: Payout) -> None:
        """Signals the payout's workflow, if it can be reached."""


class ReconciliationHandlers:
    def __init__(
        self,
        store: Reconciliations,
        inputs: ReconciliationInputs,
        payments: PaymentHandlers,
        kill_switch: KillSwitchHandlers,
        providers: Mapping[ProviderName, Provider],
        workflows: PayoutWorkflows,
        clock: Clock,
    ) -> None:
        self._store = store
        self._inputs = inputs
        self._payments = payments
        self._kill_switch = kill_switch
        self._providers = providers
        self._workflows = workflows
        self._clock = clock

    async def get_reconciliation(self, command: GetReconciliation) -> Reconciliation:
        found = await self._store.get(int(command.id)) if _is_number(command.id) else None
        return require_found(f"reconciliations/{command.id}", found)

    async def list_reconciliations(self, page: Page) -> list[Reconciliation]:
        """Newest first, without findings."""
        return await self._store.list_newest(page)

    async def run_reconciliation(self, command: RunReconciliation) -> Reconciliation:
        """Compares up to the latest moment that the provider reports. If that is no later than last
        time, returns the last reconciliation.

        Raises:
            Unavailable: the provider cannot be read, or its report does not reach the first day
                yet, or another call is reconciling it. Nothing is recorded or halted.
        """
        name = command.provider
        if name not in self._providers:
            raise invalid_fields(Violation("provider", "CONFIGURED", "Must be one that is in use"))
        async with self._store.exclusive(name):
            done = await self._store.find_by_request(command.request_id)
            if done is None:
                done = await self._run(command)
        await self._kill_switch.lift_restored()
        return done

    async def _run(self, command: RunReconciliation) -> Reconciliation:
        name = command.provider
        window = await self._inputs.report_window(name)
        report = await self._report(name, window.report_start_time)
        if report.end_time <= window.start_time:
            return await self._last(name)
        before = await self._inputs.inputs(name, report, window.report_start_time)
        refreshed = await self._refresh(name, before)
        async with self._store.snapshot():
            inputs = await self._inputs.inputs(name, report, window.report_start_time)
            comparison = _compare(before, inputs, refreshed, report.end_time)
            new = NewReconciliation(
                name,
                window.start_time,
                report.end_time,
                [each for each in inputs.transactions if each.id in inputs.new_ids],
                command.request_id,
                self._clock(),
            )
            done = await self._store.add(new, comparison)
            if done.mismatch_count:
                await self._kill_switch.halt_for_mismatches(_reason(done), done.create_time)
        await self._announce(done, refreshed.changed)
        return done

    async def _last(self, name: ProviderName) -> Reconciliation:
        """The last reconciliation, if the report has nothing later."""
        last = await self._store.latest(name)
        if last is None:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The provider reports nothing yet; try again later"
            )
        return last

    async def _report(self, name: ProviderName, start: datetime) -> Report:
        try:
            return await self._providers[name].report(start, self._clock())
        except NotReadable as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider cannot be read: {error.code}"
            ) from error

    async def _refresh(self, name: ProviderName, inputs: Inputs) -> RefreshResult:
        """Syncs the attempts whose transactions may not be posted yet."""
        refreshed = RefreshResult()
        synced: set[tuple[str, int]] = set()
        for each in inputs.attributed():
            posted = each.posted
            if posted is None or not _may_be_unposted(posted, each.transaction):
                continue
            id_ = (posted.payout_id, posted.attempt.number)
            if not posted.attempt.provider_batch_id:
                # It cannot be synced without a batch id: the transaction must prove the change.
                result: SyncResult | None = await self._payments.apply(
                    *id_, partial(proven_change, transaction=each.transaction, now=self._clock())
                )
            elif id_ not in synced:
                synced.add(id_)
                result = await self._sync(name, posted, refreshed)
            else:
                continue
            if result is not None and result.has_changed:
                refreshed.changed[id_] = result.payout
        return refreshed

    async def _sync(
        self, name: ProviderName, posted: AttemptPostings, refreshed: RefreshResult
    ) -> SyncResult | None:
        """An attempt that the provider does not show is skipped, so that others are compared."""
        payout_id, attempt = posted.payout_id, posted.attempt
        event = ProviderEvent(attempt.sender_batch_id, attempt.provider_batch_id, provider=name)
        try:
            return await self._payments.handle_event(event)
        except Unavailable as error:
            log.warning(
                "attempt_unavailable",
                payout=payout_id,
                attempt=attempt.number,
                detail=error.message,
            )
            refreshed.unavailable.add((payout_id, attempt.number))
            return None

    async def _announce(
        self, done: Reconciliation, changed: Mapping[tuple[str, int], Payout]
    ) -> None:
        for payout in {payout.id: payout for payout in changed.values()}.values():
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


def _compare(
    before: Inputs, inputs: Inputs, refreshed: RefreshResult, end_time: datetime
) -> Comparison:
    """Compares `inputs`. What was not posted in the inputs `before` the sync is corrected."""
    comparison = compare(
        inputs.attributed(),
        inputs.postings,
        end_time,
        corrected={
            key
            for key in inputs.posted() - before.posted()
            if (key.payout_id, key.number) in refreshed.changed
        },
        unavailable=refreshed.unavailable,
        found_transaction_ids=inputs.found_transaction_ids,
        found_transfer_ids=inputs.found_transfer_ids,
    )
    comparison.matches += inputs.withdrawn_matches()
    return comparison


def _may_be_unposted(posted: AttemptPostings, transaction: Transaction) -> bool:
    """Whether a sync of the attempt may post the transaction."""
    movement = movement_of(transaction)
    if movement is Movement.PAYMENT:
        return not posted.is_settled and posted.attempt.state not in FINAL
    return posted.attempt.state not in FINAL


def _reason(done: Reconciliation) -> str:
    count = done.mismatch_count
    return f"{count} {'mismatch' if count == 1 else 'mismatches'}: {done.name}"


def _is_number(id_: str) -> bool:
    """Whether it can be an id of ours, which are bigints."""
    return id_.isascii() and id_.isdigit() and len(id_) <= 18
