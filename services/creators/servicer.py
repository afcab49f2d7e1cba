"""creators.v1 over gRPC: messages in and out."""

from typing import Any

from liaison.creators.v1 import creators_pb2 as pb
from liaison.creators.v1.creators_pb2_grpc import (
    CreatorServiceServicer,
    add_CreatorServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.grpc_server import Service
from servicekit.pagination import Cursor, page_of
from servicekit.rpcs import allow
from servicekit.timestamps import to_timestamp
from services.creators import handlers
from services.creators.domain import Creator
from services.creators.handlers import CreatorHandlers

ACCESS = {
    "CreateCreator": allow(Role.CREATOR),
    "GetCreator": allow(Role.CREATOR, Role.OPERATOR, Role.SERVICE),
    "ListCreators": allow(Role.OPERATOR),
    "GetCreatorProfile": allow(Role.BRAND, Role.MEDIATOR, Role.OPERATOR),
    "ApplyForAdmission": allow(Role.CREATOR),
    "ReviewAdmission": allow(Role.OPERATOR),
    "UpdatePayoutAccount": allow(Role.CREATOR),
}


class CreatorServicer(CreatorServiceServicer):
    def __init__(self, creators: CreatorHandlers) -> None:
        self._creators = creators

    async def CreateCreator(self, request: pb.CreateCreatorRequest, context: Any) -> pb.Creator:
        command = parse(handlers.CreateCreator, request)
        return to_message(await self._creators.create_creator(current_principal(), command))

    async def GetCreator(self, request: pb.GetCreatorRequest, context: Any) -> pb.Creator:
        command = parse(handlers.GetCreator, request)
        return to_message(await self._creators.get_creator(current_principal(), command))

    async def ListCreators(
        self, request: pb.ListCreatorsRequest, context: Any
    ) -> pb.ListCreatorsResponse:
        command = parse(handlers.ListCreators, request)
        page = page_of(request.page_size, request.page_token, command.state)
        creators = await self._creators.list_creators(command, page)
        return pb.ListCreatorsResponse(
            creators=map(to_message, creators),
            next_page_token=page.token_after(
                creators, lambda creator: Cursor(creator.create_time, creator.id)
            ),
        )

    async def GetCreatorProfile(
        self, request: pb.GetCreatorProfileRequest, context: Any
    ) -> pb.CreatorProfile:
        creator = await self._creators.get_creator_profile(parse(handlers.GetCreator, request))
        return pb.CreatorProfile(
            name=f"creators/{creator.id}",
            display_name=creator.display_name,
            level=_level(creator),
        )

    async def ApplyForAdmission(
        self, request: pb.ApplyForAdmissionRequest, context: Any
    ) -> pb.Creator:
        command = parse(handlers.ApplyForAdmission, request)
        return to_message(await self._creators.apply_for_admission(current_principal(), command))

    async def ReviewAdmission(self, request: pb.ReviewAdmissionRequest, context: Any) -> pb.Creator:
        command = parse(handlers.ReviewAdmission, request)
        return to_message(await self._creators.review_admission(current_principal(), command))

    async def UpdatePayoutAccount(
        self, request: pb.UpdatePayoutAccountRequest, context: Any
    ) -> pb.Creator:
        command = parse(handlers.UpdatePayoutAccount, request)
        return to_message(await self._creators.update_payout_account(current_principal(), command))


def service(creators: CreatorHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["CreatorService"],
        add_CreatorServiceServicer_to_server,
        CreatorServicer(creators),
        ACCESS,
    )


def _level(creator: Creator) -> pb.CreatorLevel.ValueType:
    return pb.CreatorLevel.Value(f"CREATOR_LEVEL_{creator.level or 'UNSPECIFIED'}")


def to_message(creator: Creator) -> pb.Creator:
    message = pb.Creator(
        name=f"creators/{creator.id}",
        state=pb.Creator.State.Value(f"STATE_{creator.state}"),
        display_name=creator.display_name,
        mobile_number=creator.mobile_number,
        dingtalk_id=creator.dingtalk_id,
        refusals=[
            pb.Refusal(code=refusal.code, rule_id=refusal.rule_id, description=refusal.description)
            for refusal in creator.refusals
        ],
        level=_level(creator),
        live_stream_access=creator.has_live_stream_access,
        paypal_receiver=creator.paypal_receiver,
        create_time=to_timestamp(creator.create_time),
        update_time=to_timestamp(creator.update_time),
    )
    if creator.account:
        message.account.MergeFrom(
            pb.SocialAccount(
                account_class=pb.AccountClass.Value(
                    f"ACCOUNT_CLASS_{creator.account.account_class}"
                ),
                handle=creator.account.handle,
                post_count=creator.account.post_count,
                follower_count=creator.account.follower_count,
            )
        )
    return message
