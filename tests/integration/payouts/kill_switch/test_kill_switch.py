"""Operators halt and resume all payouts."""

import asyncio

import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb

from servicekit.errors import Reason
from services.payouts.kill_switch.handlers import halt_for_mismatch
from tests.integration.payouts.harness import Harness, utc_now
from tests.integration.payouts.process_control import TOKEN_PATH, Held, gate_to, victim_of
from tests.integration.payouts.provider_reports import found, run
from tests.integration.payouts.reconciliation.calls import cause_of, resume, send
from tests.support.serving import refused, request_id


async def halt(harness: Harness) -> pb.KillSwitch:
    return await harness.reconciler.HaltPayouts(
        pb.HaltPayoutsRequest(reason="A restore is coming", request_id=request_id())
    )


async def test_an_operator_halts_and_resumes(harness: Harness) -> None:
    nothing = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert nothing == pb.KillSwitch()
    halted = await halt(harness)
    assert halted.is_halted
    (halt_of_olga,) = halted.halts
    assert halt_of_olga.cause == pb.KillSwitch.CAUSE_OPERATOR
    assert (halt_of_olga.reason, halt_of_olga.actor) == ("A restore is coming", "staff/olga")
    assert found(await run(harness)) == []
    # A clean reconciliation does not lift the halt.
    assert await cause_of(harness.reconciler) == "OPERATOR"
    await resume(harness.reconciler)
    resumed = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert (resumed.is_halted, resumed.resume.reason) == (False, "Investigated")
    # A second call has nothing to lift.
    assert list((await resume(harness.reconciler)).lifted_halts) == []


async def test_resume_returns_the_lifted_halts(harness: Harness) -> None:
    mine, theirs = (await halt(harness)).halts[0], (await halt(harness)).halts[0]
    resumed = await resume(harness.reconciler)
    assert list(resumed.lifted_halts) == [theirs, mine]
    assert not resumed.halts
    later = await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())
    assert (later.resume, list(later.lifted_halts)) == (resumed.resume, [])


@pytest.mark.parametrize("reason", ["", " ", "x" * 1001])
async def test_a_halt_needs_a_reason(harness: Harness, reason: str) -> None:
    with refused(Reason.INVALID_FIELDS, "reason"):
        await harness.reconciler.HaltPayouts(
            pb.HaltPayoutsRequest(reason=reason, request_id=request_id())
        )


async def test_a_halt_stops_a_sender_that_has_not_posted_yet(
    harness: Harness, database_url: str
) -> None:
    """The sender holds the attempt's lease, and fetches its token."""
    await harness.due("p1", "anna@example.com")
    async with (
        gate_to(harness, TOKEN_PATH, Held.REQUEST) as (gate, url),
        victim_of(harness, database_url, url) as victim,
    ):
        call = asyncio.create_task(send(victim.worker, "p1"))
        await gate.reached.wait()
        await halt(harness)
        gate.opened.set()
        with refused(Reason.PAYOUTS_HALTED):
            await call
    (attempt,) = (await harness.get("p1")).attempts
    # Certainly not ordered, so the attempt is not UNKNOWN.
    assert attempt.state == payouts_pb2.Attempt.STATE_SENDING
    assert attempt.error_code == "PAYOUTS_HALTED"
    assert harness.batches() == []
    await resume(harness.reconciler)
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_PAID)
    assert harness.batches() == [("po-p1-1", "SUCCESS")]


async def test_one_mismatch_causes_one_halt(harness: Harness) -> None:
    reason = "payouts/p1: attempt 1 was paid after it had failed"
    store = harness.stores.kill_switch
    await asyncio.gather(*(halt_for_mismatch(store, reason, utc_now()) for _ in range(3)))
    (halt,) = (await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())).halts
    assert (halt.cause, halt.reason) == (pb.KillSwitch.CAUSE_MISMATCH, reason)
    await resume(harness.reconciler)
    # A repeated webhook does not undo an operator's decision.
    await halt_for_mismatch(store, reason, utc_now())
    assert await cause_of(harness.reconciler) == ""
    another = "payouts/p1: attempt 2 was paid after it had failed"
    await halt_for_mismatch(store, another, utc_now())
    assert await cause_of(harness.reconciler) == "MISMATCH"
