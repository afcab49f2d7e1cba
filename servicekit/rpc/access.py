"""Access tables: for every RPC of a service, who may call it and how it is made idempotent.

A service has one table. A server does not start if an RPC has no entry, so access is denied by
default.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from servicekit.auth import Role


class Repeat(Enum):
    """How a repeated `request_id` gets the first response (AIP-155)."""

    # The response is stored in the transaction of the command.
    IN_TRANSACTION = auto()
    # The command itself finds its first outcome, by a workflow update's id or by ids derived from
    # the request; the interceptor compares the body and stores the response. For commands that
    # call other systems, during which no transaction may stay open.
    BY_COMMAND = auto()
    # The id of the created resource is derived from the `request_id`: the command finds its first
    # outcome by that id and compares the body with it. The interceptor stores nothing.
    BY_ID = auto()


@dataclass(frozen=True)
class Access:
    """One RPC's entry in an access table."""

    roles: frozenset[Role]
    repeat: Repeat


def allow(*roles: Role, repeat: Repeat = Repeat.IN_TRANSACTION) -> Access:
    return Access(frozenset(roles), repeat)


@dataclass(frozen=True)
class Rpc:
    """The properties of one RPC that interceptors use."""

    path: str
    roles: frozenset[Role]
    repeat: Repeat | None
    response_class: type[Message]
    is_stream: bool

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]


Rpcs = Mapping[str, Rpc]


def rpcs_of(service: ServiceDescriptor, table: Mapping[str, Access]) -> Rpcs:
    """Returns the RPCs of `service` by path.

    Raises:
        ValueError: the table and the service do not name the same methods.
        TypeError: a method is client-streaming, or a streaming method has a `request_id`.
    """
    methods: dict[str, MethodDescriptor] = dict(service.methods_by_name)
    if mismatch := methods.keys() ^ table.keys():
        raise ValueError(f"access table of {service.full_name}: {sorted(mismatch)}")
    for method in methods.values():
        _check_shape(method)
    return {
        f"/{service.full_name}/{name}": Rpc(
            path=f"/{service.full_name}/{name}",
            roles=table[name].roles,
            repeat=(
                table[name].repeat if "request_id" in method.input_type.fields_by_name else None
            ),
            response_class=GetMessageClass(method.output_type),
            is_stream=method.server_streaming,
        )
        for name, method in methods.items()
    }


def _check_shape(method: MethodDescriptor) -> None:
    if method.client_streaming:
        raise TypeError(f"{method.full_name}: client streaming is not supported")
    if method.server_streaming and "request_id" in method.input_type.fields_by_name:
        raise TypeError(f"{method.full_name}: a stream cannot have a request_id")
