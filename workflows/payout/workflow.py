"""The payout workflow: sends attempts until the creator has the money.

The payouts service owns the money and knows its state; the workflow decides when to send, when to
poll, when to recall unclaimed money, and when to retry. An attempt that takes too long is escalated
to operators, and its money stays reserved.
"""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Never, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from servicekit.errors import Reason
    from workflows.payout import rules
    from workflows.payout.activity_interface import PayoutActivityInterface
    from workflows.payout.model import (
        CLOSED,
        ENDED,
        PAYOUT_REPORTED,
        TO_BE_SENT,
        WAITING,
        PayoutChanged,
        PayoutReport,
        PayoutResult,
        PayoutTerms,
        RecallPayout,
        SendPayout,
        State,
    )
    from workflows.payout.ui_details import describe
    from workflows.temporal.failures import is_caused_by, is_out_of_time
    from workflows.temporal.signals import signal
    from workflows.temporal.tracing import current_trace, in_trace

R = TypeVar("R")

# A call of the service includes one to the provider, whose timeout is shorter.
_CALL_SECONDS = timedelta(seconds=30)
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5))
# Webhooks usually come first; polling finds the outcome without them.
_FIRST_POLL = timedelta(seconds=10)
_LONGEST_POLL = timedelta(hours=6)
# Refusals that end once the creator names an account.
_NO_ACCOUNT_REASONS = (Reason.PAYOUT_ACCOUNT_MISSING, Reason.PAYOUT_NOT_CLAIMED)


@workflow.defn(name="Payout")
class PayoutWorkflow:
    @workflow.init
    def __init__(self, terms: PayoutTerms) -> None:
        self._progress = rules.begin(terms, workflow.now())
        # A mediator may lower it. `_reserved_minor` is None until the reward is reserved.
        self._amount_minor = terms.amount_minor
        self._reserved_minor = terms.reserved_minor
        self._is_held = terms.is_held
        # A restarted payout sends at once.
        self._retry_requested = terms.is_restarted
        self._funds_are_short = False
        # The service accepts no further attempt by itself: the money was sent and came back.
        self._waits_for_operator = False
        # The service may have begun the attempt, so that a hold comes too late.
        self._may_have_begun = False

    @property
    def _state(self) -> State:
        return self._progress.state

    @workflow.run
    async def run(self, terms: PayoutTerms) -> PayoutResult:
        if terms.is_restarted:
            await self._continue_from_status(terms)
        await self._reserve_reward(terms)
        while self._state not in ENDED:
            self._describe(terms)
            if workflow.info().is_continue_as_new_suggested() and self._is_at_rest:
                await self._continue_as_new(terms)
            if self._state in TO_BE_SENT:
                await self._wait_to_send(terms)
                await self._reserve_reward(terms)
                if self._state in TO_BE_SENT:  # otherwise a webhook reported a change
                    self._begin_attempt()
            elif self._state is State.SENDING:
                # Only the first attempt belongs to the trace of the approval.
                with in_trace(current_trace() if self._progress.attempt == 1 else None):
                    await self._send(terms)
            else:
                with in_trace(None):
                    await self._poll(terms)
        if self._state is State.RELEASED and terms.reserved_minor is None:
            await self._release(terms)
        self._describe(terms)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return PayoutResult(self._state)

    @workflow.signal
    def payout_changed(self, change: PayoutChanged) -> None:
        """The service posted a change after a webhook or an operator's decision."""
        self._progress.apply(change, workflow.now())
        self._clear_requests()

    @workflow.signal
    def set_hold(self, is_held: bool) -> None:
        self._is_held = is_held

    @workflow.signal
    def reduce_amount(self, amount_minor: int) -> None:
        """A mediator lowered a reward that is not sent yet."""
        self._amount_minor = amount_minor

    @workflow.signal
    def retry(self) -> None:
        """Somebody decided that it is paid now: do not wait for the interval, for the creator to
        claim it, or for the hour in which the brand's funds are looked at again. Where nothing
        waits, nothing is to be done."""
        if self._state in (State.FAILED, State.UNCLAIMED) or self._funds_are_short:
            self._retry_requested = True

    async def _continue_from_status(self, terms: PayoutTerms) -> None:
        """Continues from the recorded status; signals received meanwhile are newer."""
        found = await workflow.execute_activity_method(
            PayoutActivityInterface.get_payout_status,
            terms.payout_id,
            summary="Find what was sent before",
            start_to_close_timeout=_CALL_SECONDS,
            retry_policy=_RETRY,
        )
        self._reserved_minor = found.amount_minor
        if found.amount_minor is not None:
            self._amount_minor = min(self._amount_minor, found.amount_minor)
        if self._state is State.FAILED:
            self._progress.attempt = found.attempt
            self._may_have_begun = found.state is State.SENDING
            self._move(found.state)

    async def _reserve_reward(self, terms: PayoutTerms) -> None:
        """Makes or lowers the reservation; waits while the brand's funds are short."""
        while self._reserved_minor != self._amount_minor and self._state in TO_BE_SENT:
            wanted = self._current_terms(terms)
            try:
                await workflow.execute_activity_method(
                    PayoutActivityInterface.reserve_reward,
                    wanted,
                    summary="Set the reward aside",
                    start_to_close_timeout=_CALL_SECONDS,
                    retry_policy=_RETRY,
                )
            except ActivityError as error:
                if not is_caused_by(error, Reason.INSUFFICIENT_FUNDS):
                    raise
                await self._wait_for_funds(terms)
            else:
                self._reserved_minor = wanted.amount_minor

    async def _wait_for_funds(self, terms: PayoutTerms) -> None:
        workflow.set_current_details(
            f"**The brand must deposit funds**\n\n`brands/{terms.brand_id}` cannot cover"
            " the reward; it is tried again every hour."
        )
        self._funds_are_short, asked_minor = True, self._amount_minor
        with contextlib.suppress(TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    self._retry_requested
                    or self._state not in TO_BE_SENT
                    or self._amount_minor != asked_minor
                ),
                timeout=timedelta(hours=1),
                timeout_summary="Wait for the brand's funds",
            )
        self._retry_requested = self._funds_are_short = False

    async def _release(self, terms: PayoutTerms) -> None:
        """Releases a reservation that a mediator revoked while it was being made."""
        if self._reserved_minor is not None:
            await workflow.execute_activity_method(
                PayoutActivityInterface.release_reward,
                terms.payout_id,
                start_to_close_timeout=_CALL_SECONDS,
                retry_policy=_RETRY,
                summary="Give the reward back to the brand",
            )

    def _current_terms(self, terms: PayoutTerms) -> PayoutTerms:
        return replace(terms, amount_minor=self._amount_minor, reserved_minor=self._reserved_minor)

    async def _wait_to_send(self, terms: PayoutTerms) -> None:
        """The first attempt at once; later ones after the retry interval or on request."""
        if self._state is State.FAILED and not self._retry_requested:
            await self._report(PayoutReport(State.FAILED))
            until = terms.retry_interval.after(workflow.now())
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._retry_requested or self._state is not State.FAILED,
                    timeout=None if self._waits_for_operator else until - workflow.now(),
                    timeout_summary="Next attempt",
                )
        await workflow.wait_condition(lambda: not self._is_held or self._state not in TO_BE_SENT)

    def _begin_attempt(self) -> None:
        self._progress.attempt += 1
        self._may_have_begun = False
        # A webhook received during the call is newer than the call's answer.
        self._move(State.SENDING)

    async def _send(self, terms: PayoutTerms) -> None:
        """Sends the attempt; ends when its outcome is known, or when a hold comes first."""
        sending = workflow.start_activity_method(
            PayoutActivityInterface.send_payout,
            SendPayout(terms.payout_id, self._progress.attempt),
            summary=f"Attempt {self._progress.attempt}",
            start_to_close_timeout=_CALL_SECONDS,
            schedule_to_close_timeout=self._escalation_timeout(terms),
            retry_policy=_RETRY,
        )
        await workflow.wait_condition(
            lambda: (
                sending.done()
                or self._state in CLOSED
                or (self._is_held and not self._may_have_begun)
            )
        )
        if not sending.done():
            sending.cancel()
        try:
            answer = await sending
        except ActivityError as error:
            await self._handle_send_error(terms, error)
        else:
            if self._state is State.SENDING:
                self._move(answer)

    async def _handle_send_error(self, terms: PayoutTerms, error: ActivityError) -> None:
        """The call was refused, cancelled by a hold, or not answered; a webhook may be newer."""
        if self._state is not State.SENDING:
            return
        if is_out_of_time(error):
            await self._report(PayoutReport(State.SENDING, is_escalated=True))
            return
        is_held_back, is_illegal = (
            is_cancelled_exception(error),
            is_caused_by(error, Reason.ILLEGAL_STATE),
        )
        has_no_account = any(is_caused_by(error, reason) for reason in _NO_ACCOUNT_REASONS)
        answer = State.FAILED if has_no_account else await self._refresh(terms)
        if answer is None or self._state is not State.SENDING:
            return
        self._may_have_begun = answer is State.SENDING
        if is_illegal or answer in TO_BE_SENT:
            # The service did not make this attempt, so its number is used again.
            self._progress.attempt -= 1
        if answer in TO_BE_SENT:
            self._waits_for_operator = is_illegal
            self._retry_requested = is_held_back
            answer = answer if is_held_back else State.FAILED
        self._move(answer)

    async def _poll(self, terms: PayoutTerms) -> None:
        """Polls the provider at growing intervals until the state changes; earlier where a recall
        or an escalation is due."""
        seen, wait = self._state, _FIRST_POLL
        await self._report_state(terms)
        while self._state is seen:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._state is not seen or self._recall_requested,
                    timeout=self._next_wait(terms, wait),
                    timeout_summary="Ask the provider",
                )
            if self._state is seen:
                await self._poll_once(terms)
            wait = min(2 * wait, _LONGEST_POLL)
            if workflow.info().is_continue_as_new_suggested():
                break

    async def _report_state(self, terms: PayoutTerms) -> None:
        if self._state is State.UNCLAIMED:
            recall_time = rules.recall_time(terms, self._progress)
            await self._report(PayoutReport(State.UNCLAIMED, recall_time))
        elif self._state is State.BLOCKED:
            await self._report(PayoutReport(State.BLOCKED, is_escalated=True))

    async def _poll_once(self, terms: PayoutTerms) -> None:
        """Asks for the status, or recalls money that has been unclaimed for too long."""
        seen = self._state
        if seen is State.SENT:
            await self._report(PayoutReport(State.SENT))
        due_time = rules.due_time(terms, self._progress)
        is_due = due_time is not None and due_time <= workflow.now()
        is_recall = self._recall_requested or (seen is State.UNCLAIMED and is_due)
        answer = await (self._recall(terms) if is_recall else self._refresh(terms))
        if self._state is seen and answer is not None:
            self._move(answer)
        if is_recall:
            # The next attempt starts at once.
            self._retry_requested = self._state is State.FAILED
        if self._state is seen and is_due:
            await self._report(PayoutReport(seen, is_escalated=True))
            self._describe(terms)

    @property
    def _recall_requested(self) -> bool:
        return self._state is State.UNCLAIMED and self._retry_requested

    async def _refresh(self, terms: PayoutTerms) -> State | None:
        """The state of the money; None if it cannot be found out now."""
        return await self._call(
            PayoutActivityInterface.refresh_payout,
            terms.payout_id,
            "Ask the provider",
            _LONGEST_POLL,
        )

    async def _recall(self, terms: PayoutTerms) -> State | None:
        order = RecallPayout(terms.payout_id, self._progress.attempt)
        return await self._call(
            PayoutActivityInterface.recall_payout,
            order,
            "Take it back",
            self._escalation_timeout(terms),
        )

    async def _call(
        self,
        activity: Callable[[PayoutActivityInterface, R], Awaitable[State]],
        request: R,
        summary: str,
        give_up_after: timedelta,
    ) -> State | None:
        try:
            answer = await workflow.execute_activity_method(
                activity,
                request,
                summary=summary,
                start_to_close_timeout=_CALL_SECONDS,
                schedule_to_close_timeout=give_up_after,
                retry_policy=_RETRY,
            )
        except ActivityError as error:
            if not is_out_of_time(error):
                raise
            return None
        return answer

    def _escalation_timeout(self, terms: PayoutTerms) -> timedelta:
        """How long a call is retried before it is escalated; then it is called again."""
        return terms.escalation_window.after(workflow.now()) - workflow.now()

    def _next_wait(self, terms: PayoutTerms, wait: timedelta) -> timedelta:
        due_time, now = rules.due_time(terms, self._progress), workflow.now()
        return min(wait, due_time - now) if due_time is not None and due_time > now else wait

    async def _report(self, report: PayoutReport) -> None:
        """Sends the assignment each report once per attempt."""
        parent = workflow.info().parent
        if self._progress.is_new_report(report) and parent is not None:
            assignment = workflow.get_external_workflow_handle(parent.workflow_id)
            await signal(assignment, PAYOUT_REPORTED, report)

    def _move(self, to: State) -> None:
        self._progress.move(to, workflow.now())
        self._clear_requests()

    def _clear_requests(self) -> None:
        """Clears the retry request, or a returned payment would be sent again at once. It is kept
        while a dispute holds the payout."""
        if self._state not in WAITING:
            self._retry_requested = self._waits_for_operator = False

    @property
    def _is_at_rest(self) -> bool:
        """Whether no requested action is outstanding."""
        return (
            self._state is not State.SENDING
            and not self._retry_requested
            and not self._waits_for_operator
        )

    async def _continue_as_new(self, terms: PayoutTerms) -> Never:
        """Starts a new run before the history grows too long: polling may last months."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            replace(
                self._current_terms(terms),
                is_held=self._is_held,
                is_restarted=False,
                progress=self._progress,
            )
        )

    def _describe(self, terms: PayoutTerms) -> None:
        workflow.set_current_details(describe(terms, self._progress, is_held=self._is_held))
