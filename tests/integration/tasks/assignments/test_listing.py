"""ListAssignments: categories, states, the filters of staff, and pages."""

import json
from dataclasses import replace
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import Reason
from servicekit.pagination import Cursor, Page
from services.tasks.assignments.domain import AssignmentFilter
from services.tasks.assignments.store import page_query
from tests.integration.tasks.harness import INSTANT, Harness
from tests.support.serving import refused
from workflows.assignment.model import State

CATEGORIES = {
    pb.ASSIGNMENT_CATEGORY_TO_DO: [State.IN_PROGRESS, State.CHANGES_REQUESTED],
    pb.ASSIGNMENT_CATEGORY_SUBMITTED: [State.IN_REVIEW, State.APPROVED, State.REWARDED],
    pb.ASSIGNMENT_CATEGORY_COMPLETED: [State.COMPLETED],
    pb.ASSIGNMENT_CATEGORY_ENDED: [State.EXPIRED, State.CANCELLED],
}
LATE = (State.APPROVED, State.COMPLETED)
OVERDUE = (State.APPROVED,)  # and not sent yet


def shown(state: State) -> pb.Assignment.State.ValueType:
    return pb.Assignment.State.Value(f"STATE_{state}")


async def put(harness: Harness, task: tasks_pb2.Task, id_: str, state: State, creator: str) -> None:
    begun, first = harness.begun(task, id_, creator)
    begun.state = state
    begun.reward_is_overdue = state in LATE
    await harness.record(begun, first)
    harness.now += INSTANT


@pytest.fixture
async def full(harness: Harness) -> Harness:
    """One assignment of bea in each state, and one of cem for each brand."""
    task, other = await harness.task(), await harness.task("other")
    for state in State:
        await put(harness, task, f"bea-{state.lower()}".replace("_", "-"), state, "bea")
    await put(harness, task, "cem-acme", State.IN_REVIEW, "cem")
    await put(harness, other, "cem-other", State.APPROVED, "cem")
    return harness


async def task_of(harness: Harness, brand: str) -> str:
    answer = await harness.review_of(brand).ListAssignments(pb.ListAssignmentsRequest())
    (name,) = {one.task for one in answer.assignments}
    return name


def named(*states: State, creator: str = "bea") -> list[str]:
    """Newest first."""
    kept = [state for state in reversed(State) if state in states]
    return [f"{creator}-{state.lower()}".replace("_", "-") for state in kept]


async def seen(stub: Any, size: int = 2, **query: Any) -> list[str]:
    """The ids on all pages, each of which is full but the last."""
    ids: list[str] = []
    token = ""
    while True:
        request = pb.ListAssignmentsRequest(page_size=size, page_token=token, **query)
        response = await stub.ListAssignments(request)
        ids += [one.name.removeprefix("assignments/") for one in response.assignments]
        token = response.next_page_token
        if not token:
            return ids
        assert len(response.assignments) == size


@pytest.mark.rule("R54")
async def test_submitted_and_completed_work_is_found_in_its_category(full: Harness) -> None:
    for category, states in CATEGORIES.items():
        assert await seen(full.work_of(), category=category) == named(*states)
    # Rewarded work counts as submitted until it is completed.
    assert "bea-rewarded" in await seen(full.work_of(), category=pb.ASSIGNMENT_CATEGORY_SUBMITTED)
    assert await seen(full.review_of("other"), category=pb.ASSIGNMENT_CATEGORY_SUBMITTED) == [
        "cem-other"
    ]
    assert await seen(full.review_of("other"), category=pb.ASSIGNMENT_CATEGORY_COMPLETED) == []
    everything = await seen(full.work_of())
    in_categories = [
        id_ for category in CATEGORIES for id_ in await seen(full.work_of(), category=category)
    ]
    assert everything == named(*State)
    assert sorted(in_categories) == sorted(everything)


async def test_states_narrow_a_category_and_a_category_narrows_states(full: Harness) -> None:
    async def of_bea(category: pb.AssignmentCategory.ValueType, *states: State) -> list[str]:
        return await seen(
            full.work_of(), category=category, states=[shown(state) for state in states]
        )

    some = (State.APPROVED, State.COMPLETED, State.IN_REVIEW)
    assert await of_bea(pb.ASSIGNMENT_CATEGORY_UNSPECIFIED, *some) == named(*some)
    assert await of_bea(pb.ASSIGNMENT_CATEGORY_SUBMITTED, *some) == named(
        State.APPROVED, State.IN_REVIEW
    )
    assert await of_bea(pb.ASSIGNMENT_CATEGORY_TO_DO, *some) == []
    assert await of_bea(pb.ASSIGNMENT_CATEGORY_UNSPECIFIED, *State) == named(*State)


@pytest.mark.parametrize("size", [1, 3, 200])
async def test_staff_find_assignments_by_side_task_and_what_is_overdue(
    full: Harness, size: int
) -> None:
    for staff in (full.oversight(), full.oversight("mediator")):

        async def found(stub: Any = staff, **query: Any) -> list[str]:
            return await seen(stub, size, **query)

        everything = ["cem-other", "cem-acme", *named(*State)]
        assert await found() == everything
        assert await found(brand="brands/acme") == everything[1:]
        assert await found(brand="brands/other") == ["cem-other"]
        assert await found(creator="creators/cem") == ["cem-other", "cem-acme"]
        assert await found(creator="creators/cem", brand="brands/acme") == ["cem-acme"]
        assert await found(creator="creators/nobody") == []
        overdue = ["cem-other", *named(*OVERDUE)]
        assert await found(is_overdue=True) == overdue
        assert await found(is_overdue=True, brand="brands/acme") == overdue[1:]
        approved = {"is_overdue": True, "states": [shown(State.APPROVED)]}
        assert await found(**approved) == ["cem-other", "bea-approved"]
        assert await found(is_overdue=True, category=pb.ASSIGNMENT_CATEGORY_TO_DO) == []
        task = await task_of(full, "acme")
        assert await found(task=task) == everything[1:]
        assert await found(task=task, creator="creators/cem") == ["cem-acme"]
        assert await found(task=task, category=pb.ASSIGNMENT_CATEGORY_ENDED) == named(
            *CATEGORIES[pb.ASSIGNMENT_CATEGORY_ENDED]
        )


async def test_brands_and_creators_filter_by_themselves_only(full: Harness) -> None:
    bea, acme = full.work_of(), full.review_of()
    assert await seen(bea, creator="creators/bea") == await seen(bea)
    assert await seen(acme, brand="brands/acme") == await seen(acme)
    for stub, query in (
        (bea, {"creator": "creators/cem"}),
        (bea, {"creator": "creators/bea", "brand": "brands/acme"}),
        (acme, {"brand": "brands/other"}),
        (acme, {"creator": "creators/bea"}),
    ):
        with refused(Reason.NOT_YOURS):
            await seen(stub, **query)
    assert await seen(bea, task=await task_of(full, "other")) == []
    assert await seen(bea, is_overdue=True) == named(*OVERDUE)


async def test_an_invalid_filter_names_its_field(harness: Harness) -> None:
    staff = harness.oversight()
    fields = {"brand": "acme", "creator": "brands/acme", "task": "tasks/", "category": 99}
    for field, value in fields.items():
        with refused(Reason.INVALID_FIELDS, field):
            await seen(staff, **{field: value})
    for states, field in (([0], "states[0]"), ([1, 99], "states[1]"), ([1, 1], "states")):
        with refused(Reason.INVALID_FIELDS, field):
            await seen(staff, states=states)
    with refused(Reason.INVALID_FIELDS, *fields):
        await seen(staff, **fields)


async def test_a_page_token_is_valid_for_its_own_filter_only(full: Harness) -> None:
    staff = full.oversight()
    query = {"category": pb.ASSIGNMENT_CATEGORY_SUBMITTED, "brand": "brands/acme"}
    first = await staff.ListAssignments(pb.ListAssignmentsRequest(page_size=1, **query))
    token = first.next_page_token
    for other in (
        {"category": pb.ASSIGNMENT_CATEGORY_SUBMITTED},
        query | {"category": pb.ASSIGNMENT_CATEGORY_TO_DO},
        query | {"creator": "creators/bea"},
        query | {"is_overdue": True},
        query | {"states": [shown(State.APPROVED)]},
    ):
        with refused(Reason.INVALID_FIELDS, "page_token"):
            await staff.ListAssignments(pb.ListAssignmentsRequest(page_token=token, **other))


async def test_an_overdue_reward_is_recorded_until_it_is_sent(harness: Harness) -> None:
    begun, first = harness.begun(await harness.task(), "a1")
    await harness.record(begun, first)
    assert await seen(harness.oversight(), is_overdue=True) == []
    begun.state, begun.sequence, begun.reward_is_overdue = State.APPROVED, 2, True
    await harness.record(begun, replace(first, sequence=2))
    assert await seen(harness.oversight(), is_overdue=True) == ["a1"]
    begun.sequence, begun.reward_is_overdue = 1, False  # an older record comes late
    await harness.record(begun, first)
    assert await seen(harness.oversight(), is_overdue=True) == ["a1"]
    begun.state, begun.sequence, begun.reward_is_overdue = State.REWARDED, 3, True
    await harness.record(begun, replace(first, sequence=3))
    assert await seen(harness.oversight(), is_overdue=True) == []


async def _fill(harness: Harness) -> None:
    """Assignments of some years: of 50 brands and 500 creators, most of them completed."""
    task = await harness.task()
    await harness.database.execute(
        """
        INSERT INTO assignment (id, task_id, brand_id, creator_id, state, sequence, message,
                                create_time, reward_is_overdue)
        SELECT 'a' || number, %s, 'brand-' || number %% 50, 'creator-' || number %% 500,
               CASE WHEN number %% 997 = 0 THEN 'IN_REVIEW' WHEN number %% 991 = 0 THEN 'APPROVED'
                    ELSE 'COMPLETED' END,
               1, '', now() - number * interval '1 second', number %% 499 = 0
          FROM generate_series(1, 30000) AS number
        """,
        (task.name.removeprefix("tasks/"),),
    )
    await harness.database.execute("ANALYZE assignment")


def _rows_read(plan: dict[str, Any]) -> int:
    """Rows read from the table, including those filtered out."""
    own = 0
    if plan.get("Relation Name") == "assignment":
        thrown_away = plan.get("Rows Removed by Filter", 0)
        own = (plan["Actual Rows"] + thrown_away) * plan["Actual Loops"]
    return int(own) + sum(_rows_read(child) for child in plan.get("Plans", []))


@pytest.mark.parametrize(
    "wanted",
    [
        {},
        {"states": ("APPROVED", "IN_REVIEW", "REWARDED")},
        {"brand_id": "brand-1"},
        {"brand_id": "brand-1", "states": ("APPROVED", "IN_REVIEW", "REWARDED")},
        {"creator_id": "creator-1"},
        {"creator_id": "creator-1", "states": ("COMPLETED",)},
        {"creator_id": "creator-1", "states": tuple(State)},
        {"is_overdue": True},
    ],
)
async def test_a_page_reads_at_most_200_rows(harness: Harness, wanted: dict[str, Any]) -> None:
    await _fill(harness)
    nothing = {"brand_id": None, "creator_id": None, "task_id": None, "states": None}
    filter_ = AssignmentFilter(**nothing | {"is_overdue": False} | wanted)
    for after in (None, Cursor(harness.now, "a")):
        statement, values = page_query(filter_, Page(20, after, ""))
        explained = await harness.database.fetch_all(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + statement, values
        )
        plan = explained[0]["QUERY PLAN"]
        (root,) = json.loads(plan) if isinstance(plan, str) else plan
        assert _rows_read(root["Plan"]) <= 200
