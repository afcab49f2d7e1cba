"""Sends one attempt: leases it, POSTs it once, and records the outcome.

The attempt and its lease are committed before the POST, and no transaction is open during it. A
call that dies at any point leaves an attempt that the next call continues with the same
`sender_batch_id`, which the provider pays only once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
from services.payouts.sending.stores import Stores
from services.payouts.sending.synchronizer import StatusSynchronizer, require_payout
from workflows.payout.providers import ProviderName

log = structlog.get_logger()


class SendPayout(Command):
    id: PayoutId = Field(alias="name")
    attempt: Annotated[int, between(1, 1000)]


class PayoutAccounts(Protocol):
    async def account_of(self, creator: str) -> PayoutAccount: ...


@dataclass(frozen=True)
class AttemptPlan:
    """Receiver and provider of a new attempt, and the operator's decision that they were read
    with."""

    receiver: str
    provider: ProviderName
    decision: Decision | None


@dataclass
class Refusal:
    """Why the last check before a POST refused it; empty if it did not, or the fence was lost."""

    halts: list[Event] = field(default_factory=list)
    is_held: bool = False


class Sender:
    """`provider` is the default for new attempts."""

    def __init__(
        self,
        stores: Stores,
        providers: Mapping[ProviderName, Provider],
        accounts: PayoutAccounts,
        clock: Clock,
        synchronizer: StatusSynchronizer,
        provider: ProviderName,
    ) -> None:
        self._payouts = stores.payouts
        self._halts = stores.kill_switch
        self._decisions = stores.decisions
        self._providers = providers
        self._accounts = accounts
        self._clock = clock
        self._synchronizer = synchronizer
        self._provider = provider

    async def send(self, command: SendPayout) -> Payout:
        """Makes an attempt, or continues the one that was begun.

        Raises:
            Unavailable: no money has left (DEPENDENCY_UNAVAILABLE), payouts are halted
                (PAYOUTS_HALTED), or the outcome is unknown (OUTCOME_UNKNOWN). In each case repeat
                the same call.
        """
        payout = require_payout(await self._payouts.get(command.id), command.id)
        plan = None
        if payout.attempt(command.attempt) is None:
            plan = await self._plan(payout, command.attempt)
        attempt = await self._lease(command, plan)
        if attempt is None:
            return require_payout(await self._payouts.get(command.id), command.id)
        return await self._send(command.id, attempt)

    async def _plan(self, payout: Payout, number: int) -> AttemptPlan:
        decision = await self._decisions.retry_of(payout.id, number)
        _require_next(payout, number, decision)
        receiver = decision.receiver if decision else None
        if receiver is None:
            receiver = await self._receiver(payout, is_decided=decision is not None)
        provider = decision.provider if decision else None
        return AttemptPlan(receiver, provider or self._provider, decision)

    async def _receiver(self, payout: Payout, *, is_decided: bool) -> str:
        account = await self._accounts.account_of(payout.creator)
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

    async def _lease(self, command: SendPayout, plan: AttemptPlan | None) -> Attempt | None:
        """Commits the attempt with a lease for this call; None when there is nothing to send."""
        now = self._clock()
        async with self._payouts.transaction():
            payout = require_payout(await self._payouts.lock(command.id), command.id)
            attempt = payout.attempt(command.attempt)
            if attempt is not None and attempt.state not in SENDABLE:
                return None
            if payout.is_held:
                raise _on_hold(payout.id)
            require_not_halted(await self._halts.halts())
            if attempt is None:
                attempt = await self._begin(payout, command.attempt, plan, now)
            lease = attempts.lease(attempt, now)
            if lease is None:
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "Another call is sending this attempt now"
                )
            if attempts.is_too_old_to_repeat(lease, now):
                lease = replace(attempts.stopped(lease, "TOO_OLD_TO_REPEAT"), lease_end_time=None)
                log.error("payout_blocked", payout=payout.id, reason=lease.error_code)
                metrics.blocked()
            await self._payouts.save_attempt(payout.id, lease, now)
        return lease if lease.state in SENDABLE else None

    async def _begin(
        self, payout: Payout, number: int, plan: AttemptPlan | None, now: datetime
    ) -> Attempt:
        decision = await self._decisions.retry_of(payout.id, number)
        _require_next(payout, number, decision)
        if plan is None or decision != plan.decision:
            raise Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "An operator has just decided about this attempt"
            )
        attempt = new_attempt(payout, plan.receiver, now, plan.provider)
        await self._payouts.add_attempt(payout.id, attempt)
        return attempt

    async def _send(self, payout_id: str, attempt: Attempt) -> Payout:
        refusal = Refusal()

        async def may_post() -> bool:
            return await self._may_post(payout_id, attempt, refusal)

        try:
            batch_id = await self._providers[attempt.provider].send(attempt.order, may_post)
        except AlreadyTaken as error:
            return await self._adopt(payout_id, attempt, error.batch_id)
        except Rejected as error:
            return await self._record_rejected(payout_id, attempt, error.code)
        except NothingTaken as error:
            raise await self._record_not_taken(payout_id, attempt, error.code, refusal) from error
        except OutcomeUnknown as error:
            return await self._record_unknown(payout_id, attempt, error.code)
        return await self._record(payout_id, attempt, lambda a: attempts.accepted(a, batch_id))

    async def _may_post(self, payout_id: str, attempt: Attempt, refusal: Refusal) -> bool:
        """Whether to POST now; notes a halt or a hold in `refusal`."""
        current = await self._payouts.get_attempt(payout_id, attempt.number)
        if not attempts.may_post(current, attempt.fence, self._clock()):
            return False
        refusal.halts = await self._halts.halts()
        refusal.is_held = await self._decisions.is_held(payout_id)
        return not refusal.halts and not refusal.is_held

    async def _record_rejected(self, payout_id: str, attempt: Attempt, code: str) -> Payout:
        log.error("payout_rejected", payout=payout_id, code=code)
        metrics.rejected()
        payout = await self._record(payout_id, attempt, lambda a: attempts.rejected(a, code))
        _require_known(payout, attempt.number)
        return payout

    async def _record_not_taken(
        self, payout_id: str, attempt: Attempt, code: str, refusal: Refusal
    ) -> FailedPrecondition | Unavailable:
        """Records why no money has left, and returns the error for the caller.

        Raises:
            Unavailable: payouts are halted.
        """
        if refusal.halts or refusal.is_held:
            reason = Reason.PAYOUTS_HALTED if refusal.halts else Reason.PAYOUT_ON_HOLD
            await self._record(payout_id, attempt, lambda a: attempts.not_taken(a, reason))
            require_not_halted(refusal.halts)
            return _on_hold(payout_id)
        if code == FENCE_LOST:
            # Nothing is recorded: another sender holds the lease.
            return Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE, "The attempt was taken over before it was sent"
            )
        log.error("payout_deferred", payout=payout_id, code=code)
        metrics.deferred()
        await self._record(payout_id, attempt, lambda a: attempts.not_taken(a, code))
        return Unavailable(
            Reason.DEPENDENCY_UNAVAILABLE, f"The provider does not take payments now: {code}"
        )

    async def _adopt(self, payout_id: str, attempt: Attempt, batch_id: str | None) -> Payout:
        """The id is taken: by our own earlier POST, if its batch is the payment we ordered."""
        if batch_id is None:
            log.error("payout_blocked", payout=payout_id, reason="DUPLICATE_WITHOUT_LINK")
            metrics.blocked()
            return await self._record(
                payout_id, attempt, lambda a: attempts.stopped(a, "DUPLICATE_WITHOUT_LINK")
            )
        try:
            batch = await self._providers[attempt.provider].batch(batch_id)
        except NotReadable as error:
            return await self._record_unknown(payout_id, attempt, error.code)
        result = await self._synchronizer.apply(
            payout_id, attempt.number, lambda current: attempts.status_change(current, batch)
        )
        payout = result.payout
        if payout.attempts[attempt.number - 1].state not in SENDABLE:
            return payout
        # A denied batch has freed the id: it is sent again.
        return await self._record_unknown(payout_id, attempt, "DUPLICATE_DENIED")

    async def _record_unknown(self, payout_id: str, attempt: Attempt, code: str) -> Payout:
        log.warning("payout_outcome_unknown", payout=payout_id, code=code)
        payout = await self._record(payout_id, attempt, lambda a: attempts.in_doubt(a, code))
        _require_known(payout, attempt.number)
        return payout

    async def _record(
        self, payout_id: str, sent: Attempt, change: Callable[[Attempt], Attempt]
    ) -> Payout:
        """Records the outcome of a POST and ends the sender's lease, unless a sync has already
        recorded the provider's status."""
        now = self._clock()
        async with self._payouts.transaction():
            payout = require_payout(await self._payouts.lock(payout_id), payout_id)
            attempt = payout.attempts[sent.number - 1]
            changed = change(attempt)
            if attempt.fence == sent.fence:
                changed = replace(changed, lease_end_time=None)
            if attempt.state in SENDABLE:
                await self._payouts.save_attempt(payout_id, changed, now)
            elif changed.provider_batch_id != attempt.provider_batch_id:
                # Two batches for one attempt: the provider broke its guarantee for the id.
                log.critical(
                    "payout_sent_twice",
                    payout=payout_id,
                    batches=[attempt.provider_batch_id, changed.provider_batch_id],
                )
            return require_payout(await self._payouts.get(payout_id), payout_id)


def _on_hold(payout_id: str) -> FailedPrecondition:
    return FailedPrecondition(
        Reason.PAYOUT_ON_HOLD, f"An operator keeps payouts/{payout_id} from being sent"
    )


def _require_next(payout: Payout, number: int, decision: Decision | None) -> None:
    """A new attempt must be the first one, or follow one that failed."""
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
            Reason.OUTCOME_UNKNOWN, "The outcome of the attempt is not known yet: send it again"
        )
