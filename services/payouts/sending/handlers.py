"""Paying: the use cases that speak with the provider. How one attempt is sent is in `sender`, and
how an answer is booked in `looks`."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Protocol
from weakref import WeakValueDictionary

import structlog
from pydantic import Field

from servicekit.clock import Clock
from servicekit.commands import Command, between
from servicekit.errors import Reason, Unavailable, Violation, invalid_fields
from services.payouts import attempts
from services.payouts.attempts import FINAL, Attempt, AttemptState, Reading
from services.payouts.domain import Payout
from services.payouts.handlers import PayoutId
from services.payouts.providers.interface import Batch, NotCancellable, NotReadable, Provider
from services.payouts.sending.sender import Receivers, Sender, SendPayout, SendStore
from services.payouts.sending.synchronizer import Booked, Looks, found
from workflows.payout.providers import ProviderName

log = structlog.get_logger()


class RefreshPayout(Command):
    id: PayoutId = Field(alias="name")


class RecallPayout(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]


@dataclass(frozen=True)
class Hint:
    """By which ids a provider told of something, and which state of the item or of the whole batch;
    each may be empty."""

    sender_batch_id: str
    provider_batch_id: str
    item_state: str = ""
    batch_state: str = ""
    provider: ProviderName = ProviderName.PAYPAL


class PaymentStore(SendStore, Protocol):
    async def find_attempt(
        self, provider: ProviderName, sender_batch_id: str, provider_batch_id: str
    ) -> tuple[str, Attempt] | None: ...


class PaymentHandlers:
    """`provider` pays where nobody says otherwise; an attempt is never asked of another one than
    it was made with."""

    def __init__(
        self,
        store: PaymentStore,
        providers: Mapping[ProviderName, Provider],
        receivers: Receivers,
        clock: Clock,
        provider: ProviderName = ProviderName.PAYPAL,
    ) -> None:
        self._store = store
        self._providers = providers
        self._looks = Looks(store, providers, clock)
        self._sender = Sender(store, providers, receivers, clock, self._looks, provider)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send_payout(self, command: SendPayout) -> Payout:
        """See `Sender.send`."""
        return await self._sender.send(command)

    async def refresh_payout(self, command: RefreshPayout) -> Payout:
        """Asks the provider about the latest attempt, if it can be asked, and books the answer."""
        payout = found(await self._store.get(command.id), command.id)
        attempt = payout.latest_attempt
        if attempt is None:
            return payout
        return (await self._looks.refreshed(payout, attempt, attempt.provider_batch_id)).payout

    async def recall_payout(self, command: RecallPayout) -> Payout:
        """Takes back what nobody has claimed. The provider's word on what came of that is booked:
        that the creator was faster, or that it is back.

        Raises:
            Unavailable: it is not known whether it was taken back (OUTCOME_UNKNOWN): recall again.
        """
        payout = found(await self._store.get(command.id), command.id)
        attempt = payout.attempt(command.attempt)
        if attempt is None:
            raise invalid_fields(Violation("attempt", "ORDER", "There is no such attempt"))
        if attempt.state is not AttemptState.UNCLAIMED:
            return payout
        with suppress(NotCancellable, NotReadable):
            await self._providers[attempt.provider].cancel(attempt.provider_item_id)
        after = (await self._looks.refreshed(payout, attempt, attempt.provider_batch_id)).payout
        if after.attempts[attempt.number - 1].state is AttemptState.UNCLAIMED:
            raise Unavailable(
                Reason.OUTCOME_UNKNOWN, "The payment is still unclaimed: recall it again"
            )
        return after

    async def follow(self, hint: Hint) -> Booked | None:
        """Looks at what the provider pointed at; None when that is none of ours, or no news.

        The hint itself is believed in nothing: it may be late, doubled or out of order. It only
        spares a look that could find nothing new.
        """
        # One after the other: of several hints at once, the first one's look serves them all.
        async with self._turns.setdefault(hint.sender_batch_id, asyncio.Lock()):
            known = await self._store.find_attempt(
                hint.provider, hint.sender_batch_id, hint.provider_batch_id
            )
            if known is None:
                log.info("hint_at_no_payout", batch=hint.provider_batch_id)
                return None
            payout_id, attempt = known
            if not attempts.may_have_moved(attempt, hint.item_state, hint.batch_state):
                return None
            batch_id = attempt.provider_batch_id or hint.provider_batch_id
            if attempt.state in FINAL:
                await self._looks.check_end(payout_id, attempt, batch_id)
                return None
            payout = found(await self._store.get(payout_id), payout_id)
            return await self._looks.refreshed(payout, attempt, batch_id)

    async def look(self, payout_id: str, number: int, batch_id: str = "") -> Booked:
        """Asks the provider about one attempt by the batch it is known to be, else by this one, and
        books the answer. Without either there is nothing to ask."""
        payout = found(await self._store.get(payout_id), payout_id)
        attempt = payout.attempts[number - 1]
        return await self._looks.refreshed(payout, attempt, attempt.provider_batch_id or batch_id)

    async def book(self, payout_id: str, number: int, read: Callable[[Attempt], Reading]) -> Booked:
        """See `Looks.book`."""
        return await self._looks.book(payout_id, number, read)

    async def shown(self, attempt: Attempt, batch_id: str) -> Batch:
        """See `Looks.shown`."""
        return await self._looks.shown(attempt, batch_id)
