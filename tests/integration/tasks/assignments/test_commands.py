"""Commands to assignments: validated, sent to the workflow, answered with the outcome."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1 import tasks_pb2

from servicekit.errors import (
    FailedPrecondition,
    LiaisonError,
    Reason,
    ResourceExhausted,
    Unavailable,
    Violation,
    not_yours,
)
from servicekit.timestamps import to_timestamp
from tests.integration.tasks.harness import Harness
from tests.support.serving import refused, request_id
from workflows.assignment import commands
from workflows.assignment.rules import submissions
from workflows.errors import NotRunning

NAME = "assignments/a1"


def _submit(name: str = NAME, **content: Any) -> pb.SubmitWorkRequest:
    submission = pb.Submission(**(content or {"links": ["https://example.com/1"]}))
    return pb.SubmitWorkRequest(name=name, submission=submission, request_id=request_id())


def _change(name: str = NAME) -> pb.RequestChangesRequest:
    return pb.RequestChangesRequest(
        name=name, comment="More", requirement_ids=["req-1"], request_id=request_id()
    )


def _approve(name: str = NAME) -> pb.ApproveWorkRequest:
    return pb.ApproveWorkRequest(name=name, request_id=request_id())


def _comment(name: str = NAME) -> pb.CommentOnExpiryRequest:
    comment = pb.ExpiryComment(reason=pb.ExpiryComment.REASON_EMERGENCY, comment="I was ill")
    return pb.CommentOnExpiryRequest(name=name, expiry_comment=comment, request_id=request_id())


# A time in the past is sent unchanged: the workflow has the clock and refuses it.
TIME = datetime(2026, 1, 31, 23, 59, 59, 123456, tzinfo=UTC)


def _reopen(name: str = NAME) -> pb.ReopenAssignmentRequest:
    return pb.ReopenAssignmentRequest(
        name=name,
        deadline_time=to_timestamp(TIME),
        comment="Once more",
        request_id=request_id(),
    )


def _ship(name: str = NAME) -> pb.RecordShipmentRequest:
    shipment = pb.Shipment(carrier="DHL", tracking_number="JD 1")
    return pb.RecordShipmentRequest(name=name, shipment=shipment, request_id=request_id())


def _receive(name: str = NAME) -> pb.AcknowledgeReceiptRequest:
    return pb.AcknowledgeReceiptRequest(name=name, request_id=request_id())


@pytest.fixture
async def begun(harness: Harness) -> Harness:
    await harness.assignment(await harness.task(), "a1")
    return harness


Send = Callable[[Harness, str], Any]
COMMANDS: dict[str, tuple[Send, Send, object]] = {
    "SubmitWork": (
        lambda harness, name: harness.work_of().SubmitWork(_submit(name)),
        lambda harness, name: harness.work_of("cem").SubmitWork(_submit(name)),
        commands.SubmitWork("creators/bea", "", [], ["https://example.com/1"]),
    ),
    "RequestChanges": (
        lambda harness, name: harness.review_of().RequestChanges(_change(name)),
        lambda harness, name: harness.review_of("other").RequestChanges(_change(name)),
        commands.RequestChanges("brands/acme", "More", ["req-1"]),
    ),
    "ApproveWork": (
        lambda harness, name: harness.review_of().ApproveWork(_approve(name)),
        lambda harness, name: harness.review_of("other").ApproveWork(_approve(name)),
        commands.ApproveWork("brands/acme"),
    ),
    "CommentOnExpiry": (
        lambda harness, name: harness.work_of().CommentOnExpiry(_comment(name)),
        lambda harness, name: harness.work_of("cem").CommentOnExpiry(_comment(name)),
        commands.CommentOnExpiry("creators/bea", "EMERGENCY", "I was ill"),
    ),
    "ReopenAssignment": (
        lambda harness, name: harness.review_of().ReopenAssignment(_reopen(name)),
        lambda harness, name: harness.review_of("other").ReopenAssignment(_reopen(name)),
        commands.ReopenAssignment("brands/acme", TIME, "Once more"),
    ),
    "RecordShipment": (
        lambda harness, name: harness.review_of().RecordShipment(_ship(name)),
        lambda harness, name: harness.review_of("other").RecordShipment(_ship(name)),
        commands.RecordShipment("brands/acme", "DHL", "JD 1"),
    ),
    "AcknowledgeReceipt": (
        lambda harness, name: harness.work_of().AcknowledgeReceipt(_receive(name)),
        lambda harness, name: harness.work_of("cem").AcknowledgeReceipt(_receive(name)),
        commands.AcknowledgeReceipt("creators/bea"),
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_goes_to_the_workflow_as_it_was_said(begun: Harness, name: str) -> None:
    send, _, said = COMMANDS[name]
    answer = await send(begun, NAME)
    assert answer.name == NAME
    (command,) = begun.workflows.commands
    assert command[:3] == ("a1", name, said)


@pytest.mark.parametrize("name", COMMANDS)
async def test_another_sides_or_absent_assignment_is_not_yours(begun: Harness, name: str) -> None:
    own, strangers, _ = COMMANDS[name]
    with refused(Reason.NOT_YOURS):
        await strangers(begun, NAME)
    with refused(Reason.NOT_YOURS):
        await own(begun, "assignments/nothing")
    assert begun.workflows.commands == []


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_workflows_refusal_reaches_the_caller(begun: Harness, name: str) -> None:
    begun.workflows.refusal = FailedPrecondition(
        Reason.ILLEGAL_STATE, "Not now", metadata={"state": "COMPLETED"}
    )
    with refused(Reason.ILLEGAL_STATE) as caught:
        await COMMANDS[name][0](begun, NAME)
    assert caught.value.metadata == {"state": "COMPLETED"}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_to_an_ended_assignment_reports_its_recorded_state(
    begun: Harness, name: str
) -> None:
    begun.workflows.refusal = NotRunning()
    with refused(Reason.ILLEGAL_STATE) as caught:
        await COMMANDS[name][0](begun, NAME)
    assert caught.value.metadata == {"state": "IN_PROGRESS", "command": name}
    assert caught.value.message.startswith(f"{NAME} is IN_PROGRESS")


async def test_a_repeated_command_is_sent_once_and_a_refused_one_again(begun: Harness) -> None:
    request = _submit()
    begun.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Not now")
    with refused(Reason.ILLEGAL_STATE):
        await begun.work_of().SubmitWork(request)
    begun.workflows.refusal = None
    first = await begun.work_of().SubmitWork(request)
    assert await begun.work_of().SubmitWork(request) == first
    assert [command[3] for command in begun.workflows.commands] == [request.request_id] * 2
    request.submission.note = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await begun.work_of().SubmitWork(request)


async def test_a_submission_says_what_it_delivers(begun: Harness) -> None:
    await begun.work_of().SubmitWork(
        _submit(
            links=["https://example.com/1"],
            note="Both",
            content_types=[tasks_pb2.CONTENT_TYPE_LIST, tasks_pb2.CONTENT_TYPE_VIDEO],
        )
    )
    ((_, _, said, _),) = begun.workflows.commands
    links = ["https://example.com/1"]
    assert said == commands.SubmitWork("creators/bea", "Both", [], links, [], ["LIST", "VIDEO"])


async def test_articles_are_sealed_and_go_to_the_workflow_as_they_are(begun: Harness) -> None:
    await begun.work_of().SubmitWork(_submit(articles=["articles/x", "articles/y"]))
    assert begun.media.sealed == [("bea", "a1", ["x", "y"])]
    ((_, _, said, _),) = begun.workflows.commands
    revisions = ["articles/x/revisions/r1", "articles/y/revisions/r1"]
    assert said == commands.SubmitWork("creators/bea", "", [], [], ["x", "y"], [], revisions)


INVALID = FailedPrecondition(
    Reason.ARTICLE_INVALID,
    "An article breaks rules",
    violations=[Violation("submission.articles[0].title", "R72", "Shorten it")],
)
USED_UP = ResourceExhausted(
    Reason.QUOTA_EXCEEDED, "At most 1 byte", metadata={"quota": "article_bytes", "limit": "1"}
)
AWAY = Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Away")


@pytest.mark.parametrize("refusal", [INVALID, not_yours("articles/x"), USED_UP, AWAY])
async def test_a_refusal_to_seal_is_returned(begun: Harness, refusal: LiaisonError) -> None:
    begun.media.refusal = refusal
    with refused(refusal.reason, *(one.field for one in refusal.violations)) as caught:
        await begun.work_of().SubmitWork(_submit(articles=["articles/x"]))
    assert caught.value.violations == refusal.violations
    # However often the call was repeated, the workflow received no sealed revisions.
    unsealed = commands.SubmitWork("creators/bea", "", [], [], ["x"])
    assert all(said == unsealed for _, _, said, _ in begun.workflows.commands)


async def test_work_refused_for_its_state_seals_nothing(harness: Harness) -> None:
    assignment, selected = harness.begun(await harness.task(), "a1")
    submitted = submissions.submit_work(
        assignment,
        commands.SubmitWork("creators/bea", "", [], ["https://example.com/1"]),
        harness.now,
    )
    await harness.record(assignment, selected, submitted)
    harness.workflows.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "It is in review")
    with refused(Reason.ILLEGAL_STATE):
        await harness.work_of().SubmitWork(_submit(articles=["articles/x"]))
    assert harness.media.sealed == []


async def test_a_repeated_submission_gets_its_first_answer_whatever_became_of_its_articles(
    begun: Harness,
) -> None:
    request = _submit(articles=["articles/x"])
    begun.workflows.executed.add(request.request_id)  # and its answer was lost
    begun.media.refusal = INVALID
    assert (await begun.work_of().SubmitWork(request)).name == NAME
    assert {command[3] for command in begun.workflows.commands} == {request.request_id}


async def test_only_accepted_media_of_ones_own_is_submitted(begun: Harness) -> None:
    begun.media.accepted = {("bea", "m1"), ("cem", "m2")}
    await begun.work_of().SubmitWork(_submit(media_objects=["mediaObjects/m1"]))
    both = _submit(media_objects=["mediaObjects/m1", "mediaObjects/m2"])
    with refused(Reason.MEDIA_NOT_ACCEPTED) as caught:
        await begun.work_of().SubmitWork(both)
    assert caught.value.metadata == {"media_objects": "mediaObjects/m2"}
    assert len(begun.workflows.commands) == 1


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"note": "Nothing"}, "submission"),  # R41
        ({"links": ["http://example.com"]}, "submission.links[0]"),
        ({"links": ["https://example.com"] * 2}, "submission.links"),
        ({"media_objects": ["m1"]}, "submission.media_objects[0]"),
        ({"links": ["https://example.com"], "note": "x" * 2001}, "submission.note"),
        ({"links": ["https://example.com"], "note": " \n\u200b"}, "submission.note"),
        ({"articles": ["x"]}, "submission.articles[0]"),
        ({"articles": ["articles/x"] * 2}, "submission.articles"),
        ({"articles": [f"articles/{number}" for number in range(21)]}, "submission.articles"),
        ({"links": ["https://example.com"], "content_types": [1, 1]}, "submission.content_types"),
        ({"links": ["https://example.com"], "content_types": [0]}, "submission.content_types[0]"),
        (
            {"links": ["https://example.com"], "content_types": [1, 99]},
            "submission.content_types[1]",
        ),
    ],
)
async def test_bad_work_is_refused_by_field(
    begun: Harness, content: dict[str, Any], field: str
) -> None:
    with refused(Reason.INVALID_FIELDS, field):
        await begun.work_of().SubmitWork(_submit(**content))
    assert begun.workflows.commands == []


async def test_missing_fields_are_named_together(begun: Harness) -> None:
    with refused(Reason.INVALID_FIELDS, "comment", "name", "request_id", "requirement_ids"):
        await begun.review_of().RequestChanges(pb.RequestChangesRequest())
    with refused(Reason.INVALID_FIELDS, "expiry_comment.comment", "expiry_comment.reason"):
        await begun.work_of().CommentOnExpiry(
            pb.CommentOnExpiryRequest(
                name=NAME, expiry_comment=pb.ExpiryComment(), request_id=request_id()
            )
        )


@pytest.mark.parametrize("text", [" ", "\u3000\t\n", "\u200b\u2060"])
async def test_blank_text_is_refused(begun: Harness, text: str) -> None:
    change, comment, reopen, ship = _change(), _comment(), _reopen(), _ship()
    change.comment = comment.expiry_comment.comment = reopen.comment = text
    ship.shipment.carrier = ship.shipment.tracking_number = text
    with refused(Reason.INVALID_FIELDS, "comment"):
        await begun.review_of().RequestChanges(change)
    with refused(Reason.INVALID_FIELDS, "expiry_comment.comment"):
        await begun.work_of().CommentOnExpiry(comment)
    with refused(Reason.INVALID_FIELDS, "comment"):
        await begun.review_of().ReopenAssignment(reopen)
    with refused(Reason.INVALID_FIELDS, "shipment.carrier", "shipment.tracking_number"):
        await begun.review_of().RecordShipment(ship)
    assert begun.workflows.commands == []


async def test_what_is_too_long_or_malformed_is_named(begun: Harness) -> None:
    change = _change()
    for ids in (["x" * 41], [" "], [""]):
        change.requirement_ids[:] = ids
        with refused(Reason.INVALID_FIELDS, "requirement_ids[0]"):
            await begun.review_of().RequestChanges(change)
    change.requirement_ids[:] = ["req-1", "req-1"]
    with refused(Reason.INVALID_FIELDS, "requirement_ids"):
        await begun.review_of().RequestChanges(change)
    ship = _ship("assignments")
    ship.shipment.carrier = ship.shipment.tracking_number = "x" * 101
    with refused(Reason.INVALID_FIELDS, "name", "shipment.carrier", "shipment.tracking_number"):
        await begun.review_of().RecordShipment(ship)
    reopen = _reopen()
    reopen.comment = "x" * 2001
    reopen.deadline_time.FromDatetime(datetime(2100, 1, 1, tzinfo=UTC))
    with refused(Reason.INVALID_FIELDS, "comment", "deadline_time"):
        await begun.review_of().ReopenAssignment(reopen)
    reopen.deadline_time.seconds = 10**15
    with refused(Reason.INVALID_FIELDS, "deadline_time"):
        await begun.review_of().ReopenAssignment(reopen)
    assert begun.workflows.commands == []


async def test_optional_text_may_be_empty(begun: Harness) -> None:
    reopen = _reopen()
    reopen.ClearField("comment")
    await begun.review_of().ReopenAssignment(reopen)
    ((_, _, said, _),) = begun.workflows.commands
    assert said == commands.ReopenAssignment("brands/acme", TIME, "")


async def test_both_sides_and_staff_read_an_assignment(begun: Harness) -> None:
    get = pb.GetAssignmentRequest(name=NAME)
    transitions = pb.ListTransitionsRequest(parent=NAME)
    for party in (begun.work_of(), begun.review_of()):
        assert (await party.GetAssignment(get)).name == NAME
        assert len((await party.ListTransitions(transitions)).transitions) == 1
    for stranger in (begun.work_of("cem"), begun.review_of("other")):
        with refused(Reason.NOT_YOURS):
            await stranger.GetAssignment(get)
        with refused(Reason.NOT_YOURS):
            await stranger.ListTransitions(transitions)
