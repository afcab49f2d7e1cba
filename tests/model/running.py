"""Real workflows as a subject, on a test server in its own thread that many examples share."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Any, Never, TypeVar
from uuid import uuid4

from hypothesis import reject
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Replayer

from servicekit.errors import Reason
from tests.support.workers import ALL_WORKFLOWS
from tests.workflows.environments import time_skipping_environment
from tests.workflows.harness import Harness, running_workers
from workflows import ids
from workflows.assignment.inputs import StartAssignment
from workflows.assignment.model import Assignment, Terms, Transition
from workflows.dispute.model import Claim, Decide, Decision, Withdraw
from workflows.notices import Notice
from workflows.payout.model import PayoutChanged
from workflows.payout.model import State as PayoutState
from workflows.worker import RUNNER

T = TypeVar("T")
_PATIENCE_SECONDS = 60.0
_EXAMPLES_PER_SERVER = 50
# Examples that may be discarded because the test server lost a step.
_MAXIMUM_STALLS = 5


class BrokenEnvironment(BaseException):
    """The server or the worker does not answer. A BaseException, so that Hypothesis does not go on
    shrinking without a server."""


class BackgroundHarness:
    """Runs the test server and the workers; the server is replaced after a number of examples."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._stack = AsyncExitStack()
        self._examples = 0
        self._stalls = 0
        self._is_stalled = False
        self.environment: WorkflowEnvironment
        self.harness: Harness

    def do(self, coroutine: Coroutine[Any, Any, T]) -> T:
        try:
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_SECONDS)
        except TimeoutError as error:
            raise BrokenEnvironment from error

    def open(self) -> None:
        self.do(self._open())

    def close(self) -> None:
        self.do(self._stack.aclose())

    def begin_example(self) -> None:
        self._examples += 1
        if self._is_stalled or self._examples % _EXAMPLES_PER_SERVER == 0:
            self._is_stalled = False
            self.close()
            self.open()

    def give_up_example(self, error: RPCError) -> Never:
        """The test server sometimes loses a step, and each further one then takes ten seconds."""
        self._stalls += 1
        self._is_stalled = True
        if self._stalls > _MAXIMUM_STALLS:
            raise BrokenEnvironment from error
        reject()

    async def _open(self) -> None:
        self.environment = await self._stack.enter_async_context(time_skipping_environment())
        self.harness = Harness(self.environment, f"model-{uuid4()}")
        await self._stack.enter_async_context(running_workers(self.harness))


@contextmanager
def background() -> Iterator[BackgroundHarness]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    one = BackgroundHarness(loop)
    try:
        one.open()
        yield one
    finally:
        one.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class WorkflowSubject:
    """One assignment's workflow, with its disputes and its payout."""

    # The server's clock advances during a test.
    tolerance = timedelta(minutes=1)

    def __init__(self, background: BackgroundHarness, terms: Terms, answers: list[str]) -> None:
        self.background, self.harness, self.id = background, background.harness, uuid4().hex
        self.harness.send_answers_of[self.id] = list(answers)
        self.harness.refresh_answers_of[self.id] = ["SENT"]
        self.handle: WorkflowHandle[Any, Any] = background.do(
            background.environment.client.start_workflow(
                "Assignment",
                StartAssignment(self.id, "bea", terms, self.now()),
                id=ids.assignment(self.id),
                task_queue=self.harness.queue,
            )
        )

    @property
    def assignment(self) -> Assignment:
        return self.harness.assignments[self.id]

    @property
    def transitions(self) -> list[Transition]:
        return self.harness.transitions[self.id]

    @property
    def notices(self) -> list[Notice]:
        return [one for one in self.harness.sent_notices if one.subject == f"assignments/{self.id}"]

    @property
    def attempts(self) -> list[int]:
        return [order.attempt for order, _ in self.harness.sent if order.payout_id == self.id]

    def now(self) -> datetime:
        return self.background.do(self.harness.now())

    def send(self, update: str, command: object) -> Reason | None:
        return self._execute_update(self.handle, update, command)

    def claim(self, mediator: str) -> Reason | None:
        return self._execute_update(self._dispute, "claim", Claim(mediator))

    def decide(self, mediator: str, decision: Decision) -> Reason | None:
        return self._execute_update(self._dispute, "decide", Decide(mediator, decision))

    def withdraw(self, actor: str) -> Reason | None:
        return self._execute_update(self._dispute, "withdraw", Withdraw(actor))

    def signal_payout(self, state: str, attempt: int) -> None:
        """Signals as the provider's webhook would; polls return the same state."""
        self.harness.refresh_answers_of[self.id] = [
            state if state in ("UNCLAIMED", "BLOCKED") else "SENT"
        ]
        self.harness.money[self.id] = PayoutState(state)
        change = PayoutChanged(state, attempt)
        payout = self._workflow(ids.payout(self.id))
        self.background.do(payout.signal("payout_changed", change))

    def pass_time(self, until: datetime) -> None:
        try:
            self.background.do(self._pass_time(until))
        except RPCError as error:
            self.background.do(self._require_no_failed_step())
            self.background.give_up_example(error)

    def wait_for(self, count: int) -> None:
        self.background.do(self.harness.until(lambda: len(self.transitions) >= count))

    def wait_for_attempts(self, count: int) -> None:
        self.background.do(self.harness.until(lambda: len(self.attempts) >= count))

    def end(self) -> str:
        """The state in which the workflow ends."""
        return str(self.background.do(self.handle.result())["state"])

    def replay(self) -> None:
        """Replays the workflow from its history."""

        async def replay() -> None:
            replayer = Replayer(workflows=ALL_WORKFLOWS, workflow_runner=RUNNER)
            await replayer.replay_workflow(await self.handle.fetch_history())

        self.background.do(replay())

    def terminate(self) -> None:
        """Terminates what a failed example left running."""
        known = self.harness.assignments.get(self.id)
        dispute_id = ids.dispute(known.open_dispute_id if known else "")
        for id_ in (ids.assignment(self.id), ids.payout(self.id), dispute_id):
            try:
                self.background.do(self._workflow(id_).terminate())
            except RPCError:
                continue  # there is none

    @property
    def _dispute(self) -> WorkflowHandle[Any, Any]:
        id_ = self.assignment.open_dispute_id
        self.background.do(
            self.harness.until(lambda: any(one.dispute.id == id_ for one in self.harness.disputes))
        )
        return self._workflow(ids.dispute(id_))

    async def _pass_time(self, until: datetime) -> None:
        while (span := until - await self.harness.now()) > timedelta():
            await self.harness.pass_time(span)

    async def _require_no_failed_step(self) -> None:
        """Fails if a workflow task of ours failed, rather than the test server."""
        for id_ in (ids.assignment(self.id), ids.payout(self.id)):
            try:
                history = await self._workflow(id_).fetch_history()
            except RPCError:
                continue  # there is none
            assert not [
                one.workflow_task_failed_event_attributes.failure.message
                for one in history.events
                if one.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
            ]

    def _workflow(self, id_: str) -> WorkflowHandle[Any, Any]:
        return self.background.environment.client.get_workflow_handle(id_)

    def _execute_update(
        self, handle: WorkflowHandle[Any, Any], update: str, command: object
    ) -> Reason | None:
        try:
            self.background.do(handle.execute_update(update, command))
        except WorkflowUpdateFailedError as error:
            return Reason(str(getattr(error.cause, "type", error.cause)))
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            return Reason.ILLEGAL_STATE  # it has ended
        return None
