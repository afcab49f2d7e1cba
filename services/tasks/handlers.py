"""The life of a task: drafted, published, cancelled, its selection ended."""

from dataclasses import replace
from typing import Protocol
from uuid import uuid4

from servicekit.auth import Principal, Role
from servicekit.clock import Clock
from servicekit.errors import (
    Aborted,
    FailedPrecondition,
    Reason,
    Violation,
    illegal_state,
    invalid_fields,
)
from services.tasks.commands import (
    CancelTask,
    CreateTask,
    DeleteTask,
    EndSelection,
    GetTask,
    PublishTask,
    TaskInput,
    UpdateTask,
)
from services.tasks.domain import Content, State, Task, workflow_input
from workflows.errors import NotRunning
from workflows.policy import POLICIES
from workflows.task.model import PublishedTask, Transition
from workflows.task.rules import publish


class Tasks(Protocol):
    async def add_task(self, task: Task) -> None: ...

    async def task(self, task_id: str, *, for_update: bool = False) -> Task | None: ...

    async def save_draft(self, task: Task) -> None: ...

    async def delete_draft(self, task_id: str) -> None: ...

    async def publish(self, task: Task, draft_version: int, first: Transition) -> bool:
        """Returns False if the draft was changed or published meanwhile."""

    async def mark_workflow_started(self, task_id: str) -> None: ...

    async def tasks_without_workflow(self) -> list[Task]:
        """Published tasks whose workflow is not known to have started; a batch of them."""


class TaskWorkflows(Protocol):
    """The workflows of tasks. Commands raise NotRunning if the workflow has ended."""

    async def start(self, task: PublishedTask) -> None: ...

    async def cancel(self, task_id: str, actor: str, comment: str, request_id: str) -> None: ...

    async def end_selection(
        self, task_id: str, actor: str, comment: str, request_id: str
    ) -> None: ...


class TaskHandlers:
    def __init__(
        self,
        tasks: Tasks,
        workflows: TaskWorkflows,
        clock: Clock,
        offered_policies: list[str],
    ) -> None:
        self._tasks = tasks
        self._workflows = workflows
        self._clock = clock
        self._offered_policies = offered_policies

    async def create_task(self, who: Principal, command: CreateTask) -> Task:
        now = self._clock()
        task = Task(
            id=uuid4().hex,
            brand_id=who.brand or "",
            content=self._content(command.task),
            create_time=now,
            update_time=now,
        )
        await self._tasks.add_task(task)
        return task

    async def get_task(self, who: Principal, command: GetTask) -> Task:
        task = await self._visible_task(who, command.id)
        if who.role is Role.BRAND:
            who.require_party(task.name, brand=task.brand_id)
        return task

    async def update_task(self, who: Principal, command: UpdateTask) -> Task:
        task = await self._own_task(who, command.task.id, for_update=True)
        if task.state is not State.DRAFT:
            raise illegal_state(task.name, task.state, "UpdateTask")
        _check_etag(task, command.task.etag)
        updated = replace(
            task,
            content=self._content(command.task),
            version=task.version + 1,
            update_time=self._clock(),
        )
        await self._tasks.save_draft(updated)
        return updated

    async def delete_task(self, who: Principal, command: DeleteTask) -> None:
        task = await self._own_task(who, command.id, for_update=True)
        if task.state is not State.DRAFT:
            raise illegal_state(task.name, task.state, "DeleteTask")
        if command.etag:
            _check_etag(task, command.etag)
        await self._tasks.delete_draft(task.id)

    async def publish_task(self, who: Principal, command: PublishTask) -> Task:
        """Freezes the draft, then starts its workflow. `start_missing_workflows` starts it if this
        process ends between the two."""
        task = await self._own_task(who, command.id)
        if task.state is State.DRAFT:
            if command.etag:
                _check_etag(task, command.etag)
            frozen = self._frozen(task, command.request_id)
            first = publish(who.actor, frozen.update_time)
            is_published = await self._tasks.publish(frozen, task.version, first)
            # False: another request published or changed it first, perhaps this one sent twice.
            task = frozen if is_published else await self._own_task(who, command.id)
        if task.state is State.DRAFT:
            raise _changed_meanwhile(task.name)
        if task.publish_request_id != command.request_id:
            raise illegal_state(task.name, task.state, "PublishTask")
        await self._start_workflow(task)
        return task

    def _frozen(self, draft: Task, request_id: str) -> Task:
        self._check_deadlines(draft.content)
        now = self._clock()
        return replace(
            draft,
            state=State.OPEN,
            version=draft.version + 1,
            frozen_policy=POLICIES[draft.content.policy_name],
            publish_time=now,
            publish_request_id=request_id,
            update_time=now,
        )

    async def start_missing_workflows(self) -> int:
        """Starts the workflows of published tasks that have none. Returns how many."""
        tasks = await self._tasks.tasks_without_workflow()
        for task in tasks:
            await self._start_workflow(task)
        return len(tasks)

    async def cancel_task(self, who: Principal, command: CancelTask) -> Task:
        task = await self._own_task(who, command.id)
        if task.state is State.DRAFT:
            raise illegal_state(task.name, task.state, "CancelTask")
        try:
            await self._workflows.cancel(task.id, who.actor, command.comment, command.request_id)
        except NotRunning:
            raise await self._not_under_way(who, task, "CancelTask") from None
        return await self._own_task(who, command.id)

    async def end_selection(self, who: Principal, command: EndSelection) -> Task:
        task = await self._own_task(who, command.id)
        if who.role is not Role.BRAND and not command.comment.strip():
            raise invalid_fields(
                Violation("comment", "REQUIRED", "Say why the brand does not do it itself")
            )
        if task.state is State.DRAFT:
            raise illegal_state(task.name, task.state, "EndSelection")
        try:
            await self._workflows.end_selection(
                task.id, who.actor, command.comment, command.request_id
            )
        except NotRunning:
            raise await self._not_under_way(who, task, "EndSelection") from None
        return await self._own_task(who, command.id)

    async def _not_under_way(self, who: Principal, task: Task, command: str) -> FailedPrecondition:
        ended = await self._own_task(who, task.id)
        return illegal_state(ended.name, ended.state, command)

    async def _start_workflow(self, task: Task) -> None:
        if task.frozen_policy is not None:
            await self._workflows.start(workflow_input(task, task.frozen_policy))
            await self._tasks.mark_workflow_started(task.id)

    def _content(self, task: TaskInput) -> Content:
        if task.policy_name not in self._offered_policies:
            raise invalid_fields(
                Violation("task.policy", "OFFERED", f"Offered are {self._offered_policies}")
            )
        return task.content()

    def _check_deadlines(self, content: Content) -> None:
        if content.application_deadline_time <= self._clock():
            raise FailedPrecondition(
                Reason.APPLICATION_DEADLINE_PASSED,
                "The draft's application deadline has passed: set a later one",
            )

    async def _own_task(self, who: Principal, task_id: str, *, for_update: bool = False) -> Task:
        task = await self._visible_task(who, task_id, for_update=for_update)
        who.require_party(task.name, brand=task.brand_id)
        return task

    async def _visible_task(
        self, who: Principal, task_id: str, *, for_update: bool = False
    ) -> Task:
        """A draft is visible to its own brand only."""
        task = await self._tasks.task(task_id, for_update=for_update)
        if task is not None and task.state is State.DRAFT and task.brand_id != who.brand:
            task = None
        return who.require_found(f"tasks/{task_id}", task)


def _check_etag(task: Task, etag: str) -> None:
    if etag != task.etag:
        raise _changed_meanwhile(task.name)


def _changed_meanwhile(name: str) -> Aborted:
    return Aborted(Reason.ETAG_MISMATCH, f"{name} was changed meanwhile: read it again")
