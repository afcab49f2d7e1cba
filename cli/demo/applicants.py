"""The creators of the demo, and its amounts of money."""

from dataclasses import dataclass

from liaison.creators.v1 import creators_pb2

from servicekit.money import Money

REWARD = Money("USD", 120_00)
DEPOSIT = Money("USD", 1_000_00)


@dataclass(frozen=True)
class Applicant:
    """A creator, and what it applies for admission with."""

    name: str
    account_class: creators_pb2.AccountClass.ValueType
    posts: int
    followers: int
    paypal_receiver: str


INTERNAL, EXTERNAL = creators_pb2.ACCOUNT_CLASS_INTERNAL, creators_pb2.ACCOUNT_CLASS_EXTERNAL
APPLICANTS = (
    Applicant("anna", INTERNAL, 240, 18_000, "anna@example.com"),
    # The PayPal sandbox fails payouts to this receiver after it has accepted them.
    Applicant("ben", EXTERNAL, 80, 9_000, "failed-late+ben@example.com"),
    Applicant("cleo", INTERNAL, 21, 10_001, "cleo@example.com"),
    Applicant("dora", EXTERNAL, 400, 50_000, "dora@example.com"),
    Applicant("eddy", INTERNAL, 20, 10_000, "eddy@example.com"),
)
SELECTED = ("anna", "ben", "cleo")
