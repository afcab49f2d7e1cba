"""What can be done with assignments: read them, and send their workflows commands."""

from typing import Protocol

from servicekit.auth import Principal, Role
from servicekit.errors import FailedPrecondition, LiaisonError, Reason, not_found, not_yours
from servicekit.pagination import Page
from services.tasks.assignment_commands import (
    ApproveWork,
    CommentOnExpiry,
    GetAssignment,
    ListAssignments,
    ListTransitions,
    RequestChanges,
    SubmitWork,
)
from services.tasks.domain import AssignmentRecord
from workflows.assignment import model
from workflows.assignment.model import Transition


class AssignmentStore(Protocol):
    async def assignment(self, assignment_id: str) -> AssignmentRecord | None: ...

    async def list_assignments(
        self,
        *,
        brand_id: str | None,
        creator_id: str | None,
        task_id: str | None,
        states: list[str],
        page: Page,
    ) -> list[AssignmentRecord]: ...

    async def transitions(self, assignment_id: str, after_sequence: int) -> list[Transition]: ...


class MediaLibrary(Protocol):
    """The media service."""

    async def accepted_ids(self, owner_id: str, ids: list[str]) -> set[str]:
        """Those of `ids` that belong to the creator and were accepted."""


class AssignmentRuns(Protocol):
    """The assignments' workflows."""

    async def command(
        self, assignment_id: str, name: str, command: object, request_id: str
    ) -> None: ...


class AssignmentHandlers:
    def __init__(self, store: AssignmentStore, media: MediaLibrary, runs: AssignmentRuns) -> None:
        self._store = store
        self._media = media
        self._runs = runs

    async def get_assignment(self, who: Principal, command: GetAssignment) -> AssignmentRecord:
        return await self._own(who, command.id)

    async def list_assignments(
        self, who: Principal, command: ListAssignments, page: Page
    ) -> list[AssignmentRecord]:
        return await self._store.list_assignments(
            brand_id=who.brand,
            creator_id=who.creator,
            task_id=command.task_id,
            states=command.states,
            page=page,
        )

    async def list_transitions(self, who: Principal, command: ListTransitions) -> list[Transition]:
        await self._own(who, command.assignment_id)
        return await self._store.transitions(command.assignment_id, command.after_sequence)

    async def submit_work(self, who: Principal, command: SubmitWork) -> AssignmentRecord:
        record = await self._own(who, command.id)
        work = command.submission
        await self._check_media(record.creator_id, work.media_object_ids)
        return await self._order(
            who,
            record.id,
            "submit_work",
            model.SubmitWork(who.actor, work.note, work.media_object_ids, work.links),
            command.request_id,
        )

    async def request_changes(self, who: Principal, command: RequestChanges) -> AssignmentRecord:
        return await self._order(
            who,
            command.id,
            "request_changes",
            model.RequestChanges(who.actor, command.comment, command.requirement_ids),
            command.request_id,
        )

    async def approve_work(self, who: Principal, command: ApproveWork) -> AssignmentRecord:
        return await self._order(
            who, command.id, "approve_work", model.ApproveWork(who.actor), command.request_id
        )

    async def comment_on_expiry(self, who: Principal, command: CommentOnExpiry) -> AssignmentRecord:
        said = command.expiry_comment
        return await self._order(
            who,
            command.id,
            "comment_on_expiry",
            model.CommentOnExpiry(who.actor, said.reason, said.comment),
            command.request_id,
        )

    async def _order(
        self, who: Principal, assignment_id: str, name: str, command: object, request_id: str
    ) -> AssignmentRecord:
        """Sends a command to the caller's assignment; answers with what came of it."""
        await self._own(who, assignment_id)
        await self._runs.command(assignment_id, name, command, request_id)
        return await self._own(who, assignment_id)

    async def _check_media(self, owner_id: str, ids: list[str]) -> None:
        if not ids:
            return
        accepted = await self._media.accepted_ids(owner_id, ids)
        if missing := [id_ for id_ in ids if id_ not in accepted]:
            raise FailedPrecondition(
                Reason.MEDIA_NOT_ACCEPTED,
                "Only media objects of your own that were accepted can be submitted",
                metadata={"media_objects": ",".join(f"mediaObjects/{id_}" for id_ in missing)},
            )

    async def _own(self, who: Principal, assignment_id: str) -> AssignmentRecord:
        name = f"assignments/{assignment_id}"
        record = await self._store.assignment(assignment_id)
        if record is None:
            raise self._absent(who, name)
        who.require_party(name, brand=record.brand_id, creator=record.creator_id)
        return record

    @staticmethod
    def _absent(who: Principal, name: str) -> LiaisonError:
        owners = (Role.BRAND, Role.CREATOR)
        return not_yours(name) if who.role in owners else not_found(name)
