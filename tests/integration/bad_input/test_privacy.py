"""No response of any RPC to a brand has fields for a creator's onboarding data."""

from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor
from liaison.creators.v1 import creators_pb2

from servicekit.auth import Role
from tests.integration.bad_input.test_access import RPCS


def _messages(descriptor: Descriptor, seen: set[str]) -> Iterator[Descriptor]:
    """This message type and all types nested in it."""
    if descriptor.full_name in seen:
        return
    seen.add(descriptor.full_name)
    yield descriptor
    for field in descriptor.fields:
        if field.message_type is not None:
            yield from _messages(field.message_type, seen)


def test_no_response_to_brands_has_fields_for_private_data() -> None:
    checked = 0
    for path, (_, response_class, roles) in RPCS.items():
        if Role.BRAND in roles:
            checked += 1
            ours = {
                message.full_name
                for message in _messages(response_class.DESCRIPTOR, set())
                if message.full_name.startswith("liaison.creators.")
            }
            assert ours <= {creators_pb2.CreatorProfile.DESCRIPTOR.full_name}, path
    assert checked > 10
