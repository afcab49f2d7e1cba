"""Notices about an assignment: recipients and texts of each transition. Pure."""

from collections.abc import Iterator

from workflows.assignment.model import (
    Assignment,
    Clock,
    ClockKind,
    Event,
    Proposal,
    ProposalKind,
    ProposalState,
    Transition,
)
from workflows.formatting import to_the_minute
from workflows.notices import MEDIATORS, OPERATORS, Notice, as_sentence
from workflows.policy import ReviewSilence

# Event -> recipient -> text. `{comment}` is a whole sentence, and so is `{next}`: what to do now,
# until when, and what happens otherwise. The dispute workflow sends the notices about disputes;
# here is only what to do after their end.
_TEXTS: dict[Event, dict[str, str]] = {
    Event.CREATOR_SELECTED: {
        "creator": "You were selected. {next}",
    },
    Event.WORK_SUBMITTED: {
        "brand": "Work was submitted. {next}",
    },
    Event.REVIEW_REMINDED: {
        "brand": "Submitted work still waits for your review. {next}",
    },
    Event.CHANGES_REQUESTED: {
        "creator": "The brand asks for changes: {comment} {next}",
    },
    Event.REWORK_LAPSED: {
        "brand": "No new version came in time: the last one is back for your review. {next}",
        "creator": "The time for changes is over: your last version is back in review.",
    },
    Event.WORK_APPROVED: {
        "creator": "Your work is approved. {next}",
        "brand": "The work was approved in your name: {comment} {next}",
    },
    Event.REWARD_OVERDUE: {
        "creator": "Your reward is late. You may open a dispute.",
        "brand": "The reward of approved work is late: the platform still tries to pay it. The"
        " creator may open a dispute.",
        OPERATORS: "A reward is late.",
    },
    Event.PAYOUT_FAILED: {
        "creator": "Your reward could not be paid. Please check your PayPal account.",
        OPERATORS: "A payout failed.",
    },
    Event.PAYOUT_ESCALATED: {
        OPERATORS: "A payout needs you: {problem} The money stays reserved.",
    },
    Event.REWARD_SENT: {
        "creator": "Your reward was sent.",
    },
    Event.REWARD_UNCLAIMED: {
        "creator": "Your reward waits for you at PayPal, where nobody has claimed it yet. Please"
        " claim it, or name another PayPal account. It waits {comment} Then it is taken back, and"
        " sent again once you have named your account anew.",
    },
    Event.REWARD_WRITTEN_OFF: {
        "creator": "Your reward could not be paid, and the platform has given up trying: the"
        " assignment ends without it. Please write to support.",
        "brand": "The reward could not be paid to the creator, and the platform has given up"
        " trying: the assignment ends without it. Your statement says where the money went.",
    },
    Event.COMPLETED: {
        "creator": "The assignment is completed.",
        "brand": "The assignment is completed.",
    },
    Event.EXPIRED: {
        "creator": "The deadline has passed. {next}",
        "brand": "The creator did not submit before the deadline. {next}",
    },
    Event.EXPIRY_COMMENTED: {
        "brand": "The creator says why the task was not completed: {expiry_comment}",
    },
    Event.REOPENED: {
        "creator": "You have more time after all. {next} {comment}",
    },
    Event.CANCELLED: {
        "creator": "The assignment is cancelled. {comment}",
        "brand": "The assignment is cancelled. {comment}",
    },
    Event.PROPOSAL_MADE: {
        "creator": "The brand asks for {request}: {request_reason} Please accept or decline.",
        "brand": "The creator asks for {request}: {request_reason} Please accept or decline.",
    },
    Event.PROPOSAL_ACCEPTED: {
        "creator": "The brand accepts what you asked for: {request}.",
        "brand": "The creator accepts what you asked for: {request}.",
    },
    Event.PROPOSAL_DECLINED: {
        "creator": "The brand declines what you asked for: {request}.",
        "brand": "The creator declines what you asked for: {request}.",
    },
    Event.PROPOSAL_WITHDRAWN: {
        "creator": "The brand no longer asks for {request}.",
        "brand": "The creator no longer asks for {request}.",
    },
    Event.SHIPMENT_MISSED: {
        "creator": "The product was not sent on the date agreed on. Your deadline waits for it, and"
        " you may open a dispute.",
        "brand": "The product was to be sent by now. Please send it: the creator's deadline waits"
        " for it, and the creator may open a dispute.",
        OPERATORS: "A product that was agreed on is late.",
    },
    Event.PRODUCT_SHIPPED: {
        "creator": "The product is on its way: {comment} Please acknowledge it when it arrives."
        " {next}",
        "brand": "The shipment of the product was recorded: {comment}",
    },
    Event.PRODUCT_RECEIVED: {
        "brand": "The creator has received the product.",
    },
    Event.CLOCK_MOVED: {
        "creator": "An operator has moved {clock} to {deadline}: {comment}",
        "brand": "An operator has moved {clock} to {deadline}: {comment}",
    },
    Event.DISPUTE_RESOLVED: {"creator": "{next}", "brand": "{next}"},
    Event.DISPUTE_WITHDRAWN: {"creator": "{next}", "brand": "{next}"},
    Event.DECISION_OVERTAKEN: dict.fromkeys(
        ("creator", "brand", MEDIATORS),
        "The reward had been sent before the dispute could hold it, or an operator had written it"
        " off, so that the decision cannot be carried out: it stays as it was.",
    ),
}

# Texts for actions that an operator took on behalf of somebody.
_STAFF_TEXTS: dict[Event, dict[str, str]] = {
    Event.REWORK_LAPSED: {
        "brand": "An operator sent the last version back to your review: {comment} {next}",
        "creator": "An operator sent your last version back to review: {comment}",
    },
    Event.WORK_APPROVED: {
        "creator": "An operator approved your work: {comment} {next}",
        "brand": "An operator approved the work in your name: {comment} {next}",
    },
    Event.EXPIRED: {
        "creator": "An operator ended your time to submit: {comment} {next}",
        "brand": "An operator ended the creator's time to submit: {comment} {next}",
    },
    Event.REOPENED: {
        "creator": "An operator gives you more time: {comment} {next}",
        "brand": "An operator gives the creator more time, until {deadline}: {comment}",
    },
    Event.CANCELLED: dict.fromkeys(
        ("creator", "brand"), "An operator cancelled the assignment: {comment}"
    ),
    Event.REWARD_RETRIED: {
        "creator": "An operator has your reward sent once more: {comment}",
        "brand": "An operator has the reward sent once more: {comment}",
    },
    Event.COMPLETED: dict.fromkeys(
        ("creator", "brand"), "An operator completed the assignment: {comment}"
    ),
    Event.CLOSED: dict.fromkeys(
        ("creator", "brand"),
        "An operator closed the assignment for good, before its time: {comment}",
    ),
}

# Texts for a reward that is a product.
_PRODUCT_TEXTS: dict[Event, dict[str, str]] = {
    Event.REWARD_OVERDUE: {
        "creator": "The product is late. You may open a dispute.",
        "brand": "The product that you owe for approved work is late. Please ship it: the creator"
        " may open a dispute.",
        OPERATORS: "A product that is owed for approved work is late.",
    },
}

# Clock -> recipient -> what to do while it runs.
_NEXT: dict[ClockKind, dict[str, str]] = {
    ClockKind.SUBMISSION: {
        "creator": "Please submit your work before {deadline}; otherwise the assignment expires.",
    },
    ClockKind.REWORK: {
        "creator": "Please submit {version} before {deadline}; otherwise {no_version}.",
    },
    ClockKind.REVIEW: {
        "brand": "Please review it before {deadline}; otherwise {silence}.",
    },
    ClockKind.REWARD: {
        "creator": "The reward is to be sent before {deadline}.",
    },
    ClockKind.REOPEN: {
        "creator": "Please say before {deadline} why the task was not completed.",
        "brand": "You may reopen the assignment until {deadline}.",
    },
}
_NEXT_OF_PRODUCT = {
    "creator": "The brand is to ship the product before {deadline}.",
    "brand": "Please ship the product before {deadline}; otherwise the creator may open a dispute.",
}

# State of an escalated payout -> what operators have to do.
_PAYOUT_PROBLEMS = {
    "SENDING": "an attempt can neither be made nor be given up. Its workflow says why.",
    "SENT": "the provider has not delivered it. Please ask the provider.",
    "UNCLAIMED": "nobody claims it, and the provider does not give it back. Please ask there.",
    "BLOCKED": "its latest attempt has stopped. Please find out at the provider what became of it,"
    " and say so (ResolveAttempt).",
}

_CLOCKS = {
    ClockKind.SUBMISSION: "the deadline of the work",
    ClockKind.REVIEW: "the deadline of the review",
    ClockKind.REWORK: "the deadline of the new version",
    ClockKind.REWARD: "the date of the reward",
    ClockKind.COMPLETION: "the date of completion",
    ClockKind.REOPEN: "the last date for reopening",
    ClockKind.DISPUTE_WINDOW: "the last date for disputes",
}

_REQUESTS = {
    ProposalKind.EXTENSION: "more time, until {date}",
    ProposalKind.AMENDMENT: "other requirements ({changes})",
    ProposalKind.CANCELLATION: "the assignment to be cancelled without a reward",
    ProposalKind.EARLY_SHIPMENT: "the product to be sent early, before {date}",
}

_ANSWERED = {
    Event.PROPOSAL_MADE: ProposalState.PENDING,
    Event.PROPOSAL_ACCEPTED: ProposalState.ACCEPTED,
    Event.PROPOSAL_DECLINED: ProposalState.DECLINED,
    Event.PROPOSAL_WITHDRAWN: ProposalState.WITHDRAWN,
}

# Maximum length of the quoted texts of an amendment.
_MAXIMUM_QUOTED_CHARACTERS = 200


def notices(a: Assignment, transition: Transition) -> Iterator[Notice]:
    """One notice per recipient. The actor gets none of its own action, only what to do next."""
    words = _values(a, transition)
    for role, text in _texts(a, transition).items():
        recipient = {"creator": a.creator, "brand": a.brand}.get(role, role)
        following = _next(a, transition, role).format_map(words) if "{next}" in text else ""
        body = text.format_map(words | {"next": following}).strip()
        if recipient == transition.actor:
            body = following
        if body:
            yield Notice(
                recipient=recipient,
                event=transition.event,
                subject=a.name,
                text=body,
                deduplication_id=f"assignment/{a.id}/{transition.sequence}/{recipient}",
            )


def _texts(a: Assignment, transition: Transition) -> dict[str, str]:
    texts = _TEXTS.get(transition.event, {})
    if a.is_for_product:
        texts = _PRODUCT_TEXTS.get(transition.event, texts)
    if transition.actor.startswith("staff/"):
        texts = _STAFF_TEXTS.get(transition.event, texts)
    return texts


def _next(a: Assignment, transition: Transition, role: str) -> str:
    """What to do after this transition; empty once another one has followed."""
    clock = a.clock
    if clock is None or a.sequence != transition.sequence or clock.due_time <= transition.time:
        return ""
    if clock.kind is ClockKind.REWARD and a.is_for_product:
        return _NEXT_OF_PRODUCT.get(role, "") if a.shipment is None else ""
    if clock.kind is ClockKind.REOPEN and role == "creator" and a.expiry_comment is not None:
        return ""
    following = _NEXT.get(clock.kind, {}).get(role, "")
    if following and clock.held_time is not None:
        return "Your time runs on as soon as the product is sent."
    return following


def _values(a: Assignment, transition: Transition) -> dict[str, str]:
    """Values of the placeholders; empty where one does not apply."""
    proposal = _proposal(a, transition)
    is_approved_by_silence = a.policy.review_silence is ReviewSilence.AUTO_APPROVE
    return {
        "comment": as_sentence(_comment(a.clock, transition)),
        "deadline": to_the_minute(a.clock.due_time) if a.clock else "",
        "clock": _CLOCKS[a.clock.kind] if a.clock else "a deadline",
        "silence": (
            "the work is approved in your name"
            if is_approved_by_silence
            else "a mediator is asked to decide"
        ),
        "version": "a new version" if a.submissions else "your work",
        "no_version": (
            "your last version goes back to review" if a.submissions else "the assignment expires"
        ),
        "expiry_comment": as_sentence(a.expiry_comment.comment if a.expiry_comment else ""),
        "problem": _PAYOUT_PROBLEMS.get(transition.comment, ""),
        "request": _request(a, proposal) if proposal else transition.comment,
        "request_reason": as_sentence(proposal.reason if proposal else ""),
    }


def _comment(clock: Clock | None, transition: Transition) -> str:
    """The comment without the clock and its new time, which the text of CLOCK_MOVED states."""
    if transition.event is not Event.CLOCK_MOVED or clock is None:
        return transition.comment
    return transition.comment.removeprefix(f"{clock.kind} until {to_the_minute(clock.due_time)}: ")


def _proposal(a: Assignment, transition: Transition) -> Proposal | None:
    """The proposal of this transition. The comment tells apart several of the same instant."""
    state = _ANSWERED.get(transition.event)
    candidates = [
        one
        for one in a.proposals
        if one.state is state and (one.answer_time or one.create_time) == transition.time
    ]
    named = [
        one
        for one in candidates
        if transition.comment.startswith(f"{one.kind} (proposal {one.number})")
    ]
    return next(iter(named or candidates[-1:]), None)


def _request(a: Assignment, proposal: Proposal) -> str:
    date = proposal.deadline_time
    return _REQUESTS[proposal.kind].format(
        date=to_the_minute(date) if date else "", changes=_changes(a, proposal)
    )


def _changes(a: Assignment, proposal: Proposal) -> str:
    """Quotes the texts of an amendment that no earlier version had."""
    versions = [a.terms.requirements, *(one.requirements for one in a.proposals)]
    known = {one.id for version in versions[: proposal.number] for one in version}
    new = [f"'{one.text.strip()}'" for one in proposal.requirements if one.id not in known]
    quoted = ", ".join(new)
    if len(quoted) > _MAXIMUM_QUOTED_CHARACTERS:
        quoted = quoted[: _MAXIMUM_QUOTED_CHARACTERS - 1].rstrip() + "…"
    return f"{len(proposal.requirements)} in all, {len(new)} new{': ' if new else ''}{quoted}"
