"""Commands to assignments: checked, sent to the workflow, and answered with what came of them."""

from collections.abc import Callable
from typing import Any

import pytest
from liaison.tasks.v1 import assignments_pb2 as pb

from servicekit.errors import FailedPrecondition, Reason
from tests.integration.tasks.house import House
from tests.support.serving import refused, request_id
from workflows.assignment import model

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


@pytest.fixture
async def begun(house: House) -> House:
    await house.assignment(await house.task(), "a1")
    return house


Send = Callable[[House, str], Any]
COMMANDS: dict[str, tuple[Send, Send, object]] = {
    "submit_work": (
        lambda house, name: house.work_of().SubmitWork(_submit(name)),
        lambda house, name: house.work_of("cem").SubmitWork(_submit(name)),
        model.SubmitWork("creators/bea", "", [], ["https://example.com/1"]),
    ),
    "request_changes": (
        lambda house, name: house.review_of().RequestChanges(_change(name)),
        lambda house, name: house.review_of("other").RequestChanges(_change(name)),
        model.RequestChanges("brands/acme", "More", ["req-1"]),
    ),
    "approve_work": (
        lambda house, name: house.review_of().ApproveWork(_approve(name)),
        lambda house, name: house.review_of("other").ApproveWork(_approve(name)),
        model.ApproveWork("brands/acme"),
    ),
    "comment_on_expiry": (
        lambda house, name: house.work_of().CommentOnExpiry(_comment(name)),
        lambda house, name: house.work_of("cem").CommentOnExpiry(_comment(name)),
        model.CommentOnExpiry("creators/bea", "EMERGENCY", "I was ill"),
    ),
}


@pytest.mark.parametrize("name", COMMANDS)
async def test_a_command_goes_to_the_workflow_as_it_was_said(begun: House, name: str) -> None:
    send, _, said = COMMANDS[name]
    answer = await send(begun, NAME)
    assert answer.name == NAME
    (command,) = begun.runs.commands
    assert command[:3] == ("a1", name, said)


@pytest.mark.parametrize("name", COMMANDS)
async def test_what_is_somebody_elses_or_absent_is_not_yours(begun: House, name: str) -> None:
    own, strangers, _ = COMMANDS[name]
    with refused(Reason.NOT_YOURS):
        await strangers(begun, NAME)
    with refused(Reason.NOT_YOURS):
        await own(begun, "assignments/nothing")
    assert begun.runs.commands == []


@pytest.mark.parametrize("name", COMMANDS)
async def test_the_workflows_refusal_reaches_the_caller(begun: House, name: str) -> None:
    begun.runs.refusal = FailedPrecondition(
        Reason.ILLEGAL_STATE, "Not now", metadata={"state": "COMPLETED"}
    )
    with refused(Reason.ILLEGAL_STATE) as caught:
        await COMMANDS[name][0](begun, NAME)
    assert caught.value.metadata == {"state": "COMPLETED"}


async def test_a_repeated_command_is_sent_once_and_a_refused_one_again(begun: House) -> None:
    request = _submit()
    begun.runs.refusal = FailedPrecondition(Reason.ILLEGAL_STATE, "Not now")
    with refused(Reason.ILLEGAL_STATE):
        await begun.work_of().SubmitWork(request)
    begun.runs.refusal = None
    first = await begun.work_of().SubmitWork(request)
    assert await begun.work_of().SubmitWork(request) == first
    assert [command[3] for command in begun.runs.commands] == [request.request_id] * 2
    request.submission.note = "Another"
    with refused(Reason.REQUEST_ID_REUSED):
        await begun.work_of().SubmitWork(request)


async def test_only_accepted_media_of_ones_own_is_submitted(begun: House) -> None:
    begun.media.accepted = {("bea", "m1"), ("cem", "m2")}
    await begun.work_of().SubmitWork(_submit(media_objects=["mediaObjects/m1"]))
    both = _submit(media_objects=["mediaObjects/m1", "mediaObjects/m2"])
    with refused(Reason.MEDIA_NOT_ACCEPTED) as caught:
        await begun.work_of().SubmitWork(both)
    assert caught.value.metadata == {"media_objects": "mediaObjects/m2"}
    assert len(begun.runs.commands) == 1


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ({"note": "Nothing"}, "submission"),  # R41
        ({"links": ["http://example.com"]}, "submission.links[0]"),
        ({"links": ["https://example.com"] * 2}, "submission.links"),
        ({"media_objects": ["m1"]}, "submission.media_objects[0]"),
        ({"links": ["https://example.com"], "note": "x" * 2001}, "submission.note"),
    ],
)
async def test_bad_work_is_refused_by_field(
    begun: House, content: dict[str, Any], field: str
) -> None:
    with refused(Reason.INVALID_FIELDS, field):
        await begun.work_of().SubmitWork(_submit(**content))
    assert begun.runs.commands == []


async def test_missing_fields_are_named_together(begun: House) -> None:
    with refused(Reason.INVALID_FIELDS, "comment", "name", "request_id", "requirement_ids"):
        await begun.review_of().RequestChanges(pb.RequestChangesRequest())
    with refused(Reason.INVALID_FIELDS, "expiry_comment.comment", "expiry_comment.reason"):
        await begun.work_of().CommentOnExpiry(
            pb.CommentOnExpiryRequest(
                name=NAME, expiry_comment=pb.ExpiryComment(), request_id=request_id()
            )
        )


async def test_both_sides_and_staff_read_an_assignment(begun: House) -> None:
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
