"""How services reach Temporal: start, update and signal workflows by id.

Errors of the SDK leave as LiaisonError. An update that is not answered in time has an unknown
outcome and fails with OUTCOME_UNKNOWN; repeated with the same update id, it returns the first
answer.
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

from servicekit.errors import Internal, LiaisonError, Reason, Unavailable
from servicekit.settings import TemporalSettings
from workflows.errors import NotRunning
from workflows.task_queues import Domain, queue_of
from workflows.temporal.failures import from_application_error

P = TypeVar("P")
T = TypeVar("T")

# After a worker is killed, the next update of a workflow in its cache takes up to 10 s: Temporal
# waits that long for the worker's sticky queue.
_TIMEOUT = timedelta(seconds=20)
_CONNECT_TIMEOUT = timedelta(seconds=5)

# Status codes after which the command may have arrived.
_UNKNOWN_OUTCOME = frozenset(
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


async def connect(settings: TemporalSettings) -> Client:
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        plugins=[OpenTelemetryPlugin(add_temporal_spans=True)],
        connect_timeout=_CONNECT_TIMEOUT,
    )


def update_id(update: Callable[..., Any], key: str) -> str:
    """The id of an update: its name, which histories hold, and the caller's key."""
    return f"{update.__name__}:{key}"


class Workflows:
    """Client for workflows. Connects on first use, so that a service starts without Temporal.

    Every method raises LiaisonError: the workflow's own refusal, NotRunning, or Unavailable.
    """

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
        """Sends a command and returns the workflow's answer. `update` is the workflow's method."""
        client = await self._connected()
        handle = client.get_workflow_handle(workflow_id)
        async with _translated_errors(), asyncio.timeout(_TIMEOUT.total_seconds()):
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
        """Starts a workflow unless one was ever started under this id, so it may be repeated. With
        `is_restarted` it also starts after another has ended, but never beside a running one. `run`
        is the workflow's run method."""
        client = await self._connected()
        once, again = WorkflowIDReusePolicy.REJECT_DUPLICATE, WorkflowIDReusePolicy.ALLOW_DUPLICATE
        async with _translated_errors():
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
        """Signals a running workflow; `signal` is the workflow's method. Signals are not
        deduplicated: a repeated one is handled again."""
        client = await self._connected()
        async with _translated_errors():
            handle = client.get_workflow_handle(workflow_id)
            await handle.signal(signal, args=args, rpc_timeout=_TIMEOUT)

    async def _connected(self) -> Client:
        if self._client is None:
            try:
                self._client = await connect(self._settings)
            except RuntimeError as error:  # what the SDK raises when it cannot connect
                raise Unavailable(
                    Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer"
                ) from error
        return self._client


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Turns errors of a call to Temporal into LiaisonError."""
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except (WorkflowUpdateRPCTimeoutOrCancelledError, TimeoutError) as error:
        raise _unknown_outcome() from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotRunning from error
        if error.status not in _UNKNOWN_OUTCOME:
            raise  # a bug of ours
        raise _unknown_outcome() from error


def _refusal(error: WorkflowUpdateFailedError) -> LiaisonError:
    if isinstance(error.cause, ApplicationError):
        return from_application_error(error.cause)
    return Internal(Reason.INTERNAL, "A workflow failed")


def _unknown_outcome() -> Unavailable:
    return Unavailable(
        Reason.OUTCOME_UNKNOWN,
        "No answer in time. Repeat with the same request_id to learn the outcome",
    )
