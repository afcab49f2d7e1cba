"""Signals from one workflow to another."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception


async def signal(
    handle: workflow.ChildWorkflowHandle[Any, Any] | workflow.ExternalWorkflowHandle[Any],
    method: Any,
    *arguments: Any,
) -> bool:
    """Signals a workflow; returns False if it has ended. `method` is the signal's method, or its
    name where importing the workflow would be circular."""
    try:
        await handle.signal(method, args=arguments)
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        name = getattr(method, "__name__", method)
        workflow.logger.info("The signalled workflow has ended: %s", name)
        return False
    return True
