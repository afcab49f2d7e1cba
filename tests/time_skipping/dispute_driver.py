"""Drives one dispute as its sides and mediators."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from liaison.disputes.v1 import disputes_pb2 as pb
from liaison.notifications.v1 import notifications_pb2

from cli.demo.actors import Caller, new_request_id
from tests.time_skipping.timing import eventually
from workflows import ids

if TYPE_CHECKING:
    from tests.time_skipping.harness import Harness


class DisputeDriver:
    def __init__(self, harness: "Harness", name: str, opener: Caller) -> None:
        self.harness, self.name, self.opener = harness, name, opener
        self.workflow_id = ids.dispute(name.removeprefix("disputes/"))
        self._mediator = harness.staff("mediator", "mia")

    @classmethod
    async def open(
        cls, harness: "Harness", opener: Caller, assignment: str, ground: str
    ) -> "DisputeDriver":
        dispute = await opener.disputes.OpenDispute(
            pb.OpenDisputeRequest(
                dispute=pb.Dispute(
                    assignment=assignment,
                    ground=pb.Ground.Value(f"GROUND_{ground}"),
                    statement="This is not right",
                ),
                request_id=new_request_id(),
            )
        )
        return cls(harness, dispute.name, opener)._kept()

    def _kept(self) -> "DisputeDriver":
        self.harness.workflow_ids.append(self.workflow_id)
        return self

    async def pass_time(self, span: timedelta) -> None:
        await self.harness.time.skip(self.workflow_id, span)

    async def read(self) -> pb.Dispute:
        return await self._mediator.disputes.GetDispute(pb.GetDisputeRequest(name=self.name))

    async def state(self) -> str:
        return pb.Dispute.State.Name((await self.read()).state).removeprefix("STATE_")

    async def told_mediators(self) -> list[str]:
        return await self._events_for("staff/mediators")

    async def operator_events(self) -> list[str]:
        return await self._events_for("staff/operators")

    async def _events_for(self, recipient: str) -> list[str]:
        staff = self._mediator
        if recipient == "staff/operators":
            staff = self.harness.staff("operator", "olga")
        page = await staff.notifications.ListNotifications(
            notifications_pb2.ListNotificationsRequest(recipient=recipient, page_size=200)
        )
        return [one.event for one in reversed(page.notifications) if one.subject == self.name]

    async def claim(self) -> None:
        await self._mediator.disputes.ClaimDispute(
            pb.ClaimDisputeRequest(name=self.name, request_id=new_request_id())
        )

    async def decide(self, outcome: str, **values: Any) -> None:
        """Claimed before."""
        decision = pb.Decision(
            outcome=pb.Decision.Outcome.Value(f"OUTCOME_{outcome}"),
            reasoning="Both were heard",
            **values,
        )
        await self._mediator.disputes.DecideDispute(
            pb.DecideDisputeRequest(name=self.name, decision=decision, request_id=new_request_id())
        )

    async def claim_and_decide(self, outcome: str, **values: Any) -> None:
        await self.claim()
        await self.decide(outcome, **values)

    async def withdraw(self) -> None:
        await self.opener.disputes.WithdrawDispute(
            pb.WithdrawDisputeRequest(name=self.name, request_id=new_request_id())
        )

    async def saw(self, event: str, times: int = 1) -> None:
        """Waits until the mediators have been notified."""
        await eventually(
            self.told_mediators, lambda seen: seen.count(event) >= times, f"{event} of {self.name}"
        )
