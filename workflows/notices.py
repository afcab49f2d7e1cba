"""Notices to brands, creators and staff. Pure, so that workflows can build them; `delivery` sends
them."""

from dataclasses import dataclass, field

MEDIATORS = "staff/mediators"
OPERATORS = "staff/operators"


@dataclass(frozen=True)
class Notice:
    """One message to one recipient: `brands/…`, `creators/…`, MEDIATORS or OPERATORS.

    Notices with the same `deduplication_id` are stored once. It names what happened and the
    recipient, such as `dispute/{id}/{sequence}/{recipient}`.
    """

    recipient: str
    # Upper case, such as DISPUTE_OPENED.
    event: str
    # The resource it is about, such as `disputes/{dispute}`.
    subject: str
    text: str
    deduplication_id: str


@dataclass(frozen=True)
class Batch:
    """Notices as an activity takes or returns them."""

    notices: list[Notice] = field(default_factory=list)


def as_sentence(text: str) -> str:
    """The text with exactly one mark at its end; a full stop is added where none is."""
    text = text.strip()
    return text if not text or text[-1] in ".!?…" else f"{text}."
