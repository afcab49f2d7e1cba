"""What activities ask of the services: each request is one that its service takes."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.message import Message
from liaison.media.v1 import articles_pb2, media_pb2, publications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import records_pb2
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from servicekit.errors import FailedPrecondition, Internal, LiaisonError, Reason, Unavailable
from servicekit.money import Money
from servicekit.rpc.interceptors.validation import missing_fields
from servicekit.timestamps import to_timestamp
from tests.unit.workflows.samples import (
    APPROVE,
    BEGIN,
    BRAND,
    CHANGE,
    CREATOR,
    DAY,
    LATER,
    SUBMIT,
    begun,
    selection,
    submitted,
    terms,
)
from workflows.assignment.activities import AssignmentActivities
from workflows.assignment.inputs import Pending, RecordAssignment, StartAssignment
from workflows.assignment.model import Assignment, Transition
from workflows.assignment.notices import notices
from workflows.assignment.rules import submissions, transitions
from workflows.payout.activities import PayoutActivities
from workflows.payout.model import PayoutTerms, RecallPayout, SendPayout
from workflows.payout.model import State as Payout
from workflows.policy import STANDARD
from workflows.task.activities import TaskActivities
from workflows.task.inputs import LapseApplications, RecordTask, ReserveRewards
from workflows.task.model import State


@dataclass
class Service:
    """Takes every request that is whole, as a server does; answers what it is told to."""

    answers: dict[str, list[Any]] = field(default_factory=dict)
    requests: list[Message] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        async def call(request: Message) -> Any:
            assert [*missing_fields(request)] == []
            self.requests.append(request)
            answer = self.answers.get(name, [None]).pop(0)
            if isinstance(answer, LiaisonError):
                raise answer
            return answer

        return call


AWAY = Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "Away")


def _assignments(media: Service, records: Service, notifications: Service) -> Any:
    payouts = Service()
    return AssignmentActivities(records, media, media, media, payouts, notifications)  # type: ignore[arg-type]  # stand-ins


async def _record(order: RecordAssignment, notifications: Service) -> tuple[list[Message], Pending]:
    """All that was asked of anybody, in order; the notices apart."""
    harness = Service()
    undelivered = await _assignments(harness, harness, notifications).record_assignment(order)
    return harness.requests, undelivered


async def test_a_submission_holds_its_media_and_is_recorded() -> None:
    a = begun()
    submission = submissions.submit_work(a, SUBMIT, LATER)
    told = list(notices(a, submission))
    notifications = Service()
    requests, undelivered = await _record(RecordAssignment(a, [submission], told), notifications)
    hold, record = requests
    assert hold == media_pb2.HoldMediaObjectsRequest(
        names=["mediaObjects/m1"], holder="assignments/a1/submissions/1", brand=BRAND
    )
    assert isinstance(record, records_pb2.RecordAssignmentRequest)
    assert [one.sequence for one in record.transitions] == [2]
    (sent,) = notifications.requests
    assert [one.notification.recipient for one in sent.notifications] == [BRAND]  # type: ignore[attr-defined]  # its message
    assert undelivered == Pending()


async def test_notices_that_wait_are_sent_again_without_a_record() -> None:
    a, first = submissions.start("a1", "bea", terms(), BEGIN)
    told = list(notices(a, first))
    away = Service({"SendNotifications": [AWAY, None]})
    requests, undelivered = await _record(RecordAssignment(a, [first], told), away)
    assert (len(requests), undelivered.notices) == (1, told)
    requests, undelivered = await _record(RecordAssignment(a, [], undelivered.notices), away)
    assert (requests, undelivered) == ([], Pending())


WRITTEN = replace(
    SUBMIT, media_object_ids=[], article_ids=["x"], article_revisions=["articles/x/revisions/r1"]
)


async def test_a_submission_holds_its_articles_for_the_brand() -> None:
    a = begun()
    submission = submissions.submit_work(a, WRITTEN, LATER)
    requests, _ = await _record(RecordAssignment(a, [submission]), Service())
    hold, record = requests
    assert hold == articles_pb2.HoldArticleRevisionsRequest(
        names=["articles/x/revisions/r1"], holder="assignments/a1/submissions/1", brand=BRAND
    )
    (shown,) = record.assignment.submissions  # type: ignore[attr-defined]  # its message
    assert list(shown.articles) == ["articles/x"]
    assert list(shown.article_revisions) == ["articles/x/revisions/r1"]


def _approved() -> tuple[Assignment, Transition]:
    """At the second version, which has another revision than the first."""
    a = begun()
    submissions.submit_work(a, WRITTEN, LATER)
    submissions.request_changes(a, CHANGE, LATER)
    second = replace(WRITTEN, article_revisions=["articles/x/revisions/r2"])
    submissions.submit_work(a, second, LATER)
    return a, submissions.approve_work(a, APPROVE, LATER + DAY)


def _published(a: Assignment, approval: Transition) -> RecordAssignment:
    return RecordAssignment(a, [approval], [], transitions.publication(a, approval))


async def test_what_is_approved_is_recorded_and_then_published_as_it_was_last_delivered() -> None:
    requests, undone = await _record(_published(*_approved()), Service())
    record, publish = requests
    assert isinstance(record, records_pb2.RecordAssignmentRequest)
    assert publish == publications_pb2.PublishApprovedArticlesRequest(
        article_revisions=["articles/x/revisions/r2"], approve_time=to_timestamp(LATER + DAY)
    )
    assert undone == Pending()


@pytest.mark.parametrize("error", [AWAY, Internal(Reason.INTERNAL, "A defect")])
async def test_what_cannot_be_published_now_is_answered_for_another_try(
    error: LiaisonError,
) -> None:
    media, records = Service({"PublishApprovedArticles": [error, None]}), Service()
    activities = _assignments(media, records, Service())
    order = _published(*_approved())
    undone = await activities.record_assignment(order)
    assert (undone.notices, undone.publication) == ([], order.publication)
    assert len(records.requests) == 1
    again = RecordAssignment(order.assignment, [], [], undone.publication)
    assert await activities.record_assignment(again) == Pending()
    first, second = media.requests
    assert first == second


async def test_work_without_an_article_is_not_published() -> None:
    a = submitted()
    approval = submissions.approve_work(a, APPROVE, LATER)
    assert transitions.publication(a, approval) is None


async def test_a_submission_without_media_holds_nothing() -> None:
    requests, _ = await _record(RecordAssignment(submitted(), []), Service())
    assert requests == []


async def test_a_selection_is_recorded_with_its_assignments() -> None:
    records = Service(
        {"RecordTask": [records_pb2.RecordTaskResponse(has_waiting_applications=True)]}
    )
    activities: Any = TaskActivities(records, Service(), Service())  # type: ignore[arg-type]  # stand-ins
    new = StartAssignment("app1", "creator1", terms(), BEGIN)
    order = RecordTask("t1", 1, State.IN_PROGRESS, ["app1"], [new])
    assert await activities.record_task(order) is True
    assignment, task = records.requests
    assert assignment.assignment.name == "assignments/app1"  # type: ignore[attr-defined]  # its message
    assert list(task.selected_application_ids) == ["app1"]  # type: ignore[attr-defined]  # its message


async def test_rewards_are_set_aside_together_or_the_selection_is_refused() -> None:
    payouts = Service({"ReserveRewards": [None, FailedPrecondition(Reason.INSUFFICIENT_FUNDS, "")]})
    activities: Any = TaskActivities(Service(), payouts, Service())  # type: ignore[arg-type]  # stand-ins
    order = ReserveRewards("acme", "USD", 10_000, [selection(1), selection(2)])
    await activities.reserve_rewards(order)
    assert payouts.requests == [
        payouts_pb2.ReserveRewardsRequest(
            brand=BRAND,
            amount=Money("USD", 10_000).to_message(),
            reservations=[
                payouts_pb2.RewardReservation(
                    payout=f"payouts/app{number}", creator=f"creators/creator{number}"
                )
                for number in (1, 2)
            ],
        )
    ]
    with pytest.raises(ApplicationError) as refused:
        await activities.reserve_rewards(order)
    assert (refused.value.type, refused.value.non_retryable) == ("INSUFFICIENT_FUNDS", True)


async def test_lapsed_creators_are_told_batch_after_batch() -> None:
    def batch(*creators: str) -> records_pb2.LapseApplicationsResponse:
        return records_pb2.LapseApplicationsResponse(creators=creators)

    records = Service({"LapseApplications": [batch(CREATOR), batch("creators/cem"), batch()]})
    notifications = Service({"SendNotifications": [None, None]})
    activities: Any = TaskActivities(records, Service(), notifications)  # type: ignore[arg-type]  # stand-ins
    order = LapseApplications("t1", "A {review}", "No budget", ["app1"])
    await ActivityEnvironment().run(activities.lapse_applications, order)
    assert [list(one.notified_creators) for one in records.requests] == [  # type: ignore[attr-defined]  # their message
        [],
        [CREATOR],
        ["creators/cem"],
    ]
    outgoing = [one.notifications[0] for one in notifications.requests]  # type: ignore[attr-defined]  # their message
    assert [one.notification.text for one in outgoing] == [
        "The task 'A {review}' was cancelled: No budget."
    ] * 2
    assert {one.deduplication_id for one in outgoing} == {
        f"task/t1/lapsed/{creator}" for creator in (CREATOR, "creators/cem")
    }


def _payout(reserved_minor: int | None) -> PayoutTerms:
    interval = STANDARD.payout_retry_interval
    return PayoutTerms("a1", "acme", "bea", "USD", 4_000, reserved_minor, interval)


@pytest.mark.parametrize(
    ("reserved_minor", "kinds"),
    [
        (None, [payouts_pb2.ReserveRewardsRequest]),
        (10_000, [payouts_pb2.ReduceRewardRequest]),
        (4_000, []),
    ],
)
async def test_a_reservation_is_made_what_the_payout_needs(
    reserved_minor: int | None, kinds: list[type]
) -> None:
    payouts = Service()
    await PayoutActivities(payouts).reserve_reward(_payout(reserved_minor))  # type: ignore[arg-type]  # a stand-in
    assert [type(request) for request in payouts.requests] == kinds


@pytest.mark.parametrize("shown", list(Payout))
async def test_an_attempt_answers_where_the_money_is(shown: Payout) -> None:
    answer = payouts_pb2.Payout(state=payouts_pb2.Payout.State.Value(f"STATE_{shown}"))
    calls = ("SendPayout", "RefreshPayout", "RecallPayout")
    payouts = Service({call: [answer] for call in calls})
    activities = PayoutActivities(payouts)  # type: ignore[arg-type]  # a stand-in
    assert await activities.send_payout(SendPayout("a1", 1)) is shown
    assert await activities.refresh_payout("a1") is shown
    assert await activities.recall_payout(RecallPayout("a1", 1)) is shown


@pytest.mark.parametrize(
    ("error", "is_final"),
    [
        (FailedPrecondition(Reason.PAYOUT_ACCOUNT_MISSING, ""), True),
        (FailedPrecondition(Reason.PAYOUT_NOT_CLAIMED, ""), True),
        (FailedPrecondition(Reason.ILLEGAL_STATE, ""), True),
        (FailedPrecondition(Reason.PAYOUT_ON_HOLD, ""), False),
        (Unavailable(Reason.PAYOUTS_HALTED, ""), False),
        (Unavailable(Reason.OUTCOME_UNKNOWN, ""), False),
        (FailedPrecondition(Reason.CREDENTIALS_INVALID, ""), False),
    ],
)
async def test_only_what_the_payout_knows_how_to_go_on_from_ends_an_attempt(
    error: LiaisonError, is_final: bool
) -> None:
    activities = PayoutActivities(Service({"SendPayout": [error]}))  # type: ignore[arg-type]  # a stand-in
    with pytest.raises(ApplicationError) as ended:
        await activities.send_payout(SendPayout("a1", 1))
    assert (ended.value.type, ended.value.non_retryable) == (error.reason, is_final)


def test_a_due_time_is_told_as_it_is() -> None:
    a = begun()
    submission = submissions.submit_work(a, SUBMIT, LATER)
    (told,) = notices(a, submission)
    assert f"{LATER + timedelta(days=5):%Y-%m-%d %H:%M} UTC" in told.text
