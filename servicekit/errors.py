"""The platform's errors: classes with a stable reason, independent of any framework.

Each class stands for one gRPC status code. The errors interceptor converts them to
google.rpc.Status and `servicekit.rpc.client` converts them back, so an error keeps its reason
across services. The reasons are documented in proto/liaison/errors/v1/errors.proto.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto
from typing import ClassVar, TypeVar

T = TypeVar("T")


class Reason(StrEnum):
    """The values of liaison.errors.v1.ErrorReason, without their prefix."""

    @staticmethod
    def _generate_next_value_(name: str, start: int, count: int, last_values: list[str]) -> str:
        return name

    INVALID_FIELDS = auto()
    REQUEST_ID_REUSED = auto()
    CREDENTIALS_MISSING = auto()
    CREDENTIALS_INVALID = auto()
    ROLE_NOT_ALLOWED = auto()
    NOT_YOURS = auto()
    NOT_FOUND = auto()
    ALREADY_EXISTS = auto()
    ALREADY_APPLIED = auto()
    ILLEGAL_STATE = auto()
    APPLICATION_DEADLINE_PASSED = auto()
    CREATOR_NOT_ADMITTED = auto()
    CREATOR_NOT_ELIGIBLE = auto()
    SLOTS_EXHAUSTED = auto()
    INSUFFICIENT_FUNDS = auto()
    REVISION_LIMIT_REACHED = auto()
    UNKNOWN_REQUIREMENT = auto()
    DISPUTE_ALREADY_OPEN = auto()
    DISPUTE_NOT_ALLOWED = auto()
    MEDIA_NOT_ACCEPTED = auto()
    UPLOAD_INCOMPLETE = auto()
    PAYOUT_ACCOUNT_MISSING = auto()
    DEPOSIT_REFERENCE_USED = auto()
    ETAG_MISMATCH = auto()
    QUOTA_EXCEEDED = auto()
    DEPENDENCY_UNAVAILABLE = auto()
    OUTCOME_UNKNOWN = auto()
    INTERNAL = auto()
    OUTCOME_NOT_ALLOWED = auto()
    APPEAL_NOT_ALLOWED = auto()
    REVIEWER_NOT_ALLOWED = auto()
    PROPOSAL_PENDING = auto()
    SHIPMENT_NOT_AGREED = auto()
    CONTENT_INCOMPLETE = auto()
    REWARD_KIND_MISMATCH = auto()
    NOBODY_SELECTED = auto()
    DEADLINE_NOT_LATER = auto()
    LIMIT_REACHED = auto()
    ARTICLE_INVALID = auto()
    REPOSTING_NOT_AVAILABLE = auto()
    SLOT_TAKEN = auto()
    PAYOUT_ON_HOLD = auto()
    PAYOUTS_HALTED = auto()
    PAYOUT_NOT_CLAIMED = auto()
    BANK_REFERENCE_USED = auto()


@dataclass(frozen=True)
class Violation:
    """One field that violates one rule.

    `field` is the path in the caller's request (`task.requirements[1].text`); `rule` is a rule id
    such as R72, or a word such as REQUIRED for a rule of the API itself.
    """

    field: str
    rule: str
    description: str


class LiaisonError(Exception):
    """An error that a caller receives. `message` may be shown to every permitted caller."""

    code: ClassVar[str]
    is_retryable: ClassVar[bool] = False

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)


class InvalidArgument(LiaisonError):
    code = "INVALID_ARGUMENT"


class Unauthenticated(LiaisonError):
    code = "UNAUTHENTICATED"


class PermissionDenied(LiaisonError):
    code = "PERMISSION_DENIED"


class NotFound(LiaisonError):
    code = "NOT_FOUND"


class AlreadyExists(LiaisonError):
    code = "ALREADY_EXISTS"


class FailedPrecondition(LiaisonError):
    code = "FAILED_PRECONDITION"


class Aborted(LiaisonError):
    code = "ABORTED"
    is_retryable = True


class ResourceExhausted(LiaisonError):
    code = "RESOURCE_EXHAUSTED"
    is_retryable = True


class Unavailable(LiaisonError):
    code = "UNAVAILABLE"
    is_retryable = True


class Internal(LiaisonError):
    code = "INTERNAL"
    is_retryable = True


BY_CODE: dict[str, type[LiaisonError]] = {
    kind.code: kind
    for kind in (
        InvalidArgument,
        Unauthenticated,
        PermissionDenied,
        NotFound,
        AlreadyExists,
        FailedPrecondition,
        Aborted,
        ResourceExhausted,
        Unavailable,
        Internal,
    )
}


def invalid_fields(*violations: Violation) -> InvalidArgument:
    """One error with all violations of a request."""
    fields = ", ".join(violation.field for violation in violations)
    return InvalidArgument(
        Reason.INVALID_FIELDS, f"Invalid request: {fields}", violations=violations
    )


def not_yours(name: str) -> PermissionDenied:
    """For a resource that belongs to others or does not exist: the caller must not learn which."""
    return PermissionDenied(Reason.NOT_YOURS, f"{name} is not yours to see or to change")


def not_found(name: str) -> NotFound:
    return NotFound(Reason.NOT_FOUND, f"{name} does not exist")


def require_found(name: str, resource: T | None) -> T:
    """The resource called `name`, for callers that may know whether it exists. For others see
    `Principal.require_found`.

    Raises:
        NotFound: it is None.
    """
    if resource is None:
        raise not_found(name)
    return resource


def request_id_reused(request_id: str) -> InvalidArgument:
    return InvalidArgument(
        Reason.REQUEST_ID_REUSED,
        "This request_id was used before with another body",
        metadata={"request_id": request_id},
    )


def illegal_state(name: str, state: str, command: str, *, detail: str = "") -> FailedPrecondition:
    """`state` is a state's name in the API. `detail` follows it in the message, such as "with an
    open dispute"."""
    return FailedPrecondition(
        Reason.ILLEGAL_STATE,
        f"{name} is {' '.join(filter(None, (state, detail)))}: {command} is not possible now",
        metadata={"state": state, "command": command},
    )
