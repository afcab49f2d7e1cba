"""Workflow ids: one per entity, built only here, so that no entity has two workflows."""

# Id of the schedule, and prefix of the id of each of its runs.
RECONCILIATION = "reconciliation"


def task(task_id: str) -> str:
    return f"task/{task_id}"


def assignment(assignment_id: str) -> str:
    return f"assignment/{assignment_id}"


def payout(payout_id: str) -> str:
    return f"payout/{payout_id}"


def dispute(dispute_id: str) -> str:
    return f"dispute/{dispute_id}"


def publication(publication_id: str) -> str:
    return f"publication/{publication_id}"


def withdrawal(publication_id: str) -> str:
    return f"withdrawal/{publication_id}"
