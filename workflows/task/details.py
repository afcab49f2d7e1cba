"""What an operator reads of a task in the Temporal UI: who must act, until when, and what happens
otherwise."""

from workflows.task.state import State, Task


def describe(task: Task) -> str:
    published = task.published
    headline, otherwise = {
        State.OPEN: (
            "Creators apply, and the brand may select",
            f"Until **{published.application_deadline_time:%Y-%m-%d %H:%M:%S} UTC**;"
            " then no more applications are taken.",
        ),
        State.SELECTING: (
            "The brand must select creators",
            f"Until **{published.selection_deadline_time:%Y-%m-%d %H:%M:%S} UTC**;"
            " otherwise the task ends unfilled, or goes on with those selected.",
        ),
        State.IN_PROGRESS: (
            "Creators work: look at their assignments",
            f"{task.ended_count} of {len(task.selected)} assignments are over.",
        ),
        State.CLOSED: ("Closed: nobody must act", ""),
        State.CANCELLED: ("Cancelled by the brand: nobody must act", ""),
        State.UNFILLED: ("Nobody was selected in time: nobody must act", ""),
    }[task.state]
    assignments = ", ".join(f"`assignment/{id_}`" for id_ in task.selected_ids) or "none yet"
    return "\n".join(
        [
            f"**{headline}**",
            "",
            otherwise,
            "",
            f"- `{task.name}` of `brands/{published.terms.brand_id}`",
            f"- {len(task.selected)} of {published.creator_slots} creators selected",
            f"- assignments: {assignments}",
            f"- policy `{published.terms.policy.name}`",
        ]
    )
