"""Where creators want their rewards sent, as the creators service knows it."""

from typing import TYPE_CHECKING

from liaison.creators.v1 import creators_pb2 as pb

if TYPE_CHECKING:  # the stub's async face is there for type checkers only
    from liaison.creators.v1.creators_pb2_grpc import CreatorServiceAsyncStub


class CreatorReceivers:
    def __init__(self, creators: "CreatorServiceAsyncStub") -> None:
        self._creators = creators

    async def receiver_of(self, creator: str) -> str:
        answer = await self._creators.GetCreator(pb.GetCreatorRequest(name=f"creators/{creator}"))
        return answer.paypal_receiver
