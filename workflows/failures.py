"""Our errors on their way through Temporal and back.

Only ApplicationError may leave workflow code (anything else wedges the workflow task), so a
refusal becomes one, typed by its reason; the service that sent the command turns it back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

from temporalio.exceptions import ApplicationError

from servicekit.errors import BY_CODE, Internal, LiaisonError, Reason


def to_application_error(error: LiaisonError) -> ApplicationError:
    return ApplicationError(
        error.message,
        error.code,
        error.metadata,
        type=error.reason,
        non_retryable=not error.is_retryable,
    )


def from_application_error(error: ApplicationError) -> LiaisonError:
    """What `to_application_error` was given; violations do not make the journey."""
    if len(error.details) != 2 or error.type is None or error.type not in Reason.__members__:
        return Internal(Reason.INTERNAL, "A workflow failed")
    code, metadata = cast("tuple[str, dict[str, str]]", error.details)
    return BY_CODE[code](Reason(error.type), error.message, metadata=metadata)


@contextmanager
def refusing() -> Iterator[None]:
    """Around what may refuse, in validators, handlers and activities."""
    try:
        yield
    except LiaisonError as error:
        raise to_application_error(error) from error
