"""What can be done with applications: apply, withdraw, select."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID, uuid5

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    AlreadyExists,
    FailedPrecondition,
    LiaisonError,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
    not_yours,
    request_id_reused,
)
from servicekit.pagination import Page
from services.tasks.commands import (
    ApplicationName,
    CreateApplication,
    ListApplications,
    SelectApplications,
)
from services.tasks.domain import (
    Application,
    ApplicationState,
    Candidate,
    NotUnderWay,
    State,
    Task,
    check_eligible,
)
from services.tasks.published_contents import PublishedContents, TaskReader
from workflows.task.model import Selection

# Namespace of ids that follow from a request, so that a repeated request finds what it made.
_REQUESTS = UUID("6f0c3ff7-6a7f-4f0e-9a7e-0d8a0b8f6d3c")

# Well after its caller has given up: whoever is at it still has time to end it.
_LEFT_BEHIND_AFTER = timedelta(minutes=1)


@dataclass(frozen=True)
class BegunSelection:
    """A selection from the moment its applications are claimed until its outcome is known. `claim`
    is its request's id, `attempt_time` when it was sent to the workflow last."""

    task_id: str
    claim: UUID
    actor: str
    application_ids: list[str]
    attempt_time: datetime


class ApplicationStore(Protocol):
    """Where applications are kept."""

    async def apply(self, application: Application) -> bool:
        """False when the task takes none at this instant, or the creator has one already."""

    async def made(self, application_id: str) -> Application | None:
        """Whichever task it is for."""

    async def application(self, task_id: str, application_id: str) -> Application | None: ...

    async def applications(self, task_id: str, ids: list[str]) -> list[Application]: ...

    async def live_application(self, task_id: str, creator_id: str) -> Application | None: ...

    async def list_applications(
        self, task_id: str | None, creator_id: str | None, page: Page
    ) -> list[Application]: ...

    async def withdraw(self, application: Application) -> bool:
        """False when it is too late, or the application is not waiting any more."""

    async def claim(self, selection: BegunSelection) -> bool:
        """Claims all of its applications, or none and False when not all are waiting. Other
        selections may claim them too: while any does, an application cannot be withdrawn."""

    async def end_selection(self, selection: BegunSelection) -> None:
        """It is made. Its claims are the workflow's record to clear."""

    async def disclaim(self, selection: BegunSelection) -> None:
        """It is refused. Nothing is done when somebody has tried it again since."""

    async def take_selection(self, tried_before: datetime, now: datetime) -> BegunSelection | None:
        """One that nobody has tried since then, to be tried now by the caller alone."""


class CreatorDirectory(Protocol):
    """The creators service."""

    async def candidate(self, creator_id: str) -> Candidate: ...


class SelectionWorkflows(Protocol):
    """The tasks' workflows. A command raises NotUnderWay where one has ended."""

    async def select(
        self, task_id: str, actor: str, selections: list[Selection], request_id: str
    ) -> None: ...


class ApplicationHandlers:
    def __init__(
        self,
        tasks: TaskReader,
        store: ApplicationStore,
        creators: CreatorDirectory,
        runs: SelectionWorkflows,
        clock: Clock,
    ) -> None:
        self._tasks = tasks
        self._published = PublishedContents(tasks)
        self._store = store
        self._creators = creators
        self._runs = runs
        self._clock = clock

    async def create_application(self, who: Principal, command: CreateApplication) -> Application:
        creator_id = who.creator or ""
        application_id = uuid5(_REQUESTS, f"{creator_id} {command.request_id.lower()}").hex
        try:
            return await self._apply(creator_id, application_id, command)
        except LiaisonError:
            # A repeated request gets its first answer, whatever became of everything since.
            if (made := await self._store.made(application_id)) is None:
                raise
            return _first_answer(made, command)

    async def _apply(
        self, creator_id: str, application_id: str, command: CreateApplication
    ) -> Application:
        content = await self._published.content(command.task_id)
        if content is None:
            raise not_yours(f"tasks/{command.task_id}")
        check_eligible(content, await self._creators.candidate(creator_id))
        now = self._clock()
        wish = Application(
            id=application_id,
            task_id=command.task_id,
            creator_id=creator_id,
            message=command.application.message,
            create_time=now,
            update_time=now,
        )
        if not await self._store.apply(wish):
            raise await self._refusal(wish)
        return wish

    async def _refusal(self, wish: Application) -> LiaisonError:
        name = f"tasks/{wish.task_id}"
        if await self._store.live_application(wish.task_id, wish.creator_id) is not None:
            return AlreadyExists(
                Reason.ALREADY_APPLIED, f"You have an application for {name} already"
            )
        task = await self._tasks.task(wish.task_id)
        return not_yours(name) if task is None else _applications_closed(task, "CreateApplication")

    async def get_application(self, who: Principal, command: ApplicationName) -> Application:
        task_id, application_id = command.ids
        name = f"tasks/{task_id}/applications/{application_id}"
        task = who.require_found(name, await self._tasks.task(task_id))
        application = who.require_found(
            name, await self._store.application(task_id, application_id)
        )
        who.require_party(name, brand=task.brand_id, creator=application.creator_id)
        return application

    async def list_applications(
        self, who: Principal, command: ListApplications, page: Page
    ) -> list[Application]:
        if command.task_id is None:
            if who.role is not Role.CREATOR:
                raise invalid_fields(
                    Violation("parent", "AIP-159", "Only a creator can list across tasks")
                )
            return await self._store.list_applications(None, who.creator, page)
        if who.role is Role.CREATOR:
            return await self._store.list_applications(command.task_id, who.creator, page)
        task = await self._own_task(who, command.task_id)
        return await self._store.list_applications(task.id, None, page)

    async def withdraw_application(self, who: Principal, command: ApplicationName) -> Application:
        application = await self.get_application(who, command)
        if not await self._store.withdraw(replace(application, update_time=self._clock())):
            raise await self._too_late(await self.get_application(who, command))
        return await self.get_application(who, command)

    async def _too_late(self, application: Application) -> LiaisonError:
        command = "WithdrawApplication"
        task = await self._tasks.task(application.task_id)
        if application.state is not ApplicationState.APPLIED or task is None:
            return illegal_state(application.name, application.state, command)
        if self._clock() < task.content.application_deadline_time:
            return illegal_state(
                application.name, application.state, command, detail="and being selected"
            )
        return _applications_closed(task, command)

    async def select_applications(
        self, who: Principal, command: SelectApplications
    ) -> list[Application]:
        """Claims the applications, so that none is withdrawn while the workflow decides."""
        task = await self._own_task(who, command.task_id)
        ids = [application_id for _, application_id in command.applications]
        applications = await self._store.applications(task.id, ids)
        if len(applications) != len(ids):
            raise invalid_fields(
                Violation("applications", "R12", f"Must all be applications for {task.name}")
            )
        await self._check_selectable(task, applications)
        selection = BegunSelection(task.id, UUID(command.request_id), who.actor, ids, self._clock())
        await self._claim(selection)
        try:
            await self._select(selection, applications)
        except NotUnderWay:
            ended = await self._own_task(who, task.id)
            raise illegal_state(ended.name, ended.state, "SelectApplications") from None
        return await self._store.applications(task.id, ids)

    async def finish_selections(self) -> int:
        """Tries again what others, a crash perhaps, left with an unknown outcome; answers with how
        many there were. Each goes by its own request: if it was made, that is found."""
        now, count = self._clock(), 0
        while selection := await self._store.take_selection(now - _LEFT_BEHIND_AFTER, now):
            count += 1
            ids = selection.application_ids
            applications = await self._store.applications(selection.task_id, ids)
            with suppress(LiaisonError):  # refused, and let go of; or to be tried again
                await self._select(selection, applications)
        return count

    async def _check_selectable(self, task: Task, applications: list[Application]) -> None:
        """Those that this very request has selected before are not judged again.

        Raises:
            LiaisonError: the first refusal, in the order that the brand asked for.
        """
        judged = await asyncio.gather(
            *(
                self._judge(task, application)
                for application in applications
                if application.state is ApplicationState.APPLIED
            ),
            return_exceptions=True,
        )
        for refusal in judged:
            if refusal is not None:
                raise refusal

    async def _judge(self, task: Task, application: Application) -> None:
        """What a creator lacks is not for the brand to know (R56): it is told that, not what.

        Raises:
            FailedPrecondition: its creator may not take the task now.
        """
        try:
            check_eligible(task.content, await self._creators.candidate(application.creator_id))
        except FailedPrecondition:
            raise FailedPrecondition(
                Reason.CREATOR_NOT_ELIGIBLE,
                f"{application.name} can no longer be selected",
                metadata={"application": application.name},
            ) from None

    async def _select(self, selection: BegunSelection, applications: list[Application]) -> None:
        """Sends a selection to the workflow. It stays begun until the outcome is known."""
        try:
            await self._runs.select(
                selection.task_id,
                selection.actor,
                [Selection(one.id, one.creator_id) for one in applications],
                str(selection.claim),
            )
        except LiaisonError as error:
            if not error.is_retryable:
                await self._store.disclaim(selection)
            raise
        await self._store.end_selection(selection)

    async def _claim(self, selection: BegunSelection) -> None:
        if await self._store.claim(selection):
            return
        found = await self._store.applications(selection.task_id, selection.application_ids)
        states = {one.state for one in found}
        # A repeated request finds what it selected, and the workflow knows its answer.
        if states != {ApplicationState.SELECTED}:
            gone = next(one for one in found if one.state is not ApplicationState.APPLIED)
            raise illegal_state(gone.name, gone.state, "SelectApplications")

    async def _own_task(self, who: Principal, task_id: str) -> Task:
        task = who.require_found(f"tasks/{task_id}", await self._tasks.task(task_id))
        who.require_party(task.name, brand=task.brand_id)
        return task


def _first_answer(made: Application, command: CreateApplication) -> Application:
    """The application as it was made.

    Raises:
        InvalidArgument: it was made by the same `request_id` with another body.
    """
    if (made.task_id, made.message) != (command.task_id, command.application.message):
        raise request_id_reused(command.request_id)
    return replace(made, state=ApplicationState.APPLIED, update_time=made.create_time)


def _applications_closed(task: Task, command: str) -> FailedPrecondition:
    if task.state is State.OPEN:
        return FailedPrecondition(
            Reason.APPLICATION_DEADLINE_PASSED,
            f"Applications for {task.name} closed at {task.content.application_deadline_time}",
        )
    return illegal_state(task.name, task.state, command)
