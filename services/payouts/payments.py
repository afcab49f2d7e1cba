"""Paying: the use cases that speak with the provider.

What was decided is committed before the provider hears of it, what it answered is booked in one
transaction afterwards, and no transaction is open in between. A call that dies anywhere leaves an
attempt that the next call goes on with, under the same id, which the provider pays once only.
"""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Protocol
from weakref import WeakValueDictionary

import structlog
from pydantic import Field

from servicekit.clock import Clock
from servicekit.commands import Command, between
from servicekit.errors import (
    FailedPrecondition,
    Reason,
    Unavailable,
    Violation,
    illegal_state,
    invalid_fields,
    not_found,
)
from services.payouts import domain, metrics, postings
from services.payouts.domain import (
    FINAL,
    SENDABLE,
    Attempt,
    AttemptState,
    Decision,
    Payout,
    PayoutAccount,
    ProviderName,
)
from services.payouts.handlers import PayoutId
from services.payouts.postings import Transfer
from services.payouts.provider import (
    FENCE_LOST,
    AlreadyTaken,
    Batch,
    NotCancellable,
    NothingTaken,
    NotReadable,
    OutcomeUnknown,
    Provider,
    Rejected,
)
from services.payouts.sending import SYSTEM, Cause, Event, EventKind, require_sending

log = structlog.get_logger()

SENDING_HALTED = "SENDING_HALTED"


class SendPayout(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]


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


class Receivers(Protocol):
    async def account_of(self, creator: str) -> PayoutAccount: ...


class PaymentStore(Protocol):
    def transaction(self) -> AbstractAsyncContextManager[None]: ...

    async def get(self, payout_id: str) -> Payout | None: ...

    async def lock(self, payout_id: str) -> Payout | None: ...

    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None: ...

    async def find_attempt(
        self, provider: ProviderName, sender_batch_id: str, provider_batch_id: str
    ) -> tuple[str, Attempt] | None: ...

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None: ...

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None: ...

    async def save_attempt(self, payout_id: str, attempt: Attempt, now: datetime) -> None: ...

    async def post(self, transfer: Transfer) -> int: ...

    async def is_held(self, payout_id: str) -> bool: ...

    async def halts(self) -> list[Event]: ...

    async def add_event(self, event: Event) -> None: ...


@dataclass(frozen=True)
class Means:
    """How a new attempt is made, and what an operator had decided about it when that was found."""

    receiver: str
    provider: ProviderName
    decision: Decision | None


@dataclass(frozen=True)
class Booked:
    """A payout after a look at the provider, and whether this very look found that it had moved:
    of several looks at once, one does."""

    payout: Payout
    has_moved: bool


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
        self._receivers = receivers
        self._clock = clock
        self._provider = provider
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def send_payout(self, command: SendPayout) -> Payout:
        """Makes an attempt, or goes on with the one that was begun.

        Raises:
            Unavailable: nothing was taken (DEPENDENCY_UNAVAILABLE), nothing is sent now
                (SENDING_HALTED), or nobody knows (OUTCOME_UNKNOWN); in any case the same call is to
                be made again.
        """
        payout = _found(await self._store.get(command.id), command.id)
        means = None
        if payout.attempt(command.attempt) is None:
            means = await self._means(payout, command.attempt)
        attempt = await self._take(command, means)
        if attempt is None:
            return _found(await self._store.get(command.id), command.id)
        return await self._send(command.id, attempt)

    async def refresh_payout(self, command: RefreshPayout) -> Payout:
        """Asks the provider about the latest attempt, if it can be asked, and books the answer."""
        payout = _found(await self._store.get(command.id), command.id)
        attempt = payout.latest_attempt
        if attempt is None:
            return payout
        return (await self._refreshed(payout, attempt, attempt.provider_batch_id)).payout

    async def recall_payout(self, command: RecallPayout) -> Payout:
        """Takes back what nobody has claimed. The provider's word on what came of that is booked:
        that the creator was faster, or that it is back.

        Raises:
            Unavailable: it is not known whether it was taken back (OUTCOME_UNKNOWN): recall again.
        """
        payout = _found(await self._store.get(command.id), command.id)
        attempt = payout.attempt(command.attempt)
        if attempt is None:
            raise invalid_fields(Violation("attempt", "ORDER", "There is no such attempt"))
        if attempt.state is not AttemptState.UNCLAIMED:
            return payout
        with suppress(NotCancellable, NotReadable):
            await self._providers[attempt.provider].cancel(attempt.provider_item_id)
        after = (await self._refreshed(payout, attempt, attempt.provider_batch_id)).payout
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
            found = await self._store.find_attempt(
                hint.provider, hint.sender_batch_id, hint.provider_batch_id
            )
            if found is None:
                log.info("hint_at_no_payout", batch=hint.provider_batch_id)
                return None
            payout_id, attempt = found
            if not domain.may_have_moved(attempt, hint.item_state, hint.batch_state):
                return None
            batch_id = attempt.provider_batch_id or hint.provider_batch_id
            if attempt.state in FINAL:
                await self._check_end(payout_id, attempt, batch_id)
                return None
            payout = _found(await self._store.get(payout_id), payout_id)
            return await self._refreshed(payout, attempt, batch_id)

    async def look(self, payout_id: str, number: int, batch_id: str = "") -> Booked:
        """Asks the provider about one attempt by the batch it is known to be, else by this one, and
        books the answer. Without either there is nothing to ask."""
        payout = _found(await self._store.get(payout_id), payout_id)
        attempt = payout.attempts[number - 1]
        return await self._refreshed(payout, attempt, attempt.provider_batch_id or batch_id)

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

    async def _means(self, payout: Payout, number: int) -> Means:
        decision = await self._store.retry_of(payout.id, number)
        _require_turn(payout, number, decision)
        receiver = decision.receiver if decision else None
        if receiver is None:
            receiver = await self._receiver(payout, is_decided=decision is not None)
        provider = decision.provider if decision else None
        return Means(receiver, provider or self._provider, decision)

    async def _receiver(self, payout: Payout, *, is_decided: bool) -> str:
        account = await self._receivers.account_of(payout.creator)
        creator = f"creators/{payout.creator}"
        if not account.receiver:
            raise FailedPrecondition(
                Reason.PAYOUT_ACCOUNT_MISSING, f"{creator} has named no PayPal account"
            )
        unclaimed = [one for one in payout.attempts if not account.is_worth_trying_after(one)]
        if unclaimed and not is_decided:
            raise FailedPrecondition(
                Reason.PAYOUT_NOT_CLAIMED,
                f"Nobody claimed attempt {unclaimed[-1].number}, and {creator} has not named its"
                " PayPal account anew since",
            )
        return account.receiver

    async def _take(self, command: SendPayout, means: Means | None) -> Attempt | None:
        """Commits that the attempt is about to be sent, by this call alone; None when there is
        nothing to send."""
        now = self._clock()
        async with self._store.transaction():
            payout = _found(await self._store.lock(command.id), command.id)
            attempt = payout.attempt(command.attempt)
            if attempt is not None and attempt.state not in SENDABLE:
                return None
            if payout.is_held:
                raise _on_hold(payout.id)
            require_sending(await self._store.halts())
            if attempt is None:
                attempt = await self._begin(payout, command.attempt, means, now)
            taken = domain.leased(attempt, now)
            if taken is None:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "Another call is sending this attempt now"
                )
            if domain.is_too_old_to_repeat(taken, now):
                taken = replace(domain.stopped(taken, "TOO_OLD_TO_REPEAT"), lease_end_time=None)
                log.error("payout_stopped", payout=payout.id, reason=taken.error_code)
                metrics.stopped()
            await self._store.save_attempt(payout.id, taken, now)
        return taken if taken.state in SENDABLE else None

    async def _begin(
        self, payout: Payout, number: int, means: Means | None, now: datetime
    ) -> Attempt:
        decision = await self._store.retry_of(payout.id, number)
        _require_turn(payout, number, decision)
        if means is None or decision != means.decision:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "An operator has just decided about this attempt"
            )
        attempt = domain.new_attempt(payout, means.receiver, now, means.provider)
        await self._store.add_attempt(payout.id, attempt)
        return attempt

    async def _send(self, payout_id: str, attempt: Attempt) -> Payout:
        halts: list[Event] = []
        is_held = False

        async def may_post() -> bool:
            nonlocal is_held
            present = await self._store.get_attempt(payout_id, attempt.number)
            if not domain.may_post(present, attempt.fence, self._clock()):
                return False
            halts[:] = await self._store.halts()
            is_held = await self._store.is_held(payout_id)
            return not halts and not is_held

        try:
            batch_id = await self._providers[attempt.provider].send(attempt.order, may_post)
        except AlreadyTaken as error:
            return await self._adopt(payout_id, attempt, error.batch_id)
        except Rejected as error:
            log.error("payout_rejected", payout=payout_id, code=error.code)
            metrics.rejected()
            code = error.code
            payout = await self._record(payout_id, attempt, lambda a: domain.rejected(a, code))
            _require_known(payout, attempt.number)
            return payout
        except NothingTaken as error:
            if halts or is_held:
                code = SENDING_HALTED if halts else Reason.PAYOUT_ON_HOLD
                await self._record(payout_id, attempt, lambda a: domain.not_taken(a, code))
                require_sending(halts)
                raise _on_hold(payout_id) from error
            if error.code == FENCE_LOST:
                # Nothing is recorded: the attempt is another sender's now.
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "The attempt was taken over before it was sent"
                ) from error
            log.error("payout_not_taken", payout=payout_id, code=error.code)
            metrics.not_taken()
            code = error.code
            await self._record(payout_id, attempt, lambda a: domain.not_taken(a, code))
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not take payments now: {code}"
            ) from error
        except OutcomeUnknown as error:
            return await self._doubt(payout_id, attempt, error.code)
        return await self._record(payout_id, attempt, lambda a: domain.accepted(a, batch_id))

    async def _adopt(self, payout_id: str, attempt: Attempt, batch_id: str | None) -> Payout:
        """The id is taken: by our own earlier POST, if the batch behind it is what we ordered."""
        if batch_id is None:
            log.error("payout_stopped", payout=payout_id, reason="DUPLICATE_WITHOUT_LINK")
            metrics.stopped()
            return await self._record(
                payout_id, attempt, lambda a: domain.stopped(a, "DUPLICATE_WITHOUT_LINK")
            )
        try:
            batch = await self._providers[attempt.provider].batch(batch_id)
        except NotReadable as error:
            return await self._doubt(payout_id, attempt, error.code)
        payout = (await self._book(payout_id, attempt.number, batch)).payout
        if payout.attempts[attempt.number - 1].state not in SENDABLE:
            return payout
        # A denied batch has freed the id by now: it is sent anew.
        return await self._doubt(payout_id, attempt, "DUPLICATE_DENIED")

    async def _doubt(self, payout_id: str, attempt: Attempt, code: str) -> Payout:
        log.warning("payout_outcome_unknown", payout=payout_id, code=code)
        payout = await self._record(payout_id, attempt, lambda a: domain.in_doubt(a, code))
        _require_known(payout, attempt.number)
        return payout

    async def _record(
        self, payout_id: str, sent: Attempt, change: Callable[[Attempt], Attempt]
    ) -> Payout:
        """Notes what came of a POST, unless the provider's own account of it is there already, and
        ends the sender's lease."""
        now = self._clock()
        async with self._store.transaction():
            payout = _found(await self._store.lock(payout_id), payout_id)
            attempt = payout.attempts[sent.number - 1]
            changed = change(attempt)
            if attempt.fence == sent.fence:
                changed = replace(changed, lease_end_time=None)
            if attempt.state in SENDABLE:
                await self._store.save_attempt(payout_id, changed, now)
            elif changed.provider_batch_id != attempt.provider_batch_id:
                # One attempt, two batches: the provider would have broken its own promise.
                log.critical(
                    "payout_sent_twice",
                    payout=payout_id,
                    batches=[attempt.provider_batch_id, changed.provider_batch_id],
                )
            return _found(await self._store.get(payout_id), payout_id)

    async def _check_end(self, payout_id: str, attempt: Attempt, batch_id: str) -> None:
        """Stops all sending where the provider pays what has ended for us: the payout may be paid
        twice, and what made it so may happen to others."""
        batch = await self.shown(attempt, batch_id)
        if not domain.is_contradicted(attempt, batch):
            return
        state = batch.items[0].state
        reason = f"payouts/{payout_id}: attempt {attempt.number} is {attempt.state}, and {state} at"
        reason += f" the provider, as batch {batch.id}"
        log.critical("payout_contradicted", payout=payout_id, attempt=attempt.number, state=state)
        if all(halt.reason != reason for halt in await self._store.halts()):
            await self._store.add_event(
                Event(EventKind.HALT, Cause.MISMATCH, reason, SYSTEM, self._clock())
            )

    async def _refreshed(self, payout: Payout, attempt: Attempt, batch_id: str) -> Booked:
        if not batch_id or attempt.state in FINAL:
            return Booked(payout, has_moved=False)
        return await self._book(payout.id, attempt.number, await self.shown(attempt, batch_id))

    async def _book(self, payout_id: str, number: int, batch: Batch) -> Booked:
        """Books what the provider shows, in one transaction; again, it finds nothing to book."""
        async with self._store.transaction():
            payout = _found(await self._store.lock(payout_id), payout_id)
            attempt = payout.attempts[number - 1]
            reading = domain.read(attempt, batch)
            if reading.attempt == attempt:
                return Booked(payout, has_moved=False)
            if reading.settles:
                fee = batch.items[0].fee
                await self._store.post(postings.settle(payout, attempt, fee))
            if reading.returns:
                await self._store.post(postings.give_back(payout, attempt))
            await self._store.save_attempt(payout_id, reading.attempt, self._clock())
            after = _found(await self._store.get(payout_id), payout_id)
        has_moved = reading.attempt.state is not attempt.state
        if has_moved:
            log.info("payout_moved", payout=payout_id, attempt=number, state=reading.attempt.state)
        if has_moved and reading.attempt.state is AttemptState.BLOCKED:
            log.error("payout_stopped", payout=payout_id, reason=reading.attempt.error_code)
            metrics.stopped()
        return Booked(after, has_moved)


def _on_hold(payout_id: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.PAYOUT_ON_HOLD, f"An operator keeps payouts/{payout_id} from being sent"
    )


def _found(payout: Payout | None, payout_id: str) -> Payout:
    if payout is None:
        raise not_found(f"payouts/{payout_id}")
    return payout


def _require_turn(payout: Payout, number: int, decision: Decision | None) -> None:
    """A new attempt: the first one, or the one after an attempt that failed."""
    if not payout.is_sendable(decision):
        raise illegal_state(payout.name, payout.state, "SendPayout")
    if number != len(payout.attempts) + 1:
        raise invalid_fields(
            Violation("attempt", "ORDER", f"The next attempt is {len(payout.attempts) + 1}")
        )


def _require_known(payout: Payout, number: int) -> None:
    """
    Raises:
        Unavailable: the attempt is still in doubt.
    """
    if payout.attempts[number - 1].state in SENDABLE:
        raise Unavailable(
            Reason.OUTCOME_UNKNOWN, "Nobody knows yet what became of the attempt: send it again"
        )
