"""The reconciliation workflow: compares every provider with the ledger.

A provider that cannot be read is retried until it can, and does not delay the others.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    from workflows.reconciliation.activity_interface import ReconciliationActivityInterface
    from workflows.reconciliation.model import (
        Reconciled,
        ReconciliationResult,
        ReconciliationTerms,
        request_of,
    )
    from workflows.reconciliation.ui_details import describe

# Longer than the call's own deadline.
_CALL_SECONDS = timedelta(minutes=15)
_RETRY = RetryPolicy(initial_interval=timedelta(seconds=30), maximum_interval=timedelta(minutes=15))


@workflow.defn(name="Reconciliation")
class ReconciliationWorkflow:
    @workflow.init
    def __init__(self, terms: ReconciliationTerms) -> None:
        self._waiting = list(terms.providers)
        self._done: list[Reconciled] = []

    @workflow.run
    async def run(self, terms: ReconciliationTerms) -> ReconciliationResult:
        self._describe()
        await asyncio.gather(*map(self._reconcile, terms.providers))
        return ReconciliationResult(self._done)

    async def _reconcile(self, provider: str) -> None:
        done = await workflow.execute_activity_method(
            ReconciliationActivityInterface.reconcile_provider,
            request_of(workflow.info().run_id, provider),
            summary=f"Compare with {provider}",
            start_to_close_timeout=_CALL_SECONDS,
            retry_policy=_RETRY,
        )
        self._waiting.remove(provider)
        self._done.append(done)
        self._describe()

    def _describe(self) -> None:
        workflow.set_current_details(describe(self._done, self._waiting))
