"""Enforces what protos declare (AIP-203): REQUIRED fields are set, OUTPUT_ONLY ones are ignored,
and timestamps are valid.

All other rules for requests are in the services' command models.
"""

from collections.abc import Iterator
from functools import cache
from uuid import UUID

from google.api.field_behavior_pb2 import OUTPUT_ONLY, REQUIRED, field_behavior
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from servicekit.auth import Role, current_principal
from servicekit.errors import Violation, invalid_fields
from servicekit.rpc.access import Rpc
from servicekit.rpc.interceptors.interceptor import Context, Interceptor, Proceed


class ValidationInterceptor(Interceptor):
    async def around(
        self, rpc: Rpc, request: Message, context: Context, proceed: Proceed
    ) -> Message:
        violations = [*missing_fields(request), *invalid_timestamps(request)]
        request_id = getattr(request, "request_id", "")
        if request_id and not _is_uuid(request_id):
            violations.append(Violation("request_id", "AIP-155", "Must be a UUID"))
        if violations:
            raise invalid_fields(*violations)
        # The workers record the decisions of workflows, output-only fields included.
        if current_principal().role is not Role.SERVICE:
            clear_output_only(request)
        return await proceed()


def _is_uuid(text: str) -> bool:
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


@cache
def _fields(
    descriptor: Descriptor,
) -> tuple[frozenset[str], frozenset[str], tuple[FieldDescriptor, ...]]:
    """The names of required and of output-only fields, and the fields with nested messages."""
    behaviours = {
        field.name: set(field.GetOptions().Extensions[field_behavior])
        for field in descriptor.fields
    }
    return (
        frozenset(name for name, found in behaviours.items() if REQUIRED in found),
        frozenset(name for name, found in behaviours.items() if OUTPUT_ONLY in found),
        tuple(
            field
            for field in descriptor.fields
            if field.message_type is not None
            and field.message_type.full_name.startswith("liaison.")
            and OUTPUT_ONLY not in behaviours[field.name]
        ),
    )


def missing_fields(message: Message, prefix: str = "") -> Iterator[Violation]:
    """Yields a violation for each REQUIRED field that is not set, in nested messages, too."""
    required, _, nested = _fields(message.DESCRIPTOR)
    present = {field.name for field, _ in message.ListFields()}
    for name in sorted(required - present):
        yield Violation(f"{prefix}{name}", "REQUIRED", "This field is required")
    for path, child in _children(message, nested, prefix):
        yield from missing_fields(child, f"{path}.")


def invalid_timestamps(message: Message, prefix: str = "") -> Iterator[Violation]:
    """Yields a violation for each Timestamp out of range, which could not even be converted."""
    _, output_only, nested = _fields(message.DESCRIPTOR)
    for field, value in message.ListFields():
        if isinstance(value, Timestamp) and field.name not in output_only:
            try:
                value.ToJsonString()
            except ValueError:
                yield Violation(
                    f"{prefix}{field.name}",
                    "TIMESTAMP",
                    "Must be a time in the years 1 to 9999",
                )
    for path, child in _children(message, nested, prefix):
        yield from invalid_timestamps(child, f"{path}.")


def clear_output_only(message: Message) -> None:
    _, output_only, nested = _fields(message.DESCRIPTOR)
    for name in output_only:
        message.ClearField(name)
    for _, child in _children(message, nested, ""):
        clear_output_only(child)


def _children(
    message: Message, nested: tuple[FieldDescriptor, ...], prefix: str
) -> Iterator[tuple[str, Message]]:
    for field in nested:
        if field.is_repeated:
            for index, item in enumerate(getattr(message, field.name)):
                yield f"{prefix}{field.name}[{index}]", item
        elif message.HasField(field.name):
            yield f"{prefix}{field.name}", getattr(message, field.name)
