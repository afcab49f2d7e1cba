"""What workflows tell people: pure, so that workflows can make them. `delivery` sends them."""

from dataclasses import dataclass, field

MEDIATORS = "staff/mediators"
OPERATORS = "staff/operators"


@dataclass(frozen=True)
class Notice:
    """One message to one recipient: `brands/…`, `creators/…`, MEDIATORS or OPERATORS.

    The same `deduplication_id` is the same notice, however often it is sent; build it from what
    happened and to whom, such as `dispute/{id}/{sequence}/{recipient}`.
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
    """Notices on their way, as activities take and give them."""

    notices: list[Notice] = field(default_factory=list)


def as_sentence(words: str) -> str:
    """What somebody wrote, with one full stop at its end."""
    words = words.strip()
    return words if not words or words[-1] in ".!?…" else f"{words}."
