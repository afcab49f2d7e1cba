"""What a task's brand is told that others did in its stead, and in which words: pure."""

from collections.abc import Iterator

from workflows.notices import Notice
from workflows.task.state import Event, Task, Transition

_TEXTS = {
    Event.CANCELLED: "The platform cancelled your task '{title}': {comment}",
    Event.SELECTION_ENDED: "The platform ended the selection for your task '{title}': {comment}",
}


def notices(task: Task, transition: Transition) -> Iterator[Notice]:
    """The brand is not told what it did itself, nor of deadlines that it set."""
    text = _TEXTS.get(transition.event)
    if text is not None and transition.actor.startswith("staff/"):
        yield Notice(
            recipient=task.brand,
            event=f"TASK_{transition.event}",
            subject=task.name,
            text=text.format(title=task.published.terms.title, comment=transition.comment),
            deduplication_id=f"task/{task.published.id}/{transition.sequence}/{task.brand}",
        )
