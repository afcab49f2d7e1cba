"""Command model of SelectApplications."""

from typing import Annotated

from pydantic import Field

from servicekit.commands import Command, unique_items
from services.tasks.applications.commands import ApplicationIds
from services.tasks.commands import TaskId


class SelectApplications(Command):
    task_id: TaskId = Field(alias="parent")
    applications: Annotated[list[ApplicationIds], unique_items(1, 100)]
    request_id: str
