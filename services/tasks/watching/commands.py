"""Command models of the List…Transitions and Watch… RPCs."""

from typing import Annotated

from pydantic import Field

from servicekit.commands import Command, between
from services.tasks.assignments.commands import AssignmentId, GetAssignment
from services.tasks.commands import GetTask, TaskId

Sequence = Annotated[int, between(0, 2**62)]


class ListTaskTransitions(Command):
    task_id: TaskId = Field(alias="parent")
    after_sequence: Sequence = 0


class WatchTask(GetTask):
    after_sequence: Sequence = 0


class ListTransitions(Command):
    assignment_id: AssignmentId = Field(alias="parent")
    after_sequence: Sequence = 0


class WatchAssignment(GetAssignment):
    after_sequence: Sequence = 0
