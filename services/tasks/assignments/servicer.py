"""AssignmentService over gRPC."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import (
    AssignmentServiceServicer,
    add_AssignmentServiceServicer_to_server,
)

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.tasks.assignments import commands
from services.tasks.assignments.domain import AssignmentRecord
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.watching.commands import ListTransitions, WatchAssignment
from services.tasks.watching.handlers import WatchHandlers
from workflows.assignment.messages import transition_message

ACCESS = {
    "GetAssignment": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE),
    "ListAssignments": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "ListTransitions": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "WatchAssignment": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "SubmitWork": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "RequestChanges": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "ApproveWork": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CommentOnExpiry": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "ReopenAssignment": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CreateProposal": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "AcceptProposal": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "DeclineProposal": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "WithdrawProposal": allow(Role.BRAND, Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "RecordShipment": allow(Role.BRAND, Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "AcknowledgeReceipt": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "OverrideAssignment": allow(Role.OPERATOR, repeat=Repeat.BY_COMMAND),
}


class AssignmentServicer(AssignmentServiceServicer):
    def __init__(self, assignments: AssignmentHandlers, watching: WatchHandlers) -> None:
        self._assignments = assignments
        self._watching = watching

    async def GetAssignment(self, request: pb.GetAssignmentRequest, context: Any) -> pb.Assignment:
        command = parse(commands.GetAssignment, request)
        return _message(await self._assignments.get_assignment(current_principal(), command))

    async def ListAssignments(
        self, request: pb.ListAssignmentsRequest, context: Any
    ) -> pb.ListAssignmentsResponse:
        command = parse(commands.ListAssignments, request)
        page = page_of(
            request.page_size,
            request.page_token,
            command.task_id,
            command.wanted_states,
            command.brand_id,
            command.creator_id,
            command.is_overdue,
        )
        records = await self._assignments.list_assignments(current_principal(), command, page)
        messages, next_page_token = page.fitted(
            records, _message, lambda record: Cursor(record.create_time, record.id)
        )
        return pb.ListAssignmentsResponse(assignments=messages, next_page_token=next_page_token)

    async def ListTransitions(
        self, request: pb.ListTransitionsRequest, context: Any
    ) -> pb.ListTransitionsResponse:
        command = parse(ListTransitions, request)
        transitions = await self._watching.list_transitions(current_principal(), command)
        return pb.ListTransitionsResponse(transitions=map(transition_message, transitions))

    async def WatchAssignment(
        self, request: pb.WatchAssignmentRequest, context: Any
    ) -> AsyncIterator[pb.Transition]:
        command = parse(WatchAssignment, request)
        watched = await self._watching.watch_assignment(current_principal(), command)
        async with aclosing(watched) as transitions:
            async for transition in transitions:
                yield transition_message(transition)

    async def SubmitWork(self, request: pb.SubmitWorkRequest, context: Any) -> pb.Assignment:
        command = parse(commands.SubmitWork, request)
        return _message(await self._assignments.submit_work(current_principal(), command))

    async def RequestChanges(
        self, request: pb.RequestChangesRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.RequestChanges, request)
        return _message(await self._assignments.request_changes(current_principal(), command))

    async def ApproveWork(self, request: pb.ApproveWorkRequest, context: Any) -> pb.Assignment:
        command = parse(commands.ApproveWork, request)
        return _message(await self._assignments.approve_work(current_principal(), command))

    async def CommentOnExpiry(
        self, request: pb.CommentOnExpiryRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.CommentOnExpiry, request)
        return _message(await self._assignments.comment_on_expiry(current_principal(), command))

    async def ReopenAssignment(
        self, request: pb.ReopenAssignmentRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.ReopenAssignment, request)
        return _message(await self._assignments.reopen_assignment(current_principal(), command))

    async def CreateProposal(
        self, request: pb.CreateProposalRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.CreateProposal, request)
        return _message(await self._assignments.create_proposal(current_principal(), command))

    async def AcceptProposal(
        self, request: pb.AcceptProposalRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.AnswerProposal, request)
        return _message(await self._assignments.accept_proposal(current_principal(), command))

    async def DeclineProposal(
        self, request: pb.DeclineProposalRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.AnswerProposal, request)
        return _message(await self._assignments.decline_proposal(current_principal(), command))

    async def WithdrawProposal(
        self, request: pb.WithdrawProposalRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.AnswerProposal, request)
        return _message(await self._assignments.withdraw_proposal(current_principal(), command))

    async def RecordShipment(
        self, request: pb.RecordShipmentRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.RecordShipment, request)
        return _message(await self._assignments.record_shipment(current_principal(), command))

    async def AcknowledgeReceipt(
        self, request: pb.AcknowledgeReceiptRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.AcknowledgeReceipt, request)
        return _message(await self._assignments.acknowledge_receipt(current_principal(), command))

    async def OverrideAssignment(
        self, request: pb.OverrideAssignmentRequest, context: Any
    ) -> pb.Assignment:
        command = parse(commands.OverrideAssignment, request)
        return _message(await self._assignments.override_assignment(current_principal(), command))


def service(assignments: AssignmentHandlers, watching: WatchHandlers) -> Service:
    return Service(
        pb.DESCRIPTOR.services_by_name["AssignmentService"],
        add_AssignmentServiceServicer_to_server,
        AssignmentServicer(assignments, watching),
        ACCESS,
    )


def _message(record: AssignmentRecord) -> pb.Assignment:
    return pb.Assignment.FromString(record.message)
