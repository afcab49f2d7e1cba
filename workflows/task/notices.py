"""Notices about a task: to its brand about actions on its behalf, and to applicants who were not
selected. Pure."""

from collections.abc import Iterator

from workflows.notices import Notice, as_sentence
from workflows.task.inputs import LapseApplications
from workflows.task.model import Event, Task, Transition

_TEXTS = {
    Event.CANCELLED: "The platform cancelled your task '{title}': {comment}",
    Event.SELECTION_ENDED: "The platform ended the selection for your task '{title}': {comment}",
}


def notices(task: Task, transition: Transition) -> Iterator[Notice]:
    """The brand gets no notice of its own actions, nor of deadlines that it set."""
    text = _TEXTS.get(transition.event)
    if text is not None and transition.actor.startswith("staff/"):
        yield Notice(
            recipient=task.brand,
            event=f"TASK_{transition.event}",
            subject=task.name,
            text=text.format(
                title=task.published.terms.title, comment=as_sentence(transition.comment)
            ),
            deduplication_id=f"task/{task.published.id}/{transition.sequence}/{task.brand}",
        )


def lapse_notice(order: LapseApplications, creator: str) -> Notice:
    """To an applicant who was not selected."""
    if order.comment:
        text = f"The task '{order.title}' was cancelled: {as_sentence(order.comment)}"
    elif order.selected_ids:
        text = f"The task '{order.title}' was given to others this time."
    else:
        text = f"The selection for the task '{order.title}' ended, and nobody was selected."
    return Notice(
        recipient=creator,
        event="APPLICATION_LAPSED",
        subject=f"tasks/{order.task_id}",
        text=text,
        deduplication_id=f"task/{order.task_id}/lapsed/{creator}",
    )
