"""Command models of the application RPCs."""

from typing import Annotated

from pydantic import Field, ValidatorFunctionWrapHandler, field_validator

from servicekit.commands import Command, bounded_text, resource_ids
from services.tasks.commands import TaskId

ALL_TASKS = "tasks/-"  # AIP-159

ApplicationIds = Annotated[tuple[str, str], resource_ids("tasks/{task}/applications/{application}")]


class ApplicationInput(Command):
    message: Annotated[str, bounded_text(0, 1000)] = ""


class CreateApplication(Command):
    task_id: TaskId = Field(alias="parent")
    application: ApplicationInput = ApplicationInput()
    request_id: str


class ApplicationName(Command):
    """GetApplication and WithdrawApplication. `ids` are those of the task and the application."""

    ids: ApplicationIds = Field(alias="name")


class ListApplications(Command):
    """`task_id` is None for `tasks/-`: the caller's own applications for all tasks."""

    task_id: TaskId | None = Field(alias="parent")

    @field_validator("task_id", mode="wrap")
    @classmethod
    def _task_or_all(cls, parent: str, handler: ValidatorFunctionWrapHandler) -> str | None:
        task_id: str | None = None if parent == ALL_TASKS else handler(parent)
        return task_id
