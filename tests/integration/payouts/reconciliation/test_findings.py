"""What a reconciliation finds and corrects."""

from datetime import timedelta

from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from structlog.testing import capture_logs

from servicekit.errors import Reason
from servicekit.money import Money
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import (
    ChosenReports,
    choose_reports,
    found,
    moved,
    payment,
    run,
)
from tests.integration.payouts.reconciliation.support import kill_switch
from tests.integration.payouts.sandbox_admin import change_item
from tests.integration.payouts.scripted_paypal import Answering
from tests.support.serving import refused, request_id

A_DAY_AND_MORE = timedelta(hours=25)


async def test_an_unmatched_payment_halts_payouts_until_an_operator_resumes(
    harness: Harness, paid: ChosenReports
) -> None:
    paid.transactions.append(moved("T-foreign", 500, fee_minor=10))
    done = await run(harness)
    assert found(done) == [("UNMATCHED", "")]
    (finding,) = done.findings
    assert finding.provider_transaction_id == "T-foreign"
    assert finding.provider_amount == Money("USD", 500).to_message()
    assert not finding.HasField("ledger_amount")
    halted = await kill_switch(harness)
    (halt,) = halted.halts
    assert (halted.is_halted, halt.cause) == (True, pb.KillSwitch.CAUSE_MISMATCH)
    assert halt.reason == f"1 mismatch: {done.name}"
    assert halt.actor == "system"
    await harness.reserve("p2")
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    assert (await harness.get("p2")).attempts == []
    # A later reconciliation without findings does not lift the halt.
    assert found(await run(harness)) == []
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    resumed = await harness.reconciler.ResumePayouts(
        pb.ResumePayoutsRequest(reason="It was our own test", request_id=request_id())
    )
    assert (resumed.is_halted, resumed.resume.actor) == (False, "staff/olga")
    await harness.send("p2")
    await harness.until("p2", payouts_pb2.Payout.STATE_PAID)


async def test_a_posting_that_is_not_reported_is_missing(
    harness: Harness, paid: ChosenReports
) -> None:
    paid.transactions.clear()
    assert found(await run(harness)) == []
    paid.later(A_DAY_AND_MORE)
    done = await run(harness)
    assert found(done) == [("MISSING", "payouts/p1")]
    assert done.findings[0].ledger_amount == Money("USD", 10_000).to_message()
    paid.later(2 * A_DAY_AND_MORE)
    assert found(await run(harness)) == []


async def test_a_late_report_is_still_compared(harness: Harness, paid: ChosenReports) -> None:
    (late,) = paid.transactions
    paid.transactions.clear()
    first = await run(harness)
    paid.transactions.append(late)
    second = await run(harness)
    assert (first.transaction_count, second.transaction_count) == (0, 1)
    paid.later(A_DAY_AND_MORE)
    assert found(await run(harness)) == []


async def test_a_different_amount_is_found(harness: Harness, paid: ChosenReports) -> None:
    (same,) = paid.transactions
    other = moved(same.id, 9_999, fee_minor=200, sender_batch_id=same.sender_batch_id)
    paid.transactions[:] = [other]
    done = await run(harness)
    assert found(done) == [("DIFFERENT", "payouts/p1")]
    (total,) = done.totals
    assert total.provider_amount == Money("USD", 9_999).to_message()
    assert total.ledger_amount == Money("USD", 10_000).to_message()


async def test_a_lost_webhook_is_corrected(harness: Harness, paypal: ChosenReports) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(("po-p1-1", "SUCCESS"))
    paypal.transactions.append(await payment(harness, "p1"))
    done = await run(harness)
    assert found(done) == [("CORRECTED", "payouts/p1")]
    assert done.mismatch_count == 0
    assert (await harness.get("p1")).state == payouts_pb2.Payout.STATE_PAID
    assert harness.workflows.changes == [("p1", "PAID")]
    assert not (await kill_switch(harness)).is_halted


async def test_a_reversal_is_found_by_the_report_alone(
    harness: Harness, paid: ChosenReports
) -> None:
    assert found(await run(harness)) == []
    await change_item(harness, "p1", "REVERSED")
    (first,) = paid.transactions
    paid.transactions.append(moved("T-back", -10_000, reverses_id=first.id))
    harness.workflows.changes.clear()
    with capture_logs() as logs:
        done = await run(harness)
    assert found(done) == [("CORRECTED", "payouts/p1")]
    assert [each["log_level"] for each in logs if each["event"] == "payout_returned"] == ["error"]
    assert harness.workflows.changes == [("p1", "FAILED")]
    assert (await harness.funds())[1] == 10_000
    assert not (await kill_switch(harness)).is_halted
    await harness.balances()


async def test_an_unknown_attempt_is_settled_by_its_transaction(
    harness: Harness, answering: Answering
) -> None:
    """Its batch is unknown: the POST's response was unreadable, and the next was a 403."""
    send = await answering((500, {}), (403, {"name": "AUTHORIZATION_ERROR"}))
    for _ in range(2):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
    paypal = choose_reports(harness)
    paypal.transactions.append(
        moved("T1", 10_000, fee_minor=200, sender_batch_id="po-p1-1", is_pending=True)
    )
    waiting = await run(harness)
    assert found(waiting) == []
    assert waiting.totals[0].open_amount == Money("USD", 10_000).to_message()
    assert (await harness.get("p1")).attempts[0].state == payouts_pb2.Attempt.STATE_UNKNOWN
    paypal.transactions[:] = [moved("T1", 10_000, fee_minor=200, sender_batch_id="po-p1-1")]
    done = await run(harness)
    assert found(done) == [("CORRECTED", "payouts/p1")]
    assert (await harness.get("p1")).state == payouts_pb2.Payout.STATE_PAID
    assert harness.workflows.changes == [("p1", "PAID")]
    await harness.balances()
    # A partial return of a payment whose batch cannot be read needs an operator.
    paypal.transactions.append(moved("T2", -3_000, reverses_id="T1"))
    done = await run(harness)
    assert found(done) == [("DIFFERENT", "payouts/p1")]
    assert done.findings[0].description == (
        "The provider returned 30.00 USD, but 100.00 USD was paid"
    )
    assert (await harness.balances())["provider/paypal"] == 10_000
    assert (await kill_switch(harness)).is_halted


async def test_a_payment_missing_in_the_database_is_unmatched_with_its_payout(
    harness: Harness, paypal: ChosenReports
) -> None:
    await harness.due("p1", "anna@example.com")
    paypal.transactions.append(moved("T1", 10_000, fee_minor=200, sender_batch_id="po-p1-1"))
    done = await run(harness)
    assert found(done) == [("UNMATCHED", "payouts/p1")]
    assert "po-p1-1" in done.findings[0].description


async def test_an_attempt_that_is_not_shown_does_not_keep_others_from_comparison(
    harness: Harness, paypal: ChosenReports
) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.reserve("p2")
    for payout in ("p1", "p2"):
        await harness.send(payout)
        paypal.transactions.append(await payment(harness, payout))
    await harness.until_provider(("po-p1-1", "SUCCESS"), ("po-p2-1", "SUCCESS"))
    paypal.transactions.append(moved("T-foreign", 500))
    paypal.hidden = {"po-p1-1"}
    done = await run(harness)
    assert sorted(found(done)) == [("CORRECTED", "payouts/p2"), ("UNMATCHED", "")]
    # It stays open, and becomes a finding after the deadline.
    (total,) = done.totals
    assert total.open_amount == Money("USD", 10_000).to_message()
    paypal.later(A_DAY_AND_MORE)
    assert found(await run(harness)) == [("UNMATCHED", "payouts/p1")]
    paypal.later(2 * A_DAY_AND_MORE)
    assert found(await run(harness)) == []
    paypal.hidden.clear()
    paypal.later(3 * A_DAY_AND_MORE)
    assert found(await run(harness)) == [("CORRECTED", "payouts/p1")]


async def test_a_reversal_that_is_not_shown_yet_is_left_open(
    harness: Harness, paid: ChosenReports
) -> None:
    (first,) = paid.transactions
    assert found(await run(harness)) == []
    await change_item(harness, "p1", "REVERSED")
    paid.transactions.append(moved("T-back", -10_000, reverses_id=first.id))
    paid.hidden = {"po-p1-1"}
    assert found(await run(harness)) == []
    paid.hidden.clear()
    assert found(await run(harness)) == [("CORRECTED", "payouts/p1")]
