"""A stand-in for a service's gRPC stub, for the unit tests of activities."""

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message

from servicekit.errors import LiaisonError, Reason, Unavailable
from servicekit.rpc.interceptors.validation import missing_fields


@dataclass
class FakeService:
    """Checks required fields as a server does, and returns or raises the configured answers."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[Message] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        async def call(request: Message) -> Any:
            assert [*missing_fields(request)] == []
            self.requests.append(request)
            answer = self.answers.get(name, [None]).pop(0)
            if isinstance(answer, LiaisonError):
                raise answer
            return answer

        return call


UNAVAILABLE = Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Down")
