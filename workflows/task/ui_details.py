"""What operators read about a task in the Temporal UI: who must act, until when, what happens
otherwise, what the operator can do, and what has happened so far. Markdown."""

from collections.abc import Iterator

from workflows.formatting import to_the_second
from workflows.task.model import State, Task, Transition

# A task with a thousand slots may have as many selections.
_LATEST_COUNT = 20


def describe(task: Task) -> str:
    published = task.published
    headline, otherwise = _now(task)
    assignments = ", ".join(f"`assignment/{id_}`" for id_ in task.selected_ids) or "none yet"
    return "\n".join(
        [
            f"**{headline}**",
            "",
            otherwise,
            "",
            f"- `{task.name}` of `{task.brand}`",
            f"- {len(task.selected)} of {published.creator_slots} creators selected",
            f"- assignments: {assignments}",
            f"- policy `{published.terms.policy.name}`",
            "",
            *_history(task),
        ]
    )


def _now(task: Task) -> tuple[str, str]:
    published = task.published
    match task.state:
        case State.OPEN:
            return (
                "Creators apply, and the brand may select",
                f"Until **{to_the_second(published.application_deadline_time)}**; then no more"
                f" applications are taken. {_way_out(task)}",
            )
        case State.SELECTING:
            return (
                "The brand must select creators",
                f"Until **{to_the_second(published.selection_deadline_time)}**; otherwise the task"
                f" ends unfilled, or goes on with those selected. {_way_out(task)}",
            )
        case State.IN_PROGRESS:
            return (
                "Creators work: see their assignments",
                f"{task.ended_count} of {len(task.selected)} assignments are over.",
            )
        case State.CANCELLED:
            who = task.cancellation.actor if task.cancellation else "nobody"
            return f"Cancelled by `{who}`: nobody must act", ""
        case State.UNFILLED:
            return "Nobody was selected in time: nobody must act", ""
        case State.CLOSED:
            return "Closed: nobody must act", ""


def _way_out(task: Task) -> str:
    if task.claimed:
        return f"{len(task.claimed)} are being selected now: their rewards are being reserved."
    if task.selected:
        return "An operator can go on with those selected before that (EndSelection)."
    return "An operator can cancel the task on the brand's behalf (CancelTask)."


def _history(task: Task) -> Iterator[str]:
    """The latest first."""
    if not task.transitions:
        return
    yield "| | when | what | who | why |"
    yield "|---|---|---|---|---|"
    for transition in reversed(task.transitions[-_LATEST_COUNT:]):
        yield (
            f"| {transition.sequence} | {to_the_second(transition.time)} | {_what(transition)}"
            f" | `{transition.actor}` | {_in_one_cell(transition.comment)} |"
        )


def _what(transition: Transition) -> str:
    count = len(transition.application_ids)
    return f"{transition.event} ({count})" if count else str(transition.event)


def _in_one_cell(comment: str) -> str:
    return " ".join(comment.split()).replace("|", "\\|")
