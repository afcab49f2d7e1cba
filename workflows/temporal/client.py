"""The one seam between services and Temporal: start, command and signal workflows by id.

What comes out are our own errors. An update that was not answered in time has an unknown outcome
and says so; sending it again with the same update id gets the first answer.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.types import MethodAsyncSingleParam
from temporalio.workflow import UpdateMethodMultiParam

from servicekit.errors import FailedPrecondition, Internal, LiaisonError, Reason, Unavailable
from servicekit.settings import TemporalSettings
from workflows.task_queues import Domain, queue_of
from workflows.temporal.failures import from_application_error

P = TypeVar("P")
T = TypeVar("T")

# A worker that was killed delays a cached workflow's next update by up to 10 s: Temporal waits
# that long for the worker that had it.
_TIMEOUT = timedelta(seconds=20)
_CONNECT_TIMEOUT = timedelta(seconds=5)

# After these the command may have arrived.
_OPEN = frozenset(
    {
        RPCStatusCode.ABORTED,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.INTERNAL,
        RPCStatusCode.RESOURCE_EXHAUSTED,
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.UNKNOWN,
    }
)


class NotRunning(FailedPrecondition):
    """No workflow runs under this id: it never started, or it has ended."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(
            Reason.ILLEGAL_STATE,
            f"{workflow_id} is not under way: nothing can be done with it",
            metadata={"workflow_id": workflow_id},
        )


async def connect(settings: TemporalSettings) -> Client:
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[OpenTelemetryPlugin(add_temporal_spans=True)],
        connect_timeout=_CONNECT_TIMEOUT,
    )


class Workflows:
    """Connects when first used, so that a service starts without Temporal. Its methods raise
    LiaisonError: the workflow's own refusal, NotRunning, or Unavailable."""

    def __init__(self, settings: TemporalSettings) -> None:
        self._settings = settings
        self._client: Client | None = None

    async def execute_update(
        self,
        workflow_id: str,
        update: UpdateMethodMultiParam[[Any, P], T],
        arg: P,
        *,
        update_id: str,
    ) -> T:
        """The workflow's answer to a command; `update` is the update's method of the workflow."""
        client = await self._connected()
        handle = client.get_workflow_handle(workflow_id)
        async with _answering(workflow_id), asyncio.timeout(_TIMEOUT.total_seconds()):
            return await handle.execute_update(update, arg, id=update_id, rpc_timeout=_TIMEOUT)

    async def start_workflow(
        self,
        run: MethodAsyncSingleParam[Any, P, Any],
        arg: P,
        *,
        workflow_id: str,
        domain: Domain,
        static_summary: str,
        search_attributes: TypedSearchAttributes | None = None,
        is_restarted: bool = False,
    ) -> None:
        """Starts a workflow unless one was ever started under this id: repeating is harmless. One
        that `is_restarted` does start after another has ended, never beside it. `run` is the
        workflow's run method."""
        client = await self._connected()
        once, again = WorkflowIDReusePolicy.REJECT_DUPLICATE, WorkflowIDReusePolicy.ALLOW_DUPLICATE
        async with _answering(workflow_id):
            try:
                await client.start_workflow(
                    run,
                    arg,
                    id=workflow_id,
                    task_queue=queue_of(domain),
                    id_reuse_policy=again if is_restarted else once,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    static_summary=static_summary,
                    search_attributes=search_attributes or TypedSearchAttributes.empty,
                    rpc_timeout=_TIMEOUT,
                )
            except WorkflowAlreadyStartedError:
                return  # it has run and ended

    async def signal(self, workflow_id: str, signal: Callable[..., None], *args: Any) -> None:
        """Signals a running workflow; `signal` is the signal's method of the workflow. A repeated
        signal is handled again."""
        client = await self._connected()
        async with _answering(workflow_id):
            handle = client.get_workflow_handle(workflow_id)
            await handle.signal(signal, args=args, rpc_timeout=_TIMEOUT)

    async def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = await connect(self._settings)
            except RuntimeError as error:  # how the SDK reports a server that is away
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer"
                ) from error
        return self._client


@asynccontextmanager
async def _answering(workflow_id: str) -> AsyncIterator[None]:
    """Around a call to Temporal: its errors leave as ours."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as error:
        raise _unknown_outcome() from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotRunning(workflow_id) from error
        if error.status not in _OPEN:
            raise  # a mistake of ours
        raise _unknown_outcome() from error


def _refusal(error: WorkflowUpdateFailedError) -> LiaisonError:
    if isinstance(error.cause, ApplicationError):
        return from_application_error(error.cause)
    return Internal(Reason.INTERNAL, "A workflow failed")


def _unknown_outcome() -> Unavailable:
    return Unavailable(
        Reason.OUTCOME_UNKNOWN,
        "The answer did not come in time. Repeat with the same request_id to learn the outcome",
    )
