"""TaskService over gRPC: messages in and out."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from datetime import datetime
from typing import Any

from google.protobuf.empty_pb2 import Empty
from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceServicer, add_TaskServiceServicer_to_server

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.money import Money
from servicekit.pagination import Cursor, page_of
from servicekit.rpc.access import Repeat, allow
from servicekit.rpc.server import Service
from servicekit.timestamps import to_timestamp
from services.tasks import commands
from services.tasks.applications.handlers import ApplicationHandlers
from services.tasks.assignments import servicer as assignment_servicer
from services.tasks.assignments.handlers import AssignmentHandlers
from services.tasks.domain import Application, ApplicationState, Reward, Task
from services.tasks.handlers import TaskHandlers
from services.tasks.listing import Order, key_of
from services.tasks.published_commands import EndSelection, ListTaskTransitions, WatchTask
from services.tasks.recording import servicer as record_servicer
from services.tasks.recording.handlers import RecordHandlers
from services.tasks.watching import WatchHandlers
from workflows.assignment.messages import policy_message
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


class TaskServicer(TaskServiceServicer):
    def __init__(
        self, tasks: TaskHandlers, applications: ApplicationHandlers, watching: WatchHandlers
    ) -> None:
        self._tasks = tasks
        self._applications = applications
        self._watching = watching

    async def CreateTask(self, request: pb.CreateTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.CreateTask, request)
        return task_message(await self._tasks.create_task(current_principal(), command))

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.GetTask, request)
        return task_message(await self._tasks.get_task(current_principal(), command))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        command = parse(commands.ListTasks, request)
        page = page_of(
            request.page_size,
            request.page_token,
            command,
            key=int if command.order_by is Order.REWARD else datetime,
        )
        tasks = await self._tasks.list_tasks(current_principal(), command, page)
        shown, next_page_token = page.fitted(
            tasks, task_message, lambda task: Cursor(key_of(task, command.order_by), task.id)
        )
        return pb.ListTasksResponse(tasks=shown, next_page_token=next_page_token)

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
        command = parse(EndSelection, request)
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
        command = parse(commands.CreateApplication, request)
        application = await self._applications.create_application(current_principal(), command)
        return application_message(application)

    async def GetApplication(
        self, request: pb.GetApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(commands.ApplicationName, request)
        application = await self._applications.get_application(current_principal(), command)
        return application_message(application)

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, context: Any
    ) -> pb.ListApplicationsResponse:
        command = parse(commands.ListApplications, request)
        page = page_of(request.page_size, request.page_token, command.task_id)
        applications = await self._applications.list_applications(
            current_principal(), command, page
        )
        shown, next_page_token = page.fitted(
            applications,
            application_message,
            lambda application: Cursor(application.create_time, application.id),
        )
        return pb.ListApplicationsResponse(applications=shown, next_page_token=next_page_token)

    async def WithdrawApplication(
        self, request: pb.WithdrawApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(commands.ApplicationName, request)
        application = await self._applications.withdraw_application(current_principal(), command)
        return application_message(application)

    async def SelectApplications(
        self, request: pb.SelectApplicationsRequest, context: Any
    ) -> pb.SelectApplicationsResponse:
        command = parse(commands.SelectApplications, request)
        selected = await self._applications.select_applications(current_principal(), command)
        return pb.SelectApplicationsResponse(applications=map(application_message, selected))


def services(
    tasks: TaskHandlers,
    applications: ApplicationHandlers,
    assignments: AssignmentHandlers,
    records: RecordHandlers,
    watching: WatchHandlers,
) -> list[Service]:
    return [
        Service(
            pb.DESCRIPTOR.services_by_name["TaskService"],
            add_TaskServiceServicer_to_server,
            TaskServicer(tasks, applications, watching),
            ACCESS,
        ),
        assignment_servicer.service(assignments, watching),
        record_servicer.service(records),
    ]


def task_message(task: Task) -> pb.Task:
    content = task.content
    return pb.Task(
        name=task.name,
        state=pb.Task.State.Value(f"STATE_{task.state}"),
        brand=f"brands/{task.brand_id}",
        title=content.title,
        description=content.description,
        content_types=[
            pb.ContentType.Value(f"CONTENT_TYPE_{one}") for one in content.content_types
        ],
        completion_rule=pb.CompletionRule.Value(f"COMPLETION_RULE_{content.completion_rule}"),
        requirements=[pb.Requirement(id=one.id, text=one.text) for one in content.requirements],
        reward=_reward_message(content.reward),
        funding=(
            pb.Funding.Value(f"FUNDING_{content.funding}")
            if isinstance(content.reward, Money)
            else pb.FUNDING_UNSPECIFIED
        ),
        creator_slots=content.creator_slots,
        eligibility=pb.Eligibility(
            account_classes=[
                creators_pb2.AccountClass.Value(f"ACCOUNT_CLASS_{one}")
                for one in content.account_classes
            ],
            minimum_level=creators_pb2.CreatorLevel.Value(f"CREATOR_LEVEL_{content.minimum_level}"),
        ),
        live_stream_channel=(
            pb.LiveStreamChannel.Value(f"LIVE_STREAM_CHANNEL_{content.live_stream_channel}")
            if content.has_live_stream
            else pb.LIVE_STREAM_CHANNEL_UNSPECIFIED
        ),
        application_deadline_time=to_timestamp(content.application_deadline_time),
        selection_deadline_time=to_timestamp(content.selection_deadline_time),
        submission_deadline_time=to_timestamp(content.submission_deadline_time),
        policy=f"policies/{content.policy_name}",
        frozen_policy=policy_message(task.frozen_policy) if task.frozen_policy else None,
        selected_count=task.selected_count,
        create_time=to_timestamp(task.create_time),
        update_time=to_timestamp(task.update_time),
        publish_time=to_timestamp(task.publish_time),
        etag=task.etag,
        store_coupons=[
            pb.StoreCoupons(store_id=one.store_id, coupon_ids=one.coupon_ids)
            for one in content.store_coupons
        ],
    )


def _reward_message(reward: Reward) -> pb.Reward:
    if isinstance(reward, Money):
        return pb.Reward(money=reward.to_message())
    return pb.Reward(product=pb.ProductReward(title=reward.title, link=reward.link))


def application_message(application: Application) -> pb.Application:
    is_selected = application.state is ApplicationState.SELECTED
    return pb.Application(
        name=application.name,
        state=pb.Application.State.Value(f"STATE_{application.state}"),
        creator=f"creators/{application.creator_id}",
        message=application.message,
        assignment=f"assignments/{application.id}" if is_selected else "",
        create_time=to_timestamp(application.create_time),
        update_time=to_timestamp(application.update_time),
    )
