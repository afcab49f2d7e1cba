"""Assignments and policies on the wire, for the activities that record them and the service that
keeps and shows them."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1 import policies_pb2, tasks_pb2

from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from workflows.assignment.model import (
    Assignment,
    ChangeRequest,
    Clock,
    Event,
    ExpiryComment,
    State,
    Submission,
    Transition,
)
from workflows.policy import Policy, Span


def assignment_message(a: Assignment) -> pb.Assignment:
    return pb.Assignment(
        name=a.name,
        state=pb.Assignment.State.Value(f"STATE_{a.state}"),
        task=f"tasks/{a.terms.task_id}",
        brand=a.brand,
        creator=a.creator,
        requirements=[
            tasks_pb2.Requirement(id=requirement.id, text=requirement.text)
            for requirement in a.terms.requirements
        ],
        reward=tasks_pb2.Reward(money=Money(a.terms.currency, a.terms.reward_minor).to_message()),
        funding=tasks_pb2.Funding.Value(f"FUNDING_{a.terms.funding}"),
        policy=policy_message(a.policy),
        submission_deadline_time=to_timestamp(a.submission_deadline_time),
        clock=_clock(a.clock) if a.clock else None,
        submissions=map(_submission, a.submissions),
        change_requests=map(_change_request, a.change_requests),
        confirmed_by=pb.Assignment.ConfirmedBy.Value(
            f"CONFIRMED_BY_{a.confirmed_by or 'UNSPECIFIED'}"
        ),
        reward_is_overdue=a.reward_is_overdue,
        payout=f"payouts/{a.id}" if a.has_payout else "",
        open_dispute=f"disputes/{a.open_dispute_id}" if a.open_dispute_id else "",
        expiry_comment=_expiry_comment(a.expiry_comment) if a.expiry_comment else None,
        sequence=a.sequence,
        create_time=to_timestamp(a.create_time),
        update_time=to_timestamp(a.update_time),
    )


def _clock(clock: Clock) -> pb.Clock:
    kind = pb.Clock.Kind.Value(f"KIND_{clock.kind}")
    if clock.held_time is None:
        return pb.Clock(kind=kind, due_time=to_timestamp(clock.due_time))
    return pb.Clock(kind=kind, remaining=_duration(clock.due_time - clock.held_time))


def _submission(submission: Submission) -> pb.Submission:
    return pb.Submission(
        version=submission.version,
        note=submission.note,
        media_objects=[f"mediaObjects/{id_}" for id_ in submission.media_object_ids],
        links=submission.links,
        submit_time=to_timestamp(submission.submit_time),
    )


def _change_request(request: ChangeRequest) -> pb.ChangeRequest:
    return pb.ChangeRequest(
        round=request.round,
        comment=request.comment,
        requirement_ids=request.requirement_ids,
        request_time=to_timestamp(request.request_time),
    )


def _expiry_comment(comment: ExpiryComment) -> pb.ExpiryComment:
    return pb.ExpiryComment(
        reason=pb.ExpiryComment.Reason.Value(f"REASON_{comment.reason}"),
        comment=comment.comment,
        create_time=to_timestamp(comment.create_time),
    )


def transition_message(transition: Transition) -> pb.Transition:
    return pb.Transition(
        sequence=transition.sequence,
        event=transition.event,
        from_state=pb.Assignment.State.Value(f"STATE_{transition.from_state or 'UNSPECIFIED'}"),
        to_state=pb.Assignment.State.Value(f"STATE_{transition.to_state}"),
        actor=transition.actor,
        comment=transition.comment,
        time=to_timestamp(transition.time),
    )


def transition_from_message(message: pb.Transition) -> Transition:
    from_state = pb.Assignment.State.Name(message.from_state).removeprefix("STATE_")
    return Transition(
        sequence=message.sequence,
        event=Event(message.event),
        from_state=None if from_state == "UNSPECIFIED" else State(from_state),
        to_state=State(pb.Assignment.State.Name(message.to_state).removeprefix("STATE_")),
        actor=message.actor,
        comment=message.comment,
        time=from_timestamp(message.time),
    )


def policy_message(policy: Policy) -> policies_pb2.Policy:
    return policies_pb2.Policy(
        name=f"policies/{policy.name}",
        selection_window=_span(policy.selection_window),
        review_window=_span(policy.review_window),
        review_reminders=[
            _duration(timedelta(seconds=seconds)) for seconds in policy.review_reminders_seconds
        ],
        review_silence=policies_pb2.ReviewSilence.Value(f"REVIEW_SILENCE_{policy.review_silence}"),
        max_revision_rounds=policy.max_revision_rounds,
        rework_window=_span(policy.rework_window),
        reward_window=_span(policy.reward_window),
        completion_window=_span(policy.completion_window),
        reopen_window=_span(policy.reopen_window),
        dispute_window=_span(policy.dispute_window),
        dispute_answer_window=_span(policy.dispute_answer_window),
        dispute_resolution_window=_span(policy.dispute_resolution_window),
        payout_retry_interval=_span(policy.payout_retry_interval),
    )


def _span(span: Span) -> policies_pb2.Span:
    return policies_pb2.Span(
        months=span.months, duration=_duration(timedelta(seconds=span.seconds))
    )


def _duration(delta: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(delta)
    return message
