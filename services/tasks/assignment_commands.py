"""What callers may say about assignments: command models that mirror the requests."""

from typing import Annotated

from pydantic import Field, model_validator

from servicekit.commands import (
    Command,
    Link,
    between,
    broken,
    count,
    proto_enum,
    resource_id,
    text,
)

AssignmentId = Annotated[str, resource_id("assignments/{assignment}")]


class GetAssignment(Command):
    id: AssignmentId = Field(alias="name")


class ListAssignments(Command):
    task_id: Annotated[str, resource_id("tasks/{task}")] | None = Field(None, alias="task")
    states: Annotated[list[Annotated[str, proto_enum("STATE_")]], count(0, 8)] = Field(
        default_factory=list
    )


class ListTransitions(Command):
    assignment_id: AssignmentId = Field(alias="parent")
    after_sequence: Annotated[int, between(0, 2**62)] = 0


class WatchAssignment(GetAssignment):
    after_sequence: Annotated[int, between(0, 2**62)] = 0


class SubmissionInput(Command):
    note: Annotated[str, text(0, 2000)] = ""
    media_object_ids: Annotated[
        list[Annotated[str, resource_id("mediaObjects/{media_object}")]], count(0, 50)
    ] = Field(default_factory=list, alias="media_objects")
    links: Annotated[list[Link], count(0, 20)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _has_work(self) -> "SubmissionInput":
        if not self.media_object_ids and not self.links:
            raise broken("R41", "A submission holds a media object or a link at least")
        return self


class SubmitWork(GetAssignment):
    submission: SubmissionInput
    request_id: str


class RequestChanges(GetAssignment):
    comment: Annotated[str, text(1, 4000)]
    requirement_ids: Annotated[list[str], count(1, 50)]
    request_id: str


class ApproveWork(GetAssignment):
    request_id: str


class ExpiryCommentInput(Command):
    reason: Annotated[str, proto_enum("REASON_")]
    comment: Annotated[str, text(1, 2000)]


class CommentOnExpiry(GetAssignment):
    expiry_comment: ExpiryCommentInput
    request_id: str
