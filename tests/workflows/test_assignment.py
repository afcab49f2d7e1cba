"""An assignment's clocks over days and months, its commands, and its end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from servicekit.errors import Reason
from tests.workflows.world import BRAND, CREATOR, DAY, HOUR, Life, World
from workflows.assignment.model import (
    ConfirmedBy,
    Event,
    Funding,
    PublishArticles,
    State,
    SubmitWork,
)
from workflows.dispute.model import Ground, Outcome
from workflows.policy import STANDARD, ReviewSilence, Span

ESCALATING = replace(STANDARD, name="escalating", review_silence=ReviewSilence.ESCALATE)
PAID = [Event.REWARD_SENT, Event.COMPLETED]


def _is_near(left: object, right: object) -> bool:
    """The server's clock runs while a test acts."""
    return abs(left - right) < timedelta(minutes=5)  # type: ignore[operator, no-any-return]  # times


async def _refused(life: Life, update: object, reason: Reason) -> None:
    before = await life.update_count()
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update  # type: ignore[misc]  # a coroutine
    assert isinstance(refused.value.cause, ApplicationError)
    assert refused.value.cause.type == reason
    assert await life.update_count() == before


async def test_work_is_approved_and_paid(world: World) -> None:
    life = await world.assignment()
    await life.submit()
    assert life.events == [Event.CREATOR_SELECTED, Event.WORK_SUBMITTED]
    await life.ask()
    await life.submit()
    await life.approve()
    await life.saw(Event.COMPLETED)
    assert life.recorded.confirmed_by is ConfirmedBy.BRAND
    assert await life.ended() is State.COMPLETED
    assert life.events == [
        Event.CREATOR_SELECTED,
        Event.WORK_SUBMITTED,
        Event.CHANGES_REQUESTED,
        Event.WORK_SUBMITTED,
        Event.WORK_APPROVED,
        *PAID,
        Event.CLOSED,
    ]
    sequences = [one.sequence for one in world.transitions[life.id]]
    assert sequences == list(range(1, len(sequences) + 1))
    assert len({notice.deduplication_id for notice in world.told}) == len(world.told)
    assert world.released == {}


async def test_silence_approves_after_three_reminders_r27(world: World) -> None:
    life = await world.assignment()
    await life.submit()
    submitted = life.time_of(Event.WORK_SUBMITTED)
    assert await life.ended() is State.COMPLETED
    assert life.events[2:] == [
        *[Event.REVIEW_REMINDED] * 3,
        Event.WORK_APPROVED,
        *PAID,
        Event.CLOSED,
    ]
    assert life.recorded.confirmed_by is ConfirmedBy.SYSTEM
    reminded = [
        one.time - submitted
        for one in world.transitions[life.id]
        if one.event is Event.REVIEW_REMINDED
    ]
    assert all(map(_is_near, reminded, [48 * HOUR, 96 * HOUR, 114 * HOUR]))
    assert _is_near(life.time_of(Event.WORK_APPROVED), submitted + 5 * DAY)


async def test_what_expires_is_commented_on_and_its_escrow_released(world: World) -> None:
    life = await world.assignment()
    await world.pass_time(10 * DAY + HOUR)
    await life.saw(Event.EXPIRED)
    assert _is_near(life.time_of(Event.EXPIRED), life.begin + 10 * DAY)
    await _refused(life, life.submit(), Reason.ILLEGAL_STATE)
    await life.comment()
    assert world.released == {}
    assert await life.ended() is State.EXPIRED
    assert _is_near(world.released[life.id], life.begin + 40 * DAY)
    assert world.sent == []


async def test_money_that_was_never_set_aside_is_not_released(world: World) -> None:
    life = await world.assignment(funding=Funding.ON_APPROVAL)
    assert await life.ended() is State.EXPIRED
    assert world.released == {}


async def test_rework_that_lapses_goes_back_to_review(world: World) -> None:
    life = await world.assignment(deadline=DAY)
    await life.submit()
    await life.ask()
    asked = life.time_of(Event.CHANGES_REQUESTED)
    await world.pass_time(3 * DAY + HOUR)
    await life.saw(Event.REWORK_LAPSED)
    assert _is_near(life.time_of(Event.REWORK_LAPSED), asked + 3 * DAY)
    assert life.recorded.state is State.IN_REVIEW
    await life.approve()
    await life.saw(Event.COMPLETED)


async def test_a_refused_command_is_typed_and_leaves_no_event(world: World) -> None:
    life = await world.assignment()
    await _refused(life, life.approve(), Reason.ILLEGAL_STATE)
    await life.submit()
    await _refused(life, life.submit(), Reason.ILLEGAL_STATE)
    await _refused(life, life.ask("req-7"), Reason.UNKNOWN_REQUIREMENT)
    for _ in range(2):
        await life.ask()
        await life.submit()
    await _refused(life, life.ask(), Reason.REVISION_LIMIT_REACHED)
    await _refused(life, life.dispute(Ground.LATE_REWARD, CREATOR), Reason.DISPUTE_NOT_ALLOWED)
    assert len(life.recorded.submissions) == 3


async def test_a_repeated_command_gets_its_first_answer(world: World) -> None:
    life = await world.assignment()
    await life.submit("submit_work:1")
    await life.submit("submit_work:1")
    assert len(life.recorded.submissions) == 1
    await life.ask()
    await life.submit("submit_work:1")
    assert life.recorded.state is State.CHANGES_REQUESTED


async def test_an_article_is_delivered_sealed_and_its_request_stays_answered(
    world: World,
) -> None:
    life = await world.assignment(content_types=["ARTICLE"])
    nothing = SubmitWork(CREATOR, "Done", ["m1"], [])
    await _refused(life, life.tell("submit_work", nothing), Reason.CONTENT_INCOMPLETE)
    unsealed = SubmitWork(CREATOR, "Done", [], [], ["x"])
    await _refused(life, life.tell("submit_work", unsealed), Reason.MEDIA_NOT_ACCEPTED)
    sealed = replace(unsealed, article_revisions=["articles/x/revisions/r1"])
    await life.tell("submit_work", sealed, "submit_work:1")
    # The article was spoilt meanwhile, and the answer is still the first one.
    await life.tell("submit_work", unsealed, "submit_work:1")
    (submission,) = life.recorded.submissions
    assert submission.article_revisions == ["articles/x/revisions/r1"]
    await _refused(life, life.tell("submit_work", unsealed), Reason.ILLEGAL_STATE)


async def test_a_book_that_is_away_delays_and_loses_nothing(world: World) -> None:
    life = await world.assignment()
    world.failures, world.attempts = 2, 0
    await life.submit()
    assert world.attempts == 3
    await life.approve()
    await life.saw(Event.COMPLETED)
    sequences = [one.sequence for one in world.transitions[life.id]]
    assert sequences == list(range(1, len(sequences) + 1))


async def test_notices_that_cannot_be_sent_hold_nothing_up(world: World) -> None:
    world.notifications_are_away = True
    life = await world.assignment()
    await life.submit()
    await life.ask()
    assert world.told == []
    world.notifications_are_away = False
    await world.pass_time(HOUR)
    await world.until(lambda: len(world.told) == 3)
    assert [notice.event for notice in world.told] == [
        Event.CREATOR_SELECTED,
        Event.WORK_SUBMITTED,
        Event.CHANGES_REQUESTED,
    ]


R1, R2 = "articles/x/revisions/r1", "articles/x/revisions/r2"


async def test_what_is_approved_is_published_once_as_it_was_last_delivered(world: World) -> None:
    life = await world.assignment(content_types=["ARTICLE"])
    await life.deliver(R1)
    await life.ask()
    await life.deliver(R2)
    assert world.published == []
    await life.approve()
    await life.saw(Event.COMPLETED)
    assert world.published == [PublishArticles([R2], life.time_of(Event.WORK_APPROVED))]
    assert await life.ended() is State.COMPLETED
    assert len(world.published) == 1


async def test_a_publication_that_cannot_be_asked_for_holds_neither_approval_nor_reward_up(
    world: World,
) -> None:
    world.publications_are_away = True
    life = await world.assignment(content_types=["ARTICLE"])
    await life.deliver(R1)
    await life.approve()
    await life.saw(Event.COMPLETED)
    await world.pass_time(DAY)
    assert world.published == []
    world.publications_are_away = False
    # However long it was away: usually an article is there in 5 minutes (R100).
    await world.pass_time(timedelta(minutes=6))
    await world.until(lambda: world.published)
    assert world.published == [PublishArticles([R1], life.time_of(Event.WORK_APPROVED))]


@pytest.mark.parametrize(
    ("outcome", "is_published"),
    [
        (Outcome.PAY_IN_FULL, True),
        (Outcome.PAY_PARTIAL, True),
        (Outcome.CANCEL_WITHOUT_PAY, False),
    ],
)
async def test_a_mediator_who_has_work_paid_has_it_published(
    world: World, outcome: Outcome, is_published: bool
) -> None:
    life = await world.assignment(content_types=["ARTICLE"])
    await life.deliver(R1)
    dispute = await life.dispute(Ground.FRAUD, BRAND)
    is_partial = outcome is Outcome.PAY_PARTIAL
    amount = {"amount_minor": 5_000, "amount_currency": "USD"} if is_partial else {}
    await life.decide(dispute, outcome, **amount)
    assert [one.article_revisions for one in world.published] == [[R1]] * is_published


async def test_an_end_waits_for_its_notices(world: World) -> None:
    life = await world.assignment(replace(STANDARD, reopen_window=Span(seconds=30.0)))
    world.notifications_are_away = True
    await world.pass_time(10 * DAY + timedelta(minutes=3))
    await life.saw(Event.EXPIRED)
    assert (await life.handle.describe()).close_time is None
    world.notifications_are_away = False
    assert await life.ended() is State.EXPIRED
    assert {notice.recipient for notice in world.told if notice.event == Event.EXPIRED} == {
        BRAND,
        CREATOR,
    }


async def test_the_brands_silence_asks_a_mediator_when_the_policy_says_so(world: World) -> None:
    life = await world.assignment(ESCALATING)
    await life.submit()
    for silence in (1, 2):
        await world.pass_time(5 * DAY + HOUR)
        await life.saw(Event.DISPUTE_OPENED, silence)
        dispute_id = life.recorded.open_dispute_id
        assert world.disputes[-1].dispute.ground is Ground.REVIEW_SILENCE
        await life.decide(dispute_id, Outcome.DISMISS)
        await life.saw(Event.DISPUTE_RESOLVED, silence)
    await life.approve()
    await life.saw(Event.COMPLETED)
    assert life.recorded.confirmed_by is ConfirmedBy.BRAND
    assert len({change.dispute.id for change in world.disputes}) == 2
