"""Payouts by bank transfers, which operators make and confirm, through the real server."""

import asyncio
from contextvars import Context
from datetime import timedelta

import psycopg
import pytest
from liaison.payouts.v1 import payouts_pb2 as pb

from servicekit.errors import Reason
from servicekit.money import Money
from servicekit.postgres.database import Database
from services.payouts.providers.bank_transfer import BankTransferProvider
from services.payouts.providers.interface import Order
from services.payouts.sending.handlers import ProviderEvent
from services.payouts.sending.sender import SendPayout
from tests.integration.payouts.harness import Harness, usd, utc_now
from tests.integration.payouts.operator_calls import (
    IBAN,
    NAME,
    confirm,
    not_paid,
    reject,
    retry_by_bank,
)
from tests.integration.payouts.process_control import until_a_lock_is_awaited
from tests.integration.payouts.providers.drivers import may_always
from tests.support.serving import refused, request_id
from workflows.payout.providers import ProviderName

MONEY = Money("USD", 10_000)


async def test_a_payment_that_paypal_cannot_deliver_is_paid_by_bank(harness: Harness) -> None:
    await harness.due("p1", "failed-late@example.com")
    await harness.behave("failed-late@example.com", "FAILED_LATE", 0.05)
    await harness.send("p1")
    await harness.until("p1", pb.Payout.STATE_FAILED)
    ordered = await retry_by_bank(harness, 2)
    assert ordered.state == pb.Payout.STATE_SENT
    assert ordered.attempts[1].provider == pb.PROVIDER_BANK_TRANSFER
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_SENT
    paid = await confirm(harness, attempt=2, fee_minor=150)
    assert (paid.state, paid.fee) == (pb.Payout.STATE_PAID, usd(150))
    attempt = paid.attempts[1]
    assert (attempt.provider_transaction_id, attempt.receiver) == ("BANK-1", IBAN)
    assert harness.workflows.changes[-1] == ("p1", "PAID")
    assert [batch for batch, _ in harness.batches()] == ["po-p1-1"]
    assert await harness.balances() == {
        "brands/acme/available": 89_850,
        "brands/acme/reserved": 0,
        "fees/bank_transfer": 150,
        "provider/bank_transfer": 10_000,
        "world/deposits": -100_000,
    }


async def test_a_transfer_is_confirmed_once(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    paid = await confirm(harness, fee_minor=150)
    assert await confirm(harness, fee_minor=150) == paid
    for reference, fee_minor in (("BANK-2", 150), ("BANK-1", 151)):
        with refused(Reason.ILLEGAL_STATE):
            await confirm(harness, reference, fee_minor=fee_minor)
    with refused(Reason.ILLEGAL_STATE):
        await reject(harness)
    kinds = [decision.kind for decision in paid.decisions]
    assert kinds == [pb.Decision.KIND_RETRY, pb.Decision.KIND_CONFIRM]
    assert (await harness.balances())["provider/bank_transfer"] == 10_000


async def test_concurrent_confirmations_post_once(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    answers = await asyncio.gather(*(confirm(harness) for _ in range(5)))
    assert {answer.state for answer in answers} == {pb.Payout.STATE_PAID}
    assert (await harness.balances())["provider/bank_transfer"] == 10_000


async def test_a_banks_reference_confirms_one_transfer(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    transfers = BankTransferProvider(harness.database)
    await transfers.send(Order("po-other-1", IBAN, MONEY), may_always)
    await transfers.confirm("po-other-1", "BANK-1", 0)
    with refused(Reason.BANK_REFERENCE_USED) as caught:
        await confirm(harness, "BANK-1")
    assert caught.value.metadata == {"external_reference": "BANK-1"}
    assert (await harness.get("p1")).state == pb.Payout.STATE_SENT
    assert (await confirm(harness, "BANK-2")).state == pb.Payout.STATE_PAID


async def test_a_rejected_transfer_keeps_the_reservation(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    failed = await reject(harness)
    assert failed.state == pb.Payout.STATE_FAILED
    assert failed.attempts[0].error_code == "BANK_TRANSFER_REJECTED"
    assert await harness.funds() == (89_800, 10_200)
    assert await reject(harness) == failed
    with refused(Reason.ILLEGAL_STATE):
        await confirm(harness)
    # The next attempt uses the platform's provider again.
    await harness.send("p1", attempt=2)
    paid = await harness.until("p1", pb.Payout.STATE_PAID)
    assert paid.attempts[1].provider == pb.PROVIDER_PAYPAL


async def test_a_confirmation_that_failed_before_posting_is_posted_by_the_next_poll(
    harness: Harness,
) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    await BankTransferProvider(harness.database).confirm("po-p1-1", "BANK-1", 0)
    assert (await harness.get("p1")).state == pb.Payout.STATE_SENT
    assert (await harness.refresh("p1")).state == pb.Payout.STATE_PAID
    assert (await confirm(harness)).state == pb.Payout.STATE_PAID


async def test_a_transfer_with_a_lost_order_answer_can_be_confirmed(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await harness.database.execute(
        """
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, provider,
                             sender_batch_id, create_time, update_time)
        VALUES ('p1', 1, 'UNKNOWN', 'IBAN', 10000, 'BANK_TRANSFER', 'po-p1-1', now(), now())
        """
    )
    await BankTransferProvider(harness.database).send(Order("po-p1-1", "IBAN", MONEY), may_always)
    assert (await confirm(harness)).state == pb.Payout.STATE_PAID


async def test_only_bank_transfers_that_were_ordered_are_confirmed(harness: Harness) -> None:
    harness.lose_webhooks()  # one would lock payout and attempt in the other order than our own row
    await harness.due("p1", "onhold@example.com")
    with refused(Reason.INVALID_FIELDS, "attempt"):
        await confirm(harness)
    await harness.send("p1")
    for decided in (confirm(harness), reject(harness)):
        with refused(Reason.INVALID_FIELDS, "attempt"):
            await decided
    await harness.database.execute(
        """
        UPDATE attempt SET state = 'FAILED';
        INSERT INTO attempt (payout_id, number, state, receiver, amount_minor, provider,
                             sender_batch_id, create_time, update_time)
        VALUES ('p1', 2, 'SENDING', 'IBAN', 10000, 'BANK_TRANSFER', 'po-p1-2', now(), now())
        """
    )
    for decided in (confirm(harness, attempt=2), reject(harness, attempt=2)):
        with refused(Reason.ILLEGAL_STATE):
            await decided


async def test_a_fee_is_in_the_payouts_currency(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    request = pb.ConfirmBankTransferRequest(
        name=NAME, attempt=1, external_reference="BANK-1", request_id=request_id()
    )
    request.fee.CopyFrom(usd(150))
    request.fee.currency_code = "EUR"
    with refused(Reason.INVALID_FIELDS, "fee"):
        await harness.operator.ConfirmBankTransfer(request)
    assert (await harness.get("p1")).state == pb.Payout.STATE_SENT


async def test_an_ordered_transfer_cannot_be_resolved_as_not_paid(harness: Harness) -> None:
    """An operator may still be making the transfer."""
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    await harness.database.execute("UPDATE attempt SET state = 'BLOCKED'")
    with refused(Reason.ILLEGAL_STATE) as caught:
        await not_paid(harness)
    assert "still shows PENDING" in caught.value.message


async def test_paypal_events_do_not_affect_bank_transfers(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    await retry_by_bank(harness)
    assert await harness.payments.handle_event(ProviderEvent("po-p1-1", "po-p1-1")) is None
    assert (
        await harness.payments.handle_event(
            ProviderEvent("po-p1-1", "", provider=ProviderName.BANK_TRANSFER)
        )
        is not None
    )


async def test_bank_transfers_may_be_the_only_provider(harness: Harness) -> None:
    await harness.due("p1", "anna@example.com")
    payments = harness.payments_with(provider=ProviderName.BANK_TRANSFER)
    await payments.send_payout(SendPayout.model_validate({"name": NAME, "attempt": 1}))
    ordered = await BankTransferProvider(harness.database).get("po-p1-1")
    assert ordered is not None
    assert ordered.receiver == "anna@example.com"
    assert (await confirm(harness)).state == pb.Payout.STATE_PAID


async def test_a_report_waits_for_a_confirmation_in_progress(harness: Harness) -> None:
    """A confirmation that commits after a report must not have a time before the report's end."""
    transfers = BankTransferProvider(harness.database)
    begin = utc_now()
    for name in ("po-a-1", "po-b-1"):
        await transfers.send(Order(name, IBAN, MONEY), may_always)
    async with harness.database.transaction():
        await transfers.confirm("po-a-1", "BANK-A", 0)
        # In the same context, it would join the transaction.
        asked = transfers.report(begin, utc_now() + timedelta(days=1))
        report = asyncio.create_task(asked, context=Context())
        await asyncio.create_task(until_a_lock_is_awaited(harness), context=Context())
    shown = await report
    await transfers.confirm("po-b-1", "BANK-B", 0)
    assert [one.id for one in shown.transactions] == ["BANK-A"]
    later = await transfers.report(shown.end_time, utc_now() + timedelta(days=1))
    assert [one.id for one in later.transactions] == ["BANK-B"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE bank_transfer SET state = 'ORDERED', external_reference = NULL, fee_minor = NULL",
        "UPDATE bank_transfer SET external_reference = 'BANK-2'",
        "UPDATE bank_transfer SET receiver = 'eve'",
        "DELETE FROM bank_transfer",
        "TRUNCATE bank_transfer",
    ],
)
async def test_a_transfers_outcome_cannot_be_changed(
    harness: Harness, owner: Database, statement: str
) -> None:
    """Not even by the schema's owner."""
    transfers = BankTransferProvider(harness.database)
    await transfers.send(Order("po-a-1", IBAN, MONEY), may_always)
    await transfers.confirm("po-a-1", "BANK-1", 0)
    with pytest.raises(psycopg.errors.IntegrityError, match=r"cannot be changed|only added to"):
        await owner.execute(statement)
