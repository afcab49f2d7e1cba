"""tasks.v1 over gRPC: messages in and out."""

from typing import Any

from liaison.creators.v1 import creators_pb2
from liaison.tasks.v1 import assignments_pb2, records_pb2
from liaison.tasks.v1 import tasks_pb2 as pb
from liaison.tasks.v1.assignments_pb2_grpc import (
    AssignmentServiceServicer,
    add_AssignmentServiceServicer_to_server,
)
from liaison.tasks.v1.records_pb2_grpc import (
    RecordServiceServicer,
    add_RecordServiceServicer_to_server,
)
from liaison.tasks.v1.tasks_pb2_grpc import TaskServiceServicer, add_TaskServiceServicer_to_server

from servicekit.auth import Role, current_principal
from servicekit.commands import parse
from servicekit.grpc_server import Service
from servicekit.pagination import Cursor, page_of
from servicekit.resource_names import id_of
from servicekit.rpcs import Repeat, allow
from servicekit.timestamps import from_timestamp, to_timestamp
from services.tasks import commands
from services.tasks.assignments import AssignmentHandlers
from services.tasks.domain import (
    Application,
    ApplicationState,
    AssignmentRecord,
    RecordedAssignment,
    State,
    Task,
)
from services.tasks.handlers import TaskHandlers
from services.tasks.records import RecordHandlers
from workflows.assignment.messages import (
    policy_message,
    transition_from_message,
    transition_message,
)

TASK_ACCESS = {
    "CreateTask": allow(Role.BRAND),
    "GetTask": allow(*Role),
    "ListTasks": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "UpdateTask": allow(Role.BRAND),
    "PublishTask": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CancelTask": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CreateApplication": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "GetApplication": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "ListApplications": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "WithdrawApplication": allow(Role.CREATOR),
    "SelectApplications": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
}

ASSIGNMENT_ACCESS = {
    "GetAssignment": allow(*Role),
    "ListAssignments": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "ListTransitions": allow(Role.BRAND, Role.CREATOR, Role.MEDIATOR, Role.OPERATOR),
    "SubmitWork": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
    "RequestChanges": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "ApproveWork": allow(Role.BRAND, repeat=Repeat.BY_COMMAND),
    "CommentOnExpiry": allow(Role.CREATOR, repeat=Repeat.BY_COMMAND),
}

RECORD_ACCESS = {
    "RecordTask": allow(Role.SERVICE),
    "LapseApplications": allow(Role.SERVICE),
    "RecordAssignment": allow(Role.SERVICE),
}


class TaskServicer(TaskServiceServicer):
    def __init__(self, tasks: TaskHandlers) -> None:
        self._tasks = tasks

    async def CreateTask(self, request: pb.CreateTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.CreateTask, request)
        return task_message(await self._tasks.create_task(current_principal(), command))

    async def GetTask(self, request: pb.GetTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.GetTask, request)
        return task_message(await self._tasks.get_task(current_principal(), command))

    async def ListTasks(self, request: pb.ListTasksRequest, context: Any) -> pb.ListTasksResponse:
        command = parse(commands.ListTasks, request)
        page = page_of(request.page_size, request.page_token, command.state)
        tasks = await self._tasks.list_tasks(current_principal(), command, page)
        return pb.ListTasksResponse(
            tasks=map(task_message, tasks),
            next_page_token=page.token_after(tasks, lambda task: Cursor(task.create_time, task.id)),
        )

    async def UpdateTask(self, request: pb.UpdateTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.UpdateTask, request)
        return task_message(await self._tasks.update_task(current_principal(), command))

    async def PublishTask(self, request: pb.PublishTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.PublishTask, request)
        return task_message(await self._tasks.publish_task(current_principal(), command))

    async def CancelTask(self, request: pb.CancelTaskRequest, context: Any) -> pb.Task:
        command = parse(commands.CancelTask, request)
        return task_message(await self._tasks.cancel_task(current_principal(), command))

    async def CreateApplication(
        self, request: pb.CreateApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(commands.CreateApplication, request)
        application = await self._tasks.create_application(current_principal(), command)
        return application_message(application)

    async def GetApplication(
        self, request: pb.GetApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(commands.ApplicationName, request)
        application = await self._tasks.get_application(current_principal(), command)
        return application_message(application)

    async def ListApplications(
        self, request: pb.ListApplicationsRequest, context: Any
    ) -> pb.ListApplicationsResponse:
        command = parse(commands.ListApplications, request)
        page = page_of(request.page_size, request.page_token, command.task_id)
        applications = await self._tasks.list_applications(current_principal(), command, page)
        return pb.ListApplicationsResponse(
            applications=map(application_message, applications),
            next_page_token=page.token_after(
                applications, lambda application: Cursor(application.create_time, application.id)
            ),
        )

    async def WithdrawApplication(
        self, request: pb.WithdrawApplicationRequest, context: Any
    ) -> pb.Application:
        command = parse(commands.ApplicationName, request)
        application = await self._tasks.withdraw_application(current_principal(), command)
        return application_message(application)

    async def SelectApplications(
        self, request: pb.SelectApplicationsRequest, context: Any
    ) -> pb.SelectApplicationsResponse:
        command = parse(commands.SelectApplications, request)
        selected = await self._tasks.select_applications(current_principal(), command)
        return pb.SelectApplicationsResponse(applications=map(application_message, selected))


class AssignmentServicer(AssignmentServiceServicer):
    def __init__(self, assignments: AssignmentHandlers) -> None:
        self._assignments = assignments

    async def GetAssignment(
        self, request: assignments_pb2.GetAssignmentRequest, context: Any
    ) -> assignments_pb2.Assignment:
        command = parse(commands.GetAssignment, request)
        return _shown(await self._assignments.get_assignment(current_principal(), command))

    async def ListAssignments(
        self, request: assignments_pb2.ListAssignmentsRequest, context: Any
    ) -> assignments_pb2.ListAssignmentsResponse:
        command = parse(commands.ListAssignments, request)
        page = page_of(
            request.page_size, request.page_token, command.task_id, sorted(command.states)
        )
        records = await self._assignments.list_assignments(current_principal(), command, page)
        return assignments_pb2.ListAssignmentsResponse(
            assignments=map(_shown, records),
            next_page_token=page.token_after(
                records, lambda record: Cursor(record.create_time, record.id)
            ),
        )

    async def ListTransitions(
        self, request: assignments_pb2.ListTransitionsRequest, context: Any
    ) -> assignments_pb2.ListTransitionsResponse:
        command = parse(commands.ListTransitions, request)
        transitions = await self._assignments.list_transitions(current_principal(), command)
        return assignments_pb2.ListTransitionsResponse(
            transitions=map(transition_message, transitions)
        )

    async def SubmitWork(
        self, request: assignments_pb2.SubmitWorkRequest, context: Any
    ) -> assignments_pb2.Assignment:
        command = parse(commands.SubmitWork, request)
        return _shown(await self._assignments.submit_work(current_principal(), command))

    async def RequestChanges(
        self, request: assignments_pb2.RequestChangesRequest, context: Any
    ) -> assignments_pb2.Assignment:
        command = parse(commands.RequestChanges, request)
        return _shown(await self._assignments.request_changes(current_principal(), command))

    async def ApproveWork(
        self, request: assignments_pb2.ApproveWorkRequest, context: Any
    ) -> assignments_pb2.Assignment:
        command = parse(commands.ApproveWork, request)
        return _shown(await self._assignments.approve_work(current_principal(), command))

    async def CommentOnExpiry(
        self, request: assignments_pb2.CommentOnExpiryRequest, context: Any
    ) -> assignments_pb2.Assignment:
        command = parse(commands.CommentOnExpiry, request)
        return _shown(await self._assignments.comment_on_expiry(current_principal(), command))


class RecordServicer(RecordServiceServicer):
    def __init__(self, records: RecordHandlers) -> None:
        self._records = records

    async def RecordTask(
        self, request: records_pb2.RecordTaskRequest, context: Any
    ) -> records_pb2.RecordTaskResponse:
        has_waiting = await self._records.record_task(
            id_of("tasks/{task}", request.name),
            request.sequence,
            State(pb.Task.State.Name(request.state).removeprefix("STATE_")),
            list(request.selected_application_ids),
        )
        return records_pb2.RecordTaskResponse(has_waiting_applications=has_waiting)

    async def LapseApplications(
        self, request: records_pb2.LapseApplicationsRequest, context: Any
    ) -> records_pb2.LapseApplicationsResponse:
        creator_ids = await self._records.lapse_applications(
            id_of("tasks/{task}", request.name),
            list(request.selected_application_ids),
            [id_of("creators/{creator}", name) for name in request.told_creators],
        )
        return records_pb2.LapseApplicationsResponse(
            creators=[f"creators/{creator_id}" for creator_id in creator_ids]
        )

    async def RecordAssignment(
        self, request: records_pb2.RecordAssignmentRequest, context: Any
    ) -> records_pb2.RecordAssignmentResponse:
        shown = request.assignment
        state = assignments_pb2.Assignment.State.Name(shown.state)
        await self._records.record_assignment(
            RecordedAssignment(
                AssignmentRecord(
                    id=id_of("assignments/{assignment}", shown.name),
                    task_id=id_of("tasks/{task}", shown.task),
                    brand_id=id_of("brands/{brand}", shown.brand),
                    creator_id=id_of("creators/{creator}", shown.creator),
                    state=state.removeprefix("STATE_"),
                    sequence=shown.sequence,
                    create_time=from_timestamp(shown.create_time),
                    message=shown.SerializeToString(),
                ),
                tuple(transition_from_message(one) for one in request.transitions),
            )
        )
        return records_pb2.RecordAssignmentResponse()


def services(
    tasks: TaskHandlers, assignments: AssignmentHandlers, records: RecordHandlers
) -> list[Service]:
    return [
        Service(
            pb.DESCRIPTOR.services_by_name["TaskService"],
            add_TaskServiceServicer_to_server,
            TaskServicer(tasks),
            TASK_ACCESS,
        ),
        Service(
            assignments_pb2.DESCRIPTOR.services_by_name["AssignmentService"],
            add_AssignmentServiceServicer_to_server,
            AssignmentServicer(assignments),
            ASSIGNMENT_ACCESS,
        ),
        Service(
            records_pb2.DESCRIPTOR.services_by_name["RecordService"],
            add_RecordServiceServicer_to_server,
            RecordServicer(records),
            RECORD_ACCESS,
        ),
    ]


def _shown(record: AssignmentRecord) -> assignments_pb2.Assignment:
    return assignments_pb2.Assignment.FromString(record.message)


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
        reward=pb.Reward(money=content.reward.to_message()),
        funding=pb.Funding.Value(f"FUNDING_{content.funding}"),
        creator_slots=content.creator_slots,
        eligibility=pb.Eligibility(
            account_classes=[
                creators_pb2.AccountClass.Value(f"ACCOUNT_CLASS_{one}")
                for one in content.account_classes
            ],
            minimum_level=creators_pb2.CreatorLevel.Value(f"CREATOR_LEVEL_{content.minimum_level}"),
        ),
        live_stream_channel=pb.LiveStreamChannel.Value(
            f"LIVE_STREAM_CHANNEL_{content.live_stream_channel}"
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
    )


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
