"""The whole stack without mocks: the demo, its traces, and the details in the Temporal UI."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from cli.demo.assignments import play
from cli.demo.preparation import prepare
from cli.demo.story import Story
from devstack.stack import Stack
from tests.support.demo import failures, story_on, whole_stack

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.xdist_group("story")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with whole_stack(tmp_path_factory.mktemp("story")) as stack:
        yield stack


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def story(stack: Stack) -> AsyncIterator[Story]:
    """Runs the demo once for all tests of this module."""
    async with story_on(stack, "e2e") as story:
        await play(story)
        yield story


@pytest.mark.rule("R2", "R3", "R4", "R11", "R14", "R39", "R41", "R45", "R47")
@pytest.mark.rule("R30", part="payouts")
async def test_every_outcome_is_as_expected(story: Story) -> None:
    assert await failures(story) == []


async def test_one_trace_spans_rpc_workflow_postgres_and_s3(stack: Stack, story: Story) -> None:
    """SubmitWork: RPC, update, workflow, activity, gRPC, Postgres and S3, in one trace."""
    assignment_id = story.assignment("anna").rpartition("/")[2]
    submissions = await _traces(stack, assignment_id, "AssignmentService/SubmitWork")
    assert submissions
    for spans in submissions:
        assert {"tasks", "worker", "media", "notifications"} <= {span["service"] for span in spans}
        names = " ".join(span["name"] for span in spans)
        for step in (
            "SealArticles",
            "record_assignment",
            "HoldArticleRevisions",
            "RecordAssignment",
            "INSERT",
            "S3",
        ):
            assert step in names
        assert _is_one_tree(spans)


async def test_the_temporal_ui_shows_who_must_act(stack: Stack, story: Story) -> None:
    """The current details name the actor, the deadline and what follows it."""
    client = await Client.connect(stack.access.addresses["temporal"])
    async with story_on(stack, "details") as other:
        await prepare(other)
        details = await _details(client, _workflow_id(other, "cleo"))
        assert "The creator works on the task" in details
        assert "otherwise the assignment expires" in details
    assert "Completed: nobody must act" in await _details(client, _workflow_id(story, "anna"))


async def _details(client: Client, workflow_id: str) -> str:
    """The workflow's current details, as the Temporal UI shows them."""
    metadata = await client.get_workflow_handle(workflow_id).query(
        "__temporal_workflow_metadata", result_type=WorkflowMetadata
    )
    return metadata.current_details


def _workflow_id(story: Story, name: str) -> str:
    return f"assignment/{story.assignment(name).rpartition('/')[2]}"


async def _traces(stack: Stack, assignment_id: str, name: str) -> list[list[dict[str, Any]]]:
    """The spans of every trace that names the assignment and has a span of that name."""
    async with httpx.AsyncClient(base_url=f"http://{stack.access.addresses['traces']}") as http:
        listed = await http.get(
            "/api/traces", params={"attribute": f"assignment.id={assignment_id}", "text": name}
        )
        traces = [trace["trace_id"] for trace in listed.json()["traces"]]
        return [(await http.get(f"/api/traces/{one}")).json()["spans"] for one in traces]


def _is_one_tree(spans: list[dict[str, Any]]) -> bool:
    known = {span["span_id"] for span in spans}
    return len([span for span in spans if span["parent_span_id"] not in known]) == 1
