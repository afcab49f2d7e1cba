"""Converts LiaisonError to Temporal's ApplicationError and back.

Only ApplicationError may leave workflow code; any other exception fails the workflow task, which
Temporal then retries for ever. The error's type is the reason; the service that sent the command
converts it back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from temporalio.exceptions import ActivityError, ApplicationError, RetryState
from temporalio.exceptions import TimeoutError as TemporalTimeoutError

from servicekit.errors import BY_CODE, Internal, LiaisonError, Reason


def to_application_error(error: LiaisonError, *, is_final: bool) -> ApplicationError:
    return ApplicationError(
        error.message, error.code, error.metadata, type=error.reason, non_retryable=is_final
    )


def from_application_error(error: ApplicationError) -> LiaisonError:
    """Reverses `to_application_error`. Field violations are lost."""
    if len(error.details) != 2 or error.type is None or error.type not in Reason.__members__:
        return Internal(Reason.INTERNAL, "A workflow failed")
    code, metadata = cast("tuple[str, dict[str, str]]", error.details)
    return BY_CODE[code](Reason(error.type), error.message, metadata=metadata)


def is_caused_by(error: ActivityError, reason: Reason) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == reason


def is_out_of_time(error: ActivityError) -> bool:
    """Whether its retries ran out of time, so that its outcome is unknown."""
    return error.retry_state is RetryState.TIMEOUT or isinstance(error.cause, TemporalTimeoutError)


@contextmanager
def refusing() -> Iterator[None]:
    """Converts refusals of rules, in update validators and handlers."""
    try:
        yield
    except LiaisonError as error:
        raise to_application_error(error, is_final=True) from error


@contextmanager
def retrying_all_but(*final: Reason) -> Iterator[None]:
    """Around an activity's calls: only the `final` reasons, which the workflow handles, end it.

    Everything else is retried, even an expired token or a bug in a service, until it is fixed: an
    outage delays a workflow and never fails it.
    """
    try:
        yield
    except LiaisonError as error:
        raise to_application_error(error, is_final=error.reason in final) from error
