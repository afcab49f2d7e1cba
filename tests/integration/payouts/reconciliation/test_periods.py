"""Which period of a report a reconciliation compares."""

import asyncio
from datetime import UTC, timedelta
from itertools import pairwise

from liaison.payouts.v1 import payouts_pb2
from liaison.payouts.v1 import reconciliation_pb2 as pb

from servicekit.errors import Reason, Unavailable
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.reconciliation.inputs_store import InputsStore
from services.payouts.store import PayoutStore
from tests.integration.payouts.harness import Harness
from tests.integration.payouts.provider_reports import ChosenReports, found, moved, payment, run
from tests.integration.payouts.reconciliation.support import count, kill_switch
from tests.support.serving import refused, request_id
from workflows.payout.providers import ProviderName

A_DAY_AND_MORE = timedelta(hours=25)


async def test_a_match_is_reported_with_both_totals(harness: Harness, paid: ChosenReports) -> None:
    done = await run(harness)
    assert found(done) == []
    assert (done.provider, done.transaction_count) == (payouts_pb2.PROVIDER_PAYPAL, 1)
    (total,) = done.totals
    assert total.provider_amount == total.ledger_amount == Money("USD", 10_000).to_message()
    assert total.provider_fee == total.ledger_fee == Money("USD", 200).to_message()
    assert not (await kill_switch(harness)).is_halted
    again = await harness.reconciler.GetReconciliation(pb.GetReconciliationRequest(name=done.name))
    assert again == done


async def test_each_reconciliation_starts_where_the_last_ended(
    harness: Harness, paid: ChosenReports
) -> None:
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


async def test_a_period_is_never_recorded_twice(
    harness: Harness, paid: ChosenReports, database: Database
) -> None:
    end_time = paid.end_time()
    paid.end_time = lambda: end_time
    first = await run(harness)
    assert await run(harness) == first
    assert await count(database) == 1


async def test_a_repeated_request_returns_the_same_reconciliation(
    harness: Harness, paid: ChosenReports
) -> None:
    same = request_id()
    assert await run(harness, same) == await run(harness, same)


async def test_concurrent_runs_compare_each_period_once(
    harness: Harness, paid: ChosenReports, database: Database
) -> None:
    paid.transactions.append(moved("T-foreign", 500))
    answers = await asyncio.gather(*(run(harness) for _ in range(4)), return_exceptions=True)
    done = [each for each in answers if isinstance(each, pb.Reconciliation)]
    for answer in answers:
        if not isinstance(answer, pb.Reconciliation):
            assert isinstance(answer, Unavailable)
    assert sorted(each.mismatch_count for each in done) == [0] * (len(done) - 1) + [1]
    rows = await database.fetch_all("SELECT * FROM reconciliation ORDER BY end_time")
    for before, after in pairwise(rows):
        assert after["start_time"] == before["end_time"]


async def test_a_provider_that_cannot_be_read_changes_nothing(
    harness: Harness, paid: ChosenReports, database: Database
) -> None:
    paid.is_readable = False
    with refused(Reason.DEPENDENCY_UNAVAILABLE):
        await run(harness)
    assert await count(database) == 0
    assert not (await kill_switch(harness)).is_halted
    paid.is_readable = True
    assert found(await run(harness)) == []


async def test_a_day_without_a_report_is_compared_later(
    harness: Harness, paid: ChosenReports, database: Database
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
    # Without a later report, the next run returns the same reconciliation.
    paid.end_time = lambda: done.end_time.ToDatetime(UTC)
    assert await run(harness) == done


async def test_reports_are_read_again_from_the_oldest_open_transaction(
    harness: Harness, paid: ChosenReports
) -> None:
    first = await run(harness)
    await run(harness)
    midnight = first.start_time.ToDatetime()
    assert (midnight.hour, midnight.minute, midnight.second) == (0, 0, 0)
    assert [each.replace(tzinfo=None) for each in paid.asked_from] == [midnight, midnight]


async def test_transaction_ids_of_another_provider_are_separate(
    harness: Harness, paypal: ChosenReports
) -> None:
    """A bank reference may equal an id of PayPal."""
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
    store = InputsStore(harness.database, PayoutStore(harness.database))
    window = await store.report_window(ProviderName.PAYPAL)
    assert window.open_transaction_time == waiting.time


async def test_each_provider_is_reconciled_separately(harness: Harness) -> None:
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


async def test_bank_transfers_are_reconciled_like_other_payments(harness: Harness) -> None:
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
