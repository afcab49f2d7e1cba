"""The client's cancel and report against the sandbox, which reports transactions as PayPal does."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack.paypal_sandbox.settings import Settings as SandboxSettings
from devstack.paypal_sandbox.web.server import Sandbox
from devstack.ports import free_port
from servicekit.money import Money
from services.payouts.providers.interface import (
    Item,
    NotCancellable,
    NotReadable,
    Order,
    Report,
    Transaction,
)
from services.payouts.providers.paypal import reports as paypal_reports
from services.payouts.providers.paypal.client import PaypalProvider, http_client
from tests.integration.payouts.harness import eventually, paypal_settings
from tests.integration.paypal_sandbox.contracts import Contracts

BEGINNING = timedelta(minutes=5)


@dataclass
class Account:
    """The client, and the sandbox's admin API."""

    paypal: PaypalProvider
    http: httpx.AsyncClient

    async def pay(self, number: int, receiver: str, state: str, minor: int = 10_000) -> Item:
        """Sends, and waits until the item is in that state."""
        order = Order(f"po-p{number}-1", receiver, Money("USD", minor))
        batch_id = await self.paypal.send(order, may_post)
        return await self.until(batch_id, state)

    async def until(self, batch_id: str, state: str) -> Item:
        async def is_reached() -> bool:
            items = (await self.paypal.batch(batch_id)).items
            return [item.state for item in items] == [state]

        await eventually(is_reached)
        return (await self.paypal.batch(batch_id)).items[0]

    async def change(self, item: Item, status: str) -> None:
        await self.admin("POST", f"items/{item.id}", status=status)

    async def admin(self, method: str, path: str, **body: Any) -> Any:
        answer = await self.http.request(method, f"/admin/{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    async def report(self, since: timedelta = BEGINNING) -> Report:
        now = datetime.now(UTC)
        return await self.paypal.report(now - since, now + timedelta(seconds=1))


async def may_post() -> bool:
    return True


@pytest.fixture
async def account(tmp_path: Path) -> AsyncIterator[Account]:
    url = f"http://127.0.0.1:{free_port()}"
    settings = paypal_settings(url)
    async with AsyncExitStack() as exits:
        await exits.enter_async_context(
            Sandbox(
                SandboxSettings(
                    address=url.removeprefix("http://"),
                    public_url=url,
                    client_id=settings.paypal_client_id,
                    client_secret=settings.paypal_client_secret,
                    data_dir=tmp_path / "sandbox",
                    step_seconds=0.01,
                )
            )
        )
        http = await exits.enter_async_context(http_client())
        admin = await exits.enter_async_context(httpx.AsyncClient(base_url=url, trust_env=False))
        contracts = Contracts()
        http.event_hooks = {"response": [contracts.check_response]}
        yield Account(PaypalProvider(settings, http), admin)
        assert contracts.problems == []


def shown(transaction: Transaction) -> tuple[str, str, int, int, bool]:
    return (
        transaction.sender_batch_id,
        transaction.reverses_id,
        transaction.amount.amount_minor,
        transaction.fee.amount_minor,
        transaction.is_pending,
    )


async def test_a_payment_is_reported_with_its_fee(account: Account) -> None:
    before = datetime.now(UTC)
    item = await account.pay(1, "anna@example.com", "SUCCESS")
    report = await account.report()
    (payment,) = report.transactions
    assert payment.id == item.transaction_id
    assert (payment.amount, payment.fee) == (Money("USD", 10_000), Money("USD", 200))
    assert shown(payment) == ("po-p1-1", "", 10_000, 200, False)
    assert before < payment.time < report.end_time <= datetime.now(UTC)


async def test_a_failed_payment_is_not_reported(account: Account) -> None:
    await account.admin("PUT", "behaviours/b@example.com", behaviour="FAILED_LATE", delay_seconds=0)
    await account.pay(1, "b@example.com", "FAILED")
    await account.pay(2, "denied@example.com", "FAILED")
    held = await account.pay(3, "onhold@example.com", "ONHOLD")
    assert [shown(each) for each in (await account.report()).transactions] == [
        ("po-p3-1", "", 10_000, 200, True)
    ]
    await account.change(held, "FAILED")
    assert (await account.report()).transactions == ()


async def test_an_unclaimed_payment_is_reported_as_pending_until_claimed(account: Account) -> None:
    item = await account.pay(1, "unclaimed@example.com", "UNCLAIMED")
    (pending,) = (await account.report()).transactions
    assert shown(pending) == ("po-p1-1", "", 10_000, 200, True)
    await account.change(item, "SUCCESS")
    (claimed,) = (await account.report()).transactions
    assert shown(claimed) == ("po-p1-1", "", 10_000, 200, False)
    assert (claimed.id, claimed.time) == (pending.id, pending.time)
    with pytest.raises(NotCancellable) as refused:
        await account.paypal.cancel(item.id)
    assert refused.value.code == "ITEM_INCORRECT_STATUS"


@pytest.mark.parametrize("payee", ["unclaimed@example.com", "cancel-drops-response@example.com"])
async def test_a_cancelled_payment_is_returned_with_its_fee(account: Account, payee: str) -> None:
    item = await account.pay(1, payee, "UNCLAIMED")
    if payee.startswith("cancel"):
        with pytest.raises(NotReadable):
            await account.paypal.cancel(item.id)
    else:
        await account.paypal.cancel(item.id)
    with pytest.raises(NotCancellable):
        await account.paypal.cancel(item.id)
    payment, back = (await account.report()).transactions
    assert shown(payment) == ("po-p1-1", "", 10_000, 200, False)
    assert shown(back) == ("", payment.id, -10_000, -200, False)
    assert (payment.is_reversed, back.is_reversed) == (True, False)


@pytest.mark.parametrize("status", ["REFUNDED", "REVERSED"])
async def test_a_payment_returned_after_success_keeps_its_fee(
    account: Account, status: str
) -> None:
    item = await account.pay(1, "anna@example.com", "SUCCESS")
    await account.change(item, status)
    payment, back = (await account.report()).transactions
    assert shown(payment) == ("po-p1-1", "", 10_000, 200, False)
    assert shown(back) == ("", item.transaction_id, -10_000, 0, False)
    assert (payment.is_reversed, back.is_reversed) == (True, False)


async def test_an_unknown_item_cannot_be_cancelled(account: Account) -> None:
    with pytest.raises(NotReadable) as refused:
        await account.paypal.cancel("NONE")
    assert refused.value.code == "RESOURCE_NOT_FOUND"


async def test_a_report_ends_where_paypals_data_ends(account: Account) -> None:
    await account.pay(1, "anna@example.com", "SUCCESS")
    await account.admin("PUT", "conditions", reporting_lag_seconds=3 * 3600)
    now = datetime.now(UTC)
    late = await account.paypal.report(now - timedelta(days=1), now)
    assert late.transactions == ()
    assert abs(late.end_time - (now - timedelta(hours=3))) < timedelta(minutes=1)
    start = now - timedelta(hours=1)
    assert await account.paypal.report(start, now) == Report((), start)
    await account.admin("PUT", "conditions")
    assert len((await account.report()).transactions) == 1


async def test_consecutive_reports_have_each_transaction_once(account: Account) -> None:
    first_start = datetime.now(UTC) - BEGINNING
    first = await account.paypal.report(first_start, datetime.now(UTC))
    items = [await account.pay(n, "anna@example.com", "SUCCESS") for n in (1, 2)]
    second = await account.paypal.report(first.end_time, datetime.now(UTC))
    items.append(await account.pay(3, "anna@example.com", "SUCCESS"))
    third = await account.paypal.report(second.end_time, datetime.now(UTC))
    reported = [each.id for report in (first, second, third) for each in report.transactions]
    assert reported == [item.transaction_id for item in items]
    assert await account.paypal.report(third.end_time, third.end_time) == Report((), third.end_time)


async def test_long_periods_are_read_in_parts_and_full_parts_in_halves(account: Account) -> None:
    now = datetime.now(UTC)
    added = []
    for days in (100, 70, 69, 40, 10, 0):
        moment = (now - timedelta(days=days, seconds=1)).isoformat()
        line = await account.admin(
            "POST", "transactions", amount="-5.00", custom_field=f"po-{days}-1", initiated_at=moment
        )
        added.append(line["transaction_info"]["transaction_id"])
    await account.admin("PUT", "conditions", report_line_limit=1)
    report = await account.report(timedelta(days=101))
    assert [each.id for each in report.transactions] == added
    assert report.end_time > now


async def test_all_pages_are_read(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paypal_reports, "_PAGE_SIZE", 2)
    for number in range(5):
        await account.admin("POST", "transactions", amount=f"-{number}.00")
        report = await account.report()
        assert [each.amount.amount_minor for each in report.transactions] == [
            each * 100 for each in range(number + 1)
        ]


async def test_transactions_unrelated_to_payouts_are_omitted(account: Account) -> None:
    taken = [
        await account.admin("POST", "transactions", amount=amount, event_code=code, **more)
        for code, amount, more in (
            ("T1107", "5.00", {"reference_id": "A" * 17}),
            ("T1108", "0.25", {"reference_id": "A" * 17}),
        )
    ]
    for code, more in (
        ("T0006", {}),  # a purchase
        ("T0400", {}),  # a withdrawal to the bank
        ("T1106", {}),  # a reversal of a transaction that is not ours
        ("T1105", {"reference_id": "A" * 17}),
        ("T1503", {}),
    ):
        await account.admin("POST", "transactions", amount="-7.00", event_code=code, **more)
    report = await account.report()
    assert [each.id for each in report.transactions] == [
        line["transaction_info"]["transaction_id"] for line in taken
    ]
    refund, fee = report.transactions
    assert shown(refund) == ("", "A" * 17, -500, 0, False)
    assert shown(fee) == ("", "A" * 17, 0, -25, False)


async def test_the_sandbox_can_add_change_and_hide_transactions(account: Account) -> None:
    item = await account.pay(1, "anna@example.com", "SUCCESS")
    foreign = await account.admin("POST", "transactions", amount="-90.00")
    path = f"transactions/{item.transaction_id}"
    await account.admin("PATCH", path, amount="-99.00", fee="-3.00")
    ours, other = (await account.report()).transactions
    assert (ours.amount.amount_minor, ours.fee.amount_minor) == (9_900, 300)
    assert other.id == foreign["transaction_info"]["transaction_id"]
    await account.admin("PATCH", path, is_reported=False)
    assert [each.id for each in (await account.report()).transactions] == [other.id]
