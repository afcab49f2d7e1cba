"""Command models of the assignment RPCs.

Whether a command is legal in the present state, and a time in the future, the workflow decides.
"""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from servicekit.commands import (
    Command,
    Instant,
    Link,
    Visible,
    bounded_text,
    proto_enum,
    resource_id,
    resource_ids,
    unique_items,
    violation,
)
from services.tasks.assignments.domain import CATEGORIES, AssignmentCategory
from services.tasks.commands import RequirementInput
from services.tasks.domain import ContentType
from workflows.assignment.model import Action, ProposalKind, State

AssignmentId = Annotated[str, resource_id("assignments/{assignment}")]


class GetAssignment(Command):
    id: AssignmentId = Field(alias="name")


class ListAssignments(Command):
    task_id: Annotated[str, resource_id("tasks/{task}")] | None = Field(None, alias="task")
    states: Annotated[list[Annotated[State, proto_enum("STATE_")]], unique_items(0, 8)] = Field(
        default_factory=list
    )
    category: Annotated[AssignmentCategory | None, proto_enum("ASSIGNMENT_CATEGORY_")] = None
    brand_id: Annotated[str, resource_id("brands/{brand}")] | None = Field(None, alias="brand")
    creator_id: Annotated[str, resource_id("creators/{creator}")] | None = Field(
        None, alias="creator"
    )
    is_overdue: bool = False

    @property
    def wanted_states(self) -> tuple[State, ...] | None:
        """States both in `states` and in `category`, possibly none; None means no restriction."""
        if not self.states and self.category is None:
            return None
        in_category = set(State) if self.category is None else CATEGORIES[self.category]
        return tuple(sorted(in_category & set(self.states or State)))


class SubmissionInput(Command):
    note: Annotated[str, bounded_text(0, 2000), Visible] = ""
    media_object_ids: Annotated[
        list[Annotated[str, resource_id("mediaObjects/{media_object}")]], unique_items(0, 50)
    ] = Field(default_factory=list, alias="media_objects")
    article_ids: Annotated[
        list[Annotated[str, resource_id("articles/{article}")]], unique_items(0, 20)
    ] = Field(default_factory=list, alias="articles")
    links: Annotated[list[Link], unique_items(0, 20)] = Field(default_factory=list)
    content_types: Annotated[
        list[Annotated[ContentType, proto_enum("CONTENT_TYPE_")]], unique_items(0, 6)
    ] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_work(self) -> Self:
        if not self.media_object_ids and not self.article_ids and not self.links:
            raise violation(
                "R41", "A submission holds a media object, an article or a link at least"
            )
        return self


class SubmitWork(GetAssignment):
    submission: SubmissionInput
    request_id: str


class RequestChanges(GetAssignment):
    comment: Annotated[str, bounded_text(1, 4000), Visible]
    requirement_ids: Annotated[
        list[Annotated[str, bounded_text(1, 40), Visible]], unique_items(1, 50)
    ]
    request_id: str


class ApproveWork(GetAssignment):
    request_id: str


class ExpiryCommentInput(Command):
    reason: Annotated[str, proto_enum("REASON_")]
    comment: Annotated[str, bounded_text(1, 2000), Visible]


class CommentOnExpiry(GetAssignment):
    expiry_comment: ExpiryCommentInput
    request_id: str


class ReopenAssignment(GetAssignment):
    deadline_time: Instant
    comment: Annotated[str, bounded_text(0, 2000), Visible] = ""
    request_id: str


class ExtensionInput(Command):
    deadline_time: Instant


class AmendmentInput(Command):
    """The complete new list of requirements; the workflow assigns their ids."""

    requirements: Annotated[list[RequirementInput], unique_items(1, 50)]


class CancellationInput(Command):
    pass


class EarlyShipmentInput(Command):
    shipment_due_time: Instant


class ProposalInput(Command):
    extension: ExtensionInput | None = None
    amendment: AmendmentInput | None = None
    cancellation: CancellationInput | None = None
    early_shipment: EarlyShipmentInput | None = None
    reason: Annotated[str, bounded_text(1, 2000), Visible]

    @model_validator(mode="after")
    def _proposes(self) -> Self:
        """The proto's `oneof` allows at most one."""
        if not self.model_fields_set - {"reason"}:
            raise violation("ONE_OF", "Must propose something")
        return self

    @property
    def kind(self) -> ProposalKind:
        return next(kind for kind in ProposalKind if getattr(self, kind.lower()) is not None)

    @property
    def deadline_time(self) -> datetime | None:
        if self.extension is not None:
            return self.extension.deadline_time
        return self.early_shipment.shipment_due_time if self.early_shipment else None

    @property
    def requirement_texts(self) -> list[str]:
        return [one.text for one in self.amendment.requirements] if self.amendment else []


class CreateProposal(Command):
    assignment_id: AssignmentId = Field(alias="parent")
    proposal: ProposalInput
    request_id: str


_PROPOSAL = "assignments/{assignment}/proposals/{number}"
# 1, 2, 3, …; far more than an assignment takes.
_NUMBER = re.compile("[1-9][0-9]{0,5}")


class AnswerProposal(Command):
    """AcceptProposal, DeclineProposal and WithdrawProposal."""

    ids: Annotated[tuple[str, str], resource_ids(_PROPOSAL)] = Field(alias="name")
    request_id: str

    @field_validator("ids")
    @classmethod
    def _ends_in_a_number(cls, ids: tuple[str, str]) -> tuple[str, str]:
        if _NUMBER.fullmatch(ids[1]) is None:
            raise violation("AIP-122", f"Must look like {_PROPOSAL}")
        return ids

    @property
    def assignment_id(self) -> str:
        return self.ids[0]

    @property
    def number(self) -> int:
        return int(self.ids[1])


class ShipmentInput(Command):
    carrier: Annotated[str, bounded_text(1, 100), Visible]
    tracking_number: Annotated[str, bounded_text(1, 100), Visible]


class RecordShipment(GetAssignment):
    shipment: ShipmentInput
    request_id: str


class AcknowledgeReceipt(GetAssignment):
    request_id: str


_TIMED = (Action.MOVE_CLOCK, Action.REOPEN)


class OverrideAssignment(GetAssignment):
    action: Annotated[Action, proto_enum("ACTION_")]
    reason: Annotated[str, bounded_text(1, 2000), Visible]
    deadline_time: Instant | None = Field(None, validate_default=True)
    request_id: str

    @field_validator("deadline_time")
    @classmethod
    def _belongs_to_the_action(cls, time: datetime | None, info: ValidationInfo) -> datetime | None:
        action = info.data.get("action")
        if action is not None and (time is not None) != (action in _TIMED):
            must = "Must be given for" if time is None else "Must be left out for"
            raise violation("ACTION", f"{must} {action}")
        return time
