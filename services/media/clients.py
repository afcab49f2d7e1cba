"""The other services as the use cases see them: over gRPC, in the role of a service."""

from typing import TYPE_CHECKING

from liaison.creators.v1 import creators_pb2

if TYPE_CHECKING:  # what a stub is over an aio channel exists in the type stubs only
    from liaison.creators.v1.creators_pb2_grpc import CreatorServiceAsyncStub


class GrpcCreatorDirectory:
    def __init__(self, stub: "CreatorServiceAsyncStub") -> None:
        self._stub = stub

    async def level(self, creator_id: str) -> str:
        response = await self._stub.BatchGetCreators(
            creators_pb2.BatchGetCreatorsRequest(names=[f"creators/{creator_id}"])
        )
        for creator in response.creators:
            if creator.state == creators_pb2.Creator.STATE_ADMITTED:
                level = creators_pb2.CreatorLevel.Name(creator.level)
                return level.removeprefix("CREATOR_LEVEL_")
        return ""
