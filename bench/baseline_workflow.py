"""Baseline of lifecycles: a workflow with as many updates and activities as the three workflows of
one lifecycle together, and nothing else."""

from datetime import timedelta
from uuid import uuid4

from temporalio import activity, workflow
from temporalio.client import Client

BASELINE_QUEUE = "bench-baseline"

# One paid article with one revision round: select, submit, request changes, submit, approve.
UPDATES = 5
# Reserve the reward, send the payout.
ACTIVITIES = 2
# Besides one record per update: start and end of the assignment, end of the task.
FURTHER_RECORDS = 3


@activity.defn
async def note(number: int) -> int:
    return number


@activity.defn
async def pay(number: int) -> int:
    return number


@workflow.defn(name="Baseline")
class BaselineWorkflow:
    def __init__(self) -> None:
        self._steps = 0

    @workflow.run
    async def run(self) -> int:
        for number in range(ACTIVITIES):
            await workflow.execute_activity(
                pay, number, start_to_close_timeout=timedelta(seconds=10)
            )
        for number in range(FURTHER_RECORDS):
            await self._record(number)
        await workflow.wait_condition(lambda: self._steps == UPDATES)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._steps

    @workflow.update
    async def step(self, number: int) -> None:
        await self._record(number)
        self._steps += 1

    async def _record(self, number: int) -> None:
        await workflow.execute_local_activity(
            note, number, start_to_close_timeout=timedelta(seconds=10)
        )


@workflow.defn(name="Idle")
class IdleWorkflow:
    """Runs until its signal; its update does nothing."""

    def __init__(self) -> None:
        self._is_over = False

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: self._is_over)

    @workflow.update
    async def touch(self) -> None:
        """Measures the minimum cost of an update."""

    @workflow.signal
    async def end(self) -> None:
        self._is_over = True


async def run_baseline(client: Client) -> None:
    handle = await client.start_workflow(
        BaselineWorkflow.run, id=f"baseline/{uuid4()}", task_queue=BASELINE_QUEUE
    )
    for number in range(UPDATES):
        await handle.execute_update(BaselineWorkflow.step, number)
    await handle.result()
