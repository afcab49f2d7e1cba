"""The workflow of one payout: sends attempt after attempt until the creator has the money.

The payouts service owns the money and says where it is; the workflow decides when to send, when to
look, and when to try again."""

import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from servicekit.errors import Reason
    from workflows.failures import is_caused_by
    from workflows.payout.state import (
        PayoutChanged,
        PayoutReport,
        PayoutResult,
        PayoutTerms,
        SendPayout,
        State,
    )
    from workflows.signals import tell
    from workflows.tracing import current_trace, in_trace

# A call of the service includes one to the provider, whose own time-out is shorter.
_CALL_SECONDS = timedelta(seconds=30)
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5))
# Webhooks usually tell first; without any, looking converges all the same.
_FIRST_LOOK_SECONDS = 10.0
_LONGEST_LOOK_SECONDS = 6 * 3600.0
_TO_BE_SENT = (State.RESERVED, State.FAILED)


@workflow.defn(name="Payout")
class PayoutWorkflow:
    @workflow.init
    def __init__(self, terms: PayoutTerms) -> None:
        self._state = State.RESERVED
        self._attempt = 0
        self._is_held = terms.is_held
        self._retry_is_wanted = False
        self._funds_are_short = False
        # The service takes no further attempt by itself: the money had left and came back.
        self._is_stopped = False
        self._reported = State.RESERVED

    @workflow.run
    async def run(self, terms: PayoutTerms) -> PayoutResult:
        if terms.reserved_minor != terms.amount_minor:
            await self._set_reward_aside(terms)
        while self._state not in (State.PAID, State.RELEASED):
            self._describe(terms)
            if self._state in _TO_BE_SENT:
                await self._wait_to_send(terms)
                if self._state not in _TO_BE_SENT:
                    continue  # a webhook told that the money has moved all the same
                # The first attempt belongs to the trace of the approval; what follows does not.
                with in_trace(current_trace() if self._attempt == 0 else None):
                    await self._send(terms)
            else:
                with in_trace(None):
                    await self._look(terms)
        self._describe(terms)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return PayoutResult(self._state)

    @workflow.signal
    def payout_changed(self, change: PayoutChanged) -> None:
        """The service booked what a webhook pointed at; of an earlier attempt it is no news."""
        if change.attempt >= self._attempt:
            self._state = State(change.state)

    @workflow.signal
    def set_hold(self, is_held: bool) -> None:
        self._is_held = is_held

    @workflow.signal
    def retry(self) -> None:
        """Somebody decided that it is paid now: do not wait for the interval, or for the hour in
        which the brand's funds are looked at again. Where nothing waits, nothing is to be done: a
        wish that was kept would pay again what later came back."""
        self._retry_is_wanted = self._state is State.FAILED or self._funds_are_short

    async def _set_reward_aside(self, terms: PayoutTerms) -> None:
        """Waits for as long as the brand's funds are short."""
        while True:
            try:
                await workflow.execute_activity(
                    "set_reward_aside",
                    terms,
                    summary="Set the reward aside",
                    start_to_close_timeout=_CALL_SECONDS,
                    retry_policy=_RETRY,
                )
            except ActivityError as error:
                if not is_caused_by(error, Reason.INSUFFICIENT_FUNDS):
                    raise
                workflow.set_current_details(
                    f"**The brand must deposit funds**\n\n`brands/{terms.brand_id}` cannot cover"
                    " the reward; it is tried again every hour."
                )
                self._funds_are_short = True
                with contextlib.suppress(TimeoutError):
                    await workflow.wait_condition(
                        lambda: self._retry_is_wanted,
                        timeout=timedelta(hours=1),
                        timeout_summary="Wait for the brand's funds",
                    )
                self._retry_is_wanted = self._funds_are_short = False
            else:
                return

    async def _wait_to_send(self, terms: PayoutTerms) -> None:
        """The first attempt at once; another after the retry interval or when it is wanted."""
        if self._state is State.FAILED:
            await self._report(State.FAILED)
            until = terms.retry_interval.after(workflow.now())
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._retry_is_wanted or self._state is not State.FAILED,
                    timeout=None if self._is_stopped else until - workflow.now(),
                    timeout_summary="Next attempt",
                )
            self._retry_is_wanted = self._is_stopped = False
        await workflow.wait_condition(lambda: not self._is_held or self._state not in _TO_BE_SENT)

    async def _send(self, terms: PayoutTerms) -> None:
        attempts_before = self._attempt
        self._attempt += 1
        self._reported = State.SENDING
        # What a webhook tells while the call is under way is newer than the call's answer.
        self._state = State.SENDING
        try:
            answer = await workflow.execute_activity(
                "send_payout",
                SendPayout(terms.payout_id, self._attempt),
                result_type=State,
                summary=f"Attempt {self._attempt}",
                start_to_close_timeout=_CALL_SECONDS,
                retry_policy=_RETRY,
            )
        except ActivityError as error:
            # The service did not make this attempt, for want of a PayPal account say: it can
            # still be made.
            self._attempt = attempts_before
            self._is_stopped = is_caused_by(error, Reason.ILLEGAL_STATE)
            if self._state is State.SENDING:
                self._state = State.FAILED
            return
        if self._state is State.SENDING:
            self._state = answer

    async def _look(self, terms: PayoutTerms) -> None:
        """Waits for news, looking after ever longer waits."""
        seen, wait_seconds = self._state, _FIRST_LOOK_SECONDS
        while self._state is seen:
            try:
                await workflow.wait_condition(
                    lambda: self._state is not seen,
                    timeout=wait_seconds,
                    timeout_summary="Ask the provider",
                )
            except TimeoutError:
                if self._state is State.SENT:
                    await self._report(State.SENT)
                answer = await workflow.execute_activity(
                    "refresh_payout",
                    terms.payout_id,
                    result_type=State,
                    summary="Ask the provider",
                    start_to_close_timeout=_CALL_SECONDS,
                    retry_policy=_RETRY,
                )
                if self._state is seen:
                    self._state = answer
                wait_seconds = min(2 * wait_seconds, _LONGEST_LOOK_SECONDS)

    async def _report(self, state: State) -> None:
        """Tells the assignment, once an attempt, what it does not learn from the result."""
        parent = workflow.info().parent
        if parent is not None and self._reported is not state:
            self._reported = state
            assignment = workflow.get_external_workflow_handle(parent.workflow_id)
            await tell(assignment, "payout_reported", PayoutReport(state))

    def _describe(self, terms: PayoutTerms) -> None:
        what = {
            State.RESERVED: "The platform must send the reward",
            State.SENDING: "The platform must find out what became of an attempt",
            State.SENT: "The provider must deliver the money",
            State.FAILED: "The creator may have to correct its PayPal account",
            State.PAID: "Paid: nobody must act",
            State.RELEASED: "Released to the brand: nobody must act",
        }[self._state]
        held = "\n\nHeld by a dispute of the brand." if self._is_held else ""
        workflow.set_current_details(
            f"**{what}**{held}\n\n- `payouts/{terms.payout_id}` for `creators/{terms.creator_id}`"
            f"\n- attempt {self._attempt}"
        )
