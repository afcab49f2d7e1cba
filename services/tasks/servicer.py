"""TaskService over gRPC, and all of the services that this process serves."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceServicer, add_TaskServiceServicer_to_server

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from services.tasks import commands
from services.tasks.applications import commands as application_commands
from services.tasks.applications.handlers import ApplicationHandlers
from services.tasks.applications.messages import application_message
from services.tasks.assignments import servicer as assignment_servicer
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.handlers import TaskHandlers
from services.tasks.listing.commands import ListTasks
from services.tasks.listing.domain import Order, key_of
from services.tasks.listing.handlers import ListingHandlers
from services.tasks.messages import task_message
from services.tasks.recording import servicer as record_servicer
from services.tasks.recording.handlers import RecordHandlers
from services.tasks.selection.commands import SelectApplications
from services.tasks.selection.handlers import SelectionHandlers
from services.tasks.watching.commands import ListTaskTransitions, WatchTask
from services.tasks.watching.handlers import WatchHandlers
from workflows.task.messages import transition_message

ACCESS = {
    "CreateTask": allow(Role.BRAND),
    "GetTask": allow(
        Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR, Role.SERVICE, Role.PLATFORM
    ),
    "ListTasks": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "UpdateTask": allow(Role.BRAND),
    "DeleteTask": allow(Role.BRAND),
    "PublishTask": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CancelTask": allow(Role.BRAND, Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "EndSelection": allow(Role.BRAND, Role.OPERATOR, repeat=Repeat.BY_COMMAND),
    "ListTaskTransitions": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "WatchTask": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "CreateApplication": allow(Role.CREATOR, repeat=Repeat.BY_ID),
    "GetApplication": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "ListApplications": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "WithdrawApplication": allow(Role.CREATOR),
    "SelectApplications": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
}


@dataclass(frozen=True)
class Handlers:
    """The use cases of the process, a group for each subject package."""

    tasks: TaskHandlers
    listing: ListingHandlers
    applications: ApplicationHandlers
    selection: SelectionHandlers
    assignments: AssignmentHandlers
    watching: WatchHandlers
    records: RecordHandlers


class TaskServicer(TaskServiceServicer):
    def __init__(self, handlers: Handlers) -> None:
        self._tasks = handlers.tasks
        self._listing = handlers.listing
        self._applications = handlers.applications
        self._selection = handlers.selection
        self._watching = handlers.watching

    async def CreateTask(self, request: pb.CreateTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.CreateTask, request)
        return task_message(await self._tasks.create_task(current_principal(), command))

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.GetTask, request)
        return task_message(await self._tasks.get_task(current_principal(), command))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        command = parse(ListTasks, request)
        page = page_of(
            request.page_size,
            request.page_token,
            command,
            key=int if command.order_by is Order.REWARD else datetime,
        )
        tasks = await self._listing.list_tasks(current_principal(), command, page)
        messages, next_page_token = page.fitted(
            tasks, task_message, lambda task: Cursor(key_of(task, command.order_by), task.id)
        )
        return pb.ListTasksResponse(tasks=messages, next_page_token=next_page_token)

    async def UpdateTask(self, request: pb.UpdateTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.UpdateTask, request)
        return task_message(await self._tasks.update_task(current_principal(), command))

    async def DeleteTask(self, request: pb.DeleteTaskRequest, context: Any) -> Empty:
        command = parse(commands.DeleteTask, request)
        await self._tasks.delete_task(current_principal(), command)
        return Empty()

    async def PublishTask(self, request: pb.PublishTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.PublishTask, request)
        return task_message(await self._tasks.publish_task(current_principal(), command))

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.CancelTask, request)
        return task_message(await self._tasks.cancel_task(current_principal(), command))

    async def EndSelection(self, request: pb.EndSelectionRequest, context: Any) -> pb.Task:
        command = parse(commands.EndSelection, request)
        return task_message(await self._tasks.end_selection(current_principal(), command))

    async def ListTaskTransitions(
        self, request: pb.ListTaskTransitionsRequest, context: Any
    ) -> pb.ListTaskTransitionsResponse:
        command = parse(ListTaskTransitions, request)
        transitions = await self._watching.list_task_transitions(current_principal(), command)
        return pb.ListTaskTransitionsResponse(
            transitions=[transition_message(command.task_id, one) for one in transitions]
        )

    async def WatchTask(
        self, request: pb.WatchTaskRequest, context: Any
    ) -> AsyncIterator[pb.TaskTransition]:
        command = parse(WatchTask, request)
        watched = await self._watching.watch_task(current_principal(), command)
        async with aclosing(watched) as transitions:
            async for transition in transitions:
                yield transition_message(command.id, transition)

    async def CreateApplication(
        self, request: pb.CreateApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(application_commands.CreateApplication, request)
        application = await self._applications.create_application(current_principal(), command)
        return application_message(application)

    async def GetApplication(
        self, request: pb.GetApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(application_commands.ApplicationName, request)
        application = await self._applications.get_application(current_principal(), command)
        return application_message(application)

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, context: Any
    ) -> pb.ListApplicationsResponse:
        command = parse(application_commands.ListApplications, request)
        page = page_of(request.page_size, request.page_token, command.task_id)
        applications = await self._applications.list_applications(
            current_principal(), command, page
        )
        messages, next_page_token = page.fitted(
            applications,
            application_message,
            lambda application: Cursor(application.create_time, application.id),
        )
        return pb.ListApplicationsResponse(applications=messages, next_page_token=next_page_token)

    async def WithdrawApplication(
        self, request: pb.WithdrawApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(application_commands.ApplicationName, request)
        application = await self._applications.withdraw_application(current_principal(), command)
        return application_message(application)

    async def SelectApplications(
        self, request: pb.SelectApplicationsRequest, context: Any
    ) -> pb.SelectApplicationsResponse:
        command = parse(SelectApplications, request)
        selected = await self._selection.select_applications(current_principal(), command)
        return pb.SelectApplicationsResponse(applications=map(application_message, selected))


def services(handlers: Handlers) -> list[Service]:
    return [
        Service(
            pb.DESCRIPTOR.services_by_name["TaskService"],
            add_TaskServiceServicer_to_server,
            TaskServicer(handlers),
            ACCESS,
        ),
        assignment_servicer.service(handlers.assignments, handlers.watching),
        record_servicer.service(handlers.records),
    ]
