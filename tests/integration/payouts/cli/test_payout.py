"""`liaison payout` and `liaison payouts list` against a real server; only its address and the user
are substituted."""

import asyncio
import re
from dataclasses import replace

import pytest
from liaison.payouts.v1 import payouts_pb2 as pb
from liaison.payouts.v1 import reconciliation_pb2
from typer.testing import CliRunner, Result

from cli import calls
from cli.__main__ import app
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.operator_calls import IBAN
from tests.support.serving import request_id

REASON = ("--reason", "Ticket 4711")


@pytest.fixture(autouse=True)
def found(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    served = harness.served
    access = replace(served.access, addresses={"payouts": served.address})
    monkeypatch.setattr(calls, "attach", lambda _: access)
    monkeypatch.setenv("LOGNAME", "olga")


async def liaison(*arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner().invoke, app, list(arguments))


async def payout(*arguments: str) -> Result:
    return await liaison("payout", *arguments)


async def said(*arguments: str) -> str:
    result = await payout(*arguments)
    assert result.exit_code == 0, result.output
    return result.output


async def test_a_payout_is_paid_by_bank_from_the_shell(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    assert "payouts/p1  RESERVED" in await said("p1")
    assert "HELD by an operator" in await said("hold", "p1", *REASON)
    assert "HELD" not in await said("resume", "p1", *REASON)
    await said("retry", "p1", *REASON, "--provider", "bank-transfer", "--receiver", IBAN)
    await harness.send("p1")
    assert f"next action: operator: transfer 100.00 USD to {IBAN}" in await said("payouts/p1")
    confirm = ("confirm", "p1", "--attempt", "1", "--reference", "BANK-1", "--fee", "1.50 USD")
    paid = await said(*confirm)
    assert "payouts/p1  PAID" in paid
    assert "a fee of 1.50 USD" in paid
    decisions = (await _seen(harness)).decisions
    assert {decision.actor for decision in decisions} == {"staff/olga"}
    assert [decision.kind for decision in decisions] == [
        pb.Decision.KIND_HOLD,
        pb.Decision.KIND_RESUME,
        pb.Decision.KIND_RETRY,
        pb.Decision.KIND_CONFIRM,
    ]


async def test_a_refusal_is_printed_with_its_field(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    refused = await payout("retry", "p1", *REASON, "--provider", "bank-transfer")
    assert (
        refused.exit_code,
        "receiver: Must be the receiver of the bank transfer" in refused.output,
    ) == (1, True)
    rejected = await payout("reject", "p1", "--attempt", "1", *REASON)
    assert (rejected.exit_code, "attempt: Must be a bank transfer" in rejected.output) == (1, True)
    resolved = await payout("resolve", "p1", "--attempt", "1", "--not-paid", *REASON)
    assert resolved.exit_code == 1
    assert (await payout("hold", "p1")).exit_code == 2
    assert (await payout("resolve", "p1", "--attempt", "1", *REASON)).exit_code == 2


async def test_a_halt_and_a_hold_are_the_next_action(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    assert "next action: none: it is sent automatically" in await said("p1")
    await harness.reconciler.HaltPayouts(
        reconciliation_pb2.HaltPayoutsRequest(reason="A restore", request_id=request_id())
    )
    assert "`liaison payouts status` says why" in await said("p1")
    assert "next action: operator: `liaison payout resume p1 --reason …`" in await said(
        "hold", "p1", *REASON
    )


async def test_payouts_are_listed_by_state(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p-two", minor=1_000)
    await said("hold", "p1", *REASON)
    await said("write-off", "p-two", *REASON, "--to", "brand")
    times = " +[0-9-]{10} [0-9:]{8} UTC"
    both = (await liaison("payouts", "list")).stdout.splitlines()
    assert re.fullmatch(f"payouts/p-two  WRITTEN_OFF     10.00 USD   creators/anna{times}", both[0])
    assert re.fullmatch(f"payouts/p1     RESERVED, HELD  100.00 USD  creators/anna{times}", both[1])
    (held,) = (await liaison("payouts", "list", "--state", "reserved")).stdout.splitlines()
    assert held.startswith("payouts/p1  RESERVED, HELD")
    assert (await liaison("payouts", "list", "--state", "blocked")).output == ""
    first = await liaison("payouts", "list", "--limit", "1")
    assert (first.stdout.count("\n"), first.stderr) == (
        1,
        "There may be more; raise --limit to see them.\n",
    )
    assert (await liaison("payouts", "list", "--state", "lost")).exit_code == 2


async def test_a_payout_is_written_off_from_the_shell(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    written_off = await said("write-off", "p1", *REASON, "--to", "platform")
    assert "payouts/p1  WRITTEN_OFF" in written_off
    assert "WRITE_OFF (to the PLATFORM) by staff/olga: Ticket 4711" in written_off
    assert (await harness.balances())["platform/written_off"] == 10_200


async def _seen(harness: Harness) -> pb.Payout:
    return await harness.operator.GetPayout(pb.GetPayoutRequest(name="payouts/p1"))
