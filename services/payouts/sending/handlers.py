"""Use cases that call the provider: send, refresh, recall, and handling of its events.

`sender` sends one attempt; `synchronizer` applies what the provider answers.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated
from weakref import WeakValueDictionary

import structlog
from pydantic import Field

from servicekit.clock import Clock
from servicekit.commands import Command, between
from servicekit.errors import Reason, Unavailable, Violation, invalid_fields
from services.payouts import attempts
from services.payouts.attempts import FINAL, Attempt, AttemptState, StatusChange
from services.payouts.domain import Payout
from services.payouts.handlers import PayoutId
from services.payouts.providers.interface import Batch, NotCancellable, NotReadable, Provider
from services.payouts.sending.sender import PayoutAccounts, Sender, SendPayout
from services.payouts.sending.stores import Stores
from services.payouts.sending.synchronizer import StatusSynchronizer, SyncResult, require_payout
from workflows.payout.providers import ProviderName

log = structlog.get_logger()


class RefreshPayout(Command):
    id: PayoutId = Field(alias="name")


class RecallPayout(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]


@dataclass(frozen=True)
class ProviderEvent:
    """A provider's event: ids of the payment, and the state of its item or batch. Any may be
    empty."""

    sender_batch_id: str
    provider_batch_id: str
    item_state: str = ""
    batch_state: str = ""
    provider: ProviderName = ProviderName.PAYPAL


class PaymentHandlers:
    """`provider` is the default for new attempts; an existing attempt keeps its provider."""

    def __init__(
        self,
        stores: Stores,
        providers: Mapping[ProviderName, Provider],
        accounts: PayoutAccounts,
        clock: Clock,
        provider: ProviderName = ProviderName.PAYPAL,
    ) -> None:
        self._payouts = stores.payouts
        self._providers = providers
        self._synchronizer = StatusSynchronizer(stores, providers, clock)
        self._sender = Sender(stores, providers, accounts, clock, self._synchronizer, provider)
        self._event_locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send_payout(self, command: SendPayout) -> Payout:
        """See `Sender.send`."""
        return await self._sender.send(command)

    async def refresh_payout(self, command: RefreshPayout) -> Payout:
        """Syncs the latest attempt with the provider, if it has one."""
        payout = require_payout(await self._payouts.get(command.id), command.id)
        attempt = payout.latest_attempt
        if attempt is None:
            return payout
        return (await self._synchronizer.sync(payout, attempt, attempt.provider_batch_id)).payout

    async def recall_payout(self, command: RecallPayout) -> Payout:
        """Cancels an unclaimed payment, then syncs: it is either back or was claimed first.

        Raises:
            Unavailable: the payment still shows as unclaimed (OUTCOME_UNKNOWN): recall again.
        """
        payout = require_payout(await self._payouts.get(command.id), command.id)
        attempt = payout.attempt(command.attempt)
        if attempt is None:
            raise invalid_fields(Violation("attempt", "ORDER", "There is no such attempt"))
        if attempt.state is not AttemptState.UNCLAIMED:
            return payout
        with suppress(NotCancellable, NotReadable):
            await self._providers[attempt.provider].cancel(attempt.provider_item_id)
        after = (await self._synchronizer.sync(payout, attempt, attempt.provider_batch_id)).payout
        if after.attempts[attempt.number - 1].state is AttemptState.UNCLAIMED:
            raise Unavailable(
                Reason.OUTCOME_UNKNOWN, "The payment is still unclaimed: recall it again"
            )
        return after

    async def handle_event(self, event: ProviderEvent) -> SyncResult | None:
        """Syncs the attempt that an event names; None if it is no attempt of ours or cannot have
        changed.

        The event's content is untrusted (late, repeated or out of order): it only triggers a sync,
        or saves one that could find nothing new.
        """
        # Serialized by payment: the first sync serves concurrent events about the same one.
        async with self._event_locks.setdefault(event.sender_batch_id, asyncio.Lock()):
            match = await self._payouts.find_attempt(
                event.provider, event.sender_batch_id, event.provider_batch_id
            )
            if match is None:
                log.info("event_of_no_payout", batch=event.provider_batch_id)
                return None
            payout_id, attempt = match
            if not attempts.may_have_changed(attempt, event.item_state, event.batch_state):
                return None
            batch_id = attempt.provider_batch_id or event.provider_batch_id
            if attempt.state in FINAL:
                await self._synchronizer.check_final(payout_id, attempt, batch_id)
                return None
            payout = require_payout(await self._payouts.get(payout_id), payout_id)
            return await self._synchronizer.sync(payout, attempt, batch_id)

    async def sync_attempt(self, payout_id: str, number: int, batch_id: str = "") -> SyncResult:
        """Syncs one attempt by its provider's batch id, or by `batch_id` if it has none yet."""
        payout = require_payout(await self._payouts.get(payout_id), payout_id)
        attempt = payout.attempts[number - 1]
        return await self._synchronizer.sync(payout, attempt, attempt.provider_batch_id or batch_id)

    async def apply(
        self, payout_id: str, number: int, change_of: Callable[[Attempt], StatusChange]
    ) -> SyncResult:
        """See `StatusSynchronizer.apply`."""
        return await self._synchronizer.apply(payout_id, number, change_of)

    async def fetch(self, attempt: Attempt, batch_id: str) -> Batch:
        """See `StatusSynchronizer.fetch`."""
        return await self._synchronizer.fetch(attempt, batch_id)
