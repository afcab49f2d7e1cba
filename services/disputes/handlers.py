"""Use cases of disputes: open, read, claim, decide, withdraw, and record what workflows decide."""

from typing import Protocol

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    Reason,
    Unavailable,
    illegal_state,
    not_yours,
)
from servicekit.pagination import Page
from services.disputes.commands import (
    ClaimDispute,
    DecideDispute,
    GetDispute,
    ListDisputes,
    OpenDispute,
    WithdrawDispute,
)
from services.disputes.domain import START_GRACE, Parties, command_id
from workflows.assignment.commands import OpenDispute as OpenDisputeCommand
from workflows.dispute.model import Claim, Decide, Decision, Dispute, State, Withdraw
from workflows.dispute.rules import check_decision, check_ground
from workflows.errors import NotRunning

# The commands that the workflow of a dispute takes.
DisputeCommand = Claim | Decide | Withdraw


class Disputes(Protocol):
    async def record(self, dispute: Dispute) -> None:
        """Does nothing if this or a later change of the dispute is recorded."""

    async def get(self, dispute_id: str) -> Dispute | None: ...

    async def list(
        self, *, brand_id: str | None, creator_id: str | None, states: list[State], page: Page
    ) -> list[Dispute]: ...


class Assignments(Protocol):
    """The tasks service."""

    async def parties(self, assignment_id: str) -> Parties | None: ...


class DisputeWorkflows(Protocol):
    """The workflows of assignments and disputes. Each method raises NotRunning."""

    async def open(
        self, assignment_id: str, command: OpenDisputeCommand, command_id: str
    ) -> Dispute: ...

    async def send(self, dispute_id: str, command: DisputeCommand, command_id: str) -> Dispute: ...


class DisputeHandlers:
    def __init__(
        self,
        disputes: Disputes,
        assignments: Assignments,
        workflows: DisputeWorkflows,
        clock: Clock,
    ) -> None:
        self._disputes = disputes
        self._assignments = assignments
        self._workflows = workflows
        self._clock = clock

    async def open_dispute(self, who: Principal, command: OpenDispute) -> Dispute:
        new = command.dispute
        name = f"assignments/{new.assignment_id}"
        parties = await self._assignments.parties(new.assignment_id)
        if parties is None:
            raise not_yours(name)
        who.require_party(name, brand=parties.brand_id, creator=parties.creator_id)
        check_ground(new.ground, who.actor)
        dispute_id = command_id(who.subject, command.request_id)
        opening = OpenDisputeCommand(dispute_id, new.ground, new.statement, who.actor)
        try:
            dispute = await self._workflows.open(new.assignment_id, opening, dispute_id)
        except NotRunning:
            raise FailedPrecondition(
                Reason.DISPUTE_NOT_ALLOWED,
                f"{name} is over, and can no longer be disputed",
                metadata={"assignment": name},
            ) from None
        # Its workflow records it too, a moment later. Until then the opener reads this record.
        await self._disputes.record(dispute)
        return dispute

    async def get_dispute(self, who: Principal, command: GetDispute) -> Dispute:
        return await self._own(who, command.id)

    async def list_disputes(
        self, who: Principal, command: ListDisputes, page: Page
    ) -> list[Dispute]:
        """The caller's own disputes, or all for staff."""
        return await self._disputes.list(
            brand_id=who.brand, creator_id=who.creator, states=command.states, page=page
        )

    async def claim_dispute(self, who: Principal, command: ClaimDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        return await self._send(who, dispute, Claim(who.actor), command.request_id)

    async def decide_dispute(self, who: Principal, command: DecideDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        given = command.decision
        decision = Decision(
            outcome=given.outcome,
            reasoning=given.reasoning,
            amount_minor=given.amount.amount_minor if given.amount else None,
            deadline_time=given.deadline_time,
            amount_currency=given.amount.currency if given.amount else None,
        )
        # The workflow checks it as well; checked here, violations name the fields. If the dispute
        # is closed, this may be a repetition of the request that decided it.
        if not dispute.is_closed:
            check_decision(dispute, decision, self._clock())
        return await self._send(who, dispute, Decide(who.actor, decision), command.request_id)

    async def withdraw_dispute(self, who: Principal, command: WithdrawDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        return await self._send(who, dispute, Withdraw(who.actor), command.request_id)

    async def record_dispute(self, dispute: Dispute) -> None:
        await self._disputes.record(dispute)

    async def _own(self, who: Principal, dispute_id: str) -> Dispute:
        """The dispute, if the caller is one of its sides or staff."""
        name = f"disputes/{dispute_id}"
        dispute = who.require_found(name, await self._disputes.get(dispute_id))
        who.require_party(name, brand=dispute.brand_id, creator=dispute.creator_id)
        return dispute

    async def _send(
        self, who: Principal, dispute: Dispute, command: DisputeCommand, request_id: str
    ) -> Dispute:
        """Sends the workflow a command. Returns once the change is recorded."""
        try:
            return await self._workflows.send(
                dispute.id, command, command_id(who.subject, request_id)
            )
        except NotRunning:
            raise self._absence(dispute, command) from None

    def _absence(self, dispute: Dispute, command: DisputeCommand) -> LiaisonError:
        """Why a recorded dispute has no running workflow."""
        if not dispute.is_closed and self._clock() < dispute.create_time + START_GRACE:
            return Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE,
                f"{dispute.name} is being opened; repeat with the same request_id",
            )
        return illegal_state(dispute.name, dispute.state, f"{type(command).__name__}Dispute")
