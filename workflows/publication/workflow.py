"""The workflows of one publication: the way to its readers, and the way back.

The media service owns what readers see; which of result and withdrawal came first is decided by
its row alone. So a withdrawal needs no word to the delivery: an attempt under way takes back what
arrives too late, and the next one is told that there is nothing to deliver.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from workflows.notices import Batch, Notice
    from workflows.publication.activity_interface import PublicationActivityInterface
    from workflows.publication.model import (
        PublicationResult,
        PublicationTerms,
        State,
        WithdrawalTerms,
    )
    from workflows.publication.ui_details import describe, describe_withdrawal
    from workflows.temporal.search_attributes import STATE

# What operators filter by in the UI beside the service's own states.
_OVERDUE = "OVERDUE"

# The media of a large article are laid out over several attempts: each goes on where the one before
# was cut off.
_ATTEMPT_TIMEOUT = timedelta(seconds=30)
# An outage delays, it never fails: tried for ever. No longer apart than a minute, since what came
# back is to be used at once, and a withdrawal is noticed by an attempt.
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=1), maximum_interval=timedelta(minutes=1))


@workflow.defn(name="Publication")
class PublicationWorkflow:
    @workflow.init
    def __init__(self, terms: PublicationTerms) -> None:
        self._terms = terms
        self._state = State.PENDING
        self._is_late = False

    @workflow.run
    async def run(self, terms: PublicationTerms) -> PublicationResult:
        self._describe()
        delivery = asyncio.create_task(self._deliver())
        if not await self._arrives_by_then(delivery):
            await self._mark_overdue()
        await delivery
        return PublicationResult(self._state, self._is_late)

    async def _arrives_by_then(self, delivery: "asyncio.Task[None]") -> bool:
        """Whether the promise was kept (R99)."""
        left = self._terms.due_time - workflow.now()
        try:
            await workflow.wait_condition(
                lambda: delivery.done() or self._state is not State.PENDING,
                timeout=max(left, timedelta()),
                timeout_summary="Promised until then",
            )
        except TimeoutError:
            return False
        return True

    async def _deliver(self) -> None:
        result = await workflow.execute_activity_method(
            PublicationActivityInterface.deliver_publication,
            self._terms,
            summary=f"Bring it to its readers: {self._terms.channel}",
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
        )
        self._state = result.state
        self._describe()
        workflow.upsert_search_attributes([STATE.value_set(result.state)])
        await _send_later(result.pending)

    async def _mark_overdue(self) -> None:
        self._is_late = True
        workflow.upsert_search_attributes([STATE.value_set(_OVERDUE)])
        self._describe()
        result = await workflow.execute_activity_method(
            PublicationActivityInterface.mark_publication_overdue,
            self._terms,
            summary="It is late",
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
        )
        await _send_later(result.pending)

    def _describe(self) -> None:
        workflow.set_current_details(describe(self._terms, self._state, is_late=self._is_late))


@workflow.defn(name="Withdrawal")
class WithdrawalWorkflow:
    @workflow.run
    async def run(self, terms: WithdrawalTerms) -> None:
        """What was withdrawn is gone for readers, and those whom it concerns are told."""
        workflow.set_current_details(describe_withdrawal(terms, is_done=False))
        result = await workflow.execute_activity_method(
            PublicationActivityInterface.remove_publication,
            terms,
            summary="Take it back",
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
        )
        workflow.set_current_details(describe_withdrawal(terms, is_done=True))
        await _send_later(result.pending)


async def _send_later(notices: list[Notice]) -> None:
    """Notifications were away."""
    if notices:
        await workflow.execute_activity_method(
            PublicationActivityInterface.send_publication_notices,
            Batch(notices),
            summary=f"{len(notices)} notices that could not be sent before",
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
        )
