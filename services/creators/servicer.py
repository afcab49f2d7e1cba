"""gRPC servicer of creators.v1."""

from typing import Any

from liaison.creators.v1 import creators_pb2 as pb
from liaison.creators.v1.creators_pb2_grpc import (
    CreatorServiceServicer,
    add_CreatorServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import allow
from servicekit.rpc.server import Service
from services.creators import commands
from services.creators.handlers import CreatorHandlers
from services.creators.messages import (
    creator_message,
    decision_message,
    profile_message,
    statistics_message,
)

ACCESS = {
    "CreateCreator": allow(Role.CREATOR),
    "GetCreator": allow(Role.CREATOR, Role.OPERATOR, Role.SERVICE),
    "BatchGetCreators": allow(Role.SERVICE),
    "ListCreators": allow(Role.OPERATOR),
    "GetCreatorProfile": allow(Role.BRAND, Role.MEDIATOR, Role.OPERATOR),
    "ApplyForAdmission": allow(Role.CREATOR),
    "AppealAdmission": allow(Role.CREATOR),
    "ReviewAdmission": allow(Role.OPERATOR),
    "ListCreatorDecisions": allow(Role.CREATOR, Role.OPERATOR),
    "UpdateStatistics": allow(Role.PLATFORM),
    "UpdateCreatorLevel": allow(Role.OPERATOR),
    "ApplyForLiveStreamAccess": allow(Role.CREATOR),
    "ReviewLiveStreamAccess": allow(Role.OPERATOR),
    "UpdatePayoutAccount": allow(Role.CREATOR),
}


class CreatorServicer(CreatorServiceServicer):
    def __init__(self, creators: CreatorHandlers) -> None:
        self._creators = creators

    async def CreateCreator(self, request: pb.CreateCreatorRequest, context: Any) -> pb.Creator:
        command = parse(commands.CreateCreator, request)
        return creator_message(await self._creators.create_creator(current_principal(), command))

    async def GetCreator(self, request: pb.GetCreatorRequest, context: Any) -> pb.Creator:
        command = parse(commands.GetCreator, request)
        return creator_message(await self._creators.get_creator(current_principal(), command))

    async def BatchGetCreators(
        self, request: pb.BatchGetCreatorsRequest, context: Any
    ) -> pb.BatchGetCreatorsResponse:
        command = parse(commands.BatchGetCreators, request)
        found = await self._creators.batch_get_creators(command)
        return pb.BatchGetCreatorsResponse(creators=map(creator_message, found))

    async def ListCreators(
        self, request: pb.ListCreatorsRequest, context: Any
    ) -> pb.ListCreatorsResponse:
        command = parse(commands.ListCreators, request)
        page = page_of(
            request.page_size,
            request.page_token,
            command.state,
            command.live_stream_application_state,
        )
        creators = await self._creators.list_creators(command, page)
        return pb.ListCreatorsResponse(
            creators=map(creator_message, creators),
            next_page_token=page.token_after(
                creators, lambda creator: Cursor(creator.create_time, creator.id)
            ),
        )

    async def GetCreatorProfile(
        self, request: pb.GetCreatorProfileRequest, context: Any
    ) -> pb.CreatorProfile:
        command = parse(commands.GetCreator, request)
        return profile_message(await self._creators.get_creator_profile(command))

    async def ApplyForAdmission(
        self, request: pb.ApplyForAdmissionRequest, context: Any
    ) -> pb.Creator:
        command = parse(commands.ApplyForAdmission, request)
        return creator_message(
            await self._creators.apply_for_admission(current_principal(), command)
        )

    async def AppealAdmission(self, request: pb.AppealAdmissionRequest, context: Any) -> pb.Creator:
        command = parse(commands.AppealAdmission, request)
        return creator_message(await self._creators.appeal_admission(current_principal(), command))

    async def ReviewAdmission(self, request: pb.ReviewAdmissionRequest, context: Any) -> pb.Creator:
        command = parse(commands.ReviewAdmission, request)
        return creator_message(await self._creators.review_admission(current_principal(), command))

    async def ListCreatorDecisions(
        self, request: pb.ListCreatorDecisionsRequest, context: Any
    ) -> pb.ListCreatorDecisionsResponse:
        command = parse(commands.ListCreatorDecisions, request)
        page = page_of(request.page_size, request.page_token, command.id)
        decisions = await self._creators.list_creator_decisions(current_principal(), command, page)
        return pb.ListCreatorDecisionsResponse(
            decisions=[decision_message(command.id, decision) for decision in decisions],
            next_page_token=page.token_after(
                decisions, lambda decision: Cursor(decision.decide_time, f"{decision.number:09}")
            ),
        )

    async def UpdateStatistics(
        self, request: pb.UpdateStatisticsRequest, context: Any
    ) -> pb.Statistics:
        command = parse(commands.UpdateStatistics, request)
        return statistics_message(await self._creators.update_statistics(command))

    async def UpdateCreatorLevel(
        self, request: pb.UpdateCreatorLevelRequest, context: Any
    ) -> pb.Creator:
        command = parse(commands.UpdateCreatorLevel, request)
        return creator_message(
            await self._creators.update_creator_level(current_principal(), command)
        )

    async def ApplyForLiveStreamAccess(
        self, request: pb.ApplyForLiveStreamAccessRequest, context: Any
    ) -> pb.Creator:
        command = parse(commands.ApplyForLiveStreamAccess, request)
        return creator_message(
            await self._creators.apply_for_live_stream_access(current_principal(), command)
        )

    async def ReviewLiveStreamAccess(
        self, request: pb.ReviewLiveStreamAccessRequest, context: Any
    ) -> pb.Creator:
        command = parse(commands.ReviewLiveStreamAccess, request)
        return creator_message(
            await self._creators.review_live_stream_access(current_principal(), command)
        )

    async def UpdatePayoutAccount(
        self, request: pb.UpdatePayoutAccountRequest, context: Any
    ) -> pb.Creator:
        command = parse(commands.UpdatePayoutAccount, request)
        return creator_message(
            await self._creators.update_payout_account(current_principal(), command)
        )


def service(creators: CreatorHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["CreatorService"],
        add_CreatorServiceServicer_to_server,
        CreatorServicer(creators),
        ACCESS,
    )
