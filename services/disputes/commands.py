"""Command models of the dispute RPCs."""

from typing import Annotated

from pydantic import Field

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
from workflows.dispute.model import Ground, Outcome, State

DisputeId = Annotated[str, resource_id("disputes/{dispute}")]
AssignmentId = Annotated[str, resource_id("assignments/{assignment}")]
Statement = Annotated[str, bounded_text(1, 4000), Visible]


class DisputeInput(Command):
    assignment_id: AssignmentId = Field(alias="assignment")
    ground: Annotated[Ground, proto_enum("GROUND_")]
    statement: Statement


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
    reasoning: Statement
    amount: PositiveMoney | None = None
    deadline_time: Instant | None = None


class DecideDispute(Command):
    id: DisputeId = Field(alias="name")
    decision: DecisionInput
    request_id: str


class WithdrawDispute(Command):
    id: DisputeId = Field(alias="name")
    request_id: str
