"""The workflow of one payout: sends attempt after attempt until the creator has the money.

The payouts service owns the money and says where it is; the workflow decides when to send, when to
look, when to take back what nobody claims, and when to try again. What is under way for too long is
brought before an operator, and stays reserved."""

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

# A call of the service includes one to the provider, whose own time-out is shorter.
_CALL_SECONDS = timedelta(seconds=30)
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=5))
# Webhooks usually tell first; without any, looking converges all the same.
_FIRST_LOOK = timedelta(seconds=10)
_LONGEST_LOOK = timedelta(hours=6)
# Refusals that the creator can end, by naming an account.
_WITHOUT_ACCOUNT = (Reason.PAYOUT_ACCOUNT_MISSING, Reason.PAYOUT_NOT_CLAIMED)


@workflow.defn(name="Payout")
class PayoutWorkflow:
    @workflow.init
    def __init__(self, terms: PayoutTerms) -> None:
        self._progress = rules.begin(terms, workflow.now())
        # A mediator may lower it; `_reserved_minor` is what is reserved, None before it is.
        self._amount_minor = terms.amount_minor
        self._reserved_minor = terms.reserved_minor
        self._is_held = terms.is_held
        # Who starts a payout anew wants it paid.
        self._retry_is_wanted = terms.is_restarted
        self._funds_are_short = False
        # The service takes no further attempt by itself: the money had left and came back.
        self._is_stopped = False
        # The service may have begun the attempt: it cannot be held back any more.
        self._is_begun = False

    @property
    def _state(self) -> State:
        return self._progress.state

    @workflow.run
    async def run(self, terms: PayoutTerms) -> PayoutResult:
        if terms.is_restarted:
            await self._find(terms)
        await self._reserve_reward(terms)
        while self._state not in ENDED:
            self._describe(terms)
            if workflow.info().is_continue_as_new_suggested() and self._is_at_rest:
                await self._go_on_in_another_run(terms)
            if self._state in TO_BE_SENT:
                await self._wait_to_send(terms)
                await self._reserve_reward(terms)
                if self._state in TO_BE_SENT:  # else a webhook told that the money has moved
                    self._begin_attempt()
            elif self._state is State.SENDING:
                # The first attempt belongs to the trace of the approval; what follows does not.
                with in_trace(current_trace() if self._progress.attempt == 1 else None):
                    await self._send(terms)
            else:
                with in_trace(None):
                    await self._look(terms)
        if self._state is State.RELEASED and terms.reserved_minor is None:
            await self._release(terms)
        self._describe(terms)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return PayoutResult(self._state)

    @workflow.signal
    def payout_changed(self, change: PayoutChanged) -> None:
        """The service booked what a webhook pointed at, or what an operator decided."""
        self._progress.apply(change, workflow.now())
        self._forget_what_is_over()

    @workflow.signal
    def set_hold(self, is_held: bool) -> None:
        self._is_held = is_held

    @workflow.signal
    def reduce_amount(self, amount_minor: int) -> None:
        """A mediator has lowered what is not sent yet."""
        self._amount_minor = amount_minor

    @workflow.signal
    def retry(self) -> None:
        """Somebody decided that it is paid now: do not wait for the interval, for the creator to
        claim it, or for the hour in which the brand's funds are looked at again. Where nothing
        waits, nothing is to be done."""
        if self._state in (State.FAILED, State.UNCLAIMED) or self._funds_are_short:
            self._retry_is_wanted = True

    async def _find(self, terms: PayoutTerms) -> None:
        """Goes on from where another workflow came to; what was told meanwhile is newer."""
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
            self._is_begun = found.state is State.SENDING
            self._move(found.state)

    async def _reserve_reward(self, terms: PayoutTerms) -> None:
        """Waits for as long as the brand's funds are short."""
        while self._reserved_minor != self._amount_minor and self._state in TO_BE_SENT:
            wanted = self._terms_now(terms)
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
                    self._retry_is_wanted
                    or self._state not in TO_BE_SENT
                    or self._amount_minor != asked_minor
                ),
                timeout=timedelta(hours=1),
                timeout_summary="Wait for the brand's funds",
            )
        self._retry_is_wanted = self._funds_are_short = False

    async def _release(self, terms: PayoutTerms) -> None:
        """What a mediator took back while it was being set aside."""
        if self._reserved_minor is not None:
            await workflow.execute_activity_method(
                PayoutActivityInterface.release_reward,
                terms.payout_id,
                start_to_close_timeout=_CALL_SECONDS,
                retry_policy=_RETRY,
                summary="Give the reward back to the brand",
            )

    def _terms_now(self, terms: PayoutTerms) -> PayoutTerms:
        return replace(terms, amount_minor=self._amount_minor, reserved_minor=self._reserved_minor)

    async def _wait_to_send(self, terms: PayoutTerms) -> None:
        """The first attempt at once; another after the retry interval or when it is wanted."""
        if self._state is State.FAILED and not self._retry_is_wanted:
            await self._report(PayoutReport(State.FAILED))
            until = terms.retry_interval.after(workflow.now())
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._retry_is_wanted or self._state is not State.FAILED,
                    timeout=None if self._is_stopped else until - workflow.now(),
                    timeout_summary="Next attempt",
                )
        await workflow.wait_condition(lambda: not self._is_held or self._state not in TO_BE_SENT)

    def _begin_attempt(self) -> None:
        self._progress.attempt += 1
        self._is_begun = False
        # What a webhook tells while the call is under way is newer than the call's answer.
        self._move(State.SENDING)

    async def _send(self, terms: PayoutTerms) -> None:
        """Until it is known what became of the attempt; or until a hold comes before it."""
        sending = workflow.start_activity_method(
            PayoutActivityInterface.send_payout,
            SendPayout(terms.payout_id, self._progress.attempt),
            summary=f"Attempt {self._progress.attempt}",
            start_to_close_timeout=_CALL_SECONDS,
            schedule_to_close_timeout=self._patience(terms),
            retry_policy=_RETRY,
        )
        await workflow.wait_condition(
            lambda: (
                sending.done() or self._state in CLOSED or (self._is_held and not self._is_begun)
            )
        )
        if not sending.done():
            sending.cancel()
        try:
            answer = await sending
        except ActivityError as error:
            await self._have_not_sent(terms, error)
        else:
            if self._state is State.SENDING:
                self._move(answer)

    async def _have_not_sent(self, terms: PayoutTerms, error: ActivityError) -> None:
        """The call was refused, held back or never answered; a webhook may know more than it."""
        if self._state is not State.SENDING:
            return
        if is_out_of_time(error):
            await self._report(PayoutReport(State.SENDING, is_escalated=True))
            return
        is_held_back, is_illegal = (
            is_cancelled_exception(error),
            is_caused_by(error, Reason.ILLEGAL_STATE),
        )
        has_no_account = any(is_caused_by(error, reason) for reason in _WITHOUT_ACCOUNT)
        answer = State.FAILED if has_no_account else await self._ask(terms)
        if answer is None or self._state is not State.SENDING:
            return
        self._is_begun = answer is State.SENDING
        if is_illegal or answer in TO_BE_SENT:
            # The service did not make this attempt: it can still be made.
            self._progress.attempt -= 1
        if answer in TO_BE_SENT:
            self._is_stopped = is_illegal
            self._retry_is_wanted = is_held_back
            answer = answer if is_held_back else State.FAILED
        self._move(answer)

    async def _look(self, terms: PayoutTerms) -> None:
        """Waits for news, asking the provider after ever longer waits, and earlier where it is
        time to do more than that."""
        seen, wait = self._state, _FIRST_LOOK
        await self._report_at_once(terms)
        while self._state is seen:
            with contextlib.suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._state is not seen or self._is_recall_wanted,
                    timeout=self._until_something_is_due(terms, wait),
                    timeout_summary="Ask the provider",
                )
            if self._state is seen:
                await self._find_out(terms)
            wait = min(2 * wait, _LONGEST_LOOK)
            if workflow.info().is_continue_as_new_suggested():
                break

    async def _report_at_once(self, terms: PayoutTerms) -> None:
        if self._state is State.UNCLAIMED:
            recall_time = rules.recall_time(terms, self._progress)
            await self._report(PayoutReport(State.UNCLAIMED, recall_time))
        elif self._state is State.BLOCKED:
            await self._report(PayoutReport(State.BLOCKED, is_escalated=True))

    async def _find_out(self, terms: PayoutTerms) -> None:
        """Asks what became of the attempt, or takes back what has been unclaimed for too long."""
        seen = self._state
        if seen is State.SENT:
            await self._report(PayoutReport(State.SENT))
        due_time = rules.due_time(terms, self._progress)
        is_due = due_time is not None and due_time <= workflow.now()
        is_recall = self._is_recall_wanted or (seen is State.UNCLAIMED and is_due)
        answer = await (self._recall(terms) if is_recall else self._ask(terms))
        if self._state is seen and answer is not None:
            self._move(answer)
        if is_recall:
            # The next attempt begins at once.
            self._retry_is_wanted = self._state is State.FAILED
        if self._state is seen and is_due:
            await self._report(PayoutReport(seen, is_escalated=True))
            self._describe(terms)

    @property
    def _is_recall_wanted(self) -> bool:
        return self._state is State.UNCLAIMED and self._retry_is_wanted

    async def _ask(self, terms: PayoutTerms) -> State | None:
        """Where the money is, or None: nobody can say for now."""
        return await self._call(
            PayoutActivityInterface.refresh_payout,
            terms.payout_id,
            "Ask the provider",
            _LONGEST_LOOK,
        )

    async def _recall(self, terms: PayoutTerms) -> State | None:
        order = RecallPayout(terms.payout_id, self._progress.attempt)
        return await self._call(
            PayoutActivityInterface.recall_payout, order, "Take it back", self._patience(terms)
        )

    async def _call(
        self,
        activity: Callable[[PayoutActivityInterface, R], Awaitable[State]],
        request: R,
        summary: str,
        patience: timedelta,
    ) -> State | None:
        try:
            answer = await workflow.execute_activity_method(
                activity,
                request,
                summary=summary,
                start_to_close_timeout=_CALL_SECONDS,
                schedule_to_close_timeout=patience,
                retry_policy=_RETRY,
            )
        except ActivityError as error:
            if not is_out_of_time(error):
                raise
            return None
        return answer

    def _patience(self, terms: PayoutTerms) -> timedelta:
        """How long a call is repeated before operators are told; then it is called again."""
        return terms.escalation_window.after(workflow.now()) - workflow.now()

    def _until_something_is_due(self, terms: PayoutTerms, wait: timedelta) -> timedelta:
        due_time, now = rules.due_time(terms, self._progress), workflow.now()
        return min(wait, due_time - now) if due_time is not None and due_time > now else wait

    async def _report(self, report: PayoutReport) -> None:
        """Tells the assignment, once an attempt, what it does not learn from the result."""
        parent = workflow.info().parent
        if self._progress.is_new_report(report) and parent is not None:
            assignment = workflow.get_external_workflow_handle(parent.workflow_id)
            await signal(assignment, PAYOUT_REPORTED, report)

    def _move(self, to: State) -> None:
        self._progress.move(to, workflow.now())
        self._forget_what_is_over()

    def _forget_what_is_over(self) -> None:
        """Whoever wanted it paid has what can be done, be it that a dispute held it until then: a
        wish that was kept would pay again what later came back."""
        if self._state not in WAITING:
            self._retry_is_wanted = self._is_stopped = False

    @property
    def _is_at_rest(self) -> bool:
        """Nothing that was decided remains to be done."""
        return (
            self._state is not State.SENDING and not self._retry_is_wanted and not self._is_stopped
        )

    async def _go_on_in_another_run(self, terms: PayoutTerms) -> Never:
        """Before the history is too long: the provider may be asked for months."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            replace(
                self._terms_now(terms),
                is_held=self._is_held,
                is_restarted=False,
                progress=self._progress,
            )
        )

    def _describe(self, terms: PayoutTerms) -> None:
        workflow.set_current_details(describe(terms, self._progress, is_held=self._is_held))
