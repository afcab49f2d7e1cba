"""Whom each transition of an assignment is told to, and in which words: pure."""

from collections.abc import Iterator

from workflows.assignment.model import Assignment, Event, Transition
from workflows.notices import OPERATORS, Notice

# Event -> recipient -> text. Disputes are told by their own workflow.
_TEXTS: dict[Event, dict[str, str]] = {
    Event.CREATOR_SELECTED: {
        "creator": "You were selected. Submit your work before {deadline}.",
    },
    Event.WORK_SUBMITTED: {
        "brand": "Work was submitted. Please review it before {deadline}.",
    },
    Event.REVIEW_REMINDED: {
        "brand": "Submitted work still waits for your review.",
    },
    Event.CHANGES_REQUESTED: {
        "creator": "The brand asks for changes: {comment}",
    },
    Event.REWORK_LAPSED: {
        "brand": "No new version came in time: the last one is back for your review.",
        "creator": "The time for changes is over: your last version is back in review.",
    },
    Event.WORK_APPROVED: {
        "creator": "Your work is approved. The reward is on its way.",
        "brand": "The work was approved in your name: {comment}.",
    },
    Event.REWARD_OVERDUE: {
        "creator": "Your reward is late. You may open a dispute.",
        "brand": "The reward of approved work is late.",
        OPERATORS: "A reward is late.",
    },
    Event.PAYOUT_FAILED: {
        "creator": "Your reward could not be paid. Please check your PayPal account.",
        OPERATORS: "A payout failed.",
    },
    Event.REWARD_SENT: {
        "creator": "Your reward was sent.",
    },
    Event.COMPLETED: {
        "creator": "The assignment is completed.",
        "brand": "The assignment is completed.",
    },
    Event.EXPIRED: {
        "creator": "The deadline has passed. Please say why the task was not completed.",
        "brand": "The creator did not submit before the deadline.",
    },
    Event.EXPIRY_COMMENTED: {
        "brand": "The creator says why the task was not completed: {comment}",
    },
    Event.REOPENED: {
        "creator": "You have more time after all. Submit your work before {deadline}.",
        "brand": "The assignment was reopened until {deadline}.",
    },
    Event.CANCELLED: {
        "creator": "The assignment is cancelled. {comment}",
        "brand": "The assignment is cancelled. {comment}",
    },
    Event.PROPOSAL_MADE: {
        "creator": "The brand proposes: {comment}. Please accept or decline.",
        "brand": "The creator proposes: {comment}. Please accept or decline.",
    },
    Event.PROPOSAL_ACCEPTED: {
        "creator": "Accepted: {comment}",
        "brand": "Accepted: {comment}",
    },
    Event.PROPOSAL_DECLINED: {
        "creator": "Declined: {comment}",
        "brand": "Declined: {comment}",
    },
    Event.PROPOSAL_WITHDRAWN: {
        "creator": "Withdrawn: {comment}",
        "brand": "Withdrawn: {comment}",
    },
    Event.SHIPMENT_MISSED: {
        "creator": "The product was not sent on the date agreed on. Your deadline waits for it, and"
        " you may open a dispute.",
        "brand": "The product was to be sent by now. The creator's deadline waits for it.",
        OPERATORS: "A product that was agreed on is late.",
    },
    Event.PRODUCT_SHIPPED: {
        "creator": "The product is on its way: {comment}. Please acknowledge it when it arrives.",
        "brand": "The shipment of the product was recorded: {comment}",
    },
    Event.PRODUCT_RECEIVED: {
        "brand": "The creator has received the product.",
    },
    Event.CLOCK_MOVED: {
        "creator": "An operator has moved a deadline: {comment}",
        "brand": "An operator has moved a deadline: {comment}",
    },
}


def notices(a: Assignment, transition: Transition) -> Iterator[Notice]:
    """One notice a recipient; who acted is not told what it did itself."""
    for role, text in _TEXTS.get(transition.event, {}).items():
        recipient = {"creator": a.creator, "brand": a.brand}.get(role, role)
        if recipient != transition.actor:
            yield Notice(
                recipient=recipient,
                event=transition.event,
                subject=a.name,
                text=text.format(
                    deadline=f"{a.clock.due_time:%Y-%m-%d %H:%M} UTC" if a.clock else "",
                    comment=transition.comment,
                ),
                deduplication_id=f"assignment/{a.id}/{transition.sequence}/{recipient}",
            )
