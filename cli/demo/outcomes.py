"""The demo's outcomes, read back over the API and compared with what is expected."""

from collections import defaultdict
from dataclasses import dataclass

from google.protobuf.message import Message
from liaison.creators.v1 import creators_pb2
from liaison.disputes.v1 import disputes_pb2
from liaison.media.v1 import media_pb2, publications_pb2
from liaison.notifications.v1 import notifications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2, tasks_pb2

from cli.demo.actors import call_until_answered
from cli.demo.applicants import APPLICANTS, DEPOSIT, REWARD, SELECTED
from cli.demo.articles import TITLE
from cli.demo.story import Story
from servicekit.money import Money


@dataclass(frozen=True)
class Outcome:
    """One expectation, and what was found."""

    subject: str
    what: str
    expected: str
    found: str

    @property
    def is_verified(self) -> bool:
        return self.expected == self.found


@dataclass(frozen=True)
class Account:
    name: str
    balance: Money


async def read_outcomes(story: Story) -> list[Outcome]:
    return [
        *await _creators(story),
        *await _task(story),
        *await _assignments(story),
        *await _payouts(story),
        *await _articles(story),
        *await _others(story),
    ]


async def read_ledger(story: Story) -> list[Account]:
    """All accounts of the stack, including those of brands of earlier runs."""
    trial = await call_until_answered(
        story.olga.payouts.GetTrialBalance, payouts_pb2.GetTrialBalanceRequest()
    )
    return [Account(one.account, Money.from_message(one.balance)) for one in trial.accounts]


def sums(accounts: list[Account]) -> list[Money]:
    """The sum of all accounts, by currency: zero, or the ledger is wrong."""
    totals: dict[str, int] = defaultdict(int)
    for account in accounts:
        totals[account.balance.currency] += account.balance.amount_minor
    return [Money(currency, total) for currency, total in sorted(totals.items())]


async def _creators(story: Story) -> list[Outcome]:
    outcomes = []
    for one in APPLICANTS:
        name = f"creators/{story.actors.id_of(one.name)}"
        creator = await call_until_answered(
            story.olga.creators.GetCreator, creators_pb2.GetCreatorRequest(name=name)
        )
        refused = [refusal.rule_id for refusal in creator.refusals]
        expected = "REFUSED R3, R4" if one.name == "eddy" else "ADMITTED"
        found = f"{_word(creator, 'state')} {', '.join(refused)}".strip()
        outcomes.append(Outcome(one.name, "admission", expected, found))
    return outcomes


async def _task(story: Story) -> list[Outcome]:
    task = await call_until_answered(
        story.acme.tasks.GetTask, tasks_pb2.GetTaskRequest(name=story.task)
    )
    listed = await call_until_answered(
        story.acme.tasks.ListApplications, tasks_pb2.ListApplicationsRequest(parent=story.task)
    )
    states = {
        application.creator.removeprefix("creators/"): _word(application, "state")
        for application in listed.applications
    }
    expected = {story.actors.id_of(name): "SELECTED" for name in SELECTED}
    expected[story.actors.id_of("dora")] = "WITHDRAWN"
    return [
        Outcome("task", "state", "CLOSED", _word(task, "state")),
        Outcome("task", "applications", _counted(expected), _counted(states)),
    ]


async def _assignments(story: Story) -> list[Outcome]:
    # Name -> state, confirmed by, versions, rounds, comment on expiry.
    expected = {
        "anna": "COMPLETED, by BRAND, 2 version(s), 1 round(s)",
        "ben": "COMPLETED, by SYSTEM, 1 version(s), 0 round(s)",
        "cleo": "EXPIRED, 0 version(s), 0 round(s), NO_TIME",
    }
    outcomes = []
    for name in SELECTED:
        found = await call_until_answered(
            story.acme.assignments.GetAssignment,
            assignments_pb2.GetAssignmentRequest(name=story.assignment(name)),
        )
        parts = [_word(found, "state")]
        if found.confirmed_by:
            parts.append(f"by {_word(found, 'confirmed_by')}")
        parts.append(f"{len(found.submissions)} version(s)")
        parts.append(f"{len(found.change_requests)} round(s)")
        if found.HasField("expiry_comment"):
            parts.append(_word(found.expiry_comment, "reason"))
        outcomes.append(Outcome(name, "assignment", expected[name], ", ".join(parts)))
        outcomes.append(await _transitions(story, name, found.sequence))
    return outcomes


async def _transitions(story: Story, name: str, sequence: int) -> Outcome:
    """The transitions must be numbered from 1 to `sequence`, without gaps and duplicates."""
    listed = await call_until_answered(
        story.acme.assignments.ListTransitions,
        assignments_pb2.ListTransitionsRequest(parent=story.assignment(name)),
    )
    numbers = [transition.sequence for transition in listed.transitions]
    expected = f"{sequence}, without gaps"
    found = expected if numbers == list(range(1, sequence + 1)) else str(numbers)
    return Outcome(name, "recorded transitions", expected, found)


async def _payouts(story: Story) -> list[Outcome]:
    expected = {"anna": f"PAID {REWARD}: PAID", "ben": f"PAID {REWARD}: FAILED, PAID"}
    outcomes = []
    paid_out = 0
    for name, what in expected.items():
        payout = await call_until_answered(
            story.creators[name].payouts.GetPayout,
            payouts_pb2.GetPayoutRequest(name=story.payout(name)),
        )
        attempts = ", ".join(_word(attempt, "state") for attempt in payout.attempts)
        amount = Money.from_message(payout.amount)
        paid_out += amount.amount_minor + Money.from_message(payout.fee).amount_minor
        outcomes.append(
            Outcome(name, "payout", what, f"{_word(payout, 'state')} {amount}: {attempts}")
        )
    balance = await call_until_answered(
        story.acme.payouts.GetBalance,
        payouts_pb2.GetBalanceRequest(
            name=f"brands/{story.actors.id_of('acme')}", currency_code=REWARD.currency
        ),
    )
    left = Money(REWARD.currency, DEPOSIT.amount_minor - paid_out)
    outcomes += [
        Outcome("acme", "available funds", str(left), str(Money.from_message(balance.available))),
        Outcome("acme", "reserved funds", "0.00 USD", str(Money.from_message(balance.reserved))),
    ]
    return outcomes


async def _articles(story: Story) -> list[Outcome]:
    expected_findings = {"R72", "R78", "R80"}
    outcomes = [
        Outcome(
            "anna",
            "first draft violates",
            _listed(expected_findings),
            _listed(expected_findings & story.first_findings),
        )
    ]
    for name in ("anna", "ben"):
        delivered = await call_until_answered(
            story.acme.assignments.GetAssignment,
            assignments_pb2.GetAssignmentRequest(name=story.assignment(name)),
        )
        publication = await call_until_answered(
            story.acme.publications.GetPublication,
            publications_pb2.GetPublicationRequest(name=story.publications[name].name),
        )
        (version,) = delivered.submissions[-1].article_revisions
        shown = "as approved" if publication.article_revision == version else "another version"
        late = "late" if publication.is_overdue else "in time"
        found = f"{_word(publication, 'state')} {late}, {shown}"
        outcomes.append(Outcome(name, "article", "PUBLISHED in time, as approved", found))
    kinds = ", ".join(block["type"] for block in story.published["blocks"])
    expected = "text, image, image, product, youtube, coupons"
    return [
        *outcomes,
        Outcome("anna", "published title", TITLE, story.published["title"]),
        Outcome("anna", "published blocks", expected, kinds),
    ]


async def _others(story: Story) -> list[Outcome]:
    tiny = await call_until_answered(
        story.creators["anna"].media.GetMediaObject,
        media_pb2.GetMediaObjectRequest(name=story.tiny_image),
    )
    rejections = ", ".join(f"{one.code} {one.rule_id}" for one in tiny.rejections)
    dispute = await call_until_answered(
        story.mia.disputes.GetDispute, disputes_pb2.GetDisputeRequest(name=story.dispute)
    )
    rejected = f"{_word(tiny, 'state')} {rejections}"
    decided = f"{_word(dispute, 'state')} {_word(dispute.decision, 'outcome')}"
    listed = await call_until_answered(
        story.creators["ben"].notifications.ListNotifications,
        notifications_pb2.ListNotificationsRequest(),
    )
    events = {notification.event for notification in listed.notifications}
    wanted = {"CREATOR_SELECTED", "WORK_APPROVED", "PAYOUT_FAILED", "REWARD_OVERDUE", "COMPLETED"}
    return [
        Outcome("anna", "upload of tiny.png", "REJECTED TOO_SMALL R82", rejected),
        Outcome("ben", "dispute", "RESOLVED PAY_IN_FULL", decided),
        Outcome("ben", "was notified of", _listed(wanted), _listed(wanted & events)),
    ]


def _word(message: Message, field: str) -> str:
    """The value of an enum field without the enum's prefix."""
    enum = message.DESCRIPTOR.fields_by_name[field].enum_type
    if enum is None:
        raise TypeError(f"{field} is not an enum")
    prefix = enum.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return enum.values_by_number[getattr(message, field)].name.removeprefix(prefix)


def _counted(states: dict[str, str]) -> str:
    counts: dict[str, int] = defaultdict(int)
    for state in states.values():
        counts[state] += 1
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items()))


def _listed(words: set[str]) -> str:
    return ", ".join(sorted(words))
