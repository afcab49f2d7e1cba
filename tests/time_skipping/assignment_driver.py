"""Drives one assignment through the public API: reads it, sends commands, passes time."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from liaison.creators.v1 import creators_pb2
from liaison.media.v1 import articles_pb2
from liaison.notifications.v1 import notifications_pb2
from liaison.payouts.v1 import payouts_pb2
from liaison.tasks.v1 import assignments_pb2 as pb
from liaison.tasks.v1 import tasks_pb2
from temporalio.api.enums.v1 import EventType

from cli.demo.actors import Caller, new_request_id
from servicekit.money import Money
from servicekit.timestamps import from_timestamp, to_timestamp
from tests.time_skipping.dispute_driver import DisputeDriver
from tests.time_skipping.timing import MINUTE, eventually
from workflows import ids

if TYPE_CHECKING:
    from tests.time_skipping.harness import Creator, Harness

Override = pb.OverrideAssignmentRequest


class AssignmentDriver:
    def __init__(self, harness: "Harness", id_: str, brand: Caller, creator: "Creator") -> None:
        self.harness, self.id, self.brand, self.creator = harness, id_, brand, creator
        self.name = f"assignments/{id_}"
        self.workflow_id = ids.assignment(id_)
        self._article = ""
        self._work = creator.caller.assignments
        self._review = brand.assignments

    # Time

    async def now(self) -> datetime:
        return await self.harness.time.now(self.workflow_id)

    async def pass_time(self, span: timedelta) -> None:
        await self.harness.time.skip(self.workflow_id, span)

    async def pass_until(self, moment: datetime, by: timedelta = MINUTE) -> None:
        """A little beyond that moment; by a negative `by`, not quite to it."""
        await self.pass_time(moment + by - await self.now())

    # Reading

    async def read(self) -> pb.Assignment:
        return await self._work.GetAssignment(pb.GetAssignmentRequest(name=self.name))

    async def state(self) -> str:
        return pb.Assignment.State.Name((await self.read()).state).removeprefix("STATE_")

    async def clock(self) -> tuple[str, datetime]:
        """What runs, and when it fires."""
        clock = (await self.read()).clock
        kind = pb.Clock.Kind.Name(clock.kind).removeprefix("KIND_")
        return kind, from_timestamp(clock.due_time)

    async def time_left(self) -> timedelta:
        """Of a clock that is held."""
        clock = (await self.read()).clock
        assert not clock.HasField("due_time")
        return clock.remaining.ToTimedelta()

    async def transitions(self) -> list[pb.Transition]:
        request = pb.ListTransitionsRequest(parent=self.name)
        return list((await self._work.ListTransitions(request)).transitions)

    async def events(self) -> list[str]:
        return [one.event for one in await self.transitions()]

    async def time_of(self, event: str) -> datetime:
        """When it happened last."""
        times = [one.time for one in await self.transitions() if one.event == event]
        return from_timestamp(times[-1])

    async def until(self, state: str) -> pb.Assignment:
        await eventually(self.state, lambda seen: seen == state, f"{self.name} in {state}")
        return await self.read()

    async def saw(self, event: str, times: int = 1) -> None:
        await eventually(
            self.events, lambda seen: seen.count(event) >= times, f"{times} {event} of {self.name}"
        )

    async def until_payout(self, state: str) -> None:
        await eventually(self.payout, lambda seen: seen == state, f"payout of {self.id} {state}")

    async def payout(self) -> str:
        """Where its money is."""
        state = (await self.read_payout()).state
        return payouts_pb2.Payout.State.Name(state).removeprefix("STATE_")

    async def read_payout(self) -> payouts_pb2.Payout:
        request = payouts_pb2.GetPayoutRequest(name=f"payouts/{self.id}")
        return await self.creator.caller.payouts.GetPayout(request)

    async def attempts(self) -> list[str]:
        """How each attempt stands."""
        states = [one.state for one in (await self.read_payout()).attempts]
        return [payouts_pb2.Attempt.State.Name(one).removeprefix("STATE_") for one in states]

    async def brand_funds(self) -> tuple[int, int]:
        """What its brand may still spend, and what is reserved: in minor units of USD."""
        brand = (await self.read()).brand
        balance = await self.brand.payouts.GetBalance(
            payouts_pb2.GetBalanceRequest(name=brand, currency_code="USD")
        )
        return (
            Money.from_message(balance.available).amount_minor,
            Money.from_message(balance.reserved).amount_minor,
        )

    async def until_notified(self, who: Caller, event: str) -> None:
        await eventually(
            lambda: self.notified_events(who), lambda seen: event in seen, f"notice of {event}"
        )

    async def notified_events(self, who: Caller, recipient: str = "") -> list[str]:
        """Events of the notices about this assignment, oldest first; staff name the recipient."""
        page = await who.notifications.ListNotifications(
            notifications_pb2.ListNotificationsRequest(recipient=recipient, page_size=200)
        )
        return [one.event for one in reversed(page.notifications) if one.subject == self.name]

    async def operator_events(self) -> list[str]:
        return await self.notified_events(self.harness.staff("operator", "olga"), "staff/operators")

    async def until_timer_fired(self, times: int = 1) -> None:
        """Though nobody may have acted on it yet."""
        await self._until_history_has(EventType.EVENT_TYPE_TIMER_FIRED, times)

    async def until_over(self) -> None:
        """Its workflow has ended."""
        await self._until_history_has(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED)

    async def _until_history_has(self, kind: "EventType.ValueType", times: int = 1) -> None:
        handle = self.harness.time.client.get_workflow_handle(self.workflow_id)

        async def kinds() -> list["EventType.ValueType"]:
            return [one.event_type for one in (await handle.fetch_history()).events]

        await eventually(kinds, lambda seen: seen.count(kind) >= times, EventType.Name(kind))

    # The creator's commands

    async def write(self) -> str:
        """The article of this assignment, written when it is first needed."""
        if not self._article:
            article = await self.creator.caller.articles.CreateArticle(
                articles_pb2.CreateArticleRequest(
                    article=articles_pb2.Article(
                        assignment=self.name,
                        title="In use",
                        blocks=[articles_pb2.Block(text=articles_pb2.TextBlock(text="As asked."))],
                    ),
                    request_id=new_request_id(),
                )
            )
            self._article = article.name
        return self._article

    async def submit(self) -> None:
        await self._work.SubmitWork(
            pb.SubmitWorkRequest(
                name=self.name,
                submission=pb.Submission(articles=[await self.write()]),
                request_id=new_request_id(),
            )
        )

    async def comment(self, reason: str = "NO_TIME") -> None:
        await self._work.CommentOnExpiry(
            pb.CommentOnExpiryRequest(
                name=self.name,
                expiry_comment=pb.ExpiryComment(
                    reason=pb.ExpiryComment.Reason.Value(f"REASON_{reason}"), comment="It is so"
                ),
                request_id=new_request_id(),
            )
        )

    async def correct_paypal_account(self) -> None:
        await self.creator.caller.creators.UpdatePayoutAccount(
            creators_pb2.UpdatePayoutAccountRequest(
                name=self.creator.name,
                paypal_receiver=f"corrected-{self.creator.paypal_receiver}",
                request_id=new_request_id(),
            )
        )

    async def acknowledge(self) -> None:
        await self._work.AcknowledgeReceipt(
            pb.AcknowledgeReceiptRequest(name=self.name, request_id=new_request_id())
        )

    # The brand's commands

    async def ask(self, *requirement_ids: str) -> None:
        await self._review.RequestChanges(
            pb.RequestChangesRequest(
                name=self.name,
                comment="Closer, please",
                requirement_ids=list(requirement_ids) or ["req-1"],
                request_id=new_request_id(),
            )
        )

    async def approve(self) -> None:
        await self._review.ApproveWork(
            pb.ApproveWorkRequest(name=self.name, request_id=new_request_id())
        )

    async def reopen(self, deadline: datetime) -> None:
        await self._review.ReopenAssignment(
            pb.ReopenAssignmentRequest(
                name=self.name,
                deadline_time=to_timestamp(deadline),
                comment="Take your time",
                request_id=new_request_id(),
            )
        )

    async def ship(self) -> None:
        await self._review.RecordShipment(
            pb.RecordShipmentRequest(
                name=self.name,
                shipment=pb.Shipment(carrier="Correos", tracking_number="ES123"),
                request_id=new_request_id(),
            )
        )

    # Commands of either side

    async def propose(self, by: Caller, **terms: Any) -> str:
        """The proposal's name; `terms` is one of extension, amendment, cancellation and
        early_shipment."""
        assignment = await by.assignments.CreateProposal(
            pb.CreateProposalRequest(
                parent=self.name,
                proposal=pb.Proposal(reason="It is better so", **terms),
                request_id=new_request_id(),
            )
        )
        return assignment.proposals[-1].name

    async def propose_extension(self, deadline: datetime) -> str:
        extension = pb.Extension(deadline_time=to_timestamp(deadline))
        return await self.propose(self.creator.caller, extension=extension)

    async def propose_amendment(self, *texts: str) -> str:
        requirements = [tasks_pb2.Requirement(text=text) for text in texts]
        return await self.propose(self.brand, amendment=pb.Amendment(requirements=requirements))

    async def propose_cancellation(self, by: Caller) -> str:
        return await self.propose(by, cancellation=pb.Cancellation())

    async def propose_early_shipment(self, moment: datetime) -> str:
        shipment = pb.EarlyShipment(shipment_due_time=to_timestamp(moment))
        return await self.propose(self.brand, early_shipment=shipment)

    async def accept(self, by: Caller, proposal: str) -> None:
        await by.assignments.AcceptProposal(
            pb.AcceptProposalRequest(name=proposal, request_id=new_request_id())
        )

    async def decline(self, by: Caller, proposal: str) -> None:
        await by.assignments.DeclineProposal(
            pb.DeclineProposalRequest(name=proposal, request_id=new_request_id())
        )

    async def withdraw(self, by: Caller, proposal: str) -> None:
        await by.assignments.WithdrawProposal(
            pb.WithdrawProposalRequest(name=proposal, request_id=new_request_id())
        )

    async def dispute(self, by: Caller, ground: str) -> DisputeDriver:
        dispute = await DisputeDriver.open(self.harness, by, self.name, ground)
        await self.saw("DISPUTE_OPENED")
        return dispute

    # Commands of staff

    async def override(self, action: str, deadline: datetime | None = None) -> None:
        await self.harness.staff("operator", "olga").assignments.OverrideAssignment(
            Override(
                name=self.name,
                action=Override.Action.Value(f"ACTION_{action}"),
                reason="Nobody answers",
                deadline_time=None if deadline is None else to_timestamp(deadline),
                request_id=new_request_id(),
            )
        )
