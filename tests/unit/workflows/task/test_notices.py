"""Who is notified of what happens to a task."""

from tests.unit.workflows.samples import BEGIN, BRAND
from tests.unit.workflows.task.samples import CANCEL, END, open_task, select
from workflows.task import rules
from workflows.task.model import (
    CancelTask,
)
from workflows.task.notices import notices


def test_the_brand_is_notified_of_what_staff_did() -> None:
    ended, cancelled, own = open_task(), open_task(), open_task()
    select(ended, 1)
    rules.end_selection(ended, END, BEGIN)
    rules.cancel(cancelled, CancelTask("staff/olga", "Forbidden goods"), BEGIN)
    rules.cancel(own, CANCEL, BEGIN)
    sent = [
        notice
        for task in (ended, cancelled, own)
        for transition in task.transitions
        for notice in notices(task, transition)
    ]
    assert [(one.recipient, one.event) for one in sent] == [
        (BRAND, "TASK_SELECTION_ENDED"),
        (BRAND, "TASK_CANCELLED"),
    ]
    assert "They asked by mail" in sent[0].text
    assert "Forbidden goods" in sent[1].text
    assert len({one.deduplication_id for one in sent}) == 2
