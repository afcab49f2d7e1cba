"""What can be done with disputes: read them, command their workflows, record what these decide."""

from typing import Annotated, Protocol

from pydantic import Field

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.commands import (
    Command,
    Instant,
    PositiveMoney,
    Visible,
    bounded_text,
    proto_enum,
    resource_id,
    unique_items,
)
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    Reason,
    Unavailable,
    illegal_state,
    not_yours,
)
from servicekit.pagination import Page
from services.disputes.domain import START_GRACE, Parties, command_id
from workflows.assignment.model import OpenDispute as OpenDisputeOrder
from workflows.dispute.model import (
    Claim,
    Decide,
    Decision,
    Dispute,
    Ground,
    Outcome,
    State,
    Withdraw,
)
from workflows.dispute.rules import check_decision, check_ground
from workflows.errors import NotRunning

# What the workflow of a dispute takes.
DisputeCommand = Claim | Decide | Withdraw

DisputeId = Annotated[str, resource_id("disputes/{dispute}")]
AssignmentId = Annotated[str, resource_id("assignments/{assignment}")]
Words = Annotated[str, bounded_text(1, 4000), Visible]


class DisputeInput(Command):
    assignment_id: AssignmentId = Field(alias="assignment")
    ground: Annotated[Ground, proto_enum("GROUND_")]
    statement: Words


class OpenDispute(Command):
    dispute: DisputeInput
    request_id: str


class GetDispute(Command):
    id: DisputeId = Field(alias="name")


class ListDisputes(Command):
    states: Annotated[list[Annotated[State, proto_enum("STATE_")]], unique_items(0, len(State))] = (
        Field(default_factory=list)
    )


class ClaimDispute(Command):
    id: DisputeId = Field(alias="name")
    request_id: str


class DecisionInput(Command):
    outcome: Annotated[Outcome, proto_enum("OUTCOME_")]
    reasoning: Words
    amount: PositiveMoney | None = None
    deadline_time: Instant | None = None


class DecideDispute(Command):
    id: DisputeId = Field(alias="name")
    decision: DecisionInput
    request_id: str


class WithdrawDispute(Command):
    id: DisputeId = Field(alias="name")
    request_id: str


class DisputeStore(Protocol):
    async def record(self, dispute: Dispute) -> None:
        """Keeps the dispute unless this change of it, or a later one, is kept already."""

    async def get(self, dispute_id: str) -> Dispute | None: ...

    async def list(
        self, *, brand_id: str | None, creator_id: str | None, states: list[State], page: Page
    ) -> list[Dispute]: ...


class AssignmentDirectory(Protocol):
    """The tasks service."""

    async def parties(self, assignment_id: str) -> Parties | None: ...


class DisputeRuns(Protocol):
    """The workflows of assignments and disputes. Each method raises NotRunning."""

    async def open(
        self, assignment_id: str, order: OpenDisputeOrder, command_id: str
    ) -> Dispute: ...

    async def send(self, dispute_id: str, command: DisputeCommand, command_id: str) -> Dispute: ...


class DisputeHandlers:
    def __init__(
        self,
        store: DisputeStore,
        assignments: AssignmentDirectory,
        runs: DisputeRuns,
        clock: Clock,
    ) -> None:
        self._store = store
        self._assignments = assignments
        self._runs = runs
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
        order = OpenDisputeOrder(dispute_id, new.ground, new.statement, who.actor)
        try:
            dispute = await self._runs.open(new.assignment_id, order, dispute_id)
        except NotRunning:
            raise FailedPrecondition(
                Reason.DISPUTE_NOT_ALLOWED,
                f"{name} is over, and so is the time to dispute it",
                metadata={"assignment": name},
            ) from None
        # The dispute's own workflow records it too, a moment later: who opened it reads it now.
        await self._store.record(dispute)
        return dispute

    async def get_dispute(self, who: Principal, command: GetDispute) -> Dispute:
        return await self._own(who, command.id)

    async def list_disputes(
        self, who: Principal, command: ListDisputes, page: Page
    ) -> list[Dispute]:
        """The caller's own; all for staff, who speak for no side."""
        return await self._store.list(
            brand_id=who.brand, creator_id=who.creator, states=command.states, page=page
        )

    async def claim_dispute(self, who: Principal, command: ClaimDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        return await self._order(who, dispute, Claim(who.actor), command.request_id)

    async def decide_dispute(self, who: Principal, command: DecideDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        made = command.decision
        decision = Decision(
            outcome=made.outcome,
            reasoning=made.reasoning,
            amount_minor=made.amount.amount_minor if made.amount else None,
            deadline_time=made.deadline_time,
            amount_currency=made.amount.currency if made.amount else None,
        )
        # The workflow checks it as well; here the violations keep the fields that they name. Of a
        # dispute that is decided, this may be the deciding request again.
        if not dispute.is_closed:
            check_decision(dispute, decision, self._clock())
        order = Decide(who.actor, decision)
        return await self._order(who, dispute, order, command.request_id)

    async def withdraw_dispute(self, who: Principal, command: WithdrawDispute) -> Dispute:
        dispute = await self._own(who, command.id)
        return await self._order(who, dispute, Withdraw(who.actor), command.request_id)

    async def record_dispute(self, dispute: Dispute) -> None:
        await self._store.record(dispute)

    async def _own(self, who: Principal, dispute_id: str) -> Dispute:
        """The dispute, if the caller is one of its sides or may see all of them."""
        name = f"disputes/{dispute_id}"
        dispute = who.require_found(name, await self._store.get(dispute_id))
        who.require_party(name, brand=dispute.brand_id, creator=dispute.creator_id)
        return dispute

    async def _order(
        self, who: Principal, dispute: Dispute, command: DisputeCommand, request_id: str
    ) -> Dispute:
        """Sends the workflow a command. It answers once the change is recorded."""
        try:
            return await self._runs.send(dispute.id, command, command_id(who.subject, request_id))
        except NotRunning:
            raise self._absence(dispute, command) from None

    def _absence(self, dispute: Dispute, command: DisputeCommand) -> LiaisonError:
        """Why a dispute that is recorded has no workflow."""
        if not dispute.is_closed and self._clock() < dispute.create_time + START_GRACE:
            return Unavailable(
                Reason.DEPENDENCY_UNAVAILABLE,
                f"{dispute.name} is being opened; repeat with the same request_id",
            )
        return illegal_state(dispute.name, dispute.state, f"{type(command).__name__}Dispute")
