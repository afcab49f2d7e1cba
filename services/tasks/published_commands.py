"""What callers may say about tasks that are published: command models that mirror the requests."""

from typing import Annotated

from pydantic import Field

from servicekit.commands import Command, Visible, between, bounded_text
from services.tasks.commands import GetTask, TaskId

Sequence = Annotated[int, between(0, 2**62)]


class EndSelection(GetTask):
    comment: Annotated[str, bounded_text(0, 1000), Visible] = ""
    request_id: str


class ListTaskTransitions(Command):
    task_id: TaskId = Field(alias="parent")
    after_sequence: Sequence = 0


class WatchTask(GetTask):
    after_sequence: Sequence = 0
