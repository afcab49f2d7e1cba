"""Our errors on their way through Temporal and back.

Only ApplicationError may leave workflow code (anything else wedges the workflow task), so a
refusal becomes one, typed by its reason; the service that sent the command turns it back.
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
    """What `to_application_error` was given; violations do not make the journey."""
    if len(error.details) != 2 or error.type is None or error.type not in Reason.__members__:
        return Internal(Reason.INTERNAL, "A workflow failed")
    code, metadata = cast("tuple[str, dict[str, str]]", error.details)
    return BY_CODE[code](Reason(error.type), error.message, metadata=metadata)


def is_caused_by(error: ActivityError, reason: Reason) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == reason


def is_out_of_time(error: ActivityError) -> bool:
    """Whether it was retried for as long as it may be, and nobody knows what it would have done."""
    return error.retry_state is RetryState.TIMEOUT or isinstance(error.cause, TemporalTimeoutError)


@contextmanager
def refusing() -> Iterator[None]:
    """Around rules that may refuse, in validators and handlers."""
    try:
        yield
    except LiaisonError as error:
        raise to_application_error(error, is_final=True) from error


@contextmanager
def retrying_all_but(*final: Reason) -> Iterator[None]:
    """Around an activity's calls: only what the workflow knows how to go on from ends them.

    Anything else, an expired token or a defect of a service included, is retried until somebody
    has mended it: an outage delays, it never fails.
    """
    try:
        yield
    except LiaisonError as error:
        raise to_application_error(error, is_final=error.reason in final) from error
