"""An assignment's clocks over days and months, its commands, and its end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from servicekit.errors import Reason
from tests.workflows.drivers import BRAND, CREATOR, DAY, HOUR, AssignmentDriver
from tests.workflows.harness import Harness
from workflows.assignment.commands import SubmitWork
from workflows.assignment.model import ConfirmedBy, Event, Funding, PublishArticles, State
from workflows.dispute.model import Ground, Outcome
from workflows.policy import STANDARD, ReviewSilence, Span

ESCALATING = replace(STANDARD, name="escalating", review_silence=ReviewSilence.ESCALATE)
PAID = [Event.REWARD_SENT, Event.COMPLETED]


def _is_near(left: object, right: object) -> bool:
    """Allows for the server's clock, which advances during a test."""
    return abs(left - right) < timedelta(minutes=5)  # type: ignore[operator, no-any-return]  # times


async def _refused(assignment: AssignmentDriver, update: object, reason: Reason) -> None:
    before = await assignment.update_count()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update  # type: ignore[misc]  # a coroutine
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == reason
    assert await assignment.update_count() == before


async def test_work_is_approved_and_paid(harness: Harness) -> None:
    assignment = await harness.assignment()
    await assignment.submit()
    assert assignment.events == [Event.CREATOR_SELECTED, Event.WORK_SUBMITTED]
    await assignment.ask()
    await assignment.submit()
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    assert assignment.recorded.confirmed_by is ConfirmedBy.BRAND
    assert await assignment.ended() is State.COMPLETED
    assert assignment.events == [
        Event.CREATOR_SELECTED,
        Event.WORK_SUBMITTED,
        Event.CHANGES_REQUESTED,
        Event.WORK_SUBMITTED,
        Event.WORK_APPROVED,
        *PAID,
        Event.CLOSED,
    ]
    sequences = [one.sequence for one in harness.transitions[assignment.id]]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len({notice.deduplication_id for notice in harness.sent_notices}) == len(
        harness.sent_notices
    )
    assert harness.released == {}


async def test_silence_approves_after_three_reminders_r27(harness: Harness) -> None:
    assignment = await harness.assignment()
    await assignment.submit()
    submitted = assignment.time_of(Event.WORK_SUBMITTED)
    assert await assignment.ended() is State.COMPLETED
    assert assignment.events[2:] == [
        *[Event.REVIEW_REMINDED] * 3,
        Event.WORK_APPROVED,
        *PAID,
        Event.CLOSED,
    ]
    assert assignment.recorded.confirmed_by is ConfirmedBy.SYSTEM
    reminded = [
        one.time - submitted
        for one in harness.transitions[assignment.id]
        if one.event is Event.REVIEW_REMINDED
    ]
    assert all(map(_is_near, reminded, [48 * HOUR, 96 * HOUR, 114 * HOUR]))
    assert _is_near(assignment.time_of(Event.WORK_APPROVED), submitted + 5 * DAY)


async def test_what_expires_is_commented_on_and_its_escrow_released(harness: Harness) -> None:
    assignment = await harness.assignment()
    await harness.pass_time(10 * DAY + HOUR)
    await assignment.saw(Event.EXPIRED)
    assert _is_near(assignment.time_of(Event.EXPIRED), assignment.begin + 10 * DAY)
    await _refused(assignment, assignment.submit(), Reason.ILLEGAL_STATE)
    await assignment.comment()
    assert harness.released == {}
    assert await assignment.ended() is State.EXPIRED
    assert _is_near(harness.released[assignment.id], assignment.begin + 40 * DAY)
    assert harness.sent == []


async def test_a_reward_that_was_never_reserved_is_not_released(harness: Harness) -> None:
    assignment = await harness.assignment(funding=Funding.ON_APPROVAL)
    assert await assignment.ended() is State.EXPIRED
    assert harness.released == {}


async def test_rework_that_lapses_goes_back_to_review(harness: Harness) -> None:
    assignment = await harness.assignment(deadline=DAY)
    await assignment.submit()
    await assignment.ask()
    asked = assignment.time_of(Event.CHANGES_REQUESTED)
    await harness.pass_time(3 * DAY + HOUR)
    await assignment.saw(Event.REWORK_LAPSED)
    assert _is_near(assignment.time_of(Event.REWORK_LAPSED), asked + 3 * DAY)
    assert assignment.recorded.state is State.IN_REVIEW
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)


async def test_a_refused_command_is_typed_and_leaves_no_event(harness: Harness) -> None:
    assignment = await harness.assignment()
    await _refused(assignment, assignment.approve(), Reason.ILLEGAL_STATE)
    await assignment.submit()
    await _refused(assignment, assignment.submit(), Reason.ILLEGAL_STATE)
    await _refused(assignment, assignment.ask("req-7"), Reason.UNKNOWN_REQUIREMENT)
    for _ in range(2):
        await assignment.ask()
        await assignment.submit()
    await _refused(assignment, assignment.ask(), Reason.REVISION_LIMIT_REACHED)
    await _refused(
        assignment, assignment.dispute(Ground.LATE_REWARD, CREATOR), Reason.DISPUTE_NOT_ALLOWED
    )
    assert len(assignment.recorded.submissions) == 3


async def test_a_repeated_command_gets_its_first_answer(harness: Harness) -> None:
    assignment = await harness.assignment()
    await assignment.submit("submit_work:1")
    await assignment.submit("submit_work:1")
    assert len(assignment.recorded.submissions) == 1
    await assignment.ask()
    await assignment.submit("submit_work:1")
    assert assignment.recorded.state is State.CHANGES_REQUESTED


async def test_an_article_is_delivered_sealed_and_its_request_stays_answered(
    harness: Harness,
) -> None:
    assignment = await harness.assignment(content_types=["ARTICLE"])
    nothing = SubmitWork(CREATOR, "Done", ["m1"], [])
    await _refused(assignment, assignment.send("submit_work", nothing), Reason.CONTENT_INCOMPLETE)
    unsealed = SubmitWork(CREATOR, "Done", [], [], ["x"])
    await _refused(assignment, assignment.send("submit_work", unsealed), Reason.MEDIA_NOT_ACCEPTED)
    sealed = replace(unsealed, article_revisions=["articles/x/revisions/r1"])
    await assignment.send("submit_work", sealed, "submit_work:1")
    # The article was spoilt meanwhile, and the answer is still the first one.
    await assignment.send("submit_work", unsealed, "submit_work:1")
    (submission,) = assignment.recorded.submissions
    assert submission.article_revisions == ["articles/x/revisions/r1"]
    await _refused(assignment, assignment.send("submit_work", unsealed), Reason.ILLEGAL_STATE)


async def test_an_unavailable_service_delays_and_loses_nothing(harness: Harness) -> None:
    assignment = await harness.assignment()
    harness.failures, harness.attempts = 2, 0
    await assignment.submit()
    assert harness.attempts == 3
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    sequences = [one.sequence for one in harness.transitions[assignment.id]]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_notices_that_cannot_be_sent_delay_nothing(harness: Harness) -> None:
    harness.notifications_are_down = True
    assignment = await harness.assignment()
    await assignment.submit()
    await assignment.ask()
    assert harness.sent_notices == []
    harness.notifications_are_down = False
    await harness.pass_time(HOUR)
    await harness.until(lambda: len(harness.sent_notices) == 3)
    assert [notice.event for notice in harness.sent_notices] == [
        Event.CREATOR_SELECTED,
        Event.WORK_SUBMITTED,
        Event.CHANGES_REQUESTED,
    ]


R1, R2 = "articles/x/revisions/r1", "articles/x/revisions/r2"


async def test_what_is_approved_is_published_once_as_it_was_last_delivered(
    harness: Harness,
) -> None:
    assignment = await harness.assignment(content_types=["ARTICLE"])
    await assignment.deliver(R1)
    await assignment.ask()
    await assignment.deliver(R2)
    assert harness.published == []
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    assert harness.published == [PublishArticles([R2], assignment.time_of(Event.WORK_APPROVED))]
    assert await assignment.ended() is State.COMPLETED
    assert len(harness.published) == 1


async def test_a_publication_that_cannot_be_asked_for_holds_neither_approval_nor_reward_up(
    harness: Harness,
) -> None:
    harness.publications_are_down = True
    assignment = await harness.assignment(content_types=["ARTICLE"])
    await assignment.deliver(R1)
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    await harness.pass_time(DAY)
    assert harness.published == []
    harness.publications_are_down = False
    # However long it was away: usually an article is there in 5 minutes (R100).
    await harness.pass_time(timedelta(minutes=6))
    await harness.until(lambda: harness.published)
    assert harness.published == [PublishArticles([R1], assignment.time_of(Event.WORK_APPROVED))]


@pytest.mark.parametrize(
    ("outcome", "is_published"),
    [
        (Outcome.PAY_IN_FULL, True),
        (Outcome.PAY_PARTIAL, True),
        (Outcome.CANCEL_WITHOUT_PAY, False),
    ],
)
async def test_a_mediator_who_has_work_paid_has_it_published(
    harness: Harness, outcome: Outcome, is_published: bool
) -> None:
    assignment = await harness.assignment(content_types=["ARTICLE"])
    await assignment.deliver(R1)
    dispute = await assignment.dispute(Ground.FRAUD, BRAND)
    is_partial = outcome is Outcome.PAY_PARTIAL
    amount = {"amount_minor": 5_000, "amount_currency": "USD"} if is_partial else {}
    await assignment.decide(dispute, outcome, **amount)
    assert [one.article_revisions for one in harness.published] == [[R1]] * is_published


async def test_an_end_waits_for_its_notices(harness: Harness) -> None:
    assignment = await harness.assignment(replace(STANDARD, reopen_window=Span(seconds=30.0)))
    harness.notifications_are_down = True
    await harness.pass_time(10 * DAY + timedelta(minutes=3))
    await assignment.saw(Event.EXPIRED)
    assert (await assignment.handle.describe()).close_time is None
    harness.notifications_are_down = False
    assert await assignment.ended() is State.EXPIRED
    assert {
        notice.recipient for notice in harness.sent_notices if notice.event == Event.EXPIRED
    } == {
        BRAND,
        CREATOR,
    }


async def test_the_brands_silence_asks_a_mediator_when_the_policy_says_so(harness: Harness) -> None:
    assignment = await harness.assignment(ESCALATING)
    await assignment.submit()
    for silence in (1, 2):
        await harness.pass_time(5 * DAY + HOUR)
        await assignment.saw(Event.DISPUTE_OPENED, silence)
        dispute_id = assignment.recorded.open_dispute_id
        assert harness.disputes[-1].dispute.ground is Ground.REVIEW_SILENCE
        await assignment.decide(dispute_id, Outcome.DISMISS)
        await assignment.saw(Event.DISPUTE_RESOLVED, silence)
    await assignment.approve()
    await assignment.saw(Event.COMPLETED)
    assert assignment.recorded.confirmed_by is ConfirmedBy.BRAND
    assert len({change.dispute.id for change in harness.disputes}) == 2
