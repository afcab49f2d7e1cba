"""The workflows of one publication: delivery to its channel, and withdrawal.

The media service owns what readers see; its row alone decides whether delivery or withdrawal came
first. So a withdrawal does not signal the delivery: a running attempt removes what it delivered too
late, and the next attempt finds nothing to deliver.
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

# Value of the state search attribute of a late publication, beside the service's states.
_OVERDUE = "OVERDUE"

# A large article takes several attempts: each continues where the one before was cut off.
_ATTEMPT_TIMEOUT = timedelta(seconds=30)
# Retried for ever: an outage delays a publication and never fails it. At most a minute apart, since
# a withdrawal is noticed by the next attempt.
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
        if not await self._is_delivered_in_time(delivery):
            await self._mark_overdue()
        await delivery
        return PublicationResult(self._state, self._is_late)

    async def _is_delivered_in_time(self, delivery: "asyncio.Task[None]") -> bool:
        """Whether it is delivered before its due time (R99)."""
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
        """Removes a withdrawn publication from its channel, and sends the notices."""
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
    """Sends notices that could not be sent before."""
    if notices:
        await workflow.execute_activity_method(
            PublicationActivityInterface.send_publication_notices,
            Batch(notices),
            summary=f"{len(notices)} notices that could not be sent before",
            start_to_close_timeout=_ATTEMPT_TIMEOUT,
            retry_policy=_RETRY,
        )
