"""Reasons match the API, and errors keep theirs across gRPC and Temporal."""

import grpc
import pytest
from liaison.errors.v1.errors_pb2 import ErrorReason
from temporalio.exceptions import ApplicationError

from servicekit import errors
from servicekit.errors import BY_CODE, LiaisonError, Reason, Violation
from servicekit.rpc.client import from_rpc_error
from servicekit.rpc.interceptors.errors import to_status
from workflows.temporal.failures import (
    from_application_error,
    refusing,
    retrying_all_but,
    to_application_error,
)

PREFIX = "ERROR_REASON_"


def test_the_reasons_are_those_of_the_api() -> None:
    documented = {name.removeprefix(PREFIX) for name in ErrorReason.keys()}  # noqa: SIM118 - an enum
    assert documented - {"UNSPECIFIED"} == set(Reason)
    assert all(reason == reason.name for reason in Reason)


@pytest.mark.parametrize("code", BY_CODE)
def test_every_class_is_a_grpc_code(code: str) -> None:
    assert grpc.StatusCode[code].name == BY_CODE[code].code == code


def _error(kind: type[LiaisonError]) -> LiaisonError:
    return kind(Reason.ILLEGAL_STATE, "Not now", metadata={"state": "OPEN"})


def _received(error: LiaisonError) -> LiaisonError:
    trailers = grpc.aio.Metadata(
        ("other", "x"), ("grpc-status-details-bin", to_status(error).SerializeToString())
    )
    return from_rpc_error(
        grpc.aio.AioRpcError(grpc.StatusCode[error.code], grpc.aio.Metadata(), trailers)
    )


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_an_error_survives_grpc_unchanged(kind: type[LiaisonError]) -> None:
    received = _received(_error(kind))
    assert type(received) is kind
    assert (received.reason, received.message) == (Reason.ILLEGAL_STATE, "Not now")
    assert received.metadata == {"state": "OPEN"}


def test_violations_survive_grpc_with_their_rules() -> None:
    violations = (Violation("a.b[1]", "R72", "Shorter"), Violation("c", "REQUIRED", "Say it"))
    received = _received(errors.invalid_fields(*violations))
    assert received.violations == violations
    assert received.message == "Invalid request: a.b[1], c"


@pytest.mark.parametrize("character", ["x", "é", "茶", "🫖"])
def test_more_violations_than_metadata_holds_are_counted(character: str) -> None:
    violations = [
        Violation(f"article.blocks[{number}].text", "BLANK", character * 100)
        for number in range(1000)
    ]
    error = errors.invalid_fields(*violations)
    status = to_status(error)
    assert 3500 < status.ByteSize() <= 4096
    received = _received(error)
    kept = len(received.violations)
    assert list(received.violations) == violations[:kept]
    assert received.metadata == {"violations_left_out": str(1000 - kept)}
    assert received.message.startswith("Invalid request: article.blocks[0].text, ")
    assert len(received.message.encode()) <= 512
    # On the wire, with some of it to spare for other metadata.
    assert status.ByteSize() * 4 / 3 + len(status.message.encode()) * 3 < 7500


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (grpc.StatusCode.UNAVAILABLE, Reason.DEPENDENCY_UNAVAILABLE),
        (grpc.StatusCode.DEADLINE_EXCEEDED, Reason.OUTCOME_UNKNOWN),
        (grpc.StatusCode.CANCELLED, Reason.OUTCOME_UNKNOWN),
        (grpc.StatusCode.UNIMPLEMENTED, Reason.INTERNAL),
    ],
)
def test_an_error_from_another_server_is_unavailable_or_internal(
    code: grpc.StatusCode, reason: Reason
) -> None:
    empty = grpc.aio.Metadata()
    assert from_rpc_error(grpc.aio.AioRpcError(code, empty, empty)).reason is reason


@pytest.mark.parametrize("kind", BY_CODE.values())
def test_an_error_survives_temporal_unchanged(kind: type[LiaisonError]) -> None:
    sent = to_application_error(_error(kind), is_final=True)
    assert (sent.type, sent.non_retryable) == ("ILLEGAL_STATE", True)
    back = from_application_error(sent)
    assert (type(back), back.reason, back.metadata) == (
        kind,
        Reason.ILLEGAL_STATE,
        {"state": "OPEN"},
    )


def test_a_foreign_application_error_becomes_internal() -> None:
    for error in (ApplicationError("x"), ApplicationError("x", "a", {}, type="UNHEARD_OF")):
        assert from_application_error(error).reason is Reason.INTERNAL


def test_rejections_are_not_retried_and_only_listed_reasons_end_an_activity() -> None:
    error = _error(errors.FailedPrecondition)
    with pytest.raises(ApplicationError) as refused, refusing():
        raise error
    assert refused.value.non_retryable
    for final, is_final in [((Reason.ILLEGAL_STATE,), True), ((Reason.NOT_YOURS,), False)]:
        with pytest.raises(ApplicationError) as ended, retrying_all_but(*final):
            raise error
        assert ended.value.non_retryable is is_final


def test_only_transient_errors_are_retryable() -> None:
    retryable = {code for code, kind in BY_CODE.items() if kind.is_retryable}
    assert retryable == {"ABORTED", "RESOURCE_EXHAUSTED", "UNAVAILABLE", "INTERNAL"}


def test_a_party_does_not_learn_whether_a_resource_of_others_exists() -> None:
    error = errors.not_yours("tasks/a")
    assert (error.code, error.reason) == ("PERMISSION_DENIED", Reason.NOT_YOURS)


def test_a_state_is_named_as_the_api_does_and_explained_in_words() -> None:
    error = errors.illegal_state("tasks/a", "OPEN", "CancelTask", detail="and selected for")
    assert error.message == "tasks/a is OPEN and selected for: CancelTask is not possible now"
    assert error.metadata == {"state": "OPEN", "command": "CancelTask"}
    bare = errors.illegal_state("tasks/a", "OPEN", "CancelTask")
    assert bare.message == "tasks/a is OPEN: CancelTask is not possible now"
