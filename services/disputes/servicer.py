"""DisputeService over gRPC."""

from typing import Any

from liaison.disputes.v1 import disputes_pb2 as pb
from liaison.disputes.v1.disputes_pb2_grpc import (
    DisputeServiceServicer,
    add_DisputeServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.disputes import commands
from services.disputes.handlers import DisputeHandlers
from workflows.dispute.messages import from_message, to_message

ACCESS = {
    "OpenDispute": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "GetDispute": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE),
    "ListDisputes": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "ClaimDispute": allow(Role.MEDIATOR, repeat=Repeat.BY_COMMAND),
    "DecideDispute": allow(Role.MEDIATOR, repeat=Repeat.BY_COMMAND),
    "WithdrawDispute": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "RecordDispute": allow(Role.SERVICE),
}


class DisputeServicer(DisputeServiceServicer):
    def __init__(self, disputes: DisputeHandlers) -> None:
        self._disputes = disputes

    async def OpenDispute(self, request: pb.OpenDisputeRequest, context: Any) -> pb.Dispute:
        command = parse(commands.OpenDispute, request)
        return to_message(await self._disputes.open_dispute(current_principal(), command))

    async def GetDispute(self, request: pb.GetDisputeRequest, context: Any) -> pb.Dispute:
        command = parse(commands.GetDispute, request)
        return to_message(await self._disputes.get_dispute(current_principal(), command))

    async def ListDisputes(
        self, request: pb.ListDisputesRequest, context: Any
    ) -> pb.ListDisputesResponse:
        who, command = current_principal(), parse(commands.ListDisputes, request)
        page = page_of(
            request.page_size, request.page_token, who.brand, who.creator, sorted(command.states)
        )
        disputes = await self._disputes.list_disputes(who, command, page)
        return pb.ListDisputesResponse(
            disputes=map(to_message, disputes),
            next_page_token=page.token_after(
                disputes, lambda dispute: Cursor(dispute.create_time, dispute.id)
            ),
        )

    async def ClaimDispute(self, request: pb.ClaimDisputeRequest, context: Any) -> pb.Dispute:
        command = parse(commands.ClaimDispute, request)
        return to_message(await self._disputes.claim_dispute(current_principal(), command))

    async def DecideDispute(self, request: pb.DecideDisputeRequest, context: Any) -> pb.Dispute:
        command = parse(commands.DecideDispute, request)
        return to_message(await self._disputes.decide_dispute(current_principal(), command))

    async def WithdrawDispute(self, request: pb.WithdrawDisputeRequest, context: Any) -> pb.Dispute:
        command = parse(commands.WithdrawDispute, request)
        return to_message(await self._disputes.withdraw_dispute(current_principal(), command))

    async def RecordDispute(
        self, request: pb.RecordDisputeRequest, context: Any
    ) -> pb.RecordDisputeResponse:
        await self._disputes.record_dispute(from_message(request.dispute))
        return pb.RecordDisputeResponse()


def service(disputes: DisputeHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["DisputeService"],
        add_DisputeServiceServicer_to_server,
        DisputeServicer(disputes),
        ACCESS,
    )
