"""Signals between workflows."""

from typing import Any

from temporalio import workflow
from temporalio.exceptions import FailureError, is_cancelled_exception


async def tell(
    handle: workflow.ChildWorkflowHandle[Any, Any] | workflow.ExternalWorkflowHandle[Any],
    signal: str,
    *arguments: Any,
) -> bool:
    """Sends a signal to a workflow that may have ended meanwhile: then there is nobody to tell, and
    it answers False."""
    try:
        await handle.signal(signal, args=arguments)
    except FailureError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.info("Nobody to tell: %s", signal)
        return False
    return True
