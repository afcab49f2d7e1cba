"""Polls an attempt's status at the provider and posts the change in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from servicekit.clock import Clock
from servicekit.errors import Reason, Unavailable, require_found
from services.payouts import attempts
from services.payouts.attempts import FINAL, Attempt, AttemptState, StatusChange
from services.payouts.domain import Payout
from services.payouts.kill_switch.handlers import halt_for_mismatch
from services.payouts.ledger import postings
from services.payouts.monitoring import metrics
from services.payouts.providers.interface import Batch, NotReadable, Provider
from services.payouts.sending.stores import Stores
from workflows.payout.providers import ProviderName

log = structlog.get_logger()


@dataclass(frozen=True)
class SyncResult:
    """A payout after a sync. Of several concurrent syncs that see the same change, one has
    `has_changed`."""

    payout: Payout
    has_changed: bool


class StatusSynchronizer:
    def __init__(
        self, stores: Stores, providers: Mapping[ProviderName, Provider], clock: Clock
    ) -> None:
        self._payouts = stores.payouts
        self._ledger = stores.ledger
        self._halts = stores.kill_switch
        self._providers = providers
        self._clock = clock

    async def fetch(self, attempt: Attempt, batch_id: str) -> Batch:
        """Reads a batch from the attempt's provider; stores nothing.

        Raises:
            Unavailable: the provider gave no usable answer.
        """
        try:
            return await self._providers[attempt.provider].batch(batch_id)
        except NotReadable as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not answer: {error.code}"
            ) from error

    async def sync(self, payout: Payout, attempt: Attempt, batch_id: str) -> SyncResult:
        """Fetches a batch and applies it to the attempt. Does nothing without a batch id, or if the
        attempt is final.

        Raises:
            Unavailable: the provider gave no usable answer.
        """
        if not batch_id or attempt.state in FINAL:
            return SyncResult(payout, has_changed=False)
        batch = await self.fetch(attempt, batch_id)
        return await self.apply(
            payout.id, attempt.number, lambda current: attempts.status_change(current, batch)
        )

    async def apply(
        self, payout_id: str, number: int, change_of: Callable[[Attempt], StatusChange]
    ) -> SyncResult:
        """Saves and posts a change of the attempt in one transaction. Idempotent.

        `change_of` gets the locked attempt.
        """
        async with self._payouts.transaction():
            payout = require_payout(await self._payouts.lock(payout_id), payout_id)
            attempt = payout.attempts[number - 1]
            change = change_of(attempt)
            if change.attempt == attempt:
                return SyncResult(payout, has_changed=False)
            if change.fee is not None:
                await self._ledger.post(postings.settle(payout, attempt, change.fee))
            if change.returns:
                await self._ledger.post(postings.give_back(payout, attempt))
            await self._payouts.save_attempt(payout_id, change.attempt, self._clock())
            after = require_payout(await self._payouts.get(payout_id), payout_id)
        has_changed = change.attempt.state is not attempt.state
        if has_changed:
            log.info("payout_changed", payout=payout_id, attempt=number, state=change.attempt.state)
        if change.returns:
            report_return(payout_id, number)
        if has_changed and change.attempt.state is AttemptState.BLOCKED:
            log.error("payout_blocked", payout=payout_id, reason=change.attempt.error_code)
            metrics.blocked()
        return SyncResult(after, has_changed)

    async def check_final(self, payout_id: str, attempt: Attempt, batch_id: str) -> None:
        """Halts all payouts if the provider pays an attempt that is FAILED or RETURNED here: the
        payout may be paid twice, and others may be affected by the same cause."""
        batch = await self.fetch(attempt, batch_id)
        if not attempts.is_contradicted(attempt, batch):
            return
        log.critical("payout_contradicted", payout=payout_id, state=batch.items[0].state)
        recorded = f"payouts/{payout_id}: attempt {attempt.number} is {attempt.state}"
        reason = f"{recorded}, and the provider pays it, as batch {batch.id}"
        await halt_for_mismatch(self._halts, reason, self._clock())


def report_return(payout_id: str, number: int) -> None:
    """Logs and counts a payment that came back after it was paid. An operator decides whether to
    pay it again; its workflow may have ended."""
    log.error("payout_returned", payout=payout_id, attempt=number)
    metrics.returned()


def require_payout(payout: Payout | None, payout_id: str) -> Payout:
    """
    Raises:
        NotFound.
    """
    return require_found(f"payouts/{payout_id}", payout)
