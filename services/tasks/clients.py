"""Clients of the creators and media services, over gRPC, in the role of a service."""

from typing import TYPE_CHECKING

from liaison.creators.v1 import creators_pb2
from liaison.media.v1 import articles_pb2, media_pb2

from servicekit.batching import Batcher
from servicekit.errors import FailedPrecondition, Reason
from services.tasks.domain import Candidate

if TYPE_CHECKING:  # the types of stubs over aio channels exist only in the type stubs
    from liaison.creators.v1.creators_pb2_grpc import CreatorServiceAsyncStub
    from liaison.media.v1.articles_pb2_grpc import ArticleServiceAsyncStub
    from liaison.media.v1.media_pb2_grpc import MediaServiceAsyncStub


class CreatorClient:
    def __init__(self, stub: "CreatorServiceAsyncStub") -> None:
        self._stub = stub
        self._lookups = Batcher(self._creators, maximum_size=100)  # BatchGetCreators takes 100

    async def candidate(self, creator_id: str) -> Candidate:
        """
        Raises:
            FailedPrecondition: no creator is registered under this id.
        """
        creator = await self._lookups.submit(creator_id)
        if creator is None:
            raise FailedPrecondition(
                Reason.CREATOR_NOT_ADMITTED, f"creators/{creator_id} is not admitted"
            )
        level = creators_pb2.CreatorLevel.Name(creator.level)
        account_class = creators_pb2.AccountClass.Name(creator.account.account_class)
        return Candidate(
            creator_id=creator_id,
            is_admitted=creator.state == creators_pb2.Creator.STATE_ADMITTED,
            account_class=account_class.removeprefix("ACCOUNT_CLASS_"),
            level=level.removeprefix("CREATOR_LEVEL_"),
            has_live_stream_access=creator.live_stream_access,
            has_payout_account=bool(creator.paypal_receiver),
            unmet_rule_ids=tuple(unmet.rule_id for unmet in creator.unmet_criteria),
        )

    async def _creators(self, ids: list[str]) -> list[creators_pb2.Creator | None]:
        names = [f"creators/{id_}" for id_ in ids]
        response = await self._stub.BatchGetCreators(
            creators_pb2.BatchGetCreatorsRequest(names=dict.fromkeys(names))
        )
        found = {creator.name: creator for creator in response.creators}
        return [found.get(name) for name in names]


class MediaClient:
    def __init__(self, media: "MediaServiceAsyncStub", articles: "ArticleServiceAsyncStub") -> None:
        self._media = media
        self._articles = articles

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        response = await self._media.BatchGetMediaObjects(
            media_pb2.BatchGetMediaObjectsRequest(names=[f"mediaObjects/{id_}" for id_ in ids])
        )
        return {
            found.name.removeprefix("mediaObjects/")
            for found in response.media_objects
            if found.state == media_pb2.MediaObject.STATE_ACCEPTED
            and found.owner == f"creators/{owner_id}"
        }

    async def seal(self, owner_id: str, assignment_id: str, article_ids: list[str]) -> list[str]:
        response = await self._articles.SealArticles(
            articles_pb2.SealArticlesRequest(
                names=[f"articles/{id_}" for id_ in article_ids],
                assignment=f"assignments/{assignment_id}",
                creator=f"creators/{owner_id}",
            )
        )
        return list(response.revisions)
