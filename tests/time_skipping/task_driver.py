"""Drives one task through the public API, as its brand and its applicants."""

from datetime import datetime
from typing import TYPE_CHECKING

from liaison.notifications.v1 import notifications_pb2
from liaison.tasks.v1 import tasks_pb2

from cli.demo.actors import Caller, new_request_id
from servicekit.timestamps import from_timestamp
from tests.time_skipping.assignment_driver import AssignmentDriver
from tests.time_skipping.timing import MINUTE, eventually
from workflows import ids

if TYPE_CHECKING:
    from tests.time_skipping.harness import Creator, Harness


class TaskDriver:
    def __init__(self, harness: "Harness", name: str, brand: Caller) -> None:
        self.harness, self.name, self.brand = harness, name, brand
        self.workflow_id = ids.task(name.removeprefix("tasks/"))
        self._applicants: dict[str, Creator] = {}

    async def read(self) -> tasks_pb2.Task:
        return await self.brand.tasks.GetTask(tasks_pb2.GetTaskRequest(name=self.name))

    async def state(self) -> str:
        return tasks_pb2.Task.State.Name((await self.read()).state).removeprefix("STATE_")

    async def until(self, state: str) -> None:
        await eventually(self.state, lambda seen: seen == state, f"{self.name} in {state}")

    async def events(self) -> list[str]:
        request = tasks_pb2.ListTaskTransitionsRequest(parent=self.name)
        answer = await self.brand.tasks.ListTaskTransitions(request)
        return [one.event for one in answer.transitions]

    async def application_deadline(self) -> datetime:
        return from_timestamp((await self.read()).application_deadline_time)

    async def selection_deadline(self) -> datetime:
        return from_timestamp((await self.read()).selection_deadline_time)

    async def pass_until(self, moment: datetime) -> None:
        """A little beyond that moment."""
        now = await self.harness.time.now(self.workflow_id)
        await self.harness.time.skip(self.workflow_id, moment + MINUTE - now)

    async def apply(self, creator: "Creator") -> str:
        application = await creator.caller.tasks.CreateApplication(
            tasks_pb2.CreateApplicationRequest(parent=self.name, request_id=new_request_id())
        )
        self._applicants[application.name] = creator
        return application.name

    async def application_state(self, application: str) -> str:
        request = tasks_pb2.GetApplicationRequest(name=application)
        found = await self._applicants[application].caller.tasks.GetApplication(request)
        return tasks_pb2.Application.State.Name(found.state).removeprefix("STATE_")

    async def until_application(self, application: str, state: str) -> None:
        await eventually(
            lambda: self.application_state(application),
            lambda seen: seen == state,
            f"{application} {state}",
        )

    async def until_notified(self, creator: "Creator") -> None:
        await eventually(
            lambda: self.notified_events(creator),
            bool,
            f"notice about {self.name} to {creator.name}",
        )

    async def notified_events(self, creator: "Creator") -> list[str]:
        """The events of the notices about this task that an applicant received."""
        page = await creator.caller.notifications.ListNotifications(
            notifications_pb2.ListNotificationsRequest()
        )
        return [one.event for one in page.notifications if one.subject.startswith(self.name)]

    async def select(self, *applications: str) -> list[AssignmentDriver]:
        await self.brand.tasks.SelectApplications(
            tasks_pb2.SelectApplicationsRequest(
                parent=self.name, applications=applications, request_id=new_request_id()
            )
        )
        assignments = [
            AssignmentDriver(
                self.harness,
                application.rpartition("/")[2],
                self.brand,
                self._applicants[application],
            )
            for application in applications
        ]
        for assignment in assignments:
            self.harness.workflow_ids += [assignment.workflow_id, ids.payout(assignment.id)]
            await assignment.saw("CREATOR_SELECTED")
        return assignments

    async def cancel(self) -> None:
        await self.brand.tasks.CancelTask(
            tasks_pb2.CancelTaskRequest(
                name=self.name, comment="Plans changed", request_id=new_request_id()
            )
        )

    async def end_selection(self) -> None:
        await self.brand.tasks.EndSelection(
            tasks_pb2.EndSelectionRequest(
                name=self.name, comment="Enough", request_id=new_request_id()
            )
        )
