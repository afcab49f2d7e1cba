"""When reconciliations run: a Temporal Schedule, kept as this release wants it by every worker that
starts. An operator may pause it, or run it now, in the Temporal UI."""

from datetime import timedelta

from temporalio.api.common.v1 import Payload
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from workflows import ids
from workflows.payout.providers import ProviderName
from workflows.reconciliation.model import ReconciliationTerms
from workflows.reconciliation.workflow import ReconciliationWorkflow
from workflows.task_queues import Domain, queue_of

# A run that Temporal could not start in time is started later, up to this long. While one runs,
# others are skipped.
_CATCH_UP = timedelta(hours=12)


def terms() -> ReconciliationTerms:
    """Every provider is reconciled."""
    return ReconciliationTerms([str(name) for name in ProviderName])


async def keep_schedule(client: Client, cron: str) -> None:
    """Creates the schedule or updates it; a paused one stays paused. `cron` is in UTC."""
    # Everything that defines it: a schedule with the same details is left alone, since an update
    # could undo what an operator does at the same moment.
    queue = queue_of(Domain.PAYOUTS)
    providers = ", ".join(terms().providers)
    details = f"At `{cron}` UTC on {queue}; {providers}; caught up within {_CATCH_UP}"
    schedule = Schedule(
        action=ScheduleActionStartWorkflow(
            ReconciliationWorkflow.run,
            terms(),
            id=ids.RECONCILIATION,
            task_queue=queue,
            static_summary="Payouts: the providers' transactions and the ledger",
            static_details=details,
        ),
        spec=ScheduleSpec(cron_expressions=[cron]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )

    async def renewed(present: ScheduleUpdateInput) -> ScheduleUpdate | None:
        if await _details_in(client, present.description.schedule) == details:
            return None
        schedule.state = present.description.schedule.state
        return ScheduleUpdate(schedule)

    try:
        await client.create_schedule(ids.RECONCILIATION, schedule)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(ids.RECONCILIATION).update(renewed)


async def _details_in(client: Client, schedule: Schedule) -> str:
    """Empty where there are none."""
    action = schedule.action
    details = action.static_details if isinstance(action, ScheduleActionStartWorkflow) else None
    if isinstance(details, Payload):
        (details,) = await client.data_converter.decode([details], [str])
    return details or ""
