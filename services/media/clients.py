"""The creators service over gRPC, in the role of a service."""

from typing import TYPE_CHECKING

from liaison.creators.v1 import creators_pb2 as pb

from servicekit.errors import LiaisonError, Reason

if TYPE_CHECKING:  # the asynchronous stub exists in type stubs only
    from liaison.creators.v1.creators_pb2_grpc import CreatorServiceAsyncStub


class CreatorLevelClient:
    def __init__(self, stub: "CreatorServiceAsyncStub") -> None:
        self._stub = stub

    async def level(self, creator_id: str) -> str:
        """The creator's level, such as INTERMEDIATE; empty for a creator who is not admitted."""
        try:
            creator = await self._stub.GetCreator(
                pb.GetCreatorRequest(name=f"creators/{creator_id}")
            )
        except LiaisonError as error:
            if error.reason is Reason.NOT_FOUND:
                return ""
            raise
        if creator.state != pb.Creator.STATE_ADMITTED:
            return ""
        return pb.CreatorLevel.Name(creator.level).removeprefix("CREATOR_LEVEL_")
