"""Errors of calling workflows. Pure, so that use cases can handle them."""

from servicekit.errors import FailedPrecondition, Reason


class NotRunning(FailedPrecondition):
    """No workflow runs under the id: it has not started yet, or it has ended.

    Use cases answer with the recorded state instead, since callers know no workflows.
    """

    def __init__(self) -> None:
        super().__init__(Reason.ILLEGAL_STATE, "Its workflow is not running")
