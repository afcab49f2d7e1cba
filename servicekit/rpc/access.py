"""Access tables: every RPC of a service, who may call it, and how it may be repeated.

A service states one table; an RPC without an entry keeps the server from starting, so access is
denied by default and nothing is forgotten.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto

from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from servicekit.auth import Role


class Repeat(Enum):
    """How a repeated `request_id` gets the first answer (AIP-155)."""

    # The answer is kept by the very transaction that made it true.
    IN_TRANSACTION = auto()
    # The command itself finds its first outcome again, by a workflow update's id or by ids that
    # follow from the request; only the body is compared and the answer kept here. For commands
    # that cross the network: no transaction may stay open meanwhile.
    BY_COMMAND = auto()
    # What the command makes has an id that follows from the `request_id`: it finds its first
    # outcome by that, and compares with it what is asked now. Nothing is kept here.
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
    """What the interceptors know of one RPC."""

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
    """The RPCs of `service` by path.

    Raises:
        ValueError: the table and the service do not name the same methods.
        TypeError: a method that callers stream to, or a stream that carries a `request_id`.
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
        raise TypeError(f"{method.full_name}: callers stream nothing to us")
    if method.server_streaming and "request_id" in method.input_type.fields_by_name:
        raise TypeError(f"{method.full_name}: a stream has no first answer to repeat")
