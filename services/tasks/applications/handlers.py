"""Use cases of applications: apply, read, withdraw."""

from dataclasses import replace
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
from services.tasks.applications.commands import (
    ApplicationName,
    CreateApplication,
    ListApplications,
)
from services.tasks.applications.domain import Application, ApplicationState
from services.tasks.applications.task_cache import PublishedContentCache
from services.tasks.domain import Creators, State, Task, TaskReader, check_eligible

# Namespace of application ids, which are derived from the request: a repeated request finds the
# application that it created.
_REQUESTS = UUID("6f0c3ff7-6a7f-4f0e-9a7e-0d8a0b8f6d3c")


class Applications(Protocol):
    async def add(self, application: Application) -> bool:
        """Returns False if the task takes no applications at this instant, or the creator has one
        already."""

    async def application_by_id(self, application_id: str) -> Application | None:
        """Whichever task it is for."""

    async def application(self, task_id: str, application_id: str) -> Application | None: ...

    async def live_application(self, task_id: str, creator_id: str) -> Application | None:
        """The creator's application for the task that is not withdrawn."""

    async def list_applications(
        self, task_id: str | None, creator_id: str | None, page: Page
    ) -> list[Application]: ...

    async def withdraw(self, application: Application) -> bool:
        """Returns False if the deadline has passed, or it is not APPLIED, or is being selected."""


class ApplicationHandlers:
    def __init__(
        self, tasks: TaskReader, applications: Applications, creators: Creators, clock: Clock
    ) -> None:
        self._tasks = tasks
        self._published = PublishedContentCache(tasks)
        self._applications = applications
        self._creators = creators
        self._clock = clock

    async def create_application(self, who: Principal, command: CreateApplication) -> Application:
        creator_id = who.creator or ""
        application_id = uuid5(_REQUESTS, f"{creator_id} {command.request_id.lower()}").hex
        try:
            return await self._apply(creator_id, application_id, command)
        except LiaisonError:
            # A repeated request gets its first answer, whatever has changed since.
            created = await self._applications.application_by_id(application_id)
            if created is None:
                raise
            return _first_answer(created, command)

    async def _apply(
        self, creator_id: str, application_id: str, command: CreateApplication
    ) -> Application:
        content = await self._published.content(command.task_id)
        if content is None:
            raise not_yours(f"tasks/{command.task_id}")
        check_eligible(content, await self._creators.candidate(creator_id))
        now = self._clock()
        application = Application(
            id=application_id,
            task_id=command.task_id,
            creator_id=creator_id,
            message=command.application.message,
            create_time=now,
            update_time=now,
        )
        if not await self._applications.add(application):
            raise await self._refusal(application)
        return application

    async def _refusal(self, refused: Application) -> LiaisonError:
        """Why `add` returned False."""
        name = f"tasks/{refused.task_id}"
        live = await self._applications.live_application(refused.task_id, refused.creator_id)
        if live is not None:
            return AlreadyExists(
                Reason.ALREADY_APPLIED, f"You have an application for {name} already"
            )
        task = await self._tasks.task(refused.task_id)
        return not_yours(name) if task is None else _applications_closed(task, "CreateApplication")

    async def get_application(self, who: Principal, command: ApplicationName) -> Application:
        task_id, application_id = command.ids
        name = f"tasks/{task_id}/applications/{application_id}"
        task = who.require_found(name, await self._tasks.task(task_id))
        application = who.require_found(
            name, await self._applications.application(task_id, application_id)
        )
        who.require_party(name, brand=task.brand_id, creator=application.creator_id)
        return application

    async def list_applications(
        self, who: Principal, command: ListApplications, page: Page
    ) -> list[Application]:
        """A creator's own applications; for a brand or staff those for one task."""
        if who.role is Role.CREATOR:
            return await self._applications.list_applications(command.task_id, who.creator, page)
        if command.task_id is None:
            raise invalid_fields(
                Violation("parent", "AIP-159", "Only a creator can list across tasks")
            )
        name = f"tasks/{command.task_id}"
        task = who.require_found(name, await self._tasks.task(command.task_id))
        who.require_party(name, brand=task.brand_id)
        return await self._applications.list_applications(task.id, None, page)

    async def withdraw_application(self, who: Principal, command: ApplicationName) -> Application:
        application = await self.get_application(who, command)
        if not await self._applications.withdraw(replace(application, update_time=self._clock())):
            raise await self._not_withdrawable(await self.get_application(who, command))
        return await self.get_application(who, command)

    async def _not_withdrawable(self, application: Application) -> LiaisonError:
        """Why `withdraw` returned False."""
        command = "WithdrawApplication"
        task = await self._tasks.task(application.task_id)
        if application.state is not ApplicationState.APPLIED or task is None:
            return illegal_state(application.name, application.state, command)
        if self._clock() < task.content.application_deadline_time:
            return illegal_state(
                application.name, application.state, command, detail="and being selected"
            )
        return _applications_closed(task, command)


def _first_answer(created: Application, command: CreateApplication) -> Application:
    """The application as it was when it was created.

    Raises:
        InvalidArgument: the same `request_id` created it with another body.
    """
    if (created.task_id, created.message) != (command.task_id, command.application.message):
        raise request_id_reused(command.request_id)
    return replace(created, state=ApplicationState.APPLIED, update_time=created.create_time)


def _applications_closed(task: Task, command: str) -> FailedPrecondition:
    if task.state is State.OPEN:
        return FailedPrecondition(
            Reason.APPLICATION_DEADLINE_PASSED,
            f"Applications for {task.name} closed at {task.content.application_deadline_time}",
        )
    return illegal_state(task.name, task.state, command)
