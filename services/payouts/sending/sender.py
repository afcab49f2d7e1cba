"""Sending one attempt: it is taken, posted once, and what came of that is recorded.

What was decided is committed before the provider hears of it, and no transaction is open while it
does. A call that dies anywhere leaves an attempt that the next call goes on with, under the same
id, which the provider pays once only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Annotated, Protocol

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
)
from services.payouts import attempts
from services.payouts.attempts import SENDABLE, Attempt
from services.payouts.domain import Decision, Payout, PayoutAccount, new_attempt
from services.payouts.handlers import PayoutId
from services.payouts.kill_switch.handlers import Event, require_not_halted
from services.payouts.monitoring import metrics
from services.payouts.providers.interface import (
    FENCE_LOST,
    AlreadyTaken,
    NothingTaken,
    NotReadable,
    OutcomeUnknown,
    Provider,
    Rejected,
)
from services.payouts.sending.synchronizer import Looks, LookStore, found
from workflows.payout.providers import ProviderName

log = structlog.get_logger()

PAYOUTS_HALTED = "PAYOUTS_HALTED"


class SendPayout(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]


class Receivers(Protocol):
    async def account_of(self, creator: str) -> PayoutAccount: ...


class SendStore(LookStore, Protocol):
    async def get_attempt(self, payout_id: str, number: int) -> Attempt | None: ...

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None: ...

    async def add_attempt(self, payout_id: str, attempt: Attempt) -> None: ...

    async def is_held(self, payout_id: str) -> bool: ...


@dataclass(frozen=True)
class Means:
    """How a new attempt is made, and what an operator had decided about it when that was found."""

    receiver: str
    provider: ProviderName
    decision: Decision | None


class Sender:
    """`provider` pays where nobody says otherwise."""

    def __init__(
        self,
        store: SendStore,
        providers: Mapping[ProviderName, Provider],
        receivers: Receivers,
        clock: Clock,
        looks: Looks,
        provider: ProviderName,
    ) -> None:
        self._store = store
        self._providers = providers
        self._receivers = receivers
        self._clock = clock
        self._looks = looks
        self._provider = provider

    async def send(self, command: SendPayout) -> Payout:
        """Makes an attempt, or goes on with the one that was begun.

        Raises:
            Unavailable: nothing was taken (DEPENDENCY_UNAVAILABLE), nothing is sent now
                (PAYOUTS_HALTED), or nobody knows (OUTCOME_UNKNOWN); in any case the same call is to
                be made again.
        """
        payout = found(await self._store.get(command.id), command.id)
        means = None
        if payout.attempt(command.attempt) is None:
            means = await self._means(payout, command.attempt)
        attempt = await self._take(command, means)
        if attempt is None:
            return found(await self._store.get(command.id), command.id)
        return await self._send(command.id, attempt)

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
            payout = found(await self._store.lock(command.id), command.id)
            attempt = payout.attempt(command.attempt)
            if attempt is not None and attempt.state not in SENDABLE:
                return None
            if payout.is_held:
                raise _on_hold(payout.id)
            require_not_halted(await self._store.halts())
            if attempt is None:
                attempt = await self._begin(payout, command.attempt, means, now)
            taken = attempts.leased(attempt, now)
            if taken is None:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "Another call is sending this attempt now"
                )
            if attempts.is_too_old_to_repeat(taken, now):
                taken = replace(attempts.stopped(taken, "TOO_OLD_TO_REPEAT"), lease_end_time=None)
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
        attempt = new_attempt(payout, means.receiver, now, means.provider)
        await self._store.add_attempt(payout.id, attempt)
        return attempt

    async def _send(self, payout_id: str, attempt: Attempt) -> Payout:
        halts: list[Event] = []
        is_held = False

        async def may_post() -> bool:
            nonlocal is_held
            present = await self._store.get_attempt(payout_id, attempt.number)
            if not attempts.may_post(present, attempt.fence, self._clock()):
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
            payout = await self._record(payout_id, attempt, lambda a: attempts.rejected(a, code))
            _require_known(payout, attempt.number)
            return payout
        except NothingTaken as error:
            if halts or is_held:
                code = PAYOUTS_HALTED if halts else Reason.PAYOUT_ON_HOLD
                await self._record(payout_id, attempt, lambda a: attempts.not_taken(a, code))
                require_not_halted(halts)
                raise _on_hold(payout_id) from error
            if error.code == FENCE_LOST:
                # Nothing is recorded: the attempt is another sender's now.
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "The attempt was taken over before it was sent"
                ) from error
            log.error("payout_not_taken", payout=payout_id, code=error.code)
            metrics.not_taken()
            code = error.code
            await self._record(payout_id, attempt, lambda a: attempts.not_taken(a, code))
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not take payments now: {code}"
            ) from error
        except OutcomeUnknown as error:
            return await self._doubt(payout_id, attempt, error.code)
        return await self._record(payout_id, attempt, lambda a: attempts.accepted(a, batch_id))

    async def _adopt(self, payout_id: str, attempt: Attempt, batch_id: str | None) -> Payout:
        """The id is taken: by our own earlier POST, if the batch behind it is what we ordered."""
        if batch_id is None:
            log.error("payout_stopped", payout=payout_id, reason="DUPLICATE_WITHOUT_LINK")
            metrics.stopped()
            return await self._record(
                payout_id, attempt, lambda a: attempts.stopped(a, "DUPLICATE_WITHOUT_LINK")
            )
        try:
            batch = await self._providers[attempt.provider].batch(batch_id)
        except NotReadable as error:
            return await self._doubt(payout_id, attempt, error.code)
        booked = await self._looks.book(
            payout_id, attempt.number, lambda one: attempts.read(one, batch)
        )
        payout = booked.payout
        if payout.attempts[attempt.number - 1].state not in SENDABLE:
            return payout
        # A denied batch has freed the id by now: it is sent anew.
        return await self._doubt(payout_id, attempt, "DUPLICATE_DENIED")

    async def _doubt(self, payout_id: str, attempt: Attempt, code: str) -> Payout:
        log.warning("payout_outcome_unknown", payout=payout_id, code=code)
        payout = await self._record(payout_id, attempt, lambda a: attempts.in_doubt(a, code))
        _require_known(payout, attempt.number)
        return payout

    async def _record(
        self, payout_id: str, sent: Attempt, change: Callable[[Attempt], Attempt]
    ) -> Payout:
        """Notes what came of a POST, unless the provider's own account of it is there already, and
        ends the sender's lease."""
        now = self._clock()
        async with self._store.transaction():
            payout = found(await self._store.lock(payout_id), payout_id)
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
            return found(await self._store.get(payout_id), payout_id)


def _on_hold(payout_id: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.PAYOUT_ON_HOLD, f"An operator keeps payouts/{payout_id} from being sent"
    )


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
