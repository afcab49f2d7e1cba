"""Looking: what the provider shows of an attempt is asked for, and booked in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog

from servicekit.clock import Clock
from servicekit.errors import Reason, Unavailable, require_found
from services.payouts import attempts
from services.payouts.attempts import FINAL, Attempt, AttemptState, Reading
from services.payouts.domain import Payout
from services.payouts.kill_switch.handlers import HaltStore, halt_for_mismatch
from services.payouts.ledger import postings
from services.payouts.ledger.postings import Transfer
from services.payouts.monitoring import metrics
from services.payouts.providers.interface import Batch, NotReadable, Provider
from workflows.payout.providers import ProviderName

log = structlog.get_logger()


class LookStore(HaltStore, Protocol):
    async def get(self, payout_id: str) -> Payout | None: ...

    async def lock(self, payout_id: str) -> Payout | None: ...

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None: ...

    async def post(self, transfer: Transfer) -> int: ...


@dataclass(frozen=True)
class Booked:
    """A payout after a look at the provider, and whether this very look found that it had moved:
    of several looks at once, one does."""

    payout: Payout
    has_moved: bool


class Looks:
    def __init__(
        self, store: LookStore, providers: Mapping[ProviderName, Provider], clock: Clock
    ) -> None:
        self._store = store
        self._providers = providers
        self._clock = clock

    async def shown(self, attempt: Attempt, batch_id: str) -> Batch:
        """What the attempt's provider shows of a batch; nothing is booked.

        Raises:
            Unavailable: it shows nothing.
        """
        try:
            return await self._providers[attempt.provider].batch(batch_id)
        except NotReadable as error:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not answer: {error.code}"
            ) from error

    async def refreshed(self, payout: Payout, attempt: Attempt, batch_id: str) -> Booked:
        """Books what the attempt's provider shows of a batch; nothing where there is nothing to
        ask, or nothing more can come of it.

        Raises:
            Unavailable: the provider shows nothing.
        """
        if not batch_id or attempt.state in FINAL:
            return Booked(payout, has_moved=False)
        batch = await self.shown(attempt, batch_id)
        return await self.book(payout.id, attempt.number, lambda one: attempts.read(one, batch))

    async def book(self, payout_id: str, number: int, read: Callable[[Attempt], Reading]) -> Booked:
        """Books what is read of the attempt, in one transaction; again, it books nothing."""
        async with self._store.transaction():
            payout = found(await self._store.lock(payout_id), payout_id)
            attempt = payout.attempts[number - 1]
            reading = read(attempt)
            if reading.attempt == attempt:
                return Booked(payout, has_moved=False)
            if reading.fee is not None:
                await self._store.post(postings.settle(payout, attempt, reading.fee))
            if reading.returns:
                await self._store.post(postings.give_back(payout, attempt))
            await self._store.save_attempt(payout_id, reading.attempt, self._clock())
            after = found(await self._store.get(payout_id), payout_id)
        has_moved = reading.attempt.state is not attempt.state
        if has_moved:
            log.info("payout_moved", payout=payout_id, attempt=number, state=reading.attempt.state)
        if reading.returns:
            tell_of_return(payout_id, number)
        if has_moved and reading.attempt.state is AttemptState.BLOCKED:
            log.error("payout_stopped", payout=payout_id, reason=reading.attempt.error_code)
            metrics.stopped()
        return Booked(after, has_moved)

    async def check_end(self, payout_id: str, attempt: Attempt, batch_id: str) -> None:
        """Stops all sending where the provider pays what has ended for us: the payout may be paid
        twice, and what made it so may happen to others."""
        batch = await self.shown(attempt, batch_id)
        if not attempts.is_contradicted(attempt, batch):
            return
        log.critical("payout_contradicted", payout=payout_id, state=batch.items[0].state)
        ended = f"payouts/{payout_id}: attempt {attempt.number} is {attempt.state}"
        reason = f"{ended}, and the provider pays it, as batch {batch.id}"
        await halt_for_mismatch(self._store, reason, self._clock())


def tell_of_return(payout_id: str, number: int) -> None:
    """A person decides whether it is paid again, and no workflow may be there to say so."""
    log.error("payout_came_back", payout=payout_id, attempt=number)
    metrics.came_back()


def found(payout: Payout | None, payout_id: str) -> Payout:
    """
    Raises:
        NotFound.
    """
    return require_found(f"payouts/{payout_id}", payout)
