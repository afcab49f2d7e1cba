"""Protobuf messages of assignments, transitions and policies, for the activities that record them
and the service that stores and returns them."""

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
    Proposal,
    ProposalKind,
    Requirement,
    Shipment,
    State,
    Submission,
    Terms,
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
        requirements=map(_requirement, a.requirements),
        reward=_reward(a.terms),
        funding=(
            tasks_pb2.FUNDING_UNSPECIFIED
            if a.is_for_product
            else tasks_pb2.Funding.Value(f"FUNDING_{a.terms.funding}")
        ),
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
        task_title=a.terms.title,
        content_types=map(_content_type, a.terms.content_types),
        completion_rule=tasks_pb2.CompletionRule.Value(
            f"COMPLETION_RULE_{a.terms.completion_rule}"
        ),
        proposals=[_proposal(a, proposal) for proposal in a.proposals],
        shipment_due_time=to_timestamp(a.shipment_due_time),
        shipments=map(_shipment, a.shipments),
        fault=pb.Assignment.Fault.Value(f"FAULT_{a.fault or 'UNSPECIFIED'}"),
    )


def _reward(terms: Terms) -> tasks_pb2.Reward:
    if terms.product_title:
        product = tasks_pb2.ProductReward(title=terms.product_title, link=terms.product_link)
        return tasks_pb2.Reward(product=product)
    return tasks_pb2.Reward(money=Money(terms.currency, terms.reward_minor).to_message())


def _requirement(requirement: Requirement) -> tasks_pb2.Requirement:
    return tasks_pb2.Requirement(id=requirement.id, text=requirement.text)


def _content_type(name: str) -> tasks_pb2.ContentType.ValueType:
    return tasks_pb2.ContentType.Value(f"CONTENT_TYPE_{name}")


def _proposal(a: Assignment, proposal: Proposal) -> pb.Proposal:
    message = pb.Proposal(
        name=f"{a.name}/proposals/{proposal.number}",
        reason=proposal.reason,
        proposer=proposal.proposer,
        state=pb.Proposal.State.Value(f"STATE_{proposal.state}"),
        create_time=to_timestamp(proposal.create_time),
        answer_time=to_timestamp(proposal.answer_time),
    )
    time = to_timestamp(proposal.deadline_time)
    match proposal.kind:
        case ProposalKind.EXTENSION:
            message.extension.MergeFrom(pb.Extension(deadline_time=time))
        case ProposalKind.AMENDMENT:
            requirements = map(_requirement, proposal.requirements)
            message.amendment.MergeFrom(pb.Amendment(requirements=requirements))
        case ProposalKind.CANCELLATION:
            message.cancellation.SetInParent()
        case ProposalKind.EARLY_SHIPMENT:
            message.early_shipment.MergeFrom(pb.EarlyShipment(shipment_due_time=time))
    return message


def _shipment(shipment: Shipment) -> pb.Shipment:
    return pb.Shipment(
        carrier=shipment.carrier,
        tracking_number=shipment.tracking_number,
        ship_time=to_timestamp(shipment.ship_time),
        receive_time=to_timestamp(shipment.receive_time),
        is_replaced=shipment.is_replaced,
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
        articles=[f"articles/{id_}" for id_ in submission.article_ids],
        content_types=map(_content_type, submission.content_types),
        article_revisions=submission.article_revisions,
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
        claim_window=_span(policy.claim_window),
    )


def _span(span: Span) -> policies_pb2.Span:
    return policies_pb2.Span(
        months=span.months, duration=_duration(timedelta(seconds=span.seconds))
    )


def _duration(delta: timedelta) -> Duration:
    message = Duration()
    message.FromTimedelta(delta)
    return message
