"""Repeated and concurrent decisions are made once."""

import asyncio
from dataclasses import replace

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.auth import Principal, Role
from servicekit.errors import Reason, Unavailable
from services.payouts.domain import Decision, Payout
from services.payouts.operators.handlers import (
    RetryPayout,
    WriteOffPayout,
)
from services.payouts.operators.store import DecisionStore
from services.payouts.sending.sender import SendPayout
from tests.integration.payouts.harness import Harness, RecordedSignals
from tests.integration.payouts.operator_calls import NAME, REASON, hold, retry
from tests.integration.payouts.operators.outcomes import fail_first_attempt
from tests.support.serving import refused, request_id


class Overtaken(DecisionStore):
    """Adds an operator's decision right after the sender has read the decisions."""

    def __init__(self, harness: Harness) -> None:
        super().__init__(harness.database)
        self._harness = harness

    async def retry_of(self, payout_id: str, attempt_number: int) -> Decision | None:
        decision = await super().retry_of(payout_id, attempt_number)
        if not self._database.is_in_transaction():
            await retry(self._harness, receiver="right@example.com")
        return decision


async def test_a_decision_between_reading_and_sending_is_noticed(harness: Harness) -> None:
    await harness.due("p1", "wrong@example.com")
    sender = harness.payments_with(stores=replace(harness.stores, decisions=Overtaken(harness)))
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await sender.send_payout(SendPayout.model_validate({"name": NAME, "attempt": 1}))
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_PAID)
    assert harness.receivers() == ["right@example.com"]


async def test_a_repeated_decision_is_made_once(harness: Harness) -> None:
    await fail_first_attempt(harness)
    request = pb.RetryPayoutRequest(name=NAME, reason=REASON, request_id=request_id())
    answers = [await harness.operator.RetryPayout(request) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert len(answers[0].decisions) == 1
    assert harness.workflows.retries == [("p1", 2)]
    request.reason = "Another one"
    with refused(Reason.REQUEST_ID_REUSED):
        await harness.operator.RetryPayout(request)


class UnreachableWorkflows(RecordedSignals):
    are_down = True

    async def retry(self, payout: Payout) -> None:
        await self.signal(payout)
        await super().retry(payout)

    async def signal(self, payout: Payout) -> None:
        if self.are_down:
            raise Unavailable(Reason.DEPENDENCY_UNAVAILABLE, "The workflow engine does not answer")
        await super().signal(payout)


@pytest.mark.parametrize("kind", ["retry", "write_off"])
async def test_a_repeated_decision_signals_a_workflow_that_was_unreachable(
    harness: Harness, kind: str
) -> None:
    """Calls the handlers, since a client would retry the call."""
    await fail_first_attempt(harness)
    workflows = UnreachableWorkflows()
    handlers = harness.decisions_with(workflows=workflows)
    who = Principal("staff/olga", Role.OPERATOR)
    body = {"name": NAME, "reason": REASON, "request_id": request_id(), "beneficiary": "BRAND"}

    async def decide() -> Payout:
        if kind == "retry":
            return await handlers.retry_payout(who, RetryPayout.model_validate(body))
        return await handlers.write_off_payout(who, WriteOffPayout.model_validate(body))

    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await decide()
    workflows.are_down = False
    payout = await decide()
    assert workflows.changes == [("p1", payout.state)]
    assert len(await handlers.decisions(payout)) == 1


async def test_concurrent_holds_are_one_decision(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    answers = await asyncio.gather(*(hold(harness) for _ in range(5)))
    assert {len(answer.decisions) for answer in answers} == {1}
