"""Use cases of selections: select applicants, and resend selections that a crash left behind."""

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from servicekit.auth import Principal
from servicekit.clock import Clock
from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
)
from services.tasks.applications.domain import Application, ApplicationState
from services.tasks.domain import Creators, Task, TaskReader, check_eligible
from services.tasks.selection.commands import SelectApplications
from services.tasks.selection.domain import PendingSelection
from workflows.errors import NotRunning
from workflows.task.model import Selection

# Much longer than any caller waits, so that a server that is still sending one can finish.
_RESEND_AFTER = timedelta(minutes=1)


class Applications(Protocol):
    async def applications(self, task_id: str, ids: list[str]) -> list[Application]:
        """In the order of `ids`; unknown ones are left out."""


class Selections(Protocol):
    async def claim(self, selection: PendingSelection) -> bool:
        """Claims all of its applications, or none and returns False if any is not APPLIED. Several
        selections may claim the same one: while any does, it cannot be withdrawn."""

    async def end(self, selection: PendingSelection) -> None:
        """Marks it as made. Its claims are cleared when the workflow records its decision."""

    async def disclaim(self, selection: PendingSelection) -> None:
        """Marks it as refused and releases its claims, unless it was sent again since."""

    async def take_stale(self, sent_before: datetime, now: datetime) -> PendingSelection | None:
        """One that was last sent before then, for this caller alone to send again now."""


class TaskWorkflows(Protocol):
    async def select(
        self, task_id: str, actor: str, selections: list[Selection], request_id: str
    ) -> None:
        """
        Raises:
            NotRunning: the task's workflow has ended.
        """


class SelectionHandlers:
    def __init__(
        self,
        tasks: TaskReader,
        applications: Applications,
        selections: Selections,
        creators: Creators,
        workflows: TaskWorkflows,
        clock: Clock,
    ) -> None:
        self._tasks = tasks
        self._applications = applications
        self._selections = selections
        self._creators = creators
        self._workflows = workflows
        self._clock = clock

    async def select_applications(
        self, who: Principal, command: SelectApplications
    ) -> list[Application]:
        """Claims the applications, so that none is withdrawn while the workflow decides."""
        task = await self._own_task(who, command.task_id)
        ids = [application_id for _, application_id in command.applications]
        applications = await self._applications.applications(task.id, ids)
        if len(applications) != len(ids):
            raise invalid_fields(
                Violation("applications", "R12", f"Must all be applications for {task.name}")
            )
        await self._check_eligible(task, applications)
        selection = PendingSelection(
            task.id, UUID(command.request_id), who.actor, ids, self._clock()
        )
        await self._claim(selection)
        try:
            await self._send(selection, applications)
        except NotRunning:
            ended = await self._own_task(who, task.id)
            raise illegal_state(ended.name, ended.state, "SelectApplications") from None
        return await self._applications.applications(task.id, ids)

    async def resend_stale_selections(self) -> int:
        """Sends selections with an unknown outcome again, such as after a crash. Returns how many.
        Each is sent under its own request id: one that was already made gets its first answer."""
        now, count = self._clock(), 0
        while selection := await self._selections.take_stale(now - _RESEND_AFTER, now):
            count += 1
            applications = await self._applications.applications(
                selection.task_id, selection.application_ids
            )
            with suppress(LiaisonError):  # refused and disclaimed, or left to be sent again
                await self._send(selection, applications)
        return count

    async def _check_eligible(self, task: Task, applications: list[Application]) -> None:
        """Checks those that are not selected yet; a repeated request has selected some before.

        Raises:
            LiaisonError: the first refusal, in the order of the request.
        """
        results = await asyncio.gather(
            *(
                self._check_creator(task, application)
                for application in applications
                if application.state is ApplicationState.APPLIED
            ),
            return_exceptions=True,
        )
        for refusal in results:
            if refusal is not None:
                raise refusal

    async def _check_creator(self, task: Task, application: Application) -> None:
        """
        Raises:
            FailedPrecondition: its creator may not take the task now. It does not say why: what a
                creator lacks is not for brands to know (R56).
        """
        try:
            check_eligible(task.content, await self._creators.candidate(application.creator_id))
        except FailedPrecondition:
            raise FailedPrecondition(
                Reason.CREATOR_NOT_ELIGIBLE,
                f"{application.name} can no longer be selected",
                metadata={"application": application.name},
            ) from None

    async def _send(self, selection: PendingSelection, applications: list[Application]) -> None:
        """Sends the selection to the workflow. It stays pending until the outcome is known."""
        try:
            await self._workflows.select(
                selection.task_id,
                selection.actor,
                [Selection(one.id, one.creator_id) for one in applications],
                str(selection.claim),
            )
        except LiaisonError as error:
            if not error.is_retryable:
                await self._selections.disclaim(selection)
            raise
        await self._selections.end(selection)

    async def _claim(self, selection: PendingSelection) -> None:
        if await self._selections.claim(selection):
            return
        found = await self._applications.applications(selection.task_id, selection.application_ids)
        states = {one.state for one in found}
        # All are selected if this is a repeated request: the workflow has its first answer.
        if states != {ApplicationState.SELECTED}:
            gone = next(one for one in found if one.state is not ApplicationState.APPLIED)
            raise illegal_state(gone.name, gone.state, "SelectApplications")

    async def _own_task(self, who: Principal, task_id: str) -> Task:
        task = who.require_found(f"tasks/{task_id}", await self._tasks.task(task_id))
        who.require_party(task.name, brand=task.brand_id)
        return task
