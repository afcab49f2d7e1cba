"""Reconciliations: what is compared, what is mended, what is found, and what is kept of it."""

import asyncio
from datetime import UTC, timedelta
from itertools import pairwise

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb
from liaison.payouts.v1.reconciliation_pb2_grpc import ReconciliationServiceStub
from structlog.testing import capture_logs

from servicekit.errors import LiaisonError, Reason, Unavailable
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.reconciliation.inputs_store import PostgresInputsStore
from services.payouts.store import PostgresPayoutStore
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.reporting import (
    Reporting,
    found,
    moved,
    payment,
    reporting,
    run,
)
from tests.integration.payouts.scripted import Answering
from tests.integration.payouts.tampering import change_item
from tests.support.serving import refused, request_id
from workflows.payout.providers import ProviderName

A_DAY_AND_MORE = timedelta(hours=25)


@pytest.fixture
async def paypal(harness: Harness) -> Reporting:
    return reporting(harness)


@pytest.fixture
async def paid(harness: Harness, paypal: Reporting) -> Reporting:
    """p1 is paid, and reported."""
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_PAID)
    paypal.transactions.append(await payment(harness, "p1"))
    return paypal


async def sending(harness: Harness) -> pb.KillSwitch:
    return await harness.reconciler.GetKillSwitch(pb.GetKillSwitchRequest())


async def count(database: Database) -> int:
    row = await database.fetch_one("SELECT count(*) AS count FROM reconciliation")
    assert row is not None
    number: int = row["count"]
    return number


async def test_what_matches_is_reported_with_both_sums(harness: Harness, paid: Reporting) -> None:
    done = await run(harness)
    assert found(done) == []
    assert (done.provider, done.transaction_count) == (payouts_pb2.PROVIDER_PAYPAL, 1)
    (total,) = done.totals
    assert total.provider_amount == total.ledger_amount == Money("USD", 10_000).to_message()
    assert total.provider_fee == total.ledger_fee == Money("USD", 200).to_message()
    assert not (await sending(harness)).is_halted
    again = await harness.reconciler.GetReconciliation(pb.GetReconciliationRequest(name=done.name))
    assert again == done


async def test_each_begins_where_the_last_one_ended(harness: Harness, paid: Reporting) -> None:
    first, second = await run(harness), await run(harness)
    assert second.start_time == first.end_time
    assert (second.transaction_count, list(second.totals)) == (0, [])
    listed = await harness.reconciler.ListReconciliations(
        pb.ListReconciliationsRequest(page_size=1)
    )
    assert [each.name for each in listed.reconciliations] == [second.name]
    rest = await harness.reconciler.ListReconciliations(
        pb.ListReconciliationsRequest(page_size=1, page_token=listed.next_page_token)
    )
    assert [each.name for each in rest.reconciliations] == [first.name]


async def test_the_same_time_is_never_recorded_twice(
    harness: Harness, paid: Reporting, database: Database
) -> None:
    end_time = paid.end_time()
    paid.end_time = lambda: end_time
    first = await run(harness)
    assert await run(harness) == first
    assert await count(database) == 1


async def test_a_repeated_request_gets_the_same(harness: Harness, paid: Reporting) -> None:
    same = request_id()
    assert await run(harness, same) == await run(harness, same)


async def test_of_several_runs_at_once_each_time_is_compared_once(
    harness: Harness, paid: Reporting, database: Database
) -> None:
    paid.transactions.append(moved("T-foreign", 500))
    answers = await asyncio.gather(*(run(harness) for _ in range(4)), return_exceptions=True)
    runs = [each for each in answers if isinstance(each, pb.Reconciliation)]
    for answer in answers:
        if not isinstance(answer, pb.Reconciliation):
            assert isinstance(answer, Unavailable)
    assert sorted(each.mismatch_count for each in runs) == [0] * (len(runs) - 1) + [1]
    rows = await database.fetch_all("SELECT * FROM reconciliation ORDER BY end_time")
    for before, after in pairwise(rows):
        assert after["start_time"] == before["end_time"]


async def test_a_foreign_payment_stops_all_sending_until_a_person_resumes(
    harness: Harness, paid: Reporting
) -> None:
    paid.transactions.append(moved("T-foreign", 500, fee_minor=10))
    done = await run(harness)
    assert found(done) == [("UNMATCHED", "")]
    (finding,) = done.findings
    assert finding.provider_transaction_id == "T-foreign"
    assert finding.provider_amount == Money("USD", 500).to_message()
    assert not finding.HasField("ledger_amount")
    halted = await sending(harness)
    (halt,) = halted.halts
    assert (halted.is_halted, halt.cause) == (True, pb.KillSwitch.CAUSE_MISMATCH)
    assert halt.reason == f"1 mismatch: {done.name}"
    assert halt.actor == "system"
    await harness.reserve("p2")
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    assert (await harness.get("p2")).attempts == []
    # A later one without findings is no reason to go on.
    assert found(await run(harness)) == []
    with refused(Reason.PAYOUTS_HALTED):
        await harness.send_once("p2")
    resumed = await harness.reconciler.ResumePayouts(
        pb.ResumePayoutsRequest(reason="It was our own test", request_id=request_id())
    )
    assert (resumed.is_halted, resumed.resume.actor) == (False, "staff/olga")
    await harness.send("p2")
    await harness.until("p2", payouts_pb2.Payout.STATE_PAID)


async def test_a_booking_that_the_provider_does_not_report_is_missing(
    harness: Harness, paid: Reporting
) -> None:
    paid.transactions.clear()
    assert found(await run(harness)) == []
    paid.later(A_DAY_AND_MORE)
    done = await run(harness)
    assert found(done) == [("MISSING", "payouts/p1")]
    assert done.findings[0].ledger_amount == Money("USD", 10_000).to_message()
    paid.later(2 * A_DAY_AND_MORE)
    assert found(await run(harness)) == []


async def test_what_is_reported_late_is_compared_all_the_same(
    harness: Harness, paid: Reporting
) -> None:
    (late,) = paid.transactions
    paid.transactions.clear()
    first = await run(harness)
    paid.transactions.append(late)
    second = await run(harness)
    assert (first.transaction_count, second.transaction_count) == (0, 1)
    paid.later(A_DAY_AND_MORE)
    assert found(await run(harness)) == []


async def test_another_amount_is_different(harness: Harness, paid: Reporting) -> None:
    (same,) = paid.transactions
    other = moved(same.id, 9_999, fee_minor=200, sender_batch_id=same.sender_batch_id)
    paid.transactions[:] = [other]
    done = await run(harness)
    assert found(done) == [("DIFFERENT", "payouts/p1")]
    (total,) = done.totals
    assert total.provider_amount == Money("USD", 9_999).to_message()
    assert total.ledger_amount == Money("USD", 10_000).to_message()


async def test_a_lost_webhook_is_no_mismatch(harness: Harness, paypal: Reporting) -> None:
    harness.lose_webhooks()
    await harness.due("p1", "anna@example.com")
    await harness.send("p1")
    await harness.until_provider(("po-p1-1", "SUCCESS"))
    paypal.transactions.append(await payment(harness, "p1"))
    done = await run(harness)
    assert found(done) == [("CORRECTED", "payouts/p1")]
    assert done.mismatch_count == 0
    assert (await harness.get("p1")).state == payouts_pb2.Payout.STATE_PAID
    assert harness.told.changes == [("p1", "PAID")]
    assert not (await sending(harness)).is_halted


async def test_a_reversal_is_learned_from_the_report_alone(
    harness: Harness, paid: Reporting
) -> None:
    assert found(await run(harness)) == []
    await change_item(harness, "p1", "REVERSED")
    (first,) = paid.transactions
    paid.transactions.append(moved("T-back", -10_000, reverses_id=first.id))
    harness.told.changes.clear()
    with capture_logs() as logs:
        done = await run(harness)
    assert found(done) == [("CORRECTED", "payouts/p1")]
    assert [each["log_level"] for each in logs if each["event"] == "payout_came_back"] == ["error"]
    assert harness.told.changes == [("p1", "FAILED")]
    assert (await harness.funds())[1] == 10_000
    assert not (await sending(harness)).is_halted
    await harness.balances()


async def test_an_attempt_in_doubt_is_settled_by_its_transaction(
    harness: Harness, answering: Answering
) -> None:
    """Whose batch nobody knows: the POST's answer was unreadable, and what came after is a 403."""
    send = await answering((500, {}), (403, {"name": "AUTHORIZATION_ERROR"}))
    for _ in range(2):
        with refused(Reason.OUTCOME_UNKNOWN):
            await send()
    paypal = reporting(harness)
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
    assert harness.told.changes == [("p1", "PAID")]
    await harness.balances()
    # A part comes back, of a payment that still nobody can look at: a person's matter.
    paypal.transactions.append(moved("T2", -3_000, reverses_id="T1"))
    done = await run(harness)
    assert found(done) == [("DIFFERENT", "payouts/p1")]
    assert done.findings[0].description == (
        "The provider returned 30.00 USD, but 100.00 USD was paid"
    )
    assert (await harness.balances())["provider/paypal"] == 10_000
    assert (await sending(harness)).is_halted


async def test_a_payment_that_the_database_lost_is_foreign_and_names_its_payout(
    harness: Harness, paypal: Reporting
) -> None:
    await harness.due("p1", "anna@example.com")
    paypal.transactions.append(moved("T1", 10_000, fee_minor=200, sender_batch_id="po-p1-1"))
    done = await run(harness)
    assert found(done) == [("UNMATCHED", "payouts/p1")]
    assert "po-p1-1" in done.findings[0].description


async def test_a_provider_that_cannot_be_read_changes_nothing(
    harness: Harness, paid: Reporting, database: Database
) -> None:
    paid.is_readable = False
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await run(harness)
    assert await count(database) == 0
    assert not (await sending(harness)).is_halted
    paid.is_readable = True
    assert found(await run(harness)) == []


async def test_a_day_of_which_nothing_is_reported_yet_is_compared_later(
    harness: Harness, paid: Reporting, database: Database
) -> None:
    """PayPal lags behind by hours, and the first reconciliation begins at midnight."""
    end_time = paid.end_time
    paid.end_time = lambda: paid.asked_from[-1]
    for _ in range(2):
        with refused(Reason.DEPENDENCY_UNAVAILABLE):
            await run(harness)
    assert await count(database) == 0
    paid.end_time = end_time
    done = await run(harness)
    assert found(done) == []
    assert done.start_time.ToDatetime() == paid.asked_from[0].replace(tzinfo=None)
    # The next one that has nothing later answers with it.
    paid.end_time = lambda: done.end_time.ToDatetime(UTC)
    assert await run(harness) == done


async def test_an_attempt_that_is_not_shown_keeps_no_other_from_being_compared(
    harness: Harness, paypal: Reporting
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
    # It waits, and is found when it has waited for too long.
    (total,) = done.totals
    assert total.open_amount == Money("USD", 10_000).to_message()
    paypal.later(A_DAY_AND_MORE)
    assert found(await run(harness)) == [("UNMATCHED", "payouts/p1")]
    paypal.later(2 * A_DAY_AND_MORE)
    assert found(await run(harness)) == []
    paypal.hidden.clear()
    paypal.later(3 * A_DAY_AND_MORE)
    assert found(await run(harness)) == [("CORRECTED", "payouts/p1")]


async def test_a_reversal_that_is_not_shown_yet_waits(harness: Harness, paid: Reporting) -> None:
    (first,) = paid.transactions
    assert found(await run(harness)) == []
    await change_item(harness, "p1", "REVERSED")
    paid.transactions.append(moved("T-back", -10_000, reverses_id=first.id))
    paid.hidden = {"po-p1-1"}
    assert found(await run(harness)) == []
    paid.hidden.clear()
    assert found(await run(harness)) == [("CORRECTED", "payouts/p1")]


async def test_reports_are_read_again_from_where_something_is_open(
    harness: Harness, paid: Reporting
) -> None:
    first = await run(harness)
    await run(harness)
    midnight = first.start_time.ToDatetime()
    assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert [each.replace(tzinfo=None) for each in paid.asked_from] == [midnight, midnight]


async def test_another_provider_may_have_found_what_has_the_same_id(
    harness: Harness, paypal: Reporting
) -> None:
    """A bank's references are its own."""
    await harness.due("p1", "unclaimed@example.com")
    await harness.send("p1")
    await harness.until("p1", payouts_pb2.Payout.STATE_UNCLAIMED)
    paypal.transactions.append(await payment(harness, "p1"))
    (waiting,) = paypal.transactions
    await run(harness)
    await harness.database.execute(
        """
        WITH other AS (
            INSERT INTO reconciliation (provider, start_time, end_time, transaction_count,
                                        mismatch_count, request_id, create_time)
            VALUES ('BANK_TRANSFER', now() - interval '1 day', now(), 1, 1,
                    gen_random_uuid(), now())
            RETURNING id)
        INSERT INTO finding (reconciliation_id, number, kind, payout_id, attempt_number,
                             transaction_id, time, description)
        SELECT id, 1, 'UNMATCHED', '', 0, %s, now(), 'A test' FROM other
        """,
        (waiting.id,),
    )
    store = PostgresInputsStore(harness.database, PostgresPayoutStore(harness.database))
    window = await store.report_window(ProviderName.PAYPAL)
    assert window.open_transaction_time == waiting.time


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE reconciliation SET mismatch_count = 0",
        "DELETE FROM finding",
        "UPDATE finding SET description = ''",
        "DELETE FROM reported_transaction",
        "UPDATE reconciliation_total SET ledger_minor = provider_minor",
        "DELETE FROM reconciled_transaction",
        "UPDATE kill_switch_event SET kind = 'RESUME'",
        "TRUNCATE kill_switch_event CASCADE",
        "TRUNCATE reconciliation CASCADE",
    ],
)
async def test_what_is_recorded_stays(
    harness: Harness, paid: Reporting, owner: Database, statement: str
) -> None:
    """Not even the schema's owner changes it."""
    paid.transactions.append(moved("T-foreign", 500))
    await run(harness)
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        await owner.execute(statement)  # type: ignore[arg-type]  # a test's own text


async def test_who_may_not_is_refused(harness: Harness) -> None:
    for channel in (harness.served.as_brand("acme"), harness.served.as_creator("anna")):
        stub = ReconciliationServiceStub(channel)
        calls = [
            stub.RunReconciliation(
                pb.RunReconciliationRequest(
                    request_id=request_id(), provider=payouts_pb2.PROVIDER_PAYPAL
                )
            ),
            stub.ListReconciliations(pb.ListReconciliationsRequest()),
            stub.GetKillSwitch(pb.GetKillSwitchRequest()),
            stub.ResumePayouts(pb.ResumePayoutsRequest(reason="x", request_id=request_id())),
        ]
        for call in calls:
            with pytest.raises(LiaisonError) as caught:
                await call
            assert caught.value.reason is Reason.ROLE_NOT_ALLOWED


@pytest.mark.parametrize("id_", ["1", "x", "99999999999999999999"])
async def test_one_that_is_not_there_is_not_found(harness: Harness, id_: str) -> None:
    with refused(Reason.NOT_FOUND):
        await harness.reconciler.GetReconciliation(
            pb.GetReconciliationRequest(name=f"reconciliations/{id_}")
        )


async def test_each_provider_is_reconciled_apart(harness: Harness) -> None:
    by_bank = pb.RunReconciliationRequest(
        request_id=request_id(), provider=payouts_pb2.PROVIDER_BANK_TRANSFER
    )
    done = await harness.reconciler.RunReconciliation(by_bank)
    assert done.provider == payouts_pb2.PROVIDER_BANK_TRANSFER
    assert (await run(harness)).provider == payouts_pb2.PROVIDER_PAYPAL
    del harness.providers[ProviderName.BANK_TRANSFER]
    by_bank.request_id = request_id()
    with refused(Reason.INVALID_FIELDS, "provider"):
        await harness.reconciler.RunReconciliation(by_bank)


async def test_bank_transfers_are_reconciled_like_any_payment(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.operator.RetryPayout(
        payouts_pb2.RetryPayoutRequest(
            name="payouts/p1",
            provider=payouts_pb2.PROVIDER_BANK_TRANSFER,
            receiver="ES91 2100 0418 4502 0005 1332",
            reason="No PayPal there",
            request_id=request_id(),
        )
    )
    await harness.send("p1")
    await harness.operator.ConfirmBankTransfer(
        payouts_pb2.ConfirmBankTransferRequest(
            name="payouts/p1",
            attempt=1,
            external_reference="SEPA-1",
            request_id=request_id(),
        )
    )
    done = await harness.reconciler.RunReconciliation(
        pb.RunReconciliationRequest(
            request_id=request_id(), provider=payouts_pb2.PROVIDER_BANK_TRANSFER
        )
    )
    assert (found(done), done.transaction_count) == ([], 1)
    (total,) = done.totals
    assert total.provider_amount == total.ledger_amount == Money("USD", 10_000).to_message()
    assert found(await run(harness)) == []
